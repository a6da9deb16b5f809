//! Snapshots of every panel and page for several runs, at three sizes and in both languages. Each
//! snapshot has the screens of one run: the text in full color, its styles, and the text in
//! monochrome ASCII.

use super::tests::SIZES;
use super::*;
use crate::core::train::TrainEvent;
use crate::core::train::event::Step;
use crate::core::train::fixtures::{
    ending, evaluated, failure, run, started, step, with_log_entries,
};
use crate::run::metric_series::History;
use crate::run::protocol::{Activity, RunReport};
use crate::run::run_index::RunIndexReport;
use crate::run::run_index::RunOrder;
use crate::run::run_index::{RunStatus, UnreadableRun, tests::entry};
use crate::run::system_metrics::{GpuSample, SystemSample};
use crate::screen::app::replay::{OpenedRun, Replay};
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::runs::{RunComparison, RunsAction};
use crate::screen::app::{Action, Effect, Message, Overlay, update};
use crate::screen::display::{ColorChoice, DisplayOptions, GlyphChoice};
use crate::screen::lang::Lang;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;
use std::collections::BTreeMap;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

pub(super) const LANGUAGES: [(Lang, &str); 2] = [(Lang::English, "en"), (Lang::Korean, "ko")];

pub(super) fn all_colors() -> Theme {
    let flags = DisplayOptions { color: ColorChoice::Truecolor, ..DisplayOptions::default() };
    Theme::detect(&flags, |_| None)
}

pub(super) fn mono_ascii() -> Theme {
    let (color, glyphs) = (ColorChoice::Never, GlyphChoice::Ascii);
    let flags = DisplayOptions { color, glyphs, ..DisplayOptions::default() };
    Theme::detect(&flags, |_| None)
}

pub(super) fn screen(state: &mut State, (columns, rows): (u16, u16), theme: Theme) -> Buffer {
    let mut layout = FrameLayout::default();
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(_) = terminal.draw(|frame| layout = draw(frame, state, theme));
    update(state, Message::Drawn(layout));
    terminal.backend().buffer().clone()
}

/// The visible cells of each row: a wide character hides the cell after it.
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

pub(super) fn text(buffer: &Buffer) -> String {
    let line = |row: Vec<&Cell>| -> String { row.into_iter().map(Cell::symbol).collect() };
    rows(buffer).into_iter().map(|row| line(row).trim_end().to_owned() + "\n").collect()
}

