//! Snapshots of the mistakes page.

use crate::core::train::fixtures::{ending, run};
use crate::run::protocol::{Activity, RunReport};
use crate::screen::app::mistakes::MistakesAction;
use crate::screen::app::mistakes::tests::loaded;
use crate::screen::app::{Action, Message, Page, State, update};
use crate::screen::lang::Lang;
use crate::screen::ui::tests::{SIZES, screen};

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
