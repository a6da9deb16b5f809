//! A file to which a run appends lines or records, and which outlasts faults: what cannot be written
//! is kept in bounded memory and written later, and a line or record that was written in part is
//! removed before the next one is written.

use std::collections::VecDeque;
use std::fmt::{Debug, Formatter};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The most bytes that are kept in memory while a file cannot be written.
pub(super) const MAX_PENDING: usize = 16 << 20;

/// The most bytes of one write, unless a single line or record is longer.
const MAX_BATCH: usize = 1 << 20;

/// After a failed attempt, the next one begins after this many times its duration.
const RETRY_COST_FACTOR: u32 = 20;

/// When a failed operation is tried again.
#[derive(Debug, Default)]
pub(super) struct Retry {
    not_before: Option<Instant>,
}

impl Retry {
    /// Whether the next attempt is due.
    pub fn is_due(&self) -> bool {
        self.not_before.is_none_or(|due| Instant::now() >= due)
    }

    /// Attempts an operation; a failure delays the next attempt.
    ///
    /// # Errors
    /// The errors of the operation.
    pub fn attempt<T>(&mut self, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let began = Instant::now();
        let outcome = operation();
        self.not_before = outcome.is_err().then(|| {
            let now = Instant::now();
            // A disk that hangs is tried again every minute.
            now + (now.duration_since(began) * RETRY_COST_FACTOR).min(Duration::from_mins(1))
        });
        outcome
    }
}

/// Opens or creates the file; returns its path and the number of bytes in it.
type Open = Box<dyn FnMut() -> io::Result<(File, PathBuf, u64)> + Send>;

/// The outcome of an attempt to write everything that is pending.
#[derive(Debug)]
pub(super) enum Flushed {
    /// Everything is in the file.
    All,
    /// An earlier attempt failed, and the next one is not due yet.
    Waiting,
    /// The attempt failed, or the rest is written later.
    Failed(io::Error),
}

/// A file to which lines or records are appended. Its owner sees to it that it is flushed; when it
/// is dropped, a last attempt is made.
pub(super) struct AppendFile {
    open: Open,
    opened: Option<OpenedFile>,
    pending: VecDeque<Vec<u8>>,
    pending_bytes: usize,
    retry: Retry,
}

struct OpenedFile {
    file: File,
    path: PathBuf,
    /// The end of the last line or record.
    end: u64,
    /// Whether there may be a part of a line or record after the end.
    is_torn: bool,
}

impl Debug for AppendFile {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppendFile")
            .field("path", &self.path())
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

impl Drop for AppendFile {
    fn drop(&mut self) {
        let _ = self.flush_now();
    }
}

impl AppendFile {
    /// A file that is opened by the first flush; `open` is called again until it succeeds.
    pub fn new(open: impl FnMut() -> io::Result<(File, PathBuf, u64)> + Send + 'static) -> Self {
        Self {
            open: Box::new(open),
            opened: None,
            pending: VecDeque::new(),
            pending_bytes: 0,
            retry: Retry::default(),
        }
    }

    /// The path, once the file was opened.
    pub fn path(&self) -> Option<&Path> {
        self.opened.as_ref().map(|opened| opened.path.as_path())
    }

    /// Lines or records that are not in the file yet.
    pub fn pending(&self) -> impl Iterator<Item = &[u8]> {
        self.pending.iter().map(Vec::as_slice)
    }

    /// Whether as many more bytes can be kept in memory.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.pending_bytes + bytes <= MAX_PENDING
    }

    /// Adds a line or record; it is written by the next flush.
    pub fn push(&mut self, unit: Vec<u8>) {
        self.pending_bytes += unit.len();
        self.pending.push_back(unit);
    }

    /// Writes what is pending, unless an earlier attempt failed a short time ago.
    pub fn flush(&mut self) -> Flushed {
        if self.pending.is_empty() && self.opened.is_some() {
            Flushed::All
        } else if self.retry.is_due() {
            self.flush_now()
        } else {
            Flushed::Waiting
        }
    }

