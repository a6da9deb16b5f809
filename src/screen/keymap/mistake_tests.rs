//! Keys of the mistakes page.

use super::effect_tests::Check;
use super::scene_tests::training;
use super::*;
use crate::run::protocol::Command;
use crate::screen::app::mistakes::tests::loaded;
use crate::screen::app::mistakes::{FileTask, MistakesAction, ReviewOrder, ShownReviews};
use crate::screen::app::panels::Panel;
use crate::screen::app::replay::Replay;
use crate::screen::app::{Effect, Message, update};

/// The page with three mistakes, the second one selected.
pub(super) fn shown() -> State {
    let mut state = State { page: Page::Mistakes, mistakes: Box::new(loaded()), ..training() };
    state.mistakes.selected = 1;
    state
}

/// The page while a search is typed that one mistake matches.
pub(super) fn searching() -> State {
    let mut state = shown();
    update(&mut state, Message::Action(Action::Mistakes(MistakesAction::Search)));
    update(&mut state, Message::Paste("최고".to_owned()));
    state
}

/// The check of an action.
pub(super) fn check(state: &mut State, action: MistakesAction) -> Check {
    match action {
        MistakesAction::Move(by) => {
            let expected = (1 + by).clamp(0, 2) as usize;
            Box::new(move |_, after, _| after.mistakes.selected == expected)
        }
        MistakesAction::First => Box::new(|_, after, _| after.mistakes.selected == 0),
        MistakesAction::Last => Box::new(|_, after, _| after.mistakes.selected == 2),
        MistakesAction::ScrollReview(by) => {
            state.layout.review_lines = Some((9, 4));
            if by < 0 {
                state.mistakes.scroll_review(1, 9, 4);
            }
            Box::new(move |_, after, _| after.mistakes.first_line() == if by > 0 { 3 } else { 0 })
        }
        MistakesAction::Open => Box::new(|before, after, effects| {
            let review = before.mistakes.selected_review().unwrap_or_default();
            let text = before.mistakes.reviews()[review].text.clone();
            let asked = effects == [Effect::Send(Command::Predict { text: text.clone() })];
            asked && after.page == Page::Predict && after.prompt.input.text() == text
        }),
        MistakesAction::Copy => Box::new(|before, _, effects| {
            let review = before.mistakes.selected_review().unwrap_or_default();
            effects == [Effect::Copy(before.mistakes.reviews()[review].line())]
        }),
        MistakesAction::NextOrder => {
            Box::new(|_, after, _| after.mistakes.order == ReviewOrder::Confidence)
        }
        MistakesAction::Reverse => Box::new(|before, after, _| {
            before.mistakes.shown().iter().rev().eq(after.mistakes.shown())
        }),
        MistakesAction::NextKind => {
            Box::new(|_, after, _| after.mistakes.filter.kind == ShownReviews::LabelErrors)
        }
        MistakesAction::NextCell => {
            Box::new(|_, after, _| after.mistakes.filter.cell == Some((1, 0)))
        }
        MistakesAction::NextLength => {
            Box::new(|_, after, _| after.mistakes.filter.length.is_some())
        }
        MistakesAction::NextUnknown => {
            Box::new(|_, after, _| after.mistakes.filter.unknown.is_some())
        }
        MistakesAction::Search => Box::new(|_, after, _| after.mistakes.is_typing()),
        MistakesAction::ApplyInput => {
            Box::new(|_, after, _| !after.mistakes.is_typing() && after.mistakes.shown().len() == 1)
        }
        MistakesAction::CancelInput => {
            Box::new(|_, after, _| !after.mistakes.is_typing() && after.mistakes.shown().len() == 3)
        }
        MistakesAction::Evaluation(by) => {
            if by > 0 {
                state.mistakes.apply(MistakesAction::Evaluation(-1));
            }
            Box::new(move |before, after, _| {
                let step = |state: &State| state.mistakes.evaluation().map(|shown| shown.step);
                step(before) != step(after)
            })
        }
        MistakesAction::Relabel => Box::new(|before, after, effects| {
            let review = before.mistakes.selected_review().unwrap_or_default();
            let writes = matches!(effects, [Effect::Files(FileTask::WriteCorrections { .. })]);
            writes && after.mistakes.corrected_class(review) == Some(0)
        }),
        MistakesAction::Slices => Box::new(|_, after, _| after.mistakes.slices),
        MistakesAction::ShowAll => {
            state.mistakes.apply(MistakesAction::NextCell);
            Box::new(|before, after, _| {
                before.mistakes.filter.cell.is_some() && after.mistakes.filter.cell.is_none()
            })
        }
    }
}

