//! The runs below a folder: finding them, summarizing their journals, and filtering, sorting and
//! comparing them.

mod curve;
mod edit;
mod entry;
mod fingerprint;
mod messages;
mod notes;
mod query;
mod scan;
mod selection;
#[cfg(test)]
pub(crate) mod tests;

pub use curve::{CurveName, read_points};
pub use edit::RunEdit;
pub use entry::{BestEvaluation, RunEntry, RunStatus, RunSummary, UnreadableRun};
pub use fingerprint::JournalFingerprint;
pub use messages::{RunIndexChannels, RunIndexCommand, RunIndexReport};
pub use notes::{NOTES, RunNotes};
pub use query::{Query, QueryError};
pub use scan::{RunReader, find_runs, read_entry, read_history};
pub use selection::{RunOrder, compare_runs, differing_settings, distinguishing_settings};
