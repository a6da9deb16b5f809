//! Keys at runs side by side.

use super::super::Place;
use super::super::key::{char, key};
use super::{Binding, binding};
use crate::screen::app::Action;
use crate::screen::app::runs::RunsAction;
use crossterm::event::KeyCode;

pub(super) const BINDINGS: &[Binding] = {
    use Action::LetGo;
    use KeyCode::{Down, Enter, Esc, PageDown, PageUp, Up};
    use Place::Filtering;
    use RunsAction::{Choose, ChooseAll, Differences, NextFigure, NextOrder, Reverse};
    &[
        binding(
            Place::Runs,
            &[key(Down), char('j')],
            Action::Runs(RunsAction::Move(1)),
            "The run below",
            Some("move"),
        ),
        binding(
            Place::Runs,
            &[key(Up), char('k')],
            Action::Runs(RunsAction::Move(-1)),
            "The run above",
            None,
        ),
        binding(
            Place::Runs,
            &[key(PageDown)],
            Action::Runs(RunsAction::Move(10)),
            "Ten runs down",
            None,
        ),
        binding(
            Place::Runs,
            &[key(PageUp)],
            Action::Runs(RunsAction::Move(-10)),
            "Ten runs up",
            None,
        ),
        binding(
            Place::Runs,
            &[char(' '), key(Enter)],
            Action::Runs(Choose),
            "Put the run into the chart, or take it out",
            Some("choose"),
        ),
        binding(
            Place::Runs,
            &[char('a')],
            Action::Runs(ChooseAll),
            "The first eight into the chart, or all out",
            Some("all"),
        ),
        binding(
            Place::Runs,
            &[char('m')],
            Action::Runs(NextFigure(1)),
            "Another figure in the chart",
            Some("figure"),
        ),
        binding(Place::Runs, &[char('M')], Action::Runs(NextFigure(-1)), "The figure before", None),
        binding(
            Place::Runs,
            &[char('d')],
            Action::Runs(Differences),
            "In what the runs differ, or the chart",
            Some("differences"),
        ),
        binding(
            Place::Runs,
            &[char('s')],
            Action::Runs(NextOrder),
            "Sort by time, name, accuracy, F1, loss, duration",
            Some("sort"),
        ),
        binding(Place::Runs, &[char('R')], Action::Runs(Reverse), "Reverse the order", None),
        binding(
            Place::Runs,
            &[char('/')],
            Action::Runs(RunsAction::Filter),
            "Only runs with these words (seed=7); empty: all",
            Some("filter"),
        ),
        binding(Place::Runs, &[key(Esc)], LetGo, "Let go of the cursor, the zoom", None),
        binding(Filtering, &[key(Enter)], Action::Runs(RunsAction::Keep), "Keep it", Some("keep")),
        binding(
            Filtering,
            &[key(Esc)],
            Action::Runs(RunsAction::Drop),
            "Drop it; the words before hold again",
            Some("drop"),
        ),
    ]
};
