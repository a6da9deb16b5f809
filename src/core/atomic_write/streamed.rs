//! A file that is written piece by piece and appears when it is complete.

use super::{parent, sync_folder, temporary_beside, without_temporary_name};
use std::io::{BufWriter, Result, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file that is being written. Without [`AtomicFile::publish`], an existing file stays as it is.
pub struct AtomicFile {
    temporary: BufWriter<NamedTempFile>,
    file: PathBuf,
}

impl AtomicFile {
    /// Begins to write a file, in a temporary file in its folder.
    ///
    /// # Errors
    /// I/O errors, and if there is a folder of this name.
    pub fn create(file: &Path) -> Result<Self> {
        if file.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        let temporary = temporary_beside(file)?;
        Ok(Self { temporary: BufWriter::new(temporary), file: file.to_path_buf() })
    }

    /// Moves the complete file to its place, replacing an existing one.
    ///
    /// # Errors
    /// I/O errors; an existing file is then unchanged.
    pub fn publish(self) -> Result<()> {
        let file = self.file.clone();
        self.publish_as(&file)
    }

    /// Moves what is written to another place in the same folder, replacing a file there.
    ///
    /// # Errors
    /// I/O errors; an existing file is then unchanged.
    pub fn publish_as(self, file: &Path) -> Result<()> {
        let temporary = self.temporary.into_inner().map_err(std::io::IntoInnerError::into_error);
        let temporary = temporary.map_err(without_temporary_name)?;
        temporary.as_file().sync_all()?;
        temporary.persist(file).map_err(|error| error.error)?;
        sync_folder(parent(file))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.temporary.write(bytes).map_err(without_temporary_name)
    }

    fn flush(&mut self) -> Result<()> {
        self.temporary.flush().map_err(without_temporary_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("answers.tsv");
        std::fs::write(&file, "old")?;
        for text in ["new", "newer"] {
            let mut written = AtomicFile::create(&file)?;
            written.write_all(text.as_bytes())?;
            assert_ne!(std::fs::read_to_string(&file)?, text);
            if text == "new" {
                written.publish()?;
            }
        }
        assert_eq!(std::fs::read_to_string(&file)?, "new");
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1, "nothing is left behind");
        assert!(AtomicFile::create(folder.path()).is_err());
        assert!(AtomicFile::create(&folder.path().join("nowhere/file")).is_err());
        Ok(())
    }
}
