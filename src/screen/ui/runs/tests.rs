//! What the page shows of the selected run without any key.

use crate::run::run_index::RunIndexReport;
use crate::screen::app::runs::RunsAction;
use crate::screen::app::{Action, Message, State, update};
use crate::screen::lang::Lang;
use crate::screen::ui::matrix_tests::{LANGUAGES, all_colors, annotated, screen, text};
use crate::screen::ui::tests::SIZES;
use std::path::PathBuf;

/// Runs of which none is in the chart; the selected one has a note.
fn unmarked(lang: Lang) -> State {
    let mut state = annotated(lang);
    update(&mut state, Message::Action(Action::Runs(RunsAction::ToggleAll)));
    state
}

/// The share of rows that have nothing but borders, in hundredths.
fn blank_share(shown: &str) -> usize {
    let is_blank = |line: &&str| line.chars().all(|c| c == ' ' || c == '│');
    100 * shown.lines().filter(is_blank).count() / shown.lines().count().max(1)
}

#[test]
fn the_selected_run_has_its_curves_and_facts_at_once() {
    for (lang, code) in LANGUAGES {
        for size in SIZES {
            let shown = text(&screen(&mut unmarked(lang), size, all_colors()));
            assert!(shown.contains("* first 0."), "the legend: {shown}");
            assert!(blank_share(&shown) < 10, "{shown}");
            insta::assert_snapshot!(format!("runs_unmarked_{code}_{}x{}", size.0, size.1), shown);
        }
    }
}

#[test]
fn a_run_without_curves_says_why() {
    let mut state = unmarked(Lang::English);
    let shown = |state: &mut State| text(&screen(state, SIZES[1], all_colors()));
    let reason = "first/events.jsonl: Permission denied".to_owned();
    let report = RunIndexReport::Curves(PathBuf::from("first"), Err(reason.clone()));
    update(&mut state, Message::RunIndex(report));
    assert!(shown(&mut state).contains(&reason), "{}", shown(&mut state));
    for _ in 0..3 {
        update(&mut state, Message::Action(Action::Runs(RunsAction::Move(1))));
    }
    let torn = shown(&mut state);
    assert!(torn.contains("this run cannot be read"), "{torn}");
    assert!(torn.contains("torn/events.jsonl:1: no event of a run"), "{torn}");
}
