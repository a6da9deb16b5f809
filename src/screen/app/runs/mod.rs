//! The comparison of runs: a list that is sorted and filtered, and the curves of selected runs in
//! one chart.

mod actions;
mod curves;
mod input;
mod metric;
mod request;

pub use actions::RunsAction;
pub use input::{InputPurpose, RunInput};
pub use metric::RunMetric;
pub use request::RunsRequest;

use crate::run::metric_series::{Curve, History};
use crate::run::run_index::{
    Query, QueryError, RunEdit, RunEntry, RunIndexReport, RunOrder, RunSummary, compare_runs,
};
use crate::screen::lang::Lang;
use curves::KeptCurves;
use std::path::{Path, PathBuf};

/// The maximum number of runs in one chart: the number of curve colors.
pub const MAX_COMPARED: usize = 8;

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
    curves: KeptCurves,
    /// The sort key.
    pub order: RunOrder,
    /// Whether the order is reversed.
    pub is_reversed: bool,
    /// The filter as it is written.
    pub filter: String,
    /// The filter that is applied: the last one without an error.
    query: Query,
    /// The error of the filter as it is written.
    pub filter_error: Option<QueryError>,
    /// The names in the filter that no run has.
    pub unknown_names: Vec<String>,
    /// The line that is being typed.
    pub input: Option<RunInput>,
    /// The run that the dialog asks about deleting.
    pub deleting: Option<PathBuf>,
    /// The run to show after the list is closed.
    pub opening: Option<PathBuf>,
    /// The metric in the chart.
    pub metric: RunMetric,
    /// Whether the differing settings are shown instead of the chart.
    pub differences: bool,
}

