//! Filtering and searching the log.

use super::*;

/// Line `i` is a warning if `i` is divisible by 10, else a result if divisible by 5. Lines
/// divisible by 7 mention a film.
fn log(lines: usize) -> Log {
    let mut log = Log::default();
    add(&mut log, 0..lines);
    log
}

fn add(log: &mut Log, lines: std::ops::Range<usize>) {
    for i in lines {
        let level = match i {
            _ if i % 10 == 0 => Level::Warning,
            _ if i % 5 == 0 => Level::Result,
            _ => Level::Info,
        };
        let film = if i % 7 == 0 { " 영화 Film" } else { "" };
        log.push(0.0, level, format!("line {i}{film}"));
    }
}

fn shown(log: &Log) -> Vec<String> {
    (0..).map_while(|index| log.shown(index)).map(|(_, line)| line.text.clone()).collect()
}

fn numbers(log: &Log) -> Vec<usize> {
    let second = |line: &String| line.split(' ').nth(1).and_then(|number| number.parse().ok());
    shown(log).iter().filter_map(second).collect()
}

fn bottom(log: &Log) -> usize {
    numbers(log)[log.view.shown_count() - 1 - log.scroll]
}

fn typed(log: &mut Log, action: LogAction, text: &str) {
    log.apply(action);
    for c in text.chars() {
        log.edit(InputRequest::InsertChar(c));
    }
}

#[test]
fn levels_cycle() {
    let mut log = log(30);
    log.apply(LogAction::NextLevel);
    assert_eq!(numbers(&log), [0, 5, 10, 15, 20, 25]);
    log.apply(LogAction::NextLevel);
    assert_eq!(numbers(&log), [0, 10, 20]);
    log.apply(LogAction::NextLevel);
    assert_eq!(numbers(&log), [0; 0]);
    log.push(0.0, Level::Error, "line 30".to_owned());
    assert_eq!(numbers(&log), [30]);
    log.apply(LogAction::NextLevel);
    assert_eq!(log.view.shown_count(), 31);
}

#[test]
fn a_filter_applies_to_new_lines_and_an_empty_one_shows_all() {
    let mut log = log(30);
    typed(&mut log, LogAction::Filter, "FILM");
    assert_eq!(numbers(&log), [0, 7, 14, 21, 28], "while it is typed");
    log.apply(LogAction::ApplyInput);
    add(&mut log, 30..36);
    assert_eq!(numbers(&log), [0, 7, 14, 21, 28, 35]);
    typed(&mut log, LogAction::Filter, "영화x");
    assert_eq!(log.view.shown_count(), 0);
    log.edit(InputRequest::DeletePrevChar);
    assert_eq!(log.view.shown_count(), 6);
    log.apply(LogAction::CancelInput);
    assert_eq!(log.view.filter.text(), "FILM", "the previous filter is restored");
    log.apply(LogAction::Filter);
    assert_eq!(log.view.shown_count(), 6, "unchanged until something is typed");
    log.apply(LogAction::ApplyInput);
    assert_eq!(log.view.shown_count(), 36);
}

#[test]
fn a_search_steps_through_matches_and_wraps_around() {
    let mut log = log(30);
    log.view.visible = Some((20, 29));
    typed(&mut log, LogAction::Search, "영화");
    assert_eq!((log.view.match_position(), log.scroll), ((5, 5), 0), "the latest match is visible");
    log.apply(LogAction::ApplyInput);
    log.apply(LogAction::GoToMatch(-1));
    assert_eq!((log.view.match_position(), log.scroll), ((4, 5), 0));
    log.apply(LogAction::GoToMatch(-1));
    assert_eq!((log.view.match_position(), bottom(&log)), ((3, 5), 14));
    log.view.visible = Some((5, 14));
    log.apply(LogAction::GoToMatch(-1));
    assert_eq!((log.view.match_position(), bottom(&log)), ((2, 5), 14));
    log.apply(LogAction::GoToMatch(-1));
    log.apply(LogAction::GoToMatch(-1));
    assert_eq!((log.view.match_position(), log.scroll), ((5, 5), 1), "the last follows the first");
    assert!(log.is_current_match(28));
    log.apply(LogAction::GoToMatch(1));
    assert_eq!((log.view.match_position(), bottom(&log)), ((1, 5), 0));
    add(&mut log, 30..36);
    assert_eq!(
        (log.view.match_position(), bottom(&log)),
        ((1, 6), 0),
        "new lines do not move the view"
    );
}

#[test]
fn a_cancelled_search_restores_the_view() {
    let mut log = log(100);
    log.scroll = 10;
    log.view.visible = Some((80, 89));
    typed(&mut log, LogAction::Search, "line 42");
    assert_eq!((bottom(&log), log.view.match_position()), (42, (1, 1)));
    typed(&mut log, LogAction::Search, "nothing like it");
    assert_eq!(log.view.match_position(), (0, 0));
    log.apply(LogAction::GoToMatch(1));
    log.apply(LogAction::CancelInput);
    assert!(log.view.search.is_empty() && log.view.input.is_none());
    let mut log = self::log(100);
    log.scroll = 10;
    typed(&mut log, LogAction::Search, "line 42");
    log.apply(LogAction::CancelInput);
    assert_eq!(log.scroll, 10);
}

#[test]
fn the_view_keeps_its_line_when_others_are_hidden() {
    let mut log = log(100);
    log.scroll = 30;
    assert_eq!(bottom(&log), 69);
    log.apply(LogAction::NextLevel);
    assert_eq!(bottom(&log), 65, "the nearest above");
    log.apply(LogAction::NextLevel);
    assert_eq!(bottom(&log), 60);
    log.apply(LogAction::ShowAll);
    assert_eq!((bottom(&log), log.view.shown_count()), (60, 100));
    log.scroll = 0;
    typed(&mut log, LogAction::Filter, "film");
    log.apply(LogAction::ShowAll);
    assert_eq!(log.scroll, 0, "the latest line is still followed");
}

#[test]
fn dropped_lines_leave_the_view() {
    let mut log = log(10_000);
    typed(&mut log, LogAction::Search, "line 0");
    log.apply(LogAction::ApplyInput);
    assert_eq!(log.view.match_position(), (1, 1));
    add(&mut log, 10_000..10_003);
    assert_eq!(log.view.match_position(), (0, 0));
    assert_eq!(log.view.shown_count(), 10_000);
    assert_eq!(
        log.shown(0).map(|(serial, line)| (serial, line.text.as_str())),
        Some((3, "line 3"))
    );
    assert_eq!(log.scroll, 9_999, "it stays within the lines");
    log.apply(LogAction::GoToMatch(1));
}

#[test]
fn control_characters_do_not_enter_the_log() {
    let mut log = Log::default();
    log.push(0.0, Level::Warning, "a\u{1b}[2J\u{202e}b\nc".to_owned());
    assert_eq!(shown(&log), ["a�[2J�b c"]);
    log.apply(LogAction::Search);
    log.paste("b C\n");
    assert_eq!(log.view.match_position(), (1, 1));
}
