//! Snapshots of the log page and of the command palette.

use super::*;
use crate::core::train::TrainEvent;
use crate::core::train::event::Warned;
use crate::core::train::fixtures::{run, with_log_entries};
use crate::run::protocol::{Activity, RunReport};
use crate::screen::app::log::LogAction;
use crate::screen::app::{Action, Message, Page, update};
use crate::screen::keymap;
use crate::screen::ui::tests::{SIZES, screen};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::backend::Backend;
use ratatui::buffer::Cell;

/// A run of 300 steps with two warnings, on the log page.
fn with_log() -> State {
    let mut state = State { page: Page::Log, ..State::default() };
    let warned =
        |message: &str| TrainEvent::Warned(Warned { message: message.to_owned(), step: 0 });
    let mut events = run(300);
    events.insert(20, warned("reviews.tsv:12: 영화 ID \u{1b}[2J가 \u{202e}없다"));
    events.push(warned("영화 평이 하나도 없는 파일: /아주/긴/이름의/폴더/".repeat(4).trim_end()));
    for event in with_log_entries(events) {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    update(&mut state, Message::Report(RunReport::Activity(Activity::Training)));
    State { notice: None, ..state }
}

fn key(state: &mut State, code: KeyCode) {
    let event = KeyEvent::new(code, KeyModifiers::NONE);
    if let Some(message) = keymap::message(state, event) {
        update(state, message);
    }
}

fn keys(state: &mut State, text: &str) {
    for c in text.chars() {
        key(state, KeyCode::Char(c));
    }
}

fn rows(state: &mut State, size: (u16, u16)) -> Vec<String> {
    let backend = screen(state, size);
    let cells = backend.buffer().content();
    cells.chunks(usize::from(size.0)).map(|row| row.iter().map(Cell::symbol).collect()).collect()
}

fn assert_snapshots(name: &str, state: &mut State) {
    for size in SIZES {
        let name = format!("{name}_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, screen(state, size));
    }
}

#[test]
fn a_search_while_typing_and_after() {
    let mut state = with_log();
    screen(&mut state, SIZES[0]);
    keys(&mut state, "/영화");
    assert_snapshots("log_searching", &mut state);
    key(&mut state, KeyCode::Enter);
    keys(&mut state, "N");
    assert_snapshots("log_searched", &mut state);
    // The current match differs from the others.
    let backend = screen(&mut state, SIZES[0]);
    let cells = backend.buffer().content().iter().filter(|cell| cell.symbol() == "영");
    let marks: Vec<Modifier> = cells.map(|cell| cell.modifier).collect();
    assert!(marks.len() > 4, "two lines, one of them many times, and the title");
    assert!(marks[0].contains(Modifier::REVERSED), "{marks:?}");
    let others = &marks[1..marks.len() - 1];
    assert!(others.iter().all(|mark| *mark == Modifier::UNDERLINED), "{marks:?}");
}

#[test]
fn a_filter_and_levels() {
    let mut state = with_log();
    keys(&mut state, "&EVAL");
    key(&mut state, KeyCode::Enter);
    assert_snapshots("log_filtered", &mut state);
    key(&mut state, KeyCode::Esc);
    keys(&mut state, "vv");
    assert_snapshots("log_warnings", &mut state);
    keys(&mut state, "v");
    assert!(rows(&mut state, SIZES[0]).concat().contains("no matching lines"));
}

#[test]
fn the_command_palette() {
    let mut state = with_log();
    keys(&mut state, ":");
    assert_snapshots("palette", &mut state);
    keys(&mut state, "scr");
    key(&mut state, KeyCode::Down);
    assert_snapshots("palette_typed", &mut state);
    for _ in 0..3 {
        key(&mut state, KeyCode::Backspace);
    }
    keys(&mut state, "영화 찾기");
    assert_snapshots("palette_korean", &mut state);
    insta::assert_snapshot!("palette_smallest", screen(&mut state, (60, 15)));
    assert_eq!(cursor(&mut state, (80, 24)).0, 4 + 1 + 2 + 9, "border, prefix and typed text");
}

fn cursor(state: &mut State, size: (u16, u16)) -> (u16, u16) {
    let mut backend = screen(state, size);
    let Ok(position) = backend.get_cursor_position();
    (position.x, position.y)
}

#[test]
fn a_wide_character_does_not_hide_the_border_of_an_overlay() {
    let mut state = State { page: Page::Log, ..State::default() };
    for i in 0..40 {
        let text = format!("{}{}", "a".repeat(i % 2), "영".repeat(60));
        state.log.push(0.0, Level::Info, text);
    }
    keys(&mut state, ":");
    for columns in [110, 111, 112, 113] {
        let backend = screen(&mut state, (columns, 24));
        let buffer = backend.buffer();
        let left = (0..columns).find(|&x| buffer[(x, 2)].symbol() == "│" && x > 0).unwrap_or(0);
        for y in 2..21 {
            let before = buffer[(left - 1, y)].symbol();
            assert!(before == "│" || before == " ", "{before:?} at {left}, {y} of {columns}");
        }
    }
}

#[test]
fn the_cursor_is_after_the_search() {
    let mut state = with_log();
    keys(&mut state, "/영화");
    assert_eq!(cursor(&mut state, (80, 24)), (1 + 2 + 4, 21));
}

#[test]
fn scrolling_shows_every_line_in_full() {
    let mut state = State { page: Page::Log, ..State::default() };
    for i in 0..60 {
        let text = format!("<{i}> {}", "word ".repeat(if i % 3 == 0 { 40 } else { 1 }));
        state.log.push(0.0, Level::Info, text);
    }
    let size = (60, 15);
    let mut seen = std::collections::BTreeSet::new();
    update(&mut state, Message::Action(Action::ScrollToTop));
    assert!(rows(&mut state, size)[2].contains("<0>"));
    for _ in 0..60 {
        let text = rows(&mut state, size).concat();
        let visible = state.log.view.visible;
        let (first, last) = visible.unwrap_or_default();
        for i in first..=last {
            assert!(text.contains(&format!("<{i}> ")), "{i} of {visible:?}: {text}");
            seen.insert(i);
        }
        update(&mut state, Message::Action(Action::Scroll(1)));
    }
    assert_eq!(state.log.scroll, 0);
    assert_eq!(seen.len(), 60);
}

#[test]
fn the_current_match_is_visible_at_every_size() {
    for size in [(60, 15), (80, 24), (200, 60)] {
        let mut state = State { page: Page::Log, ..State::default() };
        for i in 0..200 {
            let text = format!("<{i}> {}", "word ".repeat(i % 50));
            state.log.push(0.0, Level::Info, text);
        }
        rows(&mut state, size);
        keys(&mut state, "/0> ");
        key(&mut state, KeyCode::Enter);
        for (direction, times) in [("N", 25), ("n", 30)] {
            for _ in 0..times {
                let (at, of) = state.log.view.match_position();
                let text = rows(&mut state, size).concat();
                assert_eq!(of, 20);
                assert!(
                    text.contains(&format!("<{}> ", (at - 1) * 10)),
                    "{at} on {size:?}: {text}"
                );
                keys(&mut state, direction);
            }
        }
    }
}

#[test]
fn a_line_higher_than_the_page_is_shown_from_its_start() {
    let mut state = State { page: Page::Log, ..State::default() };
    state.log.push(0.0, Level::Info, "before".to_owned());
    state.log.push(0.0, Level::Error, format!("begin {}", "word ".repeat(400)));
    assert!(rows(&mut state, (60, 15))[2].contains("begin"));
    update(&mut state, Message::Action(Action::Scroll(-1)));
    assert!(rows(&mut state, (60, 15))[2].contains("before"));
}

#[test]
fn a_full_log_draws_quickly_filtered_or_searched() {
    let mut state = State { page: Page::Log, ..State::default() };
    for i in 0..12_000 {
        let text = format!("step {i}  loss 0.5  a long line {}", "that is wrapped ".repeat(10));
        state.log.push(0.0, Level::Info, text);
    }
    for typed in ["&9", "/wrap"] {
        keys(&mut state, typed);
        key(&mut state, KeyCode::Enter);
        let began = std::time::Instant::now();
        for _ in 0..20 {
            screen(&mut state, (200, 60));
        }
        let each = began.elapsed() / 20;
        assert!(each.as_millis() < 50, "{typed}: {each:?}");
    }
}

#[test]
fn no_size_panics_and_control_characters_are_replaced() {
    let mut states = vec![with_log(), with_log(), with_log()];
    keys(&mut states[1], "/영화");
    keys(&mut states[2], ":영화");
    states[0].log.apply(LogAction::NextLevel);
    for state in &mut states {
        for columns in [1, 10, 60, 61, 80, 300] {
            for height in [1, 14, 15, 16, 40] {
                let text = rows(state, (columns, height)).concat();
                assert!(!text.contains(['\u{1b}', '\u{202e}']));
            }
        }
    }
}
