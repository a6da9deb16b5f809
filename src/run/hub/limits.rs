//! What a response of a hub may take, so that none fills the memory or the disk, or never ends.

use super::HubError;
use std::path::Path;
use std::time::Duration;

/// The largest number of entries of a list; models and datasets in Parquet have far fewer.
pub(super) const MAX_ENTRIES: usize = 100_000;

/// The largest number of pages of a list; a page of the hub has 1,000 entries.
pub(super) const MAX_PAGES: usize = 1000;

/// The largest size of a page of a list in bytes; an entry takes about 300 bytes.
pub(super) const MAX_PAGE_BYTES: usize = 16 << 20;

/// The largest size of all pages of a list in bytes.
pub(super) const MAX_LIST_BYTES: usize = 64 << 20;

/// The read timeouts that the body of a small response may take.
pub(super) const BODY_TIMEOUTS: u32 = 4;

/// The read timeouts that a whole list may take.
pub(super) const LIST_TIMEOUTS: u32 = 10;

/// The fewest bytes per second of a download. A server that sends less has stalled.
const MIN_BYTES_PER_SECOND: f64 = 100.0;

/// The fewest bytes in this time for which a download counts as going on.
pub(super) fn least_bytes(time: Duration) -> u64 {
    (MIN_BYTES_PER_SECOND * time.as_secs_f64()).max(1.0) as u64
}

/// The largest size of a file in bytes that is read into memory as text. `None` for the others,
/// whose size is limited by the disk.
pub(super) fn of_file(file: &str) -> Option<u64> {
    let name = file.rsplit('/').next().unwrap_or(file);
    match name {
        // The largest published ones have about 35 MB.
        "tokenizer.json" => Some(512 << 20),
        "vocab.txt" | "merges.txt" => Some(128 << 20),
        // An index has a line for each tensor.
        _ if name.ends_with(".index.json") => Some(64 << 20),
        _ if Path::new(name).extension().is_some_and(|end| end == "json") => Some(16 << 20),
        _ => None,
    }
}

/// Checks that the disk has room for `needed` more bytes at `path`, whose folder exists. Where the
/// free space is unknown, a full disk is found when the file is written.
///
/// # Errors
/// [`HubError::DiskFull`].
pub(super) fn check_free_space(path: &Path, needed: u64) -> Result<(), HubError> {
    match free_space(path.parent().unwrap_or(path)) {
        Some(free) if needed > free => {
            Err(HubError::DiskFull { path: path.to_path_buf(), needed: needed - free })
        }
        _ => Ok(()),
    }
}

/// The bytes that this user may still write to a folder's file system.
#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_space(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_read_as_text_have_limits() {
        for (file, limit) in [
            ("config.json", Some(16 << 20)),
            ("1_Pooling/config.json", Some(16 << 20)),
            ("model.safetensors.index.json", Some(64 << 20)),
            ("tokenizer.json", Some(512 << 20)),
            ("vocab.txt", Some(128 << 20)),
            ("model.safetensors", None),
            ("default/train/0000.parquet", None),
        ] {
            assert_eq!(of_file(file), limit, "{file}");
        }
    }

    #[test]
    fn a_download_must_fit_on_the_disk() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("blob");
        assert!(check_free_space(&file, 1).is_ok());
        let error = check_free_space(&file, 1 << 60);
        assert!(matches!(error, Err(HubError::DiskFull { needed, .. }) if needed > 1 << 50));
        Ok(())
    }
}
