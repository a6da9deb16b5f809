//! Keys for the comparison of runs.

use super::super::KeyContext;
use super::super::key::{char, control, key};
use super::{Binding, binding};
use crate::screen::app::Action;
use crate::screen::app::runs::RunsAction;
use crossterm::event::KeyCode;

/// More runs than any list has.
const ALL_RUNS: isize = 1 << 30;

pub(super) const BINDINGS: &[Binding] = {
    use Action::{ClearView, Close};
    use KeyCode::{Delete, Down, Enter, Esc, PageDown, PageUp, Up};
    use KeyContext::{ConfirmDelete, RunInput};
    use RunsAction::{
        Differences, EditNote, EditTags, NextMetric, NextOrder, Open, Rename, Reverse, ToggleAll,
        ToggleChart,
    };
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
            &[key(PageDown), control('d')],
            Action::Runs(RunsAction::Move(10)),
            "Ten runs down",
            None,
        ),
        binding(
            KeyContext::Runs,
            &[key(PageUp), control('u')],
            Action::Runs(RunsAction::Move(-10)),
            "Ten runs up",
            None,
        ),
        binding(
            KeyContext::Runs,
            &[char('g')],
            Action::Runs(RunsAction::Move(-ALL_RUNS)),
            "First run",
            None,
        ),
        binding(
            KeyContext::Runs,
            &[char('G')],
            Action::Runs(RunsAction::Move(ALL_RUNS)),
            "Last run",
            None,
        ),
        binding(
            KeyContext::Runs,
            &[key(Enter)],
            Action::Runs(Open),
            "Show the run: charts, log, its model",
            Some("open"),
        ),
        binding(
            KeyContext::Runs,
            &[char(' ')],
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
            "Sort by recent, name, accuracy, F1, loss, time",
            Some("sort"),
        ),
        binding(KeyContext::Runs, &[char('R')], Action::Runs(Reverse), "Reverse the order", None),
        binding(
            KeyContext::Runs,
            &[char('/')],
            Action::Runs(RunsAction::Filter),
            "Filter, such as seed=7 OR tag:old (empty: all)",
            Some("filter"),
        ),
        binding(
            KeyContext::Runs,
            &[char('n')],
            Action::Runs(EditNote),
            "Edit the note",
            Some("note"),
        ),
        binding(
            KeyContext::Runs,
            &[char('t')],
            Action::Runs(EditTags),
            "Edit the tags",
            Some("tags"),
        ),
        binding(KeyContext::Runs, &[char('r')], Action::Runs(Rename), "Rename the folder", None),
        binding(
            KeyContext::Runs,
            &[char('D'), key(Delete)],
            Action::Runs(RunsAction::Delete),
            "Move the run to the folder .trash (asks first)",
            None,
        ),
        binding(
            KeyContext::Runs,
            &[key(Esc)],
            ClearView,
            "Clear cursor, zoom or filter",
            Some("clear"),
        ),
        binding(
            RunInput,
            &[key(Enter)],
            Action::Runs(RunsAction::ApplyInput),
            "Apply",
            Some("apply"),
        ),
        binding(
            RunInput,
            &[key(Esc)],
            Action::Runs(RunsAction::CancelInput),
            "Cancel",
            Some("cancel"),
        ),
        binding(
            ConfirmDelete,
            &[char('y')],
            Action::Runs(RunsAction::ConfirmDelete),
            "Move it to the folder .trash",
            Some("trash"),
        ),
        binding(
            ConfirmDelete,
            &[char('n'), key(Esc), char('q')],
            Close,
            "Keep the run",
            Some("keep"),
        ),
    ]
};