#[test]
fn a_cell_of_the_confusion_matrix_opens_its_reviews() {
    let press = |state: &mut State, code| {
        let event = KeyEvent::new(code, KeyModifiers::NONE);
        message(state, event).map(|message| update(state, message)).unwrap_or_default()
    };
    let mut state = State { page: Page::Train, ..shown() };
    state.panels.focus = Panel::Confusion;
    press(&mut state, KeyCode::Right);
    assert_eq!(state.mistakes.cell, Some((0, 1)), "the fullest cell beside the diagonal");
    press(&mut state, KeyCode::Right);
    assert_eq!(state.mistakes.cell, Some((1, 0)));
    press(&mut state, KeyCode::Left);
    press(&mut state, KeyCode::Left);
    assert_eq!((state.mistakes.cell, state.charts.cursor), (Some((0, 0)), None));
    press(&mut state, KeyCode::Enter);
    assert_eq!((state.page, state.mistakes.shown().len()), (Page::Mistakes, 22));
    state.page = Page::Train;
    press(&mut state, KeyCode::Char('z'));
    assert!(state.panels.maximized, "the panel can still be maximized");
}

#[test]
fn one_key_leads_to_the_worst_mistake_and_another_one_back_from_its_answer() {
    let press = |state: &mut State, code| {
        let event = KeyEvent::new(code, KeyModifiers::NONE);
        message(state, event).map(|message| update(state, message)).unwrap_or_default()
    };
    let mut state = State { page: Page::Train, ..shown() };
    state.mistakes.selected = 0;
    press(&mut state, KeyCode::Char('5'));
    assert_eq!((state.page, state.mistakes.selected_review()), (Page::Mistakes, Some(3)));
    press(&mut state, KeyCode::Enter);
    assert_eq!(state.page, Page::Predict);
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.page, Page::Mistakes);
}

#[test]
fn the_predictions_are_read_when_the_page_is_shown() {
    let mut state = training();
    let action = Message::Action(Action::ShowPage(Page::Mistakes));
    let effects = update(&mut state, action.clone());
    let labels = state.started.as_ref().map(|run| run.labels.clone()).unwrap_or_default();
    let folder = "out\u{1b}puts".into();
    assert_eq!(effects, [Effect::Files(FileTask::Read { folder, labels })]);
    assert_eq!(update(&mut state, action), [], "once");
}

#[test]
fn the_footer_has_keys_for_a_review_only_if_there_is_one_and_a_model_only_if_it_can_answer() {
    let labels = |state: &State| -> Vec<&str> {
        footer(state).into_iter().map(|(_, label)| label).collect()
    };
    let mut state = shown();
    state.layout.review_lines = Some((9, 4));
    assert!(labels(&state).contains(&"classify") && labels(&state).contains(&"read on"));
    let replayed = State { replay: Some(Replay::new(1.0)), ..state.clone() };
    assert!(!labels(&replayed).contains(&"classify"), "it has no model");
    let mut replayed = replayed;
    let open = Message::Action(Action::Mistakes(MistakesAction::Open));
    assert_eq!((update(&mut replayed, open), replayed.page), (Vec::new(), Page::Mistakes));
    let said = replayed.notice.as_ref().map_or("", |notice| &notice.text);
    assert!(said.starts_with("this recording is not in the folder"), "{said}");
    update(&mut state, Message::Action(Action::Mistakes(MistakesAction::Search)));
    update(&mut state, Message::Paste("no such review".to_owned()));
    update(&mut state, Message::Action(Action::Mistakes(MistakesAction::ApplyInput)));
    assert!(state.mistakes.shown().is_empty());
    assert!(!labels(&state).contains(&"classify") && !labels(&state).contains(&"read on"));
}
