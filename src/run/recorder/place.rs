//! Notices that a run's folder was removed or renamed.

use crate::run::append_file::is_same;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

/// A run's folder, held open.
#[derive(Debug)]
pub(super) struct OutputFolder {
    folder: PathBuf,
    opened: File,
    metadata: Metadata,
}

impl OutputFolder {
    /// Opens the folder.
    ///
    /// # Errors
    /// I/O errors.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        let opened = File::open(folder)?;
        let metadata = opened.metadata()?;
        Ok(Self { folder: folder.to_path_buf(), opened, metadata })
    }

    /// Whether the path still leads to the folder.
    pub fn is_in_place(&self) -> bool {
        // An error other than that of a missing folder may be temporary.
        match std::fs::metadata(&self.folder) {
            Ok(found) => is_same(&found, &self.metadata),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    /// Where a folder that is not in its place is now; `None` if it was removed, or on systems that
    /// do not tell.
    pub fn now(&self) -> Option<PathBuf> {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd;
            use std::os::unix::fs::MetadataExt;
            let exists = self.opened.metadata().is_ok_and(|metadata| metadata.nlink() > 0);
            let link = format!("/proc/self/fd/{}", self.opened.as_raw_fd());
            let path = std::fs::read_link(link).ok().filter(|_| exists);
            path.filter(|path| !path.to_string_lossy().ends_with(" (deleted)"))
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = &self.opened;
            None
        }
    }
}
