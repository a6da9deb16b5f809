//! Confirmations of keys whose effect is not obvious from the screen, and keys that are pressed twice.

use super::scene_tests::{at, drawn, training};
use super::*;
use crate::core::train::TrainEvent;
use crate::core::train::event::{CommandApplied, CommandEffect, Saved};
use crate::core::train::fixtures::evaluated;
use crate::run::protocol::{Activity, Command, RunReport};
use crate::screen::app::charts::ChartAction;
use crate::screen::app::panels::{Panel, PanelAction};
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::{Effect, Message, update};
use crate::screen::lang::Lang;
use crate::screen::ui::{self, Theme};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// The last line of the screen.
fn footer_line(state: &State, (columns, rows): (u16, u16)) -> String {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(_) = terminal.draw(|frame| {
        ui::draw(frame, state, Theme::new(true));
    });
    let buffer = terminal.backend().buffer().clone();
    (0..columns).map(|column| buffer[(column, rows - 1)].symbol().to_owned()).collect()
}

/// Whether the effect of an action is confirmed below the page.
fn is_confirmed(action: Action) -> bool {
    match action {
        Action::RunControl(
            RunControlAction::AskRate | RunControlAction::DoubleRate | RunControlAction::HalveRate,
        ) => false,
        Action::RunControl(_)
        | Action::NextTheme
        | Action::SaveModel
        | Action::StopAndQuit
        | Action::StopAndStay => true,
        Action::Chart(action) => matches!(
            action,
            ChartAction::NextAxis
                | ChartAction::LogY
                | ChartAction::NextYRange
                | ChartAction::AdjustSmoothing(_)
                | ChartAction::ResetZoom
                | ChartAction::Follow
        ),
        Action::Panel(action) => {
            use PanelAction::{Columns, Hide, Move, ShowAll};
            matches!(action, Hide | ShowAll | Columns | Move(_))
        }
        _ => false,
    }
}

#[test]
fn keys_that_have_nothing_to_do_say_so() {
    use KeyContext::{Charts, RunPages};
    for (key, context) in [('0', Charts), ('-', Charts), ('[', Charts), (']', Charts)]
        .into_iter()
        .chain([('w', RunPages), ('K', RunPages)])
    {
        for mut state in [at(context), super::scene_tests::unsaved()] {
            // All steps are shown, the model is not to be saved, and nobody else has the keys.
            state.charts.window = None;
            state.session = None;
            state.page = Page::Train;
            let event = KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE);
            let pressed = message(&state, event).expect("a binding");
            update(&mut state, pressed);
            assert!(state.notice.is_some(), "{key} says nothing");
        }
    }
}

#[test]
fn each_key_without_a_visible_effect_is_confirmed_in_both_languages() {
    let mut confirmed = 0;
    for binding in BINDINGS.iter().filter(|binding| is_confirmed(binding.action)) {
        for lang in [Lang::English, Lang::Korean] {
            let mut state = State { lang, ..at(binding.context) };
            if binding.action == Action::SaveModel {
                state = State { overlay: state.overlay, lang, ..super::scene_tests::unsaved() };
            }
            update(&mut state, Message::Action(binding.action));
            let notice = state.notice.as_ref().map(|notice| notice.text.clone());
            let notice = notice.unwrap_or_else(|| panic!("not confirmed: {}", binding.help));
            if lang == Lang::Korean {
                assert!(!notice.is_ascii(), "in English: {notice}");
            }
            let shown: String = notice.chars().filter(|c| *c != ' ').collect();
            let footer: String =
                footer_line(&state, (160, 40)).chars().filter(|c| *c != ' ').collect();
            assert!(footer.contains(&shown), "{shown} is not in {footer}");
            confirmed += 1;
        }
    }
    assert!(confirmed >= 30, "{confirmed}");
}

fn event(state: &mut State, event: TrainEvent) -> String {
    update(state, Message::Report(RunReport::Event(event)));
    state.notice.as_ref().map(|notice| notice.text.clone()).unwrap_or_default()
}

fn applied(effect: CommandEffect) -> TrainEvent {
    TrainEvent::CommandApplied(CommandApplied { step: 300, epoch: 4.8, elapsed: 46.0, effect })
}

#[test]
fn the_outcome_of_a_request_is_shown_on_every_page() {
    let mut state = training();
    for page in Page::ALL {
        state.page = page;
        assert!(event(&mut state, applied(CommandEffect::CheckpointRequested)).contains("300"));
        let saved = Saved { path: "out/checkpoint-300".to_owned(), step: 300, seconds: 0.1 };
        let text = event(&mut state, TrainEvent::Checkpoint(saved.clone()));
        assert_eq!(text, "checkpoint saved in out/checkpoint-300");
        assert!(footer_line(&state, (80, 24)).contains(&text), "{page:?}");
        state.notice = None;
        assert_eq!(event(&mut state, TrainEvent::Checkpoint(saved)), "", "it was not requested");

        event(&mut state, applied(CommandEffect::EvaluationRequested));
        let text = event(&mut state, TrainEvent::Evaluated(evaluated(300, 4.8, 0.75, 47.0)));
        assert_eq!(text, "evaluation at step 300: loss 0.4500, accuracy 0.7500");

        let changed = CommandEffect::LearningRateChanged { from: 1e-4, to: 5e-5 };
        let text = event(&mut state, applied(changed));
        assert_eq!(text, "step 300: learning rate changed from 1.00e-4 to 5.00e-5");
    }
}

