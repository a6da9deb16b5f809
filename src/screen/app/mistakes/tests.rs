//! Filters, orders, evaluations and corrections of the mistakes page.

use super::*;
use crate::core::data::slice_columns::SliceColumn;
use crate::run::predictions::ReviewSlices;
use crate::run::predictions::slices::LengthBand;

/// 46 reviews and two evaluations, after steps 63 and 126. After the second one, reviews 1, 3 and 5
/// are misclassified, and the label of review 3 is likely wrong. Those after the sixth one are always
/// classified correctly.
pub(crate) fn predictions() -> Predictions {
    let review = |number: usize, text: &str, label, unknown| Review {
        id: format!("{}", 9_000_000 + number),
        text: text.to_owned(),
        text_pair: None,
        label,
        tokens: 10,
        unknown,
    };
    let mut reviews = vec![
        review(0, "정말 재미있는 영화", 1, 0),
        review(1, "기대했는데 지루하고 뻔한 이야기라 실망스럽다", 1, 0),
        review(2, "시간이 아깝다", 0, 2),
        review(3, "올해 최고의 영화, 배우들의 연기가 훌륭하다", 0, 0),
        review(4, "최악", 0, 0),
        review(5, "그럭저럭 볼 만하다\u{1b}[31m", 1, 1),
    ];
    let easy = |number: usize| match number % 2 {
        0 => review(number, "나쁜 영화", 0, 0),
        _ => review(number, "좋은 영화", 1, 0),
    };
    reviews.extend((6..46).map(easy));
    let evaluation = |step: u64, first: [f64; 6]| {
        let easy = (6..46).map(|number| if number % 2 == 0 { 0.3 } else { 0.7 });
        let positive: Vec<f64> = first.into_iter().chain(easy).collect();
        let scaled = |share: f64| (share * 65535.0).round() as u16;
        let outcomes = Outcomes::from_parts(
            2,
            positive.iter().map(|share| u16::from(*share >= 0.5)).collect(),
            positive
                .iter()
                .zip(&reviews)
                .map(|(share, review)| {
                    let right = if review.label == 1 { *share } else { 1.0 - share };
                    -(right.ln() as f32)
                })
                .collect(),
            positive.iter().flat_map(|share| [scaled(1.0 - share), scaled(*share)]).collect(),
        );
        KeptEvaluation { step, epoch: step as f64 / 63.0, outcomes: outcomes.unwrap_or_default() }
    };
    Predictions {
        evaluations: vec![
            evaluation(63, [0.7, 0.4, 0.6, 0.9, 0.3, 0.6]),
            evaluation(126, [0.95, 0.2, 0.1, 0.98, 0.05, 0.45]),
        ],
        reviews,
        slices: ReviewSlices {
            columns: vec![SliceColumn {
                name: "date".to_owned(),
                values: vec!["2016".to_owned(), "2015".to_owned()],
            }],
            rows: (0..18).map(|number| [Some(u8::from((2..5).contains(&number)))].into()).collect(),
        },
        problems: Vec::new(),
    }
}

/// The page after the evaluations of steps 63 and 126 were read.
pub(crate) fn loaded() -> Mistakes {
    loaded_from(predictions())
}

/// As [`loaded`], with other predictions of these evaluations.
pub(crate) fn loaded_from(predictions: Predictions) -> Mistakes {
    let mut mistakes = Mistakes::default();
    mistakes.evaluated(63);
    mistakes.evaluated(126);
    assert!(mistakes.begin_reading() && !mistakes.begin_reading());
    let predictions = Arc::new(predictions);
    let found = LoadedPredictions { predictions, corrections: Ok(Corrections::new()) };
    assert_eq!(mistakes.loaded(Ok(Some(found))), [""; 0]);
    mistakes
}

