//! Every page, dialog, the help and the palette on small screens, in both languages.

use super::matrix_tests::{
    LANGUAGES, all_colors, compared as compared_runs, screen, state_after, text,
};
use super::predict_page_tests::{compared, kept, typing};
use super::*;
use crate::core::train::fixtures::{ending, run};
use crate::run::protocol::{Activity, RunReport};
use crate::screen::app::mistakes::MistakesAction;
use crate::screen::app::mistakes::tests::loaded;
use crate::screen::app::panels::{Panel, PanelAction};
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::runs::RunsAction;
use crate::screen::app::words::WordsAction;
use crate::screen::app::{Action, Message, Overlay, update};
use crate::screen::keymap::{BINDINGS, KeyContext, commands, message};
use crate::screen::lang::Lang;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt::Write;

/// Half of a split terminal, smaller ones, and the smallest.
const SMALL: [(u16, u16); 4] = [(58, 14), (50, 12), (40, 8), SMALLEST];

fn act(mut state: State, actions: &[Action]) -> State {
    for action in actions {
        update(&mut state, Message::Action(*action));
    }
    state
}

fn training(lang: Lang) -> State {
    state_after(lang, &run(300), Activity::Training)
}

fn ended(lang: Lang) -> State {
    state_after(lang, &[run(630), ending()].concat(), Activity::Idle)
}

fn page(state: State, page: Page) -> State {
    act(state, &[Action::ShowPage(page)])
}

fn mistakes(lang: Lang) -> State {
    State { mistakes: Box::new(loaded()), ..page(ended(lang), Page::Mistakes) }
}

fn panel(lang: Lang, panel: Panel) -> State {
    act(training(lang), &[Action::Panel(PanelAction::Show(panel))])
}

fn palette(lang: Lang, typed: &str) -> State {
    let mut state = training(lang);
    let entries = commands(&state);
    update(&mut state, Message::OpenPalette(entries));
    update(&mut state, Message::Paste(typed.to_owned()));
    state
}

/// What is shown, by name.
fn all(lang: Lang) -> Vec<(&'static str, State)> {
    let over = |state: State, overlay| State { overlay: Some(overlay), ..state };
    let rate = Action::RunControl(RunControlAction::AskRate);
    vec![
        ("train", training(lang)),
        ("train_ended", ended(lang)),
        ("train_confusion", panel(lang, Panel::Confusion)),
        ("train_rate", panel(lang, Panel::LearningRate)),
        ("predict", typing(lang)),
        ("predict_kept", kept(lang)),
        ("predict_compared", compared(lang)),
        ("settings", page(training(lang), Page::Settings)),
        ("log", page(training(lang), Page::Log)),
        ("mistakes", mistakes(lang)),
        ("slices", act(mistakes(lang), &[Action::Mistakes(MistakesAction::Slices)])),
        ("runs", compared_runs(lang)),
        ("differences", act(compared_runs(lang), &[Action::Runs(RunsAction::Differences)])),
        ("help", act(training(lang), &[Action::Help])),
        ("palette", palette(lang, "")),
        ("palette_typed", palette(lang, "confusion")),
        ("rate", act(training(lang), &[rate])),
        ("confirm_quit", over(training(lang), Overlay::ConfirmQuit)),
        ("confirm_unsaved", over(ended(lang), Overlay::ConfirmUnsaved)),
        ("confirm_delete", act(compared_runs(lang), &[Action::Runs(RunsAction::Delete)])),
    ]
}

#[test]
fn every_page_dialog_and_list_has_a_compact_form() {
    for (lang, code) in LANGUAGES {
        for (name, state) in all(lang) {
            let mut shown = String::new();
            for size in SMALL {
                let mut state = state.clone();
                let _ = writeln!(shown, "{} x {}", size.0, size.1);
                shown += &text(&screen(&mut state, size, all_colors()));
                shown.push('\n');
            }
            insta::assert_snapshot!(format!("compact_{name}_{code}"), shown);
        }
    }
}

#[test]
fn a_dialog_shows_each_of_its_keys_at_every_size() {
    for (lang, _) in LANGUAGES {
        for (name, state) in all(lang) {
            let context = match state.overlay {
                Some(Overlay::LearningRate) => KeyContext::LearningRate,
                Some(Overlay::ConfirmQuit) => KeyContext::ConfirmQuit,
                Some(Overlay::ConfirmUnsaved) => KeyContext::ConfirmUnsaved,
                Some(Overlay::ConfirmDelete) => KeyContext::ConfirmDelete,
                _ => continue,
            };
            for size in SMALL {
                let mut state = state.clone();
                let shown = text(&screen(&mut state, size, all_colors()));
                for binding in BINDINGS.iter().filter(|binding| binding.context == context) {
                    let key = binding.keys[0].name();
                    assert!(shown.contains(&key), "no {key} in {name} at {size:?}:\n{shown}");
                }
            }
        }
    }
}

