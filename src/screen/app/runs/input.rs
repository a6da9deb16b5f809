//! The line that is typed on the page of runs: a filter, or what is to be changed of a run.

use super::{RunComparison, RunsRequest};
use crate::run::run_index::{RunEdit, RunEntry, RunSummary};
use crate::screen::app::editor;
use std::path::PathBuf;
use tui_input::{Input, InputRequest};

/// What a line is typed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputPurpose {
    /// A filter of the list.
    Filter {
        /// The filter before typing began.
        before: String,
    },
    /// The note on the run in a folder.
    Note(PathBuf),
    /// The tags of the run in a folder.
    Tags(PathBuf),
    /// A new name for the folder of a run.
    Rename(PathBuf),
}

/// A line that is being typed.
#[derive(Clone, Debug)]
pub struct RunInput {
    /// What is typed.
    pub line: Input,
    /// What it is for.
    pub purpose: InputPurpose,
}

impl RunComparison {
    /// Whether a line is being typed.
    pub fn is_typing(&self) -> bool {
        self.input.is_some()
    }

    /// Edits the line being typed.
    pub fn edit(&mut self, request: InputRequest) {
        if let Some(input) = &mut self.input {
            editor::edit(&mut input.line, request);
            self.filter_as_typed();
        }
    }

    /// Pastes into the line being typed.
    pub fn paste(&mut self, text: &str) {
        if let Some(input) = &mut self.input {
            editor::paste(&mut input.line, text);
            self.filter_as_typed();
        }
    }

    /// Applies a filter as far as it is typed.
    fn filter_as_typed(&mut self) {
        let filter = self.input.as_ref().and_then(|input| match input.purpose {
            InputPurpose::Filter { .. } => Some(input.line.value().to_owned()),
            _ => None,
        });
        if let Some(filter) = filter {
            self.set_filter(&filter);
        }
    }

    /// Opens the line for a filter.
    pub(super) fn type_filter(&mut self) {
        let (line, before) = (Input::new(self.filter.clone()), self.filter.clone());
        self.input = Some(RunInput { line, purpose: InputPurpose::Filter { before } });
    }

    /// Opens the line for a change of the selected run, with its present value.
    pub(super) fn type_for_run(
        &mut self,
        purpose: fn(PathBuf) -> InputPurpose,
        value: fn(&RunEntry, Option<&RunSummary>) -> String,
    ) {
        if let Some(entry) = self.selected_run() {
            let line = Input::new(value(entry, entry.summary.as_ref().ok()));
            self.input = Some(RunInput { line, purpose: purpose(entry.folder.clone()) });
        }
    }

    /// Closes the line and applies it.
    pub(super) fn apply_input(&mut self) -> Option<RunsRequest> {
        let RunInput { line, purpose } = self.input.take()?;
        let text = line.value().to_owned();
        let edit = match purpose {
            InputPurpose::Filter { .. } => {
                if self.filter_error.is_some() {
                    // It stays open until it is corrected or cancelled.
                    self.input = Some(RunInput { line, purpose });
                }
                return None;
            }
            InputPurpose::Note(folder) => RunEdit::Note(folder, text),
            InputPurpose::Tags(folder) => RunEdit::Tags(folder, text),
            InputPurpose::Rename(folder) => RunEdit::Rename(folder, text),
        };
        Some(RunsRequest::Edit(edit))
    }

    /// Closes the line without applying it.
    pub(super) fn cancel_input(&mut self) {
        if let Some(RunInput { purpose: InputPurpose::Filter { before }, .. }) = self.input.take() {
            self.set_filter(&before);
        }
    }
}
