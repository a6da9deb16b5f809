//! Detects whether a run has changed since it was last read.

use crate::run::journal::JOURNAL;
use crate::run::recorder::LOCK_FILE;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The state of a journal's file: while it stays the same, the run's entry stays valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalFingerprint {
    /// The file size in bytes.
    length: u64,
    /// The time of the last write, since 1970.
    pub(super) modified: Duration,
    /// Whether a process is training the run.
    pub(super) is_locked: bool,
}

impl JournalFingerprint {
    /// The fingerprint of the journal in a folder; `None` if there is no journal.
    pub fn of(folder: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(folder.join(JOURNAL)).ok()?;
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        Some(Self { length: metadata.len(), modified, is_locked: is_locked(folder) })
    }
}

/// Whether a process holds the folder's lock; `false` on systems without file locks.
fn is_locked(folder: &Path) -> bool {
    let lock = File::open(folder.join(LOCK_FILE));
    // The shared lock is released at once; a run that starts at this moment retries.
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}