#[test]
fn what_is_typed_is_shown_at_every_size() {
    for size in SMALL {
        let cases: Vec<(State, &str)> = vec![
            (page(training(Lang::Korean), Page::Predict), "재미있다"),
            (palette(Lang::Korean, ""), "손실"),
            (
                act(
                    page(training(Lang::Korean), Page::Log),
                    &[Action::Log(crate::screen::app::log::LogAction::Search)],
                ),
                "스텝",
            ),
            (act(mistakes(Lang::Korean), &[Action::Mistakes(MistakesAction::Search)]), "영화"),
        ];
        for (mut state, typed) in cases {
            screen(&mut state, size, all_colors());
            for c in typed.chars() {
                let key = KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
                let message = message(&state, key).expect("the letter is typed");
                update(&mut state, message);
            }
            let shown = text(&screen(&mut state, size, all_colors()));
            assert!(shown.contains(typed), "{typed} at {size:?}:\n{shown}");
        }
    }
}

#[test]
fn nothing_hidden_gets_a_key() {
    for size in [(29, 6), (80, 5), (10, 3), (1, 1)] {
        for (name, mut state) in all(Lang::English) {
            let shown = text(&screen(&mut state, size, all_colors()));
            assert!(size.1 < 3 || shown.contains("Enlarge"), "{name} at {size:?}: {shown}");
            for code in [KeyCode::Char('y'), KeyCode::Char('q'), KeyCode::Enter, KeyCode::Tab] {
                let key = KeyEvent::new(code, KeyModifiers::NONE);
                assert_eq!(message(&state, key), None, "{name} at {size:?}");
            }
            let before = format!("{:?}", (&state.prompt.input, &state.palette.input));
            update(&mut state, Message::Paste("hidden".to_owned()));
            assert_eq!(before, format!("{:?}", (&state.prompt.input, &state.palette.input)));
            let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
            assert!(message(&state, control_c).is_some(), "Ctrl-C always quits");
            screen(&mut state, (80, 24), all_colors());
            assert!(!state.layout.is_too_small);
        }
    }
}

#[test]
fn the_keys_of_panels_show_the_panel_they_focus() {
    let mut state = training(Lang::English);
    for panel in state.panels.shown() {
        state.panels.focus = panel;
        let shown = text(&screen(&mut state, (58, 14), all_colors()));
        let title = panel_title::panel_title(panel, &state);
        let is_shown = shown.lines().any(|line| line.starts_with(&title));
        assert!(is_shown, "{title}:\n{shown}");
        assert!(state.layout.panels.iter().any(|(drawn, _)| *drawn == panel));
    }
}

#[test]
fn the_cursor_reads_the_training_loss_at_every_size() {
    for (lang, _) in LANGUAGES {
        for state in [training(lang), ended(lang)] {
            for size in SMALL.into_iter().chain([(56, 12), (59, 24), (60, 15)]) {
                for panel in [Panel::Loss, Panel::Accuracy, Panel::GradNorm] {
                    let mut state = state.clone();
                    state.panels.focus = panel;
                    screen(&mut state, size, all_colors());
                    let key = KeyEvent::new(KeyCode::Left, KeyModifiers::NONE);
                    let moved = message(&state, key).expect("a key of charts");
                    update(&mut state, moved);
                    let step = state.charts.cursor.expect("the cursor is placed");
                    let curve = match panel {
                        Panel::Accuracy => &state.history.eval_accuracy,
                        Panel::GradNorm => &state.history.grad_norm,
                        _ => &state.history.loss,
                    };
                    let (_, raw, _) = curve.at(step).expect("a value at the cursor");
                    let value = curves::short_number(raw);
                    let shown = text(&screen(&mut state, size, all_colors()));
                    assert!(shown.contains(&value), "{value} of {panel:?} at {size:?}:\n{shown}");
                }
            }
        }
    }
}

#[test]
fn a_chosen_word_is_readable_on_a_small_screen() {
    let mut state = super::attribution::tests::answered(Lang::Korean);
    update(&mut state, Message::Action(Action::Words(WordsAction::Choose(2))));
    for size in [(58, 14), (50, 12), (40, 8)] {
        let shown = text(&screen(&mut state, size, all_colors()));
        let joined: String = shown.split_whitespace().collect();
        assert!(joined.contains("재미있는가림:positive90.00%→30.00%"), "{size:?}:\n{shown}");
    }
}

#[test]
fn no_small_size_panics() {
    for (_, state) in all(Lang::Korean) {
        for columns in [1, 20, 30, 31, 45, 59, 100, 300] {
            for rows in [1, 5, 6, 7, 8, 9, 11, 14] {
                screen(&mut state.clone(), (columns, rows), all_colors());
            }
        }
        let mut state = state;
        update(&mut state, Message::Report(RunReport::Activity(Activity::Idle)));
        screen(&mut state, (58, 14), all_colors());
    }
}
