//! A partly downloaded blob and its hash.

use super::progress::ProgressReporter;
use super::repo_cache::create_parent;
use super::{HubError, names};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The start of a Git LFS pointer, and its largest size in bytes (Git LFS specification).
const POINTER: &[u8; 42] = b"version https://git-lfs.github.com/spec/v1";
const POINTER_SIZE: u64 = 1024;

/// The file `blobs/<etag>.incomplete`, open for writing.
pub(super) struct PartialBlob {
    path: PathBuf,
    file: File,
    hash: Sha256,
    /// The bytes downloaded so far.
    pub(super) done: u64,
    /// Whether the file consists of more than one response, so that an invalid hash may come from
    /// an earlier response.
    pub(super) is_resumed: bool,
}

impl PartialBlob {
    /// Opens the file that an earlier download left and hashes it, or creates an empty one.
    pub(super) fn open(
        path: PathBuf,
        progress: &mut ProgressReporter<'_>,
    ) -> Result<Self, HubError> {
        create_parent(&path)?;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(HubError::at(&path))?;
        let (mut hash, mut done, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            let count = file.read(&mut buffer).map_err(HubError::at(&path))?;
            if count == 0 {
                return Ok(Self { path, file, hash, done, is_resumed: done > 0 });
            }
            hash.update(&buffer[..count]);
            done += count as u64;
            progress.report_if_due()?;
        }
    }

    /// Appends bytes. `size` is the size of the complete blob.
    pub(super) fn write(&mut self, bytes: &[u8], size: u64) -> Result<(), HubError> {
        self.file.write_all(bytes).map_err(|error| match HubError::at(&self.path)(error) {
            HubError::DiskFull { path, .. } => {
                HubError::DiskFull { path, needed: size.saturating_sub(self.done) }
            }
            other => other,
        })?;
        self.hash.update(bytes);
        self.done += bytes.len() as u64;
        Ok(())
    }

    /// Removes the content.
    pub(super) fn clear(&mut self) -> Result<(), HubError> {
        let cleared = self.file.set_len(0).and_then(|()| self.file.rewind());
        cleared.map_err(HubError::at(&self.path))?;
        self.hash = Sha256::new();
        self.done = 0;
        self.is_resumed = false;
        Ok(())
    }

    /// Verifies the size and, if the blob's name is a sha256, the hash. Also checks that the content
    /// is not that of a Git LFS pointer, which a mirror of the repository alone has in its place.
    pub(super) fn verify(&mut self, file: &str, blob: &str, expected: u64) -> Result<(), HubError> {
        if expected != self.done {
            let file = file.to_owned();
            return Err(HubError::SizeMismatch { file, expected, found: self.done });
        }
        if self.is_pointer().map_err(HubError::at(&self.path))? {
            return Err(HubError::Pointer { file: file.to_owned() });
        }
        let Some(expected) = names::sha256_of(blob) else { return Ok(()) };
        let mut found = String::with_capacity(64);
        for byte in self.hash.clone().finalize() {
            // Writing to a string cannot fail.
            let _ = write!(found, "{byte:02x}");
        }
        if found.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(HubError::HashMismatch { file: file.to_owned(), expected: expected.to_owned(), found })
    }

    fn is_pointer(&mut self) -> io::Result<bool> {
        if self.done < POINTER.len() as u64 || self.done > POINTER_SIZE {
            return Ok(false);
        }
        let mut start = [0; POINTER.len()];
        self.file.rewind()?;
        self.file.read_exact(&mut start)?;
        Ok(start == *POINTER)
    }

    /// Flushes the file to disk and renames it to `blob`.
    pub(super) fn persist(self, blob: &Path) -> Result<(), HubError> {
        self.file.sync_all().map_err(HubError::at(&self.path))?;
        drop(self.file);
        fs::rename(&self.path, blob).map_err(HubError::at(blob))
    }

    /// Deletes the file.
    pub(super) fn delete(self) -> Result<(), HubError> {
        drop(self.file);
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(HubError::at(&self.path)(error))
            }
            _ => Ok(()),
        }
    }
}
