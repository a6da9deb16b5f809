//! Every panel and every page, at three sizes, in all colours and in ASCII without any, in both
//! languages, of runs in all conditions. A snapshot holds the screens of one condition at one size
//! in one language: each as it is drawn, with its colours below it, and then in mono ASCII.

use super::*;
use crate::cli::flags::{ColourChoice, DisplayFlags, GlyphChoice};
use crate::core::train::TrainEvent;
use crate::core::train::event::Step;
use crate::core::train::fixtures::{evaluated, failure, run, started, step};
use crate::run::metric_series::History;
use crate::run::run_index::{RunOrder, RunStatus, UnreadableRun, tests::entry};
use crate::run::system_metrics::{GpuSample, SystemSample};
use crate::run::worker::run_index::RunIndexReport;
use crate::run::worker::{Activity, Report};
use crate::screen::app::panels::Panel;
use crate::screen::app::runs::{Runs, RunsAction};
use crate::screen::app::{Action, Message, Overlay, update};
use crate::screen::lang::Lang;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;
use std::collections::BTreeMap;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

const LANGUAGES: [(Lang, &str); 2] = [(Lang::English, "en"), (Lang::Korean, "ko")];

fn all_colours() -> Theme {
    let flags = DisplayFlags { color: ColourChoice::Truecolor, ..DisplayFlags::default() };
    Theme::detect(&flags, |_| None)
}

fn mono_ascii() -> Theme {
    let (color, glyphs) = (ColourChoice::Never, GlyphChoice::Ascii);
    let flags = DisplayFlags { color, glyphs, ..DisplayFlags::default() };
    Theme::detect(&flags, |_| None)
}

fn screen(state: &State, (columns, rows): (u16, u16), theme: Theme) -> Buffer {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(_) = terminal.draw(|frame| draw(frame, state, theme));
    terminal.backend().buffer().clone()
}

/// The rows of a screen with the cells that show: behind a wide character one is hidden.
fn rows(buffer: &Buffer) -> Vec<Vec<&Cell>> {
    let shown = |row: &'_ [Cell]| -> Vec<usize> {
        let (mut shown, mut column) = (Vec::new(), 0);
        while column < row.len() {
            shown.push(column);
            column += row[column].symbol().width().max(1);
        }
        shown
    };
    let rows = buffer.content().chunks(usize::from(buffer.area.width));
    rows.map(|row| shown(row).into_iter().map(|column| &row[column]).collect()).collect()
}

fn text(buffer: &Buffer) -> String {
    let line = |row: Vec<&Cell>| -> String { row.into_iter().map(Cell::symbol).collect() };
    rows(buffer).into_iter().map(|row| line(row).trim_end().to_owned() + "\n").collect()
}

/// Each look by a letter, and each row as letters with the number of cells they hold for.
fn looks(buffer: &Buffer) -> String {
    let mut letters = BTreeMap::new();
    let mut rows = String::new();
    for (number, row) in self::rows(buffer).into_iter().enumerate() {
        let mut runs: Vec<(char, usize)> = Vec::new();
        for cell in row {
            let look = format!("{:?} {:?}", cell.fg, cell.modifier);
            let next = char::from(b'a' + letters.len() as u8);
            let letter = *letters.entry(look).or_insert(next);
            match runs.last_mut() {
                Some((last, cells)) if *last == letter => *cells += 1,
                _ => runs.push((letter, 1)),
            }
        }
        let runs: Vec<String> =
            runs.iter().map(|(letter, cells)| format!("{letter}{cells}")).collect();
        let _ = writeln!(rows, "{number:>2} {}", runs.join(" "));
    }
    let mut names: Vec<(char, String)> =
        letters.into_iter().map(|(look, letter)| (letter, look)).collect();
    names.sort_unstable();
    let names: Vec<String> =
        names.iter().map(|(letter, look)| format!("{letter}: {look}")).collect();
    format!("{}\n{rows}", names.join("\n"))
}

/// A screen in all its forms.
fn forms(state: &State, size: (u16, u16)) -> String {
    let (coloured, plain) = (screen(state, size, all_colours()), screen(state, size, mono_ascii()));
    let colourless = plain.content().iter().all(|cell| cell.fg == Color::Reset);
    assert!(colourless, "a colour where there should be none");
    format!("{}\n{}\n{}\n", text(&coloured), looks(&coloured), text(&plain))
}

/// Holds all pages of panels of a state.
fn hold(name: &str, make: impl Fn(Lang) -> State) {
    for (lang, code) in LANGUAGES {
        for size in SIZES {
            let mut state = make(lang);
            let (mut text, mut seen) = (String::new(), Vec::new());
            for panel in Panel::ALL {
                if seen.contains(&panel) {
                    continue;
                }
                state.arrangement.focus = panel;
                text.push_str(&forms(&state, size));
                let drawn = state.charts.drawn.borrow();
                seen.extend(drawn.panels.iter().map(|(panel, _)| *panel));
            }
            assert!(Panel::ALL.iter().all(|panel| seen.contains(panel)), "a panel is nowhere");
            insta::assert_snapshot!(format!("{name}_{code}_{}x{}", size.0, size.1), text);
        }
    }
}