#[test]
fn a_request_that_cannot_be_sent_is_explained() {
    let request = Message::Action(Action::RunControl(RunControlAction::SaveNow));
    let mut ended = training();
    update(&mut ended, Message::Report(RunReport::Activity(Activity::Idle)));
    let mut early = State::default();
    for (state, reason) in
        [(&mut ended, "the run has ended"), (&mut early, "the run has not begun yet")]
    {
        assert_eq!(update(state, request.clone()), []);
        assert_eq!(state.notice.as_ref().map(|notice| notice.text.as_str()), Some(reason));
    }
}

#[test]
fn the_footer_has_the_keys_of_the_state() {
    let running = drawn(training());
    let mut paused = running.clone();
    update(&mut paused, Message::Report(RunReport::Event(applied(CommandEffect::Paused))));
    update(&mut paused, Message::Report(RunReport::Activity(Activity::Paused)));
    paused.notice = None;
    let mut ended = running.clone();
    update(&mut ended, Message::Report(RunReport::Activity(Activity::Idle)));
    let replay = crate::screen::app::replay::Replay::new(20.0);
    let replayed = State { replay: Some(replay), ..running.clone() };
    for (state, wanted, unwanted) in [
        (&running, &["pause", "leave", "help", "quit"][..], &["resume", "save model"][..]),
        (&paused, &["resume", "leave", "help", "quit"], &["pause"]),
        (&ended, &["predict", "help", "quit"], &["pause", "resume", "leave"]),
        (&replayed, &["pause", "help", "quit"], &["predict", "leave"]),
    ] {
        let line = footer_line(state, (80, 24));
        for label in wanted {
            assert!(line.contains(label), "no {label} in {line}");
        }
        for label in unwanted {
            assert!(!line.contains(label), "{label} in {line}");
        }
    }
}

#[test]
fn the_footer_says_what_enter_does_and_how_to_leave_at_80_columns() {
    for lang in [Lang::English, Lang::Korean] {
        let mut state = State { lang, ..super::scene_tests::word_chosen() };
        let shown = |state: &State| footer_line(state, (80, 24)).replace(' ', "");
        let label = |key: &str, label: &str| format!("{key}{}", lang.tr(label)).replace(' ', "");
        let line = shown(&state);
        for part in [label("Esc", "deselect"), label("Alt-→", "word"), label("Alt-r", "replace")]
        {
            assert!(line.contains(&part), "{part} in {line}");
        }
        assert!(!line.contains("Enter"), "there is no text to classify: {line}");
        let mut typed = state.clone();
        update(&mut typed, Message::Paste("abc".to_owned()));
        update(&mut typed, Message::Tick(1.0));
        let answer = state.prompt.answers[0].clone();
        update(&mut typed, Message::Report(RunReport::Answer(answer)));
        let line = shown(&typed);
        for part in [
            label("Enter", "keep answer"),
            label("Alt-→", "word"),
            label("Alt-r", "replace"),
            label("Esc", "deselect"),
        ] {
            assert!(line.contains(&part), "{part} in {line}");
        }
        update(&mut state, Message::Action(Action::Close));
        assert!(shown(&state).contains(&label("Esc", "back")), "no word is chosen");
        update(&mut state, Message::Paste("다시 보고 싶은 영화".to_owned()));
        let line = shown(&state);
        for part in [label("Esc", "back"), label("Enter", "keep answer")] {
            assert!(line.contains(&part), "{part} in {line}");
        }
    }
}

#[test]
fn the_footer_says_what_enter_does_with_a_panel() {
    for lang in [Lang::English, Lang::Korean] {
        let mut state = State { lang, ..super::mistake_tests::shown() };
        state.page = Page::Train;
        for (panel, maximized, expected) in [
            (Panel::Loss, false, "maximize"),
            (Panel::Loss, true, "restore"),
            (Panel::Confusion, false, "reviews"),
        ] {
            (state.panels.focus, state.panels.maximized) = (panel, maximized);
            let line = footer_line(&state, (160, 40)).replace(' ', "");
            let label = format!("Enter{}", lang.tr(expected)).replace(' ', "");
            assert!(line.contains(&label), "{panel:?}: {line}");
        }
    }
}

#[test]
fn a_second_press_confirms_or_toggles_back() {
    let press = |state: &mut State, event: KeyEvent| {
        message(state, event).map(|message| update(state, message)).unwrap_or_default()
    };
    let mut state = training();
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(press(&mut state, control_c), []);
    let stop = Effect::Send(Command::Stop { evaluate: false });
    assert_eq!(press(&mut state, control_c), [stop]);
    assert_eq!(press(&mut state, control_c), [Effect::Quit]);
    for c in ['l', 'z'] {
        let mut state = training();
        let before = (state.charts.log_y.clone(), state.panels.maximized);
        for _ in 0..2 {
            press(&mut state, KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
        assert_eq!((state.charts.log_y.clone(), state.panels.maximized), before);
    }
}

#[test]
fn a_panel_without_axes_says_so_and_is_not_changed() {
    let mut state = training();
    state.panels.focus = Panel::Confusion;
    for action in [ChartAction::LogY, ChartAction::NextYRange] {
        update(&mut state, Message::Action(Action::Chart(action)));
        let said = state.notice.as_ref().map(|notice| notice.text.as_str());
        assert_eq!(said, Some("confusion: no y axis to change"));
    }
    assert!(state.charts.log_y.is_empty() && state.charts.ranges.is_empty());
}