#[test]
fn the_worst_mistake_comes_first_and_orders_change_it() {
    let mut mistakes = loaded();
    assert_eq!(mistakes.shown(), [3, 1, 5]);
    mistakes.apply(MistakesAction::Last);
    assert_eq!(mistakes.selected_review(), Some(5));
    mistakes.apply(MistakesAction::NextOrder);
    assert_eq!((mistakes.shown(), mistakes.selected_review()), (&[3, 1, 5][..], Some(3)));
    mistakes.apply(MistakesAction::Reverse);
    assert_eq!(mistakes.shown(), [5, 1, 3]);
    mistakes.apply(MistakesAction::NextOrder);
    assert_eq!((mistakes.order, mistakes.shown()), (ReviewOrder::Length, &[1, 3, 5][..]));
    // Their probabilities changed by 0.2, 0.15 and 0.08.
    mistakes.apply(MistakesAction::NextOrder);
    assert_eq!((mistakes.order, mistakes.shown()), (ReviewOrder::Change, &[1, 5, 3][..]));
    assert_eq!(mistakes.last_answers(0), [true, true]);
    assert_eq!(mistakes.last_answers(5), [true, false]);
}

#[test]
fn the_first_review_stays_selected_when_the_run_is_evaluated_again() {
    for (moves, expected) in [(vec![], Some(5)), (vec![MistakesAction::Last], Some(3))] {
        let mut early = predictions();
        early.evaluations.truncate(1);
        let mut mistakes = loaded_from(early);
        mistakes.apply(MistakesAction::Reverse);
        assert_eq!(mistakes.shown(), [2, 1, 3]);
        for action in moves {
            mistakes.apply(action);
        }
        mistakes.evaluated(126);
        assert!(mistakes.begin_reading());
        let predictions = Arc::new(predictions());
        let found = LoadedPredictions { predictions, corrections: Ok(Corrections::new()) };
        assert_eq!(mistakes.loaded(Ok(Some(found))), [""; 0]);
        assert_eq!(mistakes.shown(), [5, 1, 3]);
        assert_eq!(mistakes.selected_review(), expected);
    }
}

#[test]
fn filters_are_combined_and_cleared() {
    let mut mistakes = loaded();
    mistakes.apply(MistakesAction::NextCell);
    assert_eq!((mistakes.filter.cell, mistakes.shown()), (Some((1, 0)), &[1, 5][..]));
    mistakes.apply(MistakesAction::NextUnknown);
    assert_eq!(mistakes.shown(), [5]);
    mistakes.apply(MistakesAction::NextCell);
    assert_eq!((mistakes.filter.cell, mistakes.shown()), (Some((0, 1)), &[][..]));
    mistakes.apply(MistakesAction::ShowAll);
    assert_eq!(mistakes.shown().len(), 3);
    mistakes.apply(MistakesAction::NextLength);
    assert_eq!((mistakes.filter.length, mistakes.shown().len()), (Some(LengthBand::ALL[0]), 0));
    mistakes.apply(MistakesAction::ShowAll);
    mistakes.apply(MistakesAction::Search);
    mistakes.paste("최고");
    assert_eq!((mistakes.shown(), mistakes.is_typing()), (&[3][..], true));
    mistakes.apply(MistakesAction::ApplyInput);
    assert_eq!((mistakes.shown(), mistakes.is_typing()), (&[3][..], false));
    mistakes.apply(MistakesAction::Search);
    mistakes.apply(MistakesAction::CancelInput);
    assert_eq!(mistakes.shown().len(), 3);
    mistakes.show_cell((0, 0));
    assert_eq!(mistakes.shown()[..3], [6, 8, 10], "the least certain ones first");
    assert!(mistakes.shown().ends_with(&[2, 4]));
}

#[test]
fn likely_label_errors_are_found_over_all_evaluations() {
    let mut mistakes = loaded();
    mistakes.apply(MistakesAction::NextKind);
    assert_eq!(mistakes.filter.kind, ShownReviews::LabelErrors);
    assert_eq!((mistakes.shown(), mistakes.likely_class(3)), (&[3, 1][..], Some(1)));
}

