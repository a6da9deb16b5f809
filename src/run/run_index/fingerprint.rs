//! Detects whether a run has changed since it was last read.

use super::notes::NOTES;
use crate::run::journal::JOURNAL;
use crate::run::recorder::FolderLock;
use std::fs::Metadata;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The state of a run's files and of its lock: while it stays the same, the run's entry stays
/// valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalFingerprint {
    /// The file size in bytes.
    length: u64,
    /// The file's device and inode, where there are any.
    file: (u64, u64),
    /// The time of the last write, since 1970.
    pub(super) modified: Duration,
    /// The lock of the process that is training the run.
    pub(super) lock: FolderLock,
    /// The length and the last write of the file with the user's notes, if there is one.
    notes: Option<(u64, Duration)>,
}

impl JournalFingerprint {
    /// The fingerprint of the journal in a folder; `None` if there is no journal.
    pub fn of(folder: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(folder.join(JOURNAL)).ok()?;
        let (length, file, modified) = (metadata.len(), file_of(&metadata), modified(&metadata));
        let notes = std::fs::metadata(folder.join(NOTES)).ok();
        let notes = notes.map(|notes| (notes.len(), self::modified(&notes)));
        Some(Self { length, file, modified, lock: FolderLock::of(folder), notes })
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
fn file_of(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn file_of(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// The time of the last write, since 1970.
fn modified(metadata: &Metadata) -> Duration {
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    modified.duration_since(UNIX_EPOCH).unwrap_or_default()
}
