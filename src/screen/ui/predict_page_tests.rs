//! Snapshots of the predict page, at three sizes and in both languages.

use super::matrix_tests::{LANGUAGES, all_colors, mono_ascii, screen, state_after, text};
use super::tests::SIZES;
use super::*;
use crate::core::attribution::{TextPart, WordAttributions};
use crate::core::predict::{ComparedPrediction, Prediction};
use crate::core::train::fixtures::run;
use crate::run::protocol::{Activity, Answer, Explanation, RunReport};
use crate::screen::app::state::AskedModel;
use crate::screen::app::words::WordsAction;
use crate::screen::app::{Action, Message, Page, update};
use crate::screen::lang::Lang;
use ratatui::buffer::Cell;
use ratatui::style::Modifier;
use tui_input::InputRequest;

fn prediction(text: &str, positive: f64, tokens: &[&str]) -> Prediction {
    let label = if positive > 0.5 { "positive" } else { "negative" };
    Prediction {
        text: text.to_owned(),
        text_pair: None,
        label: label.to_owned(),
        score: positive.max(1.0 - positive),
        probabilities: vec![1.0 - positive, positive],
        calibrated_probabilities: None,
        compared: None,
        logits: vec![0.0, (positive / (1.0 - positive)).ln() as f32],
        tokens: tokens.iter().map(|&token| token.to_owned()).collect(),
        truncated: false,
        unknown: 0,
    }
    .calibrated(Some(1.5))
}

fn answered(state: &mut State, prediction: Prediction) {
    let answer = Answer { text: prediction.text.clone(), outcome: Ok(prediction), step: None };
    update(state, Message::Report(RunReport::Answer(answer)));
}

const LONG: &str = "처음에는 지루할 줄 알았는데 끝까지 눈을 떼지 못했다.\n배우들의 연기도 좋았고 음악도 \
                    좋았다. 👨\u{200d}👩\u{200d}👧 가족이 함께 보기 좋은 영화, 별 다섯 개";

/// A text of several rows is being typed, and its answer is there. An earlier one was kept.
pub(super) fn typing(lang: Lang) -> State {
    let mut state = state_after(lang, &run(300), Activity::Training);
    state.page = Page::Predict;
    answered(&mut state, prediction("뻔한 이야기", 0.08, &["[CLS]", "뻔한", "이야기", "[SEP]"]));
    update(&mut state, Message::Tick(100.0));
    let effects = update(&mut state, Message::Paste(LONG.to_owned()));
    assert_eq!(effects.len(), 1, "it is asked about at once");
    let tokens = ["[CLS]", "처음", "##에는", "지루", "##할", "줄", "[UNK]", "[SEP]"];
    answered(&mut state, prediction(LONG, 0.81, &tokens));
    state
}

/// The text has changed since it was answered, and what was pasted was changed, too.
fn outdated(lang: Lang) -> State {
    let mut state = typing(lang);
    update(&mut state, Message::Paste(" e\u{301}\u{200b}".to_owned()));
    update(&mut state, Message::Tick(101.0));
    state
}

/// An answer was kept, and the field is empty.
pub(super) fn kept(lang: Lang) -> State {
    let mut state = typing(lang);
    for _ in 0..2 {
        update(&mut state, Message::Action(Action::Edit(InputRequest::DeleteLine)));
        update(&mut state, Message::Action(Action::Edit(InputRequest::DeleteLine)));
    }
    state
}

/// The page of a saved model, beside which a checkpoint is asked.
pub(super) fn compared(lang: Lang) -> State {
    let asked = AskedModel {
        is_untrained: false,
        name: "outputs".to_owned(),
        compared: Some("outputs/checkpoint-50".to_owned()),
        reads_pairs: false,
    };
    let mut state =
        State { asked_model: Some(asked), ..state_after(lang, &run(1), Activity::Idle) };
    state.page = Page::Predict;
    state.began = None;
    for (text, first, second) in [("뻔한 이야기", 0.08, 0.3), ("다시 보고 싶은 영화", 0.97, 0.41)]
    {
        let tokens: Vec<&str> =
            [&["[CLS]"], &text.split(' ').collect::<Vec<_>>()[..], &["[SEP]"]].concat();
        let mut prediction = self::prediction(text, first, &tokens);
        prediction.compared = Some(Box::new(ComparedPrediction {
            model: "outputs/checkpoint-50".to_owned(),
            labels: vec!["negative".to_owned(), "positive".to_owned()],
            prediction: self::prediction(text, second, &tokens),
        }));
        answered(&mut state, prediction);
    }
    state
}

/// Words that lead to class 1.
fn attributions(parts: Vec<TextPart>) -> WordAttributions {
    let baseline = "[MASK]".to_owned();
    WordAttributions { class: 1, score: 0.81, baseline, parts, integrals: None }
}

