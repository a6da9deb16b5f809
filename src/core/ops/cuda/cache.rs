//! Compiled kernels, kept on disk from one run to the next.
//!
//! Nothing here is needed to compute: what cannot be read is compiled again, and what cannot be
//! written is compiled again next time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// The folder that compiled kernels are kept in: `nsmc-tui/kernels` in the user's cache, if there
/// is such a thing.
#[cfg(feature = "cuda")]
pub(super) fn folder() -> Option<PathBuf> {
    let user = etcetera::choose_base_strategy().ok()?;
    let cache = etcetera::BaseStrategy::cache_dir(&user);
    Some(cache.join("nsmc-tui").join("kernels"))
}

/// The file of what was made from all these.
pub(super) fn file(folder: &Path, made_from: &[&str]) -> PathBuf {
    // Two hashes, as one of 64 bits is a little short of never.
    let hash = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, made_from).hash(&mut hasher);
        hasher.finish()
    };
    folder.join(format!("{:016x}{:016x}", hash(0), hash(1)))
}

/// What [`keep`] wrote, if it is there and whole.
pub(super) fn find(file: &Path) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(file).ok()?;
    let sum = bytes.split_off(bytes.len().checked_sub(4)?);
    (sum == crc32c::crc32c(&bytes).to_le_bytes()).then_some(bytes)
}

/// Writes compiled kernels, and a sum to know them by. Trouble is passed over.
pub(super) fn keep(file: &Path, kernels: &[u8]) {
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
    fn kernels_are_found_again_unless_they_are_damaged() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = file(&folder.path().join("not/there/yet"), &["source", "option"]);
        assert_eq!(find(&file), None);
        keep(&file, b"kernels");
        assert_eq!(find(&file).as_deref(), Some(b"kernels".as_slice()));
        for damaged in [&b"kernelz1234"[..], b"abc", b""] {
            std::fs::write(&file, damaged)?;
            assert_eq!(find(&file), None);
        }
        keep(&file, b"kernels");
        assert!(find(&file).is_some());
        Ok(())
    }

    #[test]
    fn a_file_is_named_after_all_that_it_is_made_from() {
        let of = |parts: &[&str]| file(Path::new("folder"), parts);
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["a", "c"]));
        assert_ne!(of(&["ab", ""]), of(&["a", "b"]));
    }
}
