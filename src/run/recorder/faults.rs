//! Reports each fault of a file once when it begins and once when it ends.

use crate::core::text::sanitize_for_terminal;
use crate::core::write_advice::advice;
use crate::run::append_file::{Flushed, MAX_PENDING};
use std::collections::BTreeSet;
use std::io::Error;
use std::path::Path;

/// A file that a run writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Recorded {
    Journal,
    TensorBoard,
    Arguments,
    /// The outcomes of the evaluations.
    Predictions,
    /// The output folder.
    Folder,
}

/// The faults at present, and the messages about them.
#[derive(Debug, Default)]
pub(super) struct Faults {
    present: BTreeSet<Recorded>,
    /// The files whose last flush to the disk failed.
    unsynced: BTreeSet<Recorded>,
    messages: Vec<String>,
}

impl Faults {
    /// Adds a message, sanitized for the terminal.
    pub fn report(&mut self, place: &Path, text: &str) {
        let message = format!("{}: {text}", place.display());
        self.messages.push(sanitize_for_terminal(&message).into_owned());
    }

    /// Whether the file could not be written at the last attempt.
    pub fn is_present(&self, recorded: Recorded) -> bool {
        self.present.contains(&recorded)
    }

    /// Notes a failure; the first one is reported.
    pub fn failed(&mut self, recorded: Recorded, place: &Path, error: &Error) {
        if self.present.insert(recorded) {
            let text = match recorded {
                Recorded::Arguments => {
                    format!("{error}; writing it is tried again during the run")
                }
                Recorded::Predictions => format!(
                    "{error}; the run continues, and the predictions of an evaluation that cannot be \
                     written are lost"
                ),
                Recorded::Folder => format!(
                    "the folder, or a file of the recording in it, was removed or renamed during \
                     the run, and cannot be created again: {error}. The run continues without a \
                     recording there"
                ),
                Recorded::Journal | Recorded::TensorBoard => format!(
                    "{error}; the run continues, and what it records is kept in memory, up to \
                     {} MiB, until it can be written. What is not written before the end is lost",
                    MAX_PENDING >> 20
                ),
            };
            self.report(place, &format!("{text}. {}", advice(error)));
        }
    }

    /// Notes that everything is written. The end of a fault is reported, with the number of events
    /// that `take_lost` returns, if any were lost.
    pub fn written(&mut self, recorded: Recorded, place: &Path, take_lost: impl FnOnce() -> u64) {
        // What is written is not safe while it cannot be flushed.
        if !self.unsynced.contains(&recorded) && self.present.remove(&recorded) {
            let lost = match take_lost() {
                _ if recorded == Recorded::Predictions => {
                    "those of the evaluations since are missing".to_owned()
                }
                0 => "nothing is missing".to_owned(),
                lost => format!(
                    "{lost} events are missing, because more than {} MiB had to be kept in memory",
                    MAX_PENDING >> 20
                ),
            };
            self.report(place, &format!("it is written again; {lost}"));
        }
    }

    /// Notes the outcome of flushing a file to the disk. Success ends only a fault of flushing:
    /// events may still be pending.
    pub fn synced(&mut self, recorded: Recorded, place: &Path, outcome: Result<(), Error>) {
        match outcome {
            Err(error) => {
                self.unsynced.insert(recorded);
                self.failed(recorded, place, &error);
            }
            Ok(()) => {
                if self.unsynced.remove(&recorded) {
                    self.written(recorded, place, || 0);
                }
            }
        }
    }

    /// Notes the outcome of writing what is pending.
    pub fn note_flush(
        &mut self,
        recorded: Recorded,
        place: &Path,
        flushed: &Flushed,
        take_lost: impl FnOnce() -> u64,
    ) {
        match flushed {
            Flushed::All => self.written(recorded, place, take_lost),
            Flushed::Failed(error) => self.failed(recorded, place, error),
            Flushed::Waiting => {}
        }
    }

    /// Returns and clears the messages.
    pub fn take_messages(&mut self) -> Vec<String> {
        std::mem::take(&mut self.messages)
    }
}