/// A text is being typed whose words are known, and this many answers were kept.
fn explained(lang: Lang, kept: usize) -> State {
    let mut state = typing(lang);
    let parts = LONG.split_inclusive([' ', '\n']).enumerate().map(|(number, word)| TextPart {
        text: word.to_owned(),
        contribution: Some(0.01 * number as f64),
    });
    let words = attributions(parts.collect());
    let explanation = Explanation::new(LONG.to_owned(), Ok(Some(words)));
    update(&mut state, Message::Report(RunReport::Explained(explanation)));
    let answer = |number: usize| {
        let text = format!("{number:02} {}", "오래 기억에 남을 영화 ".repeat(8));
        Answer {
            text: text.clone(),
            outcome: Ok(prediction(&text, 0.9, &["[CLS]", "[SEP]"])),
            step: None,
        }
    };
    state.prompt.answers = (0..kept).map(answer).collect();
    state
}

/// The rows of a screen that have nothing but spaces within the borders.
fn blank_rows(shown: &str) -> usize {
    let is_blank = |line: &&str| line.chars().all(|c| c == ' ' || c == '│');
    shown.lines().filter(is_blank).count()
}

#[test]
fn a_large_page_is_used() {
    for size in [(120, 40), (200, 60)] {
        let shown = text(&screen(&mut explained(Lang::English, 40), size, all_colors()));
        // The words by what they contribute, the largest first, with their numbers.
        assert!(shown.contains("points for positive"), "{shown}");
        let words: Vec<&str> = LONG.split_whitespace().rev().take(3).collect();
        let place = |word: &str| {
            let points =
                format!("+{:.2}", 21.0 - words.iter().position(|w| *w == word).unwrap_or(0) as f64);
            shown.lines().position(|line| line.contains(&points) && line.contains(word))
        };
        let places: Vec<Option<usize>> = words.iter().map(|word| place(word)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{shown}");
        let blank = blank_rows(&shown);
        assert!(blank <= usize::from(size.1) / 10, "{blank} blank rows at {size:?}\n{shown}");
        // A few kept answers are shown with all of their texts, and the run below them.
        let few = text(&screen(&mut explained(Lang::English, 3), size, all_colors()));
        assert_eq!(few.matches("오래").count(), 3 * 8, "{few}");
        let blank = blank_rows(&few);
        assert!(blank <= usize::from(size.1) / 7, "{blank} blank rows at {size:?}\n{few}");
        let has_run = few.contains("╭ loss ") && few.contains("╭ log ");
        assert_eq!(has_run, size.1 == 60, "where there is room: {few}");
    }
}

#[test]
fn a_chosen_word_is_shown_where_the_text_has_more_lines_than_there_is_room_for() {
    for (lang, size) in LANGUAGES.into_iter().flat_map(|(lang, _)| SIZES.map(|size| (lang, size))) {
        let mut state = explained(lang, 6);
        let long = LONG.repeat(8);
        let parts = long
            .split_inclusive([' ', '\n'])
            .map(|word| TextPart { text: word.to_owned(), contribution: Some(0.01) });
        let words = attributions(parts.collect());
        let count = words.parts.len() as isize;
        update(&mut state, Message::Paste(LONG.repeat(7)));
        answered(&mut state, prediction(&long, 0.81, &["[CLS]", "[SEP]"]));
        let explanation = Explanation::new(long, Ok(Some(words)));
        update(&mut state, Message::Report(RunReport::Explained(explanation)));
        for chosen in 1..=count {
            update(&mut state, Message::Action(Action::Words(WordsAction::Choose(1))));
            if chosen % 7 != 0 && chosen != count {
                continue;
            }
            let buffer = screen(&mut state, size, all_colors());
            let rows: Vec<String> = text(&buffer).lines().map(str::to_owned).collect();
            let title = format!("╭ {}", lang.tr("prediction"));
            let top = rows.iter().position(|row| row.starts_with(&title)).expect("an answer");
            let height = rows[top..].iter().position(|row| row.starts_with('╰')).expect("its end");
            // The list of words is beside it where there is room.
            let width = if size.0 < 100 { size.0 } else { size.0 * 3 / 5 };
            let answer = (top..top + height)
                .flat_map(|row| (0..width).map(move |column| (column, row as u16)));
            let is_selected = |cell: &Cell| cell.modifier.contains(Modifier::REVERSED);
            let selected = answer.filter(|place| is_selected(&buffer[*place])).count();
            assert!(selected > 0, "word {chosen} of {count} at {size:?}\n{}", text(&buffer));
        }
    }
}

#[test]
fn the_predict_page_while_one_types_and_with_two_models() {
    for (lang, code) in LANGUAGES {
        for size in SIZES {
            let mut shown = String::new();
            let explained = |lang| explained(lang, 6);
            let makes: [&dyn Fn(Lang) -> State; 5] =
                [&typing, &outdated, &kept, &compared, &explained];
            for make in makes {
                shown += &text(&screen(&mut make(lang), size, all_colors()));
                shown.push('\n');
            }
            shown += &text(&screen(&mut typing(lang), size, mono_ascii()));
            insta::assert_snapshot!(format!("predict_page_{code}_{}x{}", size.0, size.1), shown);
        }
    }
}
