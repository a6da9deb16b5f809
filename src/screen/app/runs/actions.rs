//! Actions on the list of runs.

use super::{InputPurpose, MAX_COMPARED, RunComparison, RunMetric, RunsRequest};
use crate::run::run_index::{RunEdit, RunEntry, RunOrder};
use std::path::PathBuf;

/// An action on the comparison of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsAction {
    /// Move the selection by this many runs, down if positive.
    Move(isize),
    /// Show the selected run whole.
    Open,
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
    /// Open the input for the note on the selected run.
    EditNote,
    /// Open the input for the tags of the selected run.
    EditTags,
    /// Open the input for a new name of the selected run.
    Rename,
    /// Ask whether to delete the selected run.
    Delete,
    /// Delete the run that the dialog asks about.
    ConfirmDelete,
    /// Apply what is typed.
    ApplyInput,
    /// Discard what is typed; a filter becomes what it was.
    CancelInput,
}

impl RunComparison {
    /// Applies an action. Returns what it requests.
    pub fn apply(&mut self, action: RunsAction) -> Vec<RunsRequest> {
        match action {
            RunsAction::Move(by) => {
                self.has_moved = true;
                let last = self.shown.len().saturating_sub(1);
                self.selected = self.selected.saturating_add_signed(by).min(last);
            }
            RunsAction::Open => return self.open().into_iter().collect(),
            RunsAction::ToggleChart => {
                let readable = self.selected_run().filter(|found| found.summary.is_ok());
                let folder = readable.map(|found| found.folder.clone());
                let added = folder.and_then(|folder| self.toggle(folder));
                return added.map(RunsRequest::ReadCurves).into_iter().collect();
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
            RunsAction::Filter => self.type_filter(),
            RunsAction::EditNote => self.type_for_run(InputPurpose::Note, |_, run| {
                run.map_or_else(String::new, |run| run.notes.note.clone())
            }),
            RunsAction::EditTags => self.type_for_run(InputPurpose::Tags, |_, run| {
                run.map_or_else(String::new, |run| run.notes.tags.join(" "))
            }),
            RunsAction::Rename => self.type_for_run(InputPurpose::Rename, |entry, _| {
                let name = entry.folder.file_name().unwrap_or_default();
                name.to_string_lossy().into_owned()
            }),
            RunsAction::Delete => return self.ask_to_delete().into_iter().collect(),
            RunsAction::ConfirmDelete => {
                let folder = self.deleting.take();
                let edit = folder.map(|folder| RunsRequest::Edit(RunEdit::Delete(folder)));
                return edit.into_iter().collect();
            }
            RunsAction::ApplyInput => return self.apply_input().into_iter().collect(),
            RunsAction::CancelInput => self.cancel_input(),
        }
        Vec::new()
    }

    fn open(&mut self) -> Option<RunsRequest> {
        let selected = self.selected_run()?;
        if let Err(unreadable) = &selected.summary {
            return Some(RunsRequest::Unreadable(unreadable.reason.clone()));
        }
        self.opening = Some(selected.folder.clone());
        Some(RunsRequest::Open)
    }

    /// The run to show after the list is closed.
    pub fn take_opening(&mut self) -> Option<RunEntry> {
        let folder = self.opening.take()?;
        self.found.iter().find(|found| found.folder == folder).cloned()
    }

    fn ask_to_delete(&mut self) -> Option<RunsRequest> {
        let selected = self.selected_run()?;
        if selected.is_in_use() {
            let reason = "a process is using this run: stop it or close its dashboard first";
            return Some(RunsRequest::Refuse(reason));
        }
        self.deleting = Some(selected.folder.clone());
        Some(RunsRequest::AskToDelete)
    }

    /// The number of other runs in the folder that the dialog asks about deleting.
    pub fn runs_inside_deleted(&self) -> usize {
        let Some(folder) = &self.deleting else { return 0 };
        let is_inside =
            |path: &std::path::Path| path.starts_with(folder) && path != folder.as_path();
        self.found.iter().filter(|found| is_inside(&found.folder)).count()
    }

    /// Adds a run to the chart, or removes it. Returns the folder whose curves have to be read.
    fn toggle(&mut self, folder: PathBuf) -> Option<PathBuf> {
        if let Some(slot) = self.chart_slot(&folder) {
            self.charted[slot] = None;
            return None;
        }
        let free = self.charted.iter().position(Option::is_none)?;
        self.charted[free] = Some(folder.clone());
        self.curves.begin(&folder).then_some(folder)
    }

    fn toggle_all(&mut self) -> Vec<RunsRequest> {
        if self.charted.iter().any(Option::is_some) {
            self.charted = Default::default();
            return Vec::new();
        }
        let readable = self.shown().filter(|found| found.summary.is_ok());
        let folders: Vec<PathBuf> =
            readable.take(MAX_COMPARED).map(|found| found.folder.clone()).collect();
        let added = folders.into_iter().filter_map(|folder| self.toggle(folder));
        added.map(RunsRequest::ReadCurves).collect()
    }
}