    /// Makes the next attempt due.
    pub fn retry_now(&mut self) {
        self.retry = Retry::default();
    }

    /// Writes what is pending.
    pub fn flush_now(&mut self) -> Flushed {
        let mut retry = std::mem::take(&mut self.retry);
        let outcome = retry.attempt(|| self.try_flush());
        self.retry = retry;
        outcome.map_or_else(Flushed::Failed, |()| Flushed::All)
    }

    fn try_flush(&mut self) -> io::Result<()> {
        if self.opened.is_none() {
            let (file, path, end) = (self.open)()?;
            self.opened = Some(OpenedFile { file, path, end, is_torn: false });
        }
        let Some(opened) = &mut self.opened else { return Ok(()) };
        while !self.pending.is_empty() {
            let (mut batch, mut units) = (Vec::new(), 0);
            for unit in &self.pending {
                if units > 0 && batch.len() + unit.len() > MAX_BATCH {
                    break;
                }
                batch.extend_from_slice(unit);
                units += 1;
            }
            opened.append(&batch)?;
            self.pending.drain(..units);
            self.pending_bytes -= batch.len();
        }
        Ok(())
    }

    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    /// I/O errors.
    pub fn sync(&self) -> io::Result<()> {
        self.opened.as_ref().map_or(Ok(()), |opened| opened.file.sync_data())
    }

    /// Replaces the open file, so that tests can make writing fail. Returns the file before.
    #[cfg(test)]
    pub fn exchange_handle(&mut self, file: File) -> Option<File> {
        self.opened.as_mut().map(|opened| std::mem::replace(&mut opened.file, file))
    }

    /// Whether the path leads to this file; `true` if it was not opened yet.
    pub fn is_in_place(&self) -> bool {
        self.opened.as_ref().is_none_or(|opened| {
            let found = std::fs::metadata(&opened.path);
            let own = opened.file.metadata();
            found.is_ok_and(|found| own.is_ok_and(|own| is_same(&found, &own)))
        })
    }

    /// Writes the whole file again at its path, after it was removed or its folder renamed, and
    /// continues there. The removed file's content is still readable while it is open.
    ///
    /// # Errors
    /// If another file is at the path, and I/O errors; what was written stays in the old file,
    /// and so does what follows.
    pub fn restore(&mut self) -> io::Result<()> {
        let Some(opened) = &mut self.opened else { return Ok(()) };
        if let Some(folder) = opened.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = match open_to_append(&opened.path, true) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let message = "another file has taken its place; it is left alone";
                return Err(io::Error::new(ErrorKind::AlreadyExists, message));
            }
            opened => opened?,
        };
        let mut old = &opened.file;
        let copied = old
            .seek(SeekFrom::Start(0))
            .and_then(|_| io::copy(&mut old.take(opened.end), &mut file))
            .and_then(|length| file.sync_data().map(|()| length));
        match copied {
            Ok(length) => {
                (opened.file, opened.end, opened.is_torn) = (file, length, false);
                Ok(())
            }
            Err(error) => {
                // The copy is incomplete.
                let _ = std::fs::remove_file(&opened.path);
                Err(error)
            }
        }
    }
}

impl OpenedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if self.is_torn && length > self.end {
            self.file.set_len(self.end)?;
        } else {
            // Another program may have truncated the file or appended to it.
            self.end = length;
        }
        self.is_torn = false;
        let written = self.file.write_all(bytes);
        if written.is_ok() {
            self.end += bytes.len() as u64;
        } else {
            // The write error is reported, not an error of this call, which is made again.
            self.is_torn = self.file.set_len(self.end).is_err();
        }
        written
    }
}

/// Opens a file for reading and appending. With `is_new`, it must not exist.
///
/// # Errors
/// I/O errors.
pub(super) fn open_to_append(path: &Path, is_new: bool) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create_new(is_new).open(path)
}

/// Whether both are of the same file.
#[cfg(unix)]
pub(super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Whether both are of the same file; on this system, whether both exist.
#[cfg(not(unix))]
pub(super) fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
#[path = "append_file_tests.rs"]
mod tests;
