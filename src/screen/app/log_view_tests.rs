//! Looking at parts of the log.

use super::*;

/// Line `i` is a warning if 10 divides it, else a result if 5 does; 7 divides those with a film.
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
    numbers(log)[log.view.count() - 1 - log.scroll]
}

fn typed(log: &mut Log, action: LogAction, text: &str) {
    log.act(action);
    for c in text.chars() {
        log.edit(InputRequest::InsertChar(c));
    }
}

#[test]
fn levels_go_round() {
    let mut log = log(30);
    log.act(LogAction::NextLevel);
    assert_eq!(numbers(&log), [0, 5, 10, 15, 20, 25]);
    log.act(LogAction::NextLevel);
    assert_eq!(numbers(&log), [0, 10, 20]);
    log.act(LogAction::NextLevel);
    assert_eq!(numbers(&log), [0; 0]);
    log.push(0.0, Level::Error, "line 30".to_owned());
    assert_eq!(numbers(&log), [30]);
    log.act(LogAction::NextLevel);
    assert_eq!(log.view.count(), 31);
}

#[test]
fn a_filter_holds_for_lines_to_come_and_an_empty_one_for_none() {
    let mut log = log(30);
    typed(&mut log, LogAction::Filter, "FILM");
    assert_eq!(numbers(&log), [0, 7, 14, 21, 28], "while it is typed");
    log.act(LogAction::Keep);
    add(&mut log, 30..36);
    assert_eq!(numbers(&log), [0, 7, 14, 21, 28, 35]);
    typed(&mut log, LogAction::Filter, "영화x");
    assert_eq!(log.view.count(), 0);
    log.edit(InputRequest::DeletePrevChar);
    assert_eq!(log.view.count(), 6);
    log.act(LogAction::Drop);
    assert_eq!(log.view.filter.text(), "FILM", "what held before holds again");
    log.act(LogAction::Filter);
    assert_eq!(log.view.count(), 6, "until something is typed nothing changes");
    log.act(LogAction::Keep);
    assert_eq!(log.view.count(), 36);
}

#[test]
fn a_search_goes_from_match_to_match_and_round_the_ends() {
    let mut log = log(30);
    log.view.visible = Some((20, 29));
    typed(&mut log, LogAction::Search, "영화");
    assert_eq!((log.view.position(), log.scroll), ((5, 5), 0), "the latest is in view");
    log.act(LogAction::Keep);
    log.act(LogAction::Match(-1));
    assert_eq!((log.view.position(), log.scroll), ((4, 5), 0));
    log.act(LogAction::Match(-1));
    assert_eq!((log.view.position(), bottom(&log)), ((3, 5), 14));
    log.view.visible = Some((5, 14));
    log.act(LogAction::Match(-1));
    assert_eq!((log.view.position(), bottom(&log)), ((2, 5), 14));
    log.act(LogAction::Match(-1));
    log.act(LogAction::Match(-1));
    assert_eq!((log.view.position(), log.scroll), ((5, 5), 1), "after the first the last");
    assert!(log.is_current(28));
    log.act(LogAction::Match(1));
    assert_eq!((log.view.position(), bottom(&log)), ((1, 5), 0));
    add(&mut log, 30..36);
    assert_eq!((log.view.position(), bottom(&log)), ((1, 6), 0), "it stays where it is");
}

#[test]
fn a_dropped_search_leaves_the_view_where_it_was() {
    let mut log = log(100);
    log.scroll = 10;
    log.view.visible = Some((80, 89));
    typed(&mut log, LogAction::Search, "line 42");
    assert_eq!((bottom(&log), log.view.position()), (42, (1, 1)));
    typed(&mut log, LogAction::Search, "nothing like it");
    assert_eq!(log.view.position(), (0, 0));
    log.act(LogAction::Match(1));
    log.act(LogAction::Drop);
    assert!(log.view.search.is_empty() && log.view.typing.is_none());
    let mut log = self::log(100);
    log.scroll = 10;
    typed(&mut log, LogAction::Search, "line 42");
    log.act(LogAction::Drop);
    assert_eq!(log.scroll, 10);
}

#[test]
fn the_view_stays_at_its_line_when_others_go() {
    let mut log = log(100);
    log.scroll = 30;
    assert_eq!(bottom(&log), 69);
    log.act(LogAction::NextLevel);
    assert_eq!(bottom(&log), 65, "the nearest above");
    log.act(LogAction::NextLevel);
    assert_eq!(bottom(&log), 60);
    log.act(LogAction::ShowAll);
    assert_eq!((bottom(&log), log.view.count()), (60, 100));
    log.scroll = 0;
    typed(&mut log, LogAction::Filter, "film");
    log.act(LogAction::ShowAll);
    assert_eq!(log.scroll, 0, "the tail is still followed");
}

#[test]
fn lines_that_are_dropped_leave_the_view_too() {
    let mut log = log(10_000);
    typed(&mut log, LogAction::Search, "line 0");
    log.act(LogAction::Keep);
    assert_eq!(log.view.position(), (1, 1));
    add(&mut log, 10_000..10_003);
    assert_eq!(log.view.position(), (0, 0));
    assert_eq!(log.view.count(), 10_000);
    assert_eq!(
        log.shown(0).map(|(serial, line)| (serial, line.text.as_str())),
        Some((3, "line 3"))
    );
    assert_eq!(log.scroll, 9_999, "it cannot leave the lines there are");
    log.act(LogAction::Match(1));
}

#[test]
fn what_is_hostile_does_not_enter_the_log() {
    let mut log = Log::default();
    log.push(0.0, Level::Warning, "a\u{1b}[2J\u{202e}b\nc".to_owned());
    assert_eq!(shown(&log), ["a�[2J�b c"]);
    log.act(LogAction::Search);
    log.paste("b C\n");
    assert_eq!(log.view.position(), (1, 1));
}
