//! Snapshots of the mistakes page.

use crate::core::train::fixtures::{ending, run};
use crate::run::protocol::{Activity, RunReport};
use crate::screen::app::mistakes::MistakesAction;
use crate::screen::app::mistakes::tests::{loaded, loaded_from, predictions};
use crate::screen::app::{Action, Message, Page, State, update};
use crate::screen::keymap;
use crate::screen::lang::Lang;
use crate::screen::ui::tests::{SIZES, screen};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

fn ended() -> State {
    let mut state = State { page: Page::Mistakes, ..State::default() };
    for event in [run(126), ending()].concat() {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    update(&mut state, Message::Report(RunReport::Activity(Activity::Idle)));
    state
}

fn with_predictions() -> State {
    State { mistakes: Box::new(loaded()), ..ended() }
}

#[test]
fn the_page_shows_the_worst_mistakes() {
    let mut state = with_predictions();
    for (columns, rows) in SIZES {
        let name = format!("mistakes_{columns}x{rows}");
        insta::assert_snapshot!(name, screen(&mut state, (columns, rows)));
    }
    state.lang = Lang::Korean;
    update(&mut state, Message::Action(Action::Mistakes(MistakesAction::Relabel)));
    insta::assert_snapshot!("mistakes_korean", screen(&mut state, SIZES[0]));
    update(&mut state, Message::Action(Action::Mistakes(MistakesAction::Slices)));
    insta::assert_snapshot!("mistakes_slices_korean", screen(&mut state, SIZES[0]));
    state.lang = Lang::English;
    for (columns, rows) in SIZES {
        let name = format!("mistakes_slices_{columns}x{rows}");
        insta::assert_snapshot!(name, screen(&mut state, (columns, rows)));
    }
}

#[test]
fn the_page_says_why_it_is_empty() {
    let mut state = ended();
    let hint = |state: &mut State| format!("{:?}", screen(state, SIZES[0]).buffer());
    assert!(hint(&mut state).contains("reading the predictions"));
    state.mistakes.begin_reading();
    state.mistakes.loaded(Ok(None));
    assert!(hint(&mut state).contains("the run keeps no predictions"));
    state.evaluated = None;
    assert!(hint(&mut state).contains("after the first evaluation"));
}

#[test]
fn a_long_review_is_read_in_full_by_its_keys() {
    let words: Vec<String> = (0..400).map(|number| format!("단어{number:03}")).collect();
    for (columns, rows) in SIZES.into_iter().chain([(60, 16)]) {
        let mut predictions = predictions();
        predictions.reviews[3].text = words.join(" ");
        let mut state = State { mistakes: Box::new(loaded_from(predictions)), ..ended() };
        let mut seen = vec![false; words.len()];
        let mut look = |state: &mut State| {
            // The list shows the beginning of the text, too.
            let shown = screen(state, (columns, rows)).to_string();
            let panel = shown.lines().skip(usize::from(rows) / 2).collect::<String>();
            for (seen, word) in seen.iter_mut().zip(&words) {
                *seen |= panel.contains(word);
            }
            seen.iter().filter(|seen| **seen).count()
        };
        assert!(look(&mut state) < words.len(), "{columns}x{rows}: it is scrolled");
        for _ in 0..150 {
            let right = KeyEvent::new(KeyCode::Right, KeyModifiers::NONE);
            let Some(message) = keymap::message(&state, right) else { break };
            update(&mut state, message);
            look(&mut state);
        }
        assert_eq!(look(&mut state), words.len(), "{columns}x{rows}");
        let end = state.mistakes.first_line();
        update(&mut state, Message::Action(Action::Mistakes(MistakesAction::Move(1))));
        assert_eq!(state.mistakes.first_line(), 0, "the next review is shown from its start");
        update(&mut state, Message::Action(Action::Mistakes(MistakesAction::Move(-1))));
        screen(&mut state, (columns, rows));
        update(&mut state, Message::Action(Action::Mistakes(MistakesAction::ScrollReview(-1))));
        assert!(state.mistakes.first_line() < end);
    }
}

#[test]
fn the_title_names_the_cell_of_the_confusion_matrix() {
    let mut state = with_predictions();
    state.mistakes.show_cell((0, 1));
    let top = |state: &mut State| {
        let shown = screen(state, SIZES[0]).to_string();
        shown.lines().nth(1).unwrap_or_default().to_owned()
    };
    let title = top(&mut state);
    assert!(title.contains("label negative, predicted positive · step"), "{title}");
    assert!(!title.contains("all reviews"), "{title}");
    let count = format!(" {} of {} ", state.mistakes.shown().len(), state.mistakes.reviews().len());
    assert!(title.contains(&count), "{title}");
    update(&mut state, Message::Action(Action::Mistakes(MistakesAction::ShowAll)));
    update(&mut state, Message::Action(Action::Mistakes(MistakesAction::NextCell)));
    assert!(top(&mut state).contains("mistakes · label "), "{}", top(&mut state));
}

#[test]
fn a_key_that_cannot_move_on_says_why() {
    let mut state = with_predictions();
    let space = KeyEvent::new(KeyCode::Char(' '), KeyModifiers::NONE);
    let press = |state: &mut State| {
        let message = keymap::message(state, space).expect("an action");
        update(state, message);
        state.notice.as_ref().map(|notice| notice.text.clone())
    };
    assert_eq!(press(&mut state), None, "it moves to the last review");
    assert_eq!(press(&mut state).as_deref(), Some("this is the last review"));
    update(&mut state, Message::Action(Action::Mistakes(MistakesAction::Move(-10))));
    update(&mut state, Message::Action(Action::Mistakes(MistakesAction::Move(-10))));
    let notice = state.notice.as_ref().map(|notice| notice.text.as_str());
    assert_eq!(notice, Some("this is the first review"));
    update(&mut state, Message::Action(Action::Mistakes(MistakesAction::Search)));
    update(&mut state, Message::Paste("no such review".to_owned()));
    update(&mut state, Message::Action(Action::Mistakes(MistakesAction::ApplyInput)));
    assert_eq!(press(&mut state).as_deref(), Some("there is no review to move to"));
}
