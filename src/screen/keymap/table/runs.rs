//! Keys for the comparison of runs.

use super::super::KeyContext;
use super::super::key::{char, key};
use super::{Binding, binding};
use crate::screen::app::Action;
use crate::screen::app::runs::RunsAction;
use crossterm::event::KeyCode;

pub(super) const BINDINGS: &[Binding] = {
    use Action::ClearView;
    use KeyCode::{Down, Enter, Esc, PageDown, PageUp, Up};
    use KeyContext::RunFilter;
    use RunsAction::{Differences, NextMetric, NextOrder, Reverse, ToggleAll, ToggleChart};
    &[
        binding(
            KeyContext::Runs,
            &[key(Down), char('j')],
            Action::Runs(RunsAction::Move(1)),
            "Next run",
            Some("select"),
        ),
        binding(
            KeyContext::Runs,
            &[key(Up), char('k')],
            Action::Runs(RunsAction::Move(-1)),
            "Previous run",
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
            "Add the run to the chart, or remove it",
            Some("chart"),
        ),
        binding(
            KeyContext::Runs,
            &[char('a')],
            Action::Runs(ToggleAll),
            "Add the first eight runs, or remove all",
            Some("all"),
        ),
        binding(
            KeyContext::Runs,
            &[char('m')],
            Action::Runs(NextMetric(1)),
            "Next metric",
            Some("metric"),
        ),
        binding(
            KeyContext::Runs,
            &[char('M')],
            Action::Runs(NextMetric(-1)),
            "Previous metric",
            None,
        ),
        binding(
            KeyContext::Runs,
            &[char('d')],
            Action::Runs(Differences),
            "Show different settings, or the chart",
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
            "Filter by words, such as seed=7 (empty: all)",
            Some("filter"),
        ),
        binding(KeyContext::Runs, &[key(Esc)], ClearView, "Clear cursor or zoom", None),
        binding(
            RunFilter,
            &[key(Enter)],
            Action::Runs(RunsAction::ApplyFilter),
            "Apply",
            Some("apply"),
        ),
        binding(
            RunFilter,
            &[key(Esc)],
            Action::Runs(RunsAction::CancelFilter),
            "Cancel",
            Some("cancel"),
        ),
    ]
};
