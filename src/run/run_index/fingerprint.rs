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
    /// The file's device and inode, where there are any.
    file: (u64, u64),
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
        let (length, file) = (metadata.len(), file_of(&metadata));
        Some(Self { length, file, modified, is_locked: is_locked(folder) })
    }

    /// Whether the first `read` bytes, which were read at the time of `previous`, are still the
    /// start of the file: a journal is only appended to, and replaced by another file.
    pub(super) fn is_continued(&self, previous: &Self, read: u64) -> bool {
        let is_longer = self.length > previous.length;
        let is_unchanged = self.length == previous.length && self.modified == previous.modified;
        self.file == previous.file && self.length >= read && (is_longer || is_unchanged)
    }
}

#[cfg(unix)]
fn file_of(metadata: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn file_of(_: &std::fs::Metadata) -> (u64, u64) {
    (0, 0)
}

/// Whether a process holds the folder's lock; `false` on systems without file locks.
fn is_locked(folder: &Path) -> bool {
    let lock = File::open(folder.join(LOCK_FILE));
    // The shared lock is released at once; a run that starts at this moment retries.
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}