impl RunComparison {
    /// The comparison of the runs in a folder that has not been searched yet.
    pub fn new(folder: String, order: RunOrder, is_reversed: bool, filter: &str) -> Self {
        let mut runs = Self { folder, order, is_reversed, ..Self::default() };
        runs.set_filter(filter);
        runs
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
            Some((slot, found, self.history(folder)))
        })
    }

    fn history(&self, folder: &Path) -> Option<&History> {
        self.curves.get(folder).and_then(|curves| curves.as_deref().ok())
    }

    /// The selected run with its curves as far as they are read, if it is not in the chart: it is drawn
    /// there while it is selected. The slot is the one that it would get.
    pub fn previewed(&self) -> Option<(Option<usize>, &RunEntry, Option<&History>)> {
        let found = self.selected_run().filter(|found| found.summary.is_ok())?;
        let is_charted = self.chart_slot(&found.folder).is_some();
        let slot = self.charted.iter().position(Option::is_none);
        (!is_charted).then(|| (slot, found, self.history(&found.folder)))
    }

    /// Why the curves of the selected run cannot be read, if they cannot.
    pub fn preview_problem(&self) -> Option<&str> {
        let found = self.selected_run()?;
        self.curves.get(&found.folder)?.as_ref().err().map(String::as_str)
    }

    /// The curves that are drawn: those of the runs in the chart and that of the selected run.
    fn drawn(&self) -> impl Iterator<Item = &History> {
        let preview = self.previewed().and_then(|(.., history)| history);
        self.compared().filter_map(|(.., history)| history).chain(preview)
    }

    /// The run whose curves are to be read next: the selected one or, once it is drawn, one beside it in
    /// the list, which is likely selected next; they then count as being read. One run is read at a time,
    /// so that a selection that moves on does not wait for those it has passed.
    pub fn begin_reading(&mut self) -> Option<PathBuf> {
        if !(self.is_complete || self.has_moved) || self.curves.is_reading() {
            return None;
        }
        let selected = self.folder_at(self.selected)?;
        if self.curves.begin(&selected) {
            return Some(selected);
        }
        let mut beside = self.beside_selected().into_iter();
        beside.find(|folder| self.curves.get(folder).is_none() && self.curves.begin(folder))
    }

    /// The folder of a run among those shown, if it can be read.
    fn folder_at(&self, index: usize) -> Option<PathBuf> {
        let found = &self.found[*self.shown.get(index)?];
        found.summary.is_ok().then(|| found.folder.clone())
    }

    /// The runs below and above the selected one.
    fn beside_selected(&self) -> Vec<PathBuf> {
        let beside = [self.selected.checked_add(1), self.selected.checked_sub(1)];
        beside.into_iter().flatten().filter_map(|index| self.folder_at(index)).collect()
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

    /// The last step of the longest run that is drawn.
    pub fn last_step(&self) -> f64 {
        self.drawn().map(History::last_step).fold(0.0, f64::max)
    }

    /// The curve whose points the cursor steps through: the longest one.
    pub fn cursor_curve(&self) -> Option<&Curve> {
        let curves = self.drawn().map(|history| self.metric.curve(history));
        curves.max_by(|one, other| {
            let end = |curve: &Curve| curve.ends().map_or(0.0, |ends| ends.1);
            end(one).total_cmp(&end(other))
        })
    }

    /// Sets the smoothing of noisy curves.
    pub fn smooth(&mut self, smoothing: f64) {
        for history in self.curves.all_mut() {
            history.smooth(smoothing);
        }
    }

    /// Shows all runs again.
    pub fn clear_filter(&mut self) {
        self.set_filter("");
    }

    /// Sets the filter. While it has an error, the previous one stays applied.
    fn set_filter(&mut self, filter: &str) {
        filter.clone_into(&mut self.filter);
        match Query::parse(filter) {
            Ok(query) => (self.query, self.filter_error) = (query, None),
            Err(error) => self.filter_error = Some(error),
        }
        self.refresh();
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
        let all: Vec<&RunEntry> = self.found.iter().collect();
        let unknown = self.query.unknown_names(&all).into_iter().map(str::to_owned);
        self.unknown_names = unknown.filter(|_| !all.is_empty()).collect();
        let selected = selected.filter(|_| self.has_moved);
        let index = selected.and_then(|run| self.shown().position(|found| found.folder == run));
        let last = self.shown.len().saturating_sub(1);
        let nearest = if self.has_moved { self.selected } else { 0 };
        self.selected = index.unwrap_or(nearest).min(last);
    }

    fn matches(&self, entry: &RunEntry) -> bool {
        self.query.matches(entry, |status| Lang::Korean.tr(status))
    }

    /// The selected run.
    pub fn selected_run(&self) -> Option<&RunEntry> {
        self.shown.get(self.selected).map(|&at| &self.found[at])
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
                self.curves.changed(&folder);
                let is_charted = self.chart_slot(&folder).is_some();
                return (is_charted && self.curves.begin(&folder)).then_some(folder);
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
            RunIndexReport::Edited(RunEdit::Rename(from, _), Ok(to)) => self.move_run(&from, &to),
            // The index reports what has changed.
            RunIndexReport::Edited(..) => {}
            RunIndexReport::Curves(folder, mut curves) => {
                if !self.found.iter().any(|found| found.folder == folder) {
                    // It was removed or renamed meanwhile.
                    self.curves.remove(&folder);
                    return None;
                }
                if let Ok(history) = &mut curves {
                    history.smooth(smoothing);
                }
                let mut needed = self.beside_selected();
                needed.extend(self.folder_at(self.selected));
                needed.extend(self.charted.iter().flatten().cloned());
                let is_needed = |folder: &Path| needed.iter().any(|needed| needed == folder);
                self.curves.insert(folder.clone(), curves, is_needed);
                // A run in the chart that has changed meanwhile is read again.
                let is_charted = self.chart_slot(&folder).is_some();
                return (is_charted && self.curves.begin(&folder)).then_some(folder);
            }
        }
        None
    }

    /// Follows a renamed folder, so that its run stays selected and in the chart.
    fn move_run(&mut self, from: &Path, to: &Path) {
        for charted in self.charted.iter_mut().flatten().filter(|charted| *charted == from) {
            to.clone_into(charted);
        }
        self.curves.rename(from, to);
        for found in self.found.iter_mut().filter(|found| found.folder == from) {
            to.clone_into(&mut found.folder);
        }
    }
}

#[cfg(test)]
mod tests;
