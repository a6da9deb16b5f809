//! Reading whole files from outside: regular files only, and at most a given number of bytes.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Opens a regular file. A FIFO, on which opening would wait for a writer, and a device, which may
/// have no end, are refused.
///
/// # Errors
/// If the file does not exist, cannot be opened or is not a regular file.
pub fn open(file: &Path) -> Result<File> {
    let kind = std::fs::metadata(file)?.file_type();
    if kind.is_file() {
        return File::open(file);
    }
    let other = if kind.is_dir() { "a folder" } else { "a device, a pipe or a socket" };
    Err(Error::new(ErrorKind::InvalidInput, format!("is {other}; a regular file is expected")))
}

/// Reads a regular file of at most `limit` bytes. No more than that is allocated, whatever the
/// file's size.
///
/// # Errors
/// The errors of [`open`], and if the file is longer or cannot be read.
pub fn read(file: &Path, limit: u64) -> Result<Vec<u8>> {
    let opened = open(file)?;
    let length = opened.metadata()?.len().min(limit);
    let mut bytes = Vec::with_capacity(length as usize);
    opened.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Error::new(
            ErrorKind::FileTooLarge,
            format!("is longer than {}, the most that is read of such a file", size(limit)),
        ));
    }
    Ok(bytes)
}

/// As [`read`], for text in UTF-8.
///
/// # Errors
/// The errors of [`read`], and if the file is not UTF-8.
pub fn read_text(file: &Path, limit: u64) -> Result<String> {
    String::from_utf8(read(file, limit)?)
        .map_err(|error| Error::new(ErrorKind::InvalidData, format!("is not UTF-8 text: {error}")))
}

/// A number of bytes in MiB, or in bytes if it is not a multiple of one.
fn size(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) {
        format!("{} MiB", bytes >> 20)
    } else {
        format!("{bytes} bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_a_limit() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("file");
        std::fs::write(&file, "가나")?;
        assert_eq!(read_text(&file, 6)?, "가나");
        let long = read(&file, 5).map_err(|error| error.to_string());
        assert_eq!(
            long,
            Err("is longer than 5 bytes, the most that is read of such a file".to_owned())
        );
        std::fs::write(&file, b"\xff")?;
        assert!(read_text(&file, 6).is_err_and(|error| error.to_string().contains("UTF-8")));
        let missing = read(&folder.path().join("missing"), 1);
        assert!(missing.is_err_and(|error| error.kind() == ErrorKind::NotFound));
        // A sparse file: its length is not allocated.
        File::create(&file)?.set_len(1 << 40)?;
        let sparse = read(&file, 1 << 20).map_err(|error| error.to_string());
        assert!(sparse.is_err_and(|error| error.contains("longer than 1 MiB")));
        Ok(())
    }

    #[test]
    fn only_regular_files_are_opened() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let refusal = |file: &Path| open(file).map_or_else(|e| e.to_string(), |_| String::new());
        assert_eq!(refusal(folder.path()), "is a folder; a regular file is expected");
        #[cfg(unix)]
        {
            let pipe = "is a device, a pipe or a socket; a regular file is expected";
            assert_eq!(refusal(Path::new("/dev/zero")), pipe);
            let fifo = folder.path().join("fifo");
            rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU)?;
            assert_eq!(refusal(&fifo), pipe);
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&fifo, &link)?;
            assert_eq!(refusal(&link), pipe);
        }
        Ok(())
    }
}