/// The styles, each named by a letter, and each row as a run-length encoding of these letters.
fn styles(buffer: &Buffer) -> String {
    let mut letters = BTreeMap::new();
    let mut rows = String::new();
    for (number, row) in self::rows(buffer).into_iter().enumerate() {
        let mut runs: Vec<(char, usize)> = Vec::new();
        for cell in row {
            let style = format!("{:?} {:?}", cell.fg, cell.modifier);
            let next = char::from(b'a' + letters.len() as u8);
            let letter = *letters.entry(style).or_insert(next);
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
        letters.into_iter().map(|(style, letter)| (letter, style)).collect();
    names.sort_unstable();
    let names: Vec<String> =
        names.iter().map(|(letter, style)| format!("{letter}: {style}")).collect();
    format!("{}\n{rows}", names.join("\n"))
}

/// A screen in all variants.
fn variants(state: &mut State, size: (u16, u16)) -> String {
    let (colored, plain) = (screen(state, size, all_colors()), screen(state, size, mono_ascii()));
    let colorless = plain.content().iter().all(|cell| cell.fg == Color::Reset);
    assert!(colorless, "a color in monochrome");
    format!("{}\n{}\n{}\n", text(&colored), styles(&colored), text(&plain))
}

/// Asserts the snapshots of all pages of panels.
fn assert_snapshots(name: &str, make: impl Fn(Lang) -> State) {
    for (lang, code) in LANGUAGES {
        for size in SIZES {
            let mut state = make(lang);
            let (mut text, mut seen) = (String::new(), Vec::new());
            for panel in state.panels.shown() {
                if seen.contains(&panel) {
                    continue;
                }
                state.panels.focus = panel;
                text.push_str(&variants(&mut state, size));
                seen.extend(state.layout.panels.iter().map(|(panel, _)| *panel));
            }
            let all = state.panels.shown();
            assert!(all.iter().all(|panel| seen.contains(panel)), "a panel is on no page");
            insta::assert_snapshot!(format!("{name}_{code}_{}x{}", size.0, size.1), text);
        }
    }
}

pub(super) fn state_after(lang: Lang, events: &[TrainEvent], activity: Activity) -> State {
    let mut state = State { lang, ..State::default() };
    for event in with_log_entries(events.to_vec()) {
        if let Some(elapsed) = event.elapsed() {
            update(&mut state, Message::Tick(elapsed));
        }
        update(&mut state, Message::Report(RunReport::Event(event)));
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
        update(&mut state, Message::Report(RunReport::System(sample)));
    }
    update(&mut state, Message::Report(RunReport::Activity(activity)));
    state
}

#[test]
fn before_the_first_event() {
    assert_snapshots("empty", |lang| State { lang, ..State::default() });
}

#[test]
fn after_one_step() {
    assert_snapshots("one_point", |lang| state_after(lang, &run(1), Activity::Training));
}

#[test]
fn after_fifty_thousand_steps() {
    let mut started = started();
    (started.max_steps, started.steps_per_epoch) = (60_000, 6000);
    let mut events = vec![TrainEvent::Started(started)];
    for i in 1..=50_000u64 {
        let x = i as f64;
        // One outlier, which has to be visible.
        let loss = if i == 31_000 { 4.0 } else { 0.7 * (-x / 2e4).exp() + 0.05 * (x * 1.7).sin() };
        let learning_rate = 3e-4 * (1.0 - x / 60_000.0);
        events.push(TrainEvent::Step(Step { learning_rate, ..step(i, loss, x / 10.0) }));
        if i.is_multiple_of(6000) {
            let accuracy = 0.9 - 0.3 * (-x / 1e4).exp();
            events.push(TrainEvent::Evaluated(evaluated(i, x / 6000.0, accuracy, x / 10.0)));
        }
    }
    assert_snapshots("fifty_thousand", |lang| state_after(lang, &events, Activity::Training));
}

#[test]
fn with_losses_that_are_not_finite() {
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
    assert_snapshots("not_a_number", |lang| state_after(lang, &events, Activity::Training));
}

#[test]
fn after_a_failure() {
    let mut events = run(100);
    events.push(TrainEvent::Step(step(101, f64::NAN, 14.7)));
    events.push(failure());
    assert_snapshots("failed_run", |lang| state_after(lang, &events, Activity::Idle));
}

/// Three runs, two of them in the chart, and one that is unreadable.
pub(super) fn compared(lang: Lang) -> State {
    let runs = RunComparison::new("experiments".to_owned(), RunOrder::Name, false, "");
    let mut state = State { lang, runs: Some(runs), page: Page::Runs, ..State::idle() };
    let report_index = |state: &mut State, report| {
        update(state, Message::RunIndex(report));
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
        report_index(&mut state, RunIndexReport::Updated(Box::new(found)));
    }
    let mut torn = entry("torn");
    torn.folder = "torn".into();
    let reason = "torn/events.jsonl:1: no event of a run".to_owned();
    torn.summary = Err(UnreadableRun { name: "torn".to_owned(), reason });
    report_index(&mut state, RunIndexReport::Updated(Box::new(torn)));
    report_index(&mut state, RunIndexReport::Complete);
    update(&mut state, Message::Action(Action::Runs(RunsAction::ToggleAll)));
    for (name, steps) in [("first", 630), ("second", 200)] {
        let mut history = History::default();
        for event in &run(steps) {
            history.apply(event);
        }
        report_index(&mut state, RunIndexReport::Curves(name.into(), Ok(Box::new(history))));
    }
    state
}

#[test]
fn every_other_page() {
    for (lang, code) in LANGUAGES {
        for size in SIZES {
            let mut text = String::new();
            let mut state = state_after(lang, &run(300), Activity::Training);
            for page in [Page::Predict, Page::Settings, Page::Log] {
                state.page = page;
                text.push_str(&variants(&mut state, size));
            }
            state.page = Page::Train;
            for overlay in [Overlay::Help, Overlay::ConfirmQuit, Overlay::LearningRate] {
                state.overlay = Some(overlay);
                text.push_str(&variants(&mut state, size));
            }
            let nothing = RunComparison::new("experiments".to_owned(), RunOrder::Name, false, "");
            let none = State { lang, runs: Some(nothing), page: Page::Runs, ..State::idle() };
            let mut differing = compared(lang);
            update(&mut differing, Message::Action(Action::Runs(RunsAction::Differences)));
            for mut state in [Box::new(none), Box::new(compared(lang)), Box::new(differing)] {
                text.push_str(&variants(&mut state, size));
            }
            insta::assert_snapshot!(format!("pages_{code}_{}x{}", size.0, size.1), text);
        }
    }
}

/// The runs of [`compared`], the first with a note and tags.
pub(super) fn annotated(lang: Lang) -> State {
    let mut state = compared(lang);
    let mut first = entry("first");
    first.folder = "first".into();
    if let Ok(summary) = &mut first.summary {
        summary.notes.tags = vec!["baseline".to_owned(), "기준".to_owned()];
        "the tutorial's settings".clone_into(&mut summary.notes.note);
        "2026-11-29 00:15".clone_into(&mut summary.modified_local);
    }
    update(&mut state, Message::RunIndex(RunIndexReport::Updated(Box::new(first))));
    state
}

#[test]
fn the_list_of_runs_while_runs_are_changed() {
    let press = |state: &mut State, action| {
        update(state, Message::Action(Action::Runs(action)));
    };
    for (lang, code) in LANGUAGES {
        for size in [SIZES[0], SIZES[1]] {
            let mut text = String::new();
            for (action, typed) in [
                (None, ""),
                (Some(RunsAction::Delete), ""),
                (Some(RunsAction::EditTags), " new"),
                (Some(RunsAction::Filter), ""),
                (Some(RunsAction::Filter), "step > 1 AND (tag:기준 OR"),
                (Some(RunsAction::Filter), "learning_rat > 1"),
            ] {
                let mut state = annotated(lang);
                if let Some(action) = action {
                    press(&mut state, action);
                }
                update(&mut state, Message::Paste(typed.to_owned()));
                let buffer = screen(&mut state, size, all_colors());
                text.push_str(&self::text(&buffer));
            }
            insta::assert_snapshot!(format!("runs_{code}_{}x{}", size.0, size.1), text);
        }
    }
}

#[test]
fn an_opened_run() {
    for (lang, code) in LANGUAGES {
        let mut text = String::new();
        for (steps, activity) in
            [(300, Activity::Training), (300, Activity::Idle), (630, Activity::Idle)]
        {
            let opened = OpenedRun { name: "mine/seed-1".to_owned() };
            let replay = Replay::of_opened("mine/seed-1".into(), opened);
            let mut state = State { lang, replay: Some(replay), ..State::default() };
            let end = if steps == 630 { ending() } else { Vec::new() };
            for event in [run(steps), end].concat() {
                update(&mut state, Message::Report(RunReport::Event(event)));
            }
            update(&mut state, Message::Report(RunReport::Activity(activity)));
            state.page = Page::Predict;
            let page = screen(&mut state, SIZES[1], all_colors());
            text.extend(self::text(&page).lines().take(4).map(|line| line.to_owned() + "\n"));
            let pause = Action::RunControl(RunControlAction::Pause);
            assert_eq!(update(&mut state, Message::Action(pause)), [], "it is not controlled");
            assert_eq!(update(&mut state, Message::Action(Action::Quit)), [Effect::Quit]);
        }
        insta::assert_snapshot!(format!("opened_run_{code}"), text);
    }
}
