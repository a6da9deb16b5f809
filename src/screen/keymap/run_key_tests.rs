//! Keys and palette entries that control a run, on every page.

use super::scene_tests::{drawn, text_of, training, unsaved};
use super::*;
use crate::core::train::TrainEvent;
use crate::core::train::fixtures::ending;
use crate::run::protocol::{Activity, Command, RunReport};
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::{Effect, Message, update};
use crate::screen::lang::Lang;

fn press(state: &mut State, c: char) -> Vec<Effect> {
    let event = KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
    message(state, event).map(|message| update(state, message)).unwrap_or_default()
}

fn notice(state: &State) -> &str {
    state.notice.as_ref().map_or("", |notice| notice.text.as_str())
}

const PAGES: [Page; 4] = [Page::Train, Page::Settings, Page::Log, Page::Mistakes];

#[test]
fn the_run_is_controlled_on_every_page_without_text_input() {
    for page in PAGES {
        for (key, command) in [
            ('o', Command::Pause),
            ('C', Command::SaveCheckpoint),
            ('e', Command::Evaluate),
            ('E', Command::StopAfterEpoch { enabled: true }),
        ] {
            let mut state = State { page, ..training() };
            let effects = press(&mut state, key);
            assert!(effects.contains(&Effect::Send(command)), "{key} on {page:?}: {effects:?}");
            assert!(!notice(&state).is_empty(), "{key} on {page:?}");
        }
        let mut state = State { page, ..training() };
        press(&mut state, 'r');
        assert_eq!(state.overlay, Some(Overlay::LearningRate), "{page:?}");
        // After the end, the keys say why they do nothing.
        for key in ['o', 'C', 'e', 'E', 'r'] {
            let mut state = State { page, ..unsaved() };
            let effects = press(&mut state, key);
            let sends = effects.iter().any(|effect| matches!(effect, Effect::Send(_)));
            assert!(!sends, "{key} on {page:?}");
            assert_eq!(notice(&state), "the run has ended", "{key} on {page:?}");
        }
    }
}

#[test]
fn where_space_scrolls_the_end_of_the_page_says_what_pauses() {
    for page in [Page::Settings, Page::Log] {
        let mut state = drawn(State { page, ..training() });
        for _ in 0..20 {
            assert_eq!(press(&mut state, ' '), [], "{page:?}");
            state = drawn(state);
        }
        assert!(notice(&state).contains("o pauses"), "{page:?}: {}", notice(&state));
        let mut ended = drawn(State { page, ..unsaved() });
        for _ in 0..20 {
            press(&mut ended, ' ');
            ended = drawn(ended);
        }
        assert_eq!(notice(&ended), "", "there is nothing to pause");
    }
}

#[test]
fn the_palette_controls_the_run_on_every_page() {
    for page in Page::ALL {
        let state = State { page, ..training() };
        let entries = commands(&state);
        for (action, key) in [
            (RunControlAction::Pause, "o"),
            (RunControlAction::SaveNow, "C"),
            (RunControlAction::AskRate, "r"),
        ] {
            let entry = entries.iter().find(|entry| entry.action == Action::RunControl(action));
            let entry = entry.unwrap_or_else(|| panic!("{action:?} on {page:?}"));
            // Only keys that do it on this page are listed.
            let keys: &[&str] = match (page, action) {
                (Page::Predict | Page::Runs, _) => &[],
                (Page::Train, RunControlAction::Pause) => &["Space", "o"],
                _ => &[key],
            };
            assert_eq!(entry.keys, keys, "{action:?} on {page:?}");
        }
    }
}

#[test]
fn a_request_is_not_shown_after_the_run_has_ended() {
    let mut state = training();
    update(&mut state, Message::Action(Action::StopAndStay));
    assert_eq!(notice(&state), "stop requested");
    for event in ending() {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    update(&mut state, Message::Report(RunReport::Activity(Activity::Idle)));
    assert_eq!(notice(&state), "");
    let shown = text_of(&state, (120, 40));
    assert!(shown.lines().last().is_some_and(|line| !line.contains("stop requested")), "{shown}");
}

#[test]
fn d_after_the_end_of_a_run_leaves_so_that_the_terminal_can_say_so() {
    let mut state = training();
    for event in ending() {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    update(&mut state, Message::Report(RunReport::Activity(Activity::Idle)));
    assert_eq!(press(&mut state, 'd'), [Effect::Detach]);
    // A model that is not saved would be lost.
    let mut state = unsaved();
    assert_eq!(press(&mut state, 'd'), []);
    assert_eq!(state.overlay, Some(Overlay::ConfirmUnsaved));
}

#[test]
fn the_footer_has_enter_only_when_there_is_a_text() {
    let mut state = State { page: Page::Predict, ..training() };
    let has_enter = |state: &State| footer(state).iter().any(|(key, _)| key == "Enter");
    assert!(!has_enter(&state), "{:?}", footer(&state));
    let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
    let pressed = message(&state, enter).expect("an action");
    assert_eq!(update(&mut state, pressed), []);
    assert_eq!(notice(&state), "there is no text to classify: type one");
    update(&mut state, Message::Paste("영화".to_owned()));
    assert!(has_enter(&state), "{:?}", footer(&state));
}

#[test]
fn log_lines_are_in_korean() {
    let mut state = State { lang: Lang::Korean, ..State::default() };
    for event in crate::core::train::fixtures::run(50) {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    let logged = crate::core::train::event::training_entry(
        &crate::core::train::fixtures::step(50, 0.5, 3.0),
        0.5,
    );
    let logged = crate::core::train::event::Logged { elapsed: 3.0, entry: logged };
    update(&mut state, Message::Report(RunReport::Event(TrainEvent::Logged(logged))));
    let line = state.log.lines.back().map(|line| line.text.clone()).unwrap_or_default();
    assert!(line.contains("그래디언트 노름 1.25") && !line.contains("grad"), "{line}");
}
