//! A cache of compiled kernels on disk.
//!
//! It is optional: kernels that cannot be read are compiled again, and kernels that cannot be
//! written are compiled again by the next run.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// The cache folder: `nsmc-tui/kernels` in the user's cache folder, if there is one.
#[cfg(feature = "cuda")]
pub(super) fn folder() -> Option<PathBuf> {
    Some(crate::core::user_folders::cache()?.join("kernels"))
}

/// The file of the kernels compiled from these inputs.
pub(super) fn file(folder: &Path, inputs: &[&str]) -> PathBuf {
    // Two hashes, because a single hash of 64 bits could collide.
    let hash = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, inputs).hash(&mut hasher);
        hasher.finish()
    };
    folder.join(format!("{:016x}{:016x}", hash(0), hash(1)))
}

/// The kernels that [`write`] wrote, if the file exists and its checksum is right.
pub(super) fn read(file: &Path) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(file).ok()?;
    let sum = bytes.split_off(bytes.len().checked_sub(4)?);
    (sum == crc32c::crc32c(&bytes).to_le_bytes()).then_some(bytes)
}

/// Writes compiled kernels and their checksum. Errors are ignored.
pub(super) fn write(file: &Path, kernels: &[u8]) {
    let Some(folder) = file.parent() else { return };
    let mut bytes = kernels.to_vec();
    bytes.extend_from_slice(&crc32c::crc32c(kernels).to_le_bytes());
    let _ = std::fs::create_dir_all(folder)
        .and_then(|()| crate::core::atomic_write::write_atomically(file, &bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_read_unless_they_are_damaged() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = file(&folder.path().join("not/there/yet"), &["source", "option"]);
        assert_eq!(read(&file), None);
        write(&file, b"kernels");
        assert_eq!(read(&file).as_deref(), Some(b"kernels".as_slice()));
        for damaged in [&b"kernelz1234"[..], b"abc", b""] {
            std::fs::write(&file, damaged)?;
            assert_eq!(read(&file), None);
        }
        write(&file, b"kernels");
        assert!(read(&file).is_some());
        Ok(())
    }

    #[test]
    fn the_file_name_depends_on_all_inputs() {
        let of = |parts: &[&str]| file(Path::new("folder"), parts);
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["a", "c"]));
        assert_ne!(of(&["ab", ""]), of(&["a", "b"]));
    }
}
