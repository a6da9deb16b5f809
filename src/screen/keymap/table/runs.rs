//! Keys at runs side by side.

use super::super::KeyContext;
use super::super::key::{char, key};
use super::{Binding, binding};
use crate::screen::app::Action;
use crate::screen::app::runs::RunsAction;
use crossterm::event::KeyCode;

pub(super) const BINDINGS: &[Binding] = {
    use Action::ClearView;
    use KeyCode::{Down, Enter, Esc, PageDown, PageUp, Up};
    use KeyContext::Filtering;
    use RunsAction::{Differences, NextMetric, NextOrder, Reverse, ToggleAll, ToggleChart};
    &[
        binding(
            KeyContext::Runs,
            &[key(Down), char('j')],
            Action::Runs(RunsAction::Move(1)),
            "The run below",
            Some("move"),
        ),
        binding(
            KeyContext::Runs,
            &[key(Up), char('k')],
            Action::Runs(RunsAction::Move(-1)),
            "The run above",
            None,
        ),
        binding(
            KeyContext::Runs,
            &[key(PageDown)],
            Action::Runs(RunsAction::Move(10)),
            "Ten runs down",
            None,
        ),
        binding(
            KeyContext::Runs,
            &[key(PageUp)],
            Action::Runs(RunsAction::Move(-10)),
            "Ten runs up",
            None,
        ),
        binding(
            KeyContext::Runs,
            &[char(' '), key(Enter)],
            Action::Runs(ToggleChart),
            "Put the run into the chart, or take it out",
            Some("choose"),
        ),
        binding(
            KeyContext::Runs,
            &[char('a')],
            Action::Runs(ToggleAll),
            "The first eight into the chart, or all out",
            Some("all"),
        ),
        binding(
            KeyContext::Runs,
            &[char('m')],
            Action::Runs(NextMetric(1)),
            "Another figure in the chart",
            Some("figure"),
        ),
        binding(
            KeyContext::Runs,
            &[char('M')],
            Action::Runs(NextMetric(-1)),
            "The figure before",
            None,
        ),
        binding(
            KeyContext::Runs,
            &[char('d')],
            Action::Runs(Differences),
            "In what the runs differ, or the chart",
            Some("differences"),
        ),
        binding(
            KeyContext::Runs,
            &[char('s')],
            Action::Runs(NextOrder),
            "Sort by time, name, accuracy, F1, loss, duration",
            Some("sort"),
        ),
        binding(KeyContext::Runs, &[char('R')], Action::Runs(Reverse), "Reverse the order", None),
        binding(
            KeyContext::Runs,
            &[char('/')],
            Action::Runs(RunsAction::Filter),
            "Only runs with these words (seed=7); empty: all",
            Some("filter"),
        ),
        binding(KeyContext::Runs, &[key(Esc)], ClearView, "Let go of the cursor, the zoom", None),
        binding(
            Filtering,
            &[key(Enter)],
            Action::Runs(RunsAction::ApplyFilter),
            "Keep it",
            Some("keep"),
        ),
        binding(
            Filtering,
            &[key(Esc)],
            Action::Runs(RunsAction::CancelFilter),
            "Drop it; the words before hold again",
            Some("drop"),
        ),
    ]
};