#[test]
fn a_model_no_better_than_chance_doubts_no_label() {
    let mut mistakes = loaded();
    assert!(mistakes.is_better_than_chance);
    let mut chance = predictions();
    for label in chance.reviews.iter_mut().skip(6).map(|review| &mut review.label) {
        *label = 1;
    }
    let predictions = Arc::new(chance);
    let found = LoadedPredictions { predictions, corrections: Ok(Corrections::new()) };
    assert_eq!(mistakes.loaded(Ok(Some(found))), [""; 0]);
    assert!(!mistakes.is_better_than_chance);
    mistakes.apply(MistakesAction::NextKind);
    assert_eq!((mistakes.shown(), mistakes.likely_class(3)), (&[][..], None));
}

#[test]
fn earlier_evaluations_are_shown_and_later_ones_of_a_replay_are_not() {
    let mut mistakes = loaded();
    mistakes.apply(MistakesAction::Evaluation(-1));
    assert_eq!(mistakes.evaluation().map(|shown| shown.step), Some(63));
    assert_eq!(mistakes.shown(), [3, 1, 2]);
    mistakes.apply(MistakesAction::Evaluation(-1));
    assert_eq!(mistakes.evaluation().map(|shown| shown.step), Some(63));
    mistakes.apply(MistakesAction::ShowAll);
    assert_eq!(mistakes.evaluation().map(|shown| shown.step), Some(126));
    mistakes.best_loaded(63);
    assert_eq!(mistakes.evaluation().map(|shown| shown.step), Some(63));
    mistakes.rolled_back(70);
    assert_eq!(mistakes.evaluations().len(), 1);
    assert!(mistakes.begin_reading(), "a run that went back is read again");
    mistakes.rolled_back(0);
    assert!(mistakes.evaluation().is_none() && mistakes.shown().is_empty());
}

#[test]
fn corrections_are_saved_one_after_another() {
    let mut mistakes = loaded();
    assert!(mistakes.begin_saving().is_none());
    mistakes.apply(MistakesAction::Relabel);
    assert_eq!(mistakes.corrected_class(3), Some(1));
    let changes = mistakes.begin_saving().map(|saving| saving.1);
    assert_eq!(changes, Some(Changes::from([(3, Some(1))])));
    mistakes.apply(MistakesAction::Relabel);
    assert_eq!(mistakes.corrected_class(3), None, "two classes");
    assert!(mistakes.begin_saving().is_none(), "it is still being written");
    // Another program has corrected review 5 meanwhile.
    assert_eq!(mistakes.saved(Ok(Corrections::from([(3, 1), (5, 0)]))), Ok(2 - 1));
    assert_eq!((mistakes.corrected_class(3), mistakes.corrected_class(5)), (None, Some(0)));
    let taken_back = Changes::from([(3, None)]);
    assert_eq!(mistakes.begin_saving().map(|saving| saving.1), Some(taken_back.clone()));
    assert_eq!(mistakes.saved(Err("full".to_owned())), Err("full".to_owned()));
    assert!(mistakes.begin_saving().is_none(), "not again before the next change");
    mistakes.apply(MistakesAction::Relabel);
    mistakes.apply(MistakesAction::Relabel);
    assert_eq!(mistakes.begin_saving().map(|saving| saving.1), Some(taken_back), "kept");
    assert_eq!(mistakes.saved(Ok(Corrections::from([(5, 0)]))), Ok(1));
    assert!(mistakes.begin_saving().is_none());
}

#[test]
fn what_cannot_be_read_is_said() {
    let mut mistakes = Mistakes::default();
    assert!(!mistakes.begin_reading(), "there is no evaluation yet");
    mistakes.evaluated(63);
    assert!(mistakes.begin_reading());
    mistakes.loaded(Ok(None));
    assert_eq!(mistakes.reading, Reading::NotKept);
    assert!(!mistakes.begin_reading());
    mistakes.evaluated(126);
    assert!(mistakes.begin_reading());
    mistakes.loaded(Err("no".to_owned()));
    assert_eq!(mistakes.reading, Reading::Failed("no".to_owned()));
    assert_eq!(mistakes.apply(MistakesAction::Open), None);
    mistakes.apply(MistakesAction::Relabel);
    assert!(mistakes.begin_saving().is_none());
}
