//! Checksums of a checkpoint's files: our own state file records the SHA-256 of each other file, and
//! of itself.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// The number of bytes that are hashed at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// The placeholder of a text's own checksum while the text is hashed.
pub(super) const NO_SEAL: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The SHA-256 of a file, in lower-case hexadecimal digits.
///
/// # Errors
/// I/O errors.
pub(super) fn sha256_of(file: &Path) -> Result<String> {
    let (mut file, mut hash) = (open_plain(file)?, Sha256::new());
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(hash)),
            read => hash.update(&chunk[..read]),
        }
    }
}

/// The SHA-256 of each file in a folder, by name.
///
/// # Errors
/// I/O errors, and if a name is not UTF-8.
pub(super) fn sha256_of_all(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|_| Error::new(ErrorKind::InvalidData, "a name is not UTF-8"))?;
        all.insert(name, sha256_of(&entry.path())?);
    }
    Ok(all)
}

/// Opens a file that is neither a folder nor a device or a pipe, whose reading might never end.
pub(super) fn open_plain(file: &Path) -> Result<File> {
    if !std::fs::metadata(file)?.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is not a plain file"));
    }
    File::open(file)
}

/// The text with its own checksum in the place of [`NO_SEAL`].
pub(super) fn seal(text: &str) -> String {
    text.replacen(NO_SEAL, &hex(Sha256::new_with_prefix(text)), 1)
}

/// Whether a text that contains `checksum` was sealed with it and not changed since.
pub(super) fn is_sealed(text: &str, checksum: &str) -> bool {
    checksum.len() == NO_SEAL.len()
        && hex(Sha256::new_with_prefix(text.replacen(checksum, NO_SEAL, 1))) == checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_or_text_has_another_checksum() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("a");
        std::fs::write(&file, "abc")?;
        // The test vector of FIPS 180-2.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of(&file)?, expected);
        assert_eq!(sha256_of_all(folder.path())?["a"], expected);
        assert!(sha256_of(folder.path()).is_err() && sha256_of(Path::new("/dev/zero")).is_err());

        let sealed = seal(&format!("{{\"sha256\": \"{NO_SEAL}\", \"step\": 7}}"));
        let checksum = sealed[12..76].to_owned();
        assert!(is_sealed(&sealed, &checksum) && !sealed.contains(NO_SEAL));
        assert!(!is_sealed(&sealed.replace('7', "6"), &checksum));
        assert!(!is_sealed(&sealed, "7"));
        Ok(())
    }
}
