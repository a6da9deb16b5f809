//! The keys that the footer shows in each state, at 80 columns.

use super::scene_tests::{text_of, training};
use super::*;
use crate::run::protocol::Activity;
use crate::screen::app::charts::ChartAction;
use crate::screen::app::log::LogAction;
use crate::screen::app::mistakes::MistakesAction;
use crate::screen::app::panels::{Panel, PanelAction};
use crate::screen::app::{Message, update};

/// The last line of the screen at 80x24.
fn footer_line(state: &State) -> String {
    let text = text_of(state, (80, 24));
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned()
}

fn after(mut state: State, actions: &[Action]) -> State {
    for action in actions {
        update(&mut state, Message::Action(*action));
    }
    State { notice: None, ..state }
}

#[test]
fn what_escape_undoes_is_shown_in_every_state() {
    for activity in [Activity::Training, Activity::Paused, Activity::Idle] {
        let state = State { activity, ..training() };
        let cursor = Action::Chart(ChartAction::MoveCursor(-1));
        let zoom = Action::Chart(ChartAction::ZoomIn);
        let maximize = Action::Panel(PanelAction::Maximize);
        for (actions, label) in [
            (&[cursor][..], "Esc  clear cursor"),
            (&[zoom], "Esc  reset zoom"),
            (&[cursor, zoom], "Esc  clear cursor"),
            (&[maximize], "restore"),
            (&[maximize, cursor], "Esc  clear cursor"),
            (&[maximize, zoom], "Esc  reset zoom"),
        ] {
            let state = after(state.clone(), actions);
            let line = footer_line(&state);
            assert!(line.contains(label) && line.contains("quit"), "{label}: {line}");
        }
        let line = footer_line(&state);
        assert!(!line.contains("Esc") && !line.contains("restore"), "{line}");
        // Enter is for a cell of the matrix, and Escape closes it.
        let mut state = state;
        state.panels.focus = Panel::Confusion;
        let line = footer_line(&after(state.clone(), &[maximize]));
        assert!(line.contains("Enter  reviews") && line.contains("Esc  restore"), "{line}");
        let log = State { page: Page::Log, ..state.clone() };
        assert!(!footer_line(&log).contains("show all"), "{}", footer_line(&log));
        let log = after(log, &[Action::Log(LogAction::NextLevel)]);
        assert!(footer_line(&log).contains("Esc  show all"), "{}", footer_line(&log));
        let mistakes = State { page: Page::Mistakes, ..state };
        let mistakes =
            State { mistakes: Box::new(crate::screen::app::mistakes::tests::loaded()), ..mistakes };
        assert!(!footer_line(&mistakes).contains("show all"), "{}", footer_line(&mistakes));
        for action in [MistakesAction::NextCell, MistakesAction::Slices] {
            let mistakes = after(mistakes.clone(), &[Action::Mistakes(action)]);
            assert!(footer_line(&mistakes).contains("Esc  show all"), "{}", footer_line(&mistakes));
        }
    }
}

#[test]
fn a_paused_run_says_on_every_page_how_it_goes_on() {
    for (page, key) in
        [(Page::Train, "Space"), (Page::Settings, "o"), (Page::Log, "o"), (Page::Mistakes, "o")]
    {
        let state = State { page, ..training() };
        let line = footer_line(&state);
        assert_eq!(line.contains("pause"), page == Page::Train, "{line}");
        let paused = State { activity: Activity::Paused, ..state };
        let line = footer_line(&paused);
        assert!(line.contains(&format!(" {key}  resume")), "{line}");
        let event = KeyEvent::new(KeyCode::Char('o'), KeyModifiers::NONE);
        assert_eq!(
            action(&paused, event),
            Some(Action::RunControl(crate::screen::app::run_control::RunControlAction::Pause))
        );
    }
}

#[test]
fn the_header_says_at_80_columns_what_a_run_does_that_stops_after_its_epoch() {
    for stop_after_epoch in [false, true] {
        let state = State { stop_after_epoch, ..training() };
        let text = text_of(&state, (80, 24));
        let header = text.lines().next().unwrap_or_default();
        assert!(header.contains("training"), "{header}");
    }
}

#[test]
fn the_key_that_opens_the_help_closes_it() {
    let press = |state: &mut State| {
        let event = KeyEvent::new(KeyCode::F(1), KeyModifiers::NONE);
        let message = message(state, event).expect("an action");
        update(state, message);
    };
    let mut state = State { page: Page::Predict, ..training() };
    press(&mut state);
    assert_eq!(state.overlay, Some(Overlay::Help));
    let line = footer_line(&state);
    assert!(line.contains("close") && !line.contains("help"), "{line}");
    press(&mut state);
    assert_eq!(state.overlay, None);
}