fn told(lang: Lang, events: &[TrainEvent], activity: Activity) -> State {
    let mut state = State { lang, ..State::default() };
    for event in events {
        if let Some(elapsed) = event.elapsed() {
            update(&mut state, Message::Tick(elapsed));
        }
        update(&mut state, Message::Report(Report::Event(event.clone())));
    }
    for at in 0..20u32 {
        let gpu = GpuSample {
            name: "NVIDIA H200".to_owned(),
            load: Some(0.5 + 0.02 * f64::from(at)),
            memory_used: 40 << 30,
            memory_total: 140 << 30,
            temperature_celsius: Some(61.0),
            power_watts: Some(420.0),
            power_limit_watts: Some(700.0),
            ..GpuSample::default()
        };
        let sample = SystemSample {
            cpu: 0.95,
            process_cpu: 1.9,
            memory_used: 3 << 30,
            memory_total: 24 << 30,
            process_memory: 300 << 20,
            gpus: vec![gpu],
            elapsed: f64::from(at) * 2.0,
        };
        update(&mut state, Message::Report(Report::System(sample)));
    }
    update(&mut state, Message::Report(Report::Activity(activity)));
    state
}

#[test]
fn nothing_has_happened_yet() {
    hold("empty", |lang| State { lang, ..State::default() });
}

#[test]
fn one_step_was_taken() {
    hold("one_point", |lang| told(lang, &run(1), Activity::Training));
}

#[test]
fn fifty_thousand_steps_were_taken() {
    let mut started = started();
    (started.max_steps, started.steps_per_epoch) = (60_000, 6000);
    let mut events = vec![TrainEvent::Started(started)];
    for i in 1..=50_000u64 {
        let x = i as f64;
        // One wild step, which has to be seen.
        let loss = if i == 31_000 { 4.0 } else { 0.7 * (-x / 2e4).exp() + 0.05 * (x * 1.7).sin() };
        let learning_rate = 3e-4 * (1.0 - x / 60_000.0);
        events.push(TrainEvent::Step(Step { learning_rate, ..step(i, loss, x / 10.0) }));
        if i.is_multiple_of(6000) {
            let accuracy = 0.9 - 0.3 * (-x / 1e4).exp();
            events.push(TrainEvent::Evaluated(evaluated(i, x / 6000.0, accuracy, x / 10.0)));
        }
    }
    hold("fifty_thousand", |lang| told(lang, &events, Activity::Training));
}

#[test]
fn some_losses_were_no_numbers() {
    let mut events = run(300);
    for event in &mut events {
        match event {
            TrainEvent::Step(step) if step.step == 150 => step.loss = f64::NAN,
            TrainEvent::Step(step) if step.step == 220 => step.loss = f64::INFINITY,
            TrainEvent::Step(step) if step.step == 221 => step.grad_norm = f64::NAN,
            TrainEvent::Evaluated(evaluated) if evaluated.step == 189 => {
                evaluated.metrics.eval_loss = f64::NAN;
            }
            _ => {}
        }
    }
    hold("not_a_number", |lang| told(lang, &events, Activity::Training));
}

#[test]
fn the_run_has_failed() {
    let mut events = run(100);
    events.push(TrainEvent::Step(step(101, f64::NAN, 14.7)));
    events.push(failure());
    hold("failed_run", |lang| told(lang, &events, Activity::Idle));
}

/// Three runs, two of them in the chart, and one that cannot be read.
fn compared(lang: Lang) -> State {
    let runs = Runs::new("experiments".to_owned(), RunOrder::Name, false, "");
    let mut state = State { lang, runs: Some(runs), page: Page::Runs, ..State::idle() };
    let tell = |state: &mut State, report| {
        update(state, Message::Report(Report::RunIndex(report)));
    };
    for (name, rate, status) in [
        ("first", "3e-4", RunStatus::Finished),
        ("second", "1e-3", RunStatus::Failed),
        ("third", "5e-5", RunStatus::Running),
    ] {
        let mut found = entry(name);
        found.folder = name.into();
        if let Ok(summary) = &mut found.summary {
            (summary.status, summary.modified_local) = (status, "2026-11-29 00:15".to_owned());
            for setting in &mut summary.settings {
                if setting.name == "learning_rate" {
                    rate.clone_into(&mut setting.value);
                }
            }
        }
        tell(&mut state, RunIndexReport::Found(Box::new(found)));
    }
    let mut torn = entry("torn");
    torn.folder = "torn".into();
    let reason = "torn/events.jsonl:1: no event of a run".to_owned();
    torn.summary = Err(UnreadableRun { name: "torn".to_owned(), reason });
    tell(&mut state, RunIndexReport::Found(Box::new(torn)));
    tell(&mut state, RunIndexReport::Complete);
    update(&mut state, Message::Action(Action::Runs(RunsAction::ChooseAll)));
    for (name, steps) in [("first", 630), ("second", 200)] {
        let mut history = History::default();
        for event in &run(steps) {
            history.apply(event);
        }
        tell(&mut state, RunIndexReport::Curves(name.into(), Ok(Box::new(history))));
    }
    state
}

#[test]
fn every_other_page() {
    for (lang, code) in LANGUAGES {
        for size in SIZES {
            let mut text = String::new();
            let mut state = told(lang, &run(300), Activity::Training);
            for page in [Page::Predict, Page::Settings, Page::Log] {
                state.page = page;
                text.push_str(&forms(&state, size));
            }
            state.page = Page::Train;
            for overlay in [Overlay::Help, Overlay::ConfirmQuit, Overlay::LearningRate] {
                state.overlay = Some(overlay);
                text.push_str(&forms(&state, size));
            }
            let nothing = Runs::new("experiments".to_owned(), RunOrder::Name, false, "");
            let none = State { lang, runs: Some(nothing), page: Page::Runs, ..State::idle() };
            let mut differing = compared(lang);
            update(&mut differing, Message::Action(Action::Runs(RunsAction::Differences)));
            for state in [none, compared(lang), differing] {
                text.push_str(&forms(&state, size));
            }
            insta::assert_snapshot!(format!("pages_{code}_{}x{}", size.0, size.1), text);
        }
    }
}
