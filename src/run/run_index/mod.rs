//! The runs below a folder: where they are, how they ended, their best metrics, and how a list of
//! them is filtered and sorted.

mod entry;
mod fingerprint;
mod scan;
mod selection;
#[cfg(test)]
pub(crate) mod tests;

pub use entry::{BestEvaluation, RunEntry, RunStatus, RunSummary, UnreadableRun};
pub use fingerprint::JournalFingerprint;
pub use scan::{find_runs, read_entry, read_history};
pub use selection::{
    RunOrder, compare_runs, differing_settings, distinguishing_settings, format_settings,
    matches_filter,
};
