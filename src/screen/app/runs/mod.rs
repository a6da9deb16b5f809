//! The comparison of runs: a list that is sorted and filtered, and the curves of selected runs in
//! one chart.

mod metric;

pub use metric::RunMetric;

use super::editor;
use crate::run::metric_series::{Curve, History};
use crate::run::run_index::RunIndexReport;
use crate::run::run_index::{RunEntry, RunOrder, RunSummary, compare_runs, matches_filter};
use crate::screen::lang::Lang;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tui_input::{Input, InputRequest};

/// The maximum number of runs in one chart: the number of curve colors.
pub const MAX_COMPARED: usize = 8;

/// An action on the comparison of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsAction {
    /// Move the selection by this many runs, down if positive.
    Move(isize),
    /// Add the selected run to the chart, or remove it.
    ToggleChart,
    /// Add the first runs of the list to the chart; if it has any, remove all.
    ToggleAll,
    /// Sort by the next key.
    NextOrder,
    /// Reverse the order.
    Reverse,
    /// Show the next metric in the chart (1), or the previous one (-1).
    NextMetric(isize),
    /// Switch between the chart and the differing settings.
    Differences,
    /// Open the input for a filter.
    Filter,
    /// Apply the typed filter.
    ApplyFilter,
    /// Discard the typed filter and restore the previous one.
    CancelFilter,
}

/// A filter that is being typed.
#[derive(Clone, Debug)]
pub struct FilterInput {
    /// What is typed.
    pub line: Input,
    /// The filter before typing began.
    before: String,
}

/// The runs in a folder and how they are compared.
#[derive(Clone, Debug, Default)]
pub struct RunComparison {
    /// The folder, sanitized for the terminal.
    pub folder: String,
    /// All runs that were found.
    found: Vec<RunEntry>,
    /// Whether the whole folder was searched.
    pub is_complete: bool,
    /// Indices in `found` of the runs that pass the filter, in order.
    shown: Vec<usize>,
    /// The index of the selected run among those shown.
    pub selected: usize,
    /// Whether the user has moved the selection; until then it stays on the first run.
    has_moved: bool,
    /// The runs in the chart. A run keeps its slot, and with it its color.
    charted: [Option<PathBuf>; MAX_COMPARED],
    curves: BTreeMap<PathBuf, Result<Box<History>, String>>,
    /// The sort key.
    pub order: RunOrder,
    /// Whether the order is reversed.
    pub is_reversed: bool,
    /// Words that all shown runs have to contain.
    pub filter: String,
    /// The filter that is being typed.
    pub input: Option<FilterInput>,
    /// The metric in the chart.
    pub metric: RunMetric,
    /// Whether the differing settings are shown instead of the chart.
    pub differences: bool,
}

impl RunComparison {
    /// The comparison of the runs in a folder that has not been searched yet.
    pub fn new(folder: String, order: RunOrder, is_reversed: bool, filter: &str) -> Self {
        Self { folder, order, is_reversed, filter: filter.to_owned(), ..Self::default() }
    }

    /// The number of runs found, shown or not.
    pub fn found_count(&self) -> usize {
        self.found.len()
    }

    /// The runs that pass the filter, in order.
    pub fn shown(&self) -> impl ExactSizeIterator<Item = &RunEntry> {
        self.shown.iter().map(|&at| &self.found[at])
    }

    /// The slot of a run in the chart, which is the index of its color.
    pub fn chart_slot(&self, folder: &Path) -> Option<usize> {
        self.charted.iter().position(|charted| charted.as_deref() == Some(folder))
    }

    /// The runs in the chart with their slots, and their curves as far as they are read.
    pub fn compared(&self) -> impl Iterator<Item = (usize, &RunEntry, Option<&History>)> {
        let slots = self.charted.iter().enumerate();
        slots.filter_map(|(slot, folder)| {
            let folder = folder.as_ref()?;
            let found = self.found.iter().find(|found| found.folder == *folder)?;
            let history = self.curves.get(folder).and_then(|curves| curves.as_deref().ok());
            Some((slot, found, history))
        })
    }

    /// The runs whose settings are compared: those in the chart or, if there are none, all runs
    /// shown.
    pub fn compared_summaries(&self) -> Vec<(Option<usize>, &RunSummary)> {
        let charted = self.compared().map(|(slot, found, _)| (Some(slot), found));
        let mut runs: Vec<(Option<usize>, &RunEntry)> = charted.collect();
        if runs.is_empty() {
            runs = self.shown().map(|found| (None, found)).collect();
        }
        runs.into_iter()
            .filter_map(|(slot, found)| Some((slot, found.summary.as_ref().ok()?)))
            .collect()
    }

    /// The last step of the longest run in the chart.
    pub fn last_step(&self) -> f64 {
        let ends = self.compared().filter_map(|(_, _, history)| history).map(History::last_step);
        ends.fold(0.0, f64::max)
    }

    /// The curve whose points the cursor steps through: the longest one.
    pub fn cursor_curve(&self) -> Option<&Curve> {
        let curves =
            self.compared().filter_map(|(_, _, history)| Some(self.metric.curve(history?)));
        curves.max_by(|one, other| {
            let end = |curve: &Curve| curve.ends().map_or(0.0, |ends| ends.1);
            end(one).total_cmp(&end(other))
        })
    }

    /// Whether a filter is being typed.
    pub fn is_typing(&self) -> bool {
        self.input.is_some()
    }

    /// Sets the smoothing of noisy curves.
    pub fn smooth(&mut self, smoothing: f64) {
        for history in self.curves.values_mut().flatten() {
            history.smooth(smoothing);
        }
    }

