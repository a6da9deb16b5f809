//! The part of a blob that has come so far, and its hash.

use super::progress::Report;
use super::repo_cache::make_parent;
use super::{HubError, names};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// `blobs/<etag>.incomplete`, open for more.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    hash: Sha256,
    /// The bytes that are there.
    pub(super) done: u64,
    /// Whether it was put together from more than one answer, so that the fault may be in an
    /// older part if it is not what it should be.
    pub(super) joined: bool,
}

impl Partial {
    /// Opens what lies there and hashes it again, or begins anew.
    pub(super) fn open(path: PathBuf, report: &mut Report<'_>) -> Result<Self, HubError> {
        make_parent(&path)?;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(HubError::at(&path))?;
        let (mut hash, mut done, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            let count = file.read(&mut buffer).map_err(HubError::at(&path))?;
            if count == 0 {
                return Ok(Self { path, file, hash, done, joined: false });
            }
            hash.update(&buffer[..count]);
            done += count as u64;
            report.tell_in_time()?;
        }
    }

    /// Adds what came. `size` is what the whole will have, if that is known.
    pub(super) fn add(&mut self, bytes: &[u8], size: Option<u64>) -> Result<(), HubError> {
        self.file.write_all(bytes).map_err(|error| match HubError::at(&self.path)(error) {
            HubError::DiskFull { path, .. } => {
                HubError::DiskFull { path, needed: size.unwrap_or(0).saturating_sub(self.done) }
            }
            other => other,
        })?;
        self.hash.update(bytes);
        self.done += bytes.len() as u64;
        Ok(())
    }

    /// Throws away what is there.
    pub(super) fn clear(&mut self) -> Result<(), HubError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(HubError::at(&self.path))?;
        self.hash = Sha256::new();
        self.done = 0;
        self.joined = false;
        Ok(())
    }

    /// Compares with the size and, where the blob's name is one, the sha256 that the hub
    /// announced.
    pub(super) fn check(&self, file: &str, blob: &str, size: Option<u64>) -> Result<(), HubError> {
        if let Some(expected) = size.filter(|size| *size != self.done) {
            return Err(HubError::WrongSize { file: file.to_owned(), expected, found: self.done });
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
        Err(HubError::WrongHash { file: file.to_owned(), expected: expected.to_owned(), found })
    }

    /// Makes it the blob, once it is safely on the disk.
    pub(super) fn keep(self, blob: &Path) -> Result<(), HubError> {
        self.file.sync_all().map_err(HubError::at(&self.path))?;
        drop(self.file);
        fs::rename(&self.path, blob).map_err(HubError::at(blob))
    }

    /// Removes it.
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