    /// Edits the filter being typed.
    pub fn edit(&mut self, request: InputRequest) {
        if let Some(input) = &mut self.input {
            editor::edit(&mut input.line, request);
            self.apply_typed();
        }
    }

    /// Pastes into the filter being typed.
    pub fn paste(&mut self, text: &str) {
        if let Some(input) = &mut self.input {
            editor::paste(&mut input.line, text);
            self.apply_typed();
        }
    }

    /// Applies what is typed so far.
    fn apply_typed(&mut self) {
        if let Some(input) = &self.input {
            input.line.value().clone_into(&mut self.filter);
            self.refresh();
        }
    }

    /// Sorts and filters again, and keeps the selected run.
    fn refresh(&mut self) {
        let selected = self.selected_run().map(|found| found.folder.clone());
        let mut shown: Vec<usize> =
            (0..self.found.len()).filter(|&at| self.matches(&self.found[at])).collect();
        shown
            .sort_by(|&one, &other| compare_runs(&self.found[one], &self.found[other], self.order));
        if self.is_reversed {
            shown.reverse();
        }
        self.shown = shown;
        let selected = selected.filter(|_| self.has_moved);
        let index = selected.and_then(|run| self.shown().position(|found| found.folder == run));
        let last = self.shown.len().saturating_sub(1);
        let nearest = if self.has_moved { self.selected } else { 0 };
        self.selected = index.unwrap_or(nearest).min(last);
    }

    fn matches(&self, entry: &RunEntry) -> bool {
        matches_filter(entry, &self.filter, |status| Lang::Korean.tr(status))
    }

    /// The selected run.
    pub fn selected_run(&self) -> Option<&RunEntry> {
        self.shown.get(self.selected).map(|&at| &self.found[at])
    }

    /// Adds a run to the chart, or removes it. Returns the folder whose curves have to be read.
    fn toggle(&mut self, folder: PathBuf) -> Option<PathBuf> {
        if let Some(slot) = self.chart_slot(&folder) {
            self.charted[slot] = None;
            self.curves.remove(&folder);
            return None;
        }
        let free = self.charted.iter().position(Option::is_none)?;
        self.charted[free] = Some(folder.clone());
        Some(folder)
    }

    fn toggle_all(&mut self) -> Vec<PathBuf> {
        if self.charted.iter().any(Option::is_some) {
            self.charted = Default::default();
            self.curves.clear();
            return Vec::new();
        }
        let readable = self.shown().filter(|found| found.summary.is_ok());
        let folders: Vec<PathBuf> =
            readable.take(MAX_COMPARED).map(|found| found.folder.clone()).collect();
        folders.into_iter().filter_map(|folder| self.toggle(folder)).collect()
    }

    /// Applies an action. Returns the folders whose curves have to be read.
    pub fn apply(&mut self, action: RunsAction) -> Vec<PathBuf> {
        match action {
            RunsAction::Move(by) => {
                self.has_moved = true;
                let last = self.shown.len().saturating_sub(1);
                self.selected = self.selected.saturating_add_signed(by).min(last);
            }
            RunsAction::ToggleChart => {
                let readable = self.selected_run().filter(|found| found.summary.is_ok());
                let folder = readable.map(|found| found.folder.clone());
                return folder.and_then(|folder| self.toggle(folder)).into_iter().collect();
            }
            RunsAction::ToggleAll => return self.toggle_all(),
            RunsAction::NextOrder => {
                let current = RunOrder::ALL.iter().position(|order| *order == self.order);
                self.order = RunOrder::ALL[(current.unwrap_or(0) + 1) % RunOrder::ALL.len()];
                self.refresh();
            }
            RunsAction::Reverse => {
                self.is_reversed = !self.is_reversed;
                self.refresh();
            }
            RunsAction::NextMetric(by) => {
                let current = RunMetric::ALL.iter().position(|metric| *metric == self.metric);
                let next = current.unwrap_or(0) as isize + by;
                self.metric =
                    RunMetric::ALL[next.rem_euclid(RunMetric::ALL.len() as isize) as usize];
            }
            RunsAction::Differences => self.differences = !self.differences,
            RunsAction::Filter => {
                let (line, before) = (Input::new(self.filter.clone()), self.filter.clone());
                self.input = Some(FilterInput { line, before });
            }
            RunsAction::ApplyFilter => self.input = None,
            RunsAction::CancelFilter => {
                if let Some(input) = self.input.take() {
                    self.filter = input.before;
                    self.refresh();
                }
            }
        }
        Vec::new()
    }

    /// Applies a report. Returns the folder whose curves have to be read again.
    pub fn push_report(&mut self, report: RunIndexReport, smoothing: f64) -> Option<PathBuf> {
        match report {
            RunIndexReport::Updated(found) => {
                let folder = found.folder.clone();
                match self.found.iter_mut().find(|known| known.folder == folder) {
                    Some(known) => *known = *found,
                    None => self.found.push(*found),
                }
                self.refresh();
                return self.chart_slot(&folder).map(|_| folder);
            }
            RunIndexReport::Removed(folder) => {
                if let Some(slot) = self.chart_slot(&folder) {
                    self.charted[slot] = None;
                }
                self.curves.remove(&folder);
                self.shown.clear();
                self.found.retain(|found| found.folder != folder);
                self.refresh();
            }
            RunIndexReport::Complete => self.is_complete = true,
            RunIndexReport::Curves(folder, mut curves) => {
                if self.chart_slot(&folder).is_some() {
                    if let Ok(history) = &mut curves {
                        history.smooth(smoothing);
                    }
                    self.curves.insert(folder, curves);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
