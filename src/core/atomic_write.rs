//! Atomic writes: a reader sees either the old or the new contents, even after a crash.

mod publication;
mod streamed;

pub use streamed::AtomicFile;

use crate::core::text::display_path;
use publication::Publication;
use std::fs::{File, Permissions};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempDir};

/// The name prefix of files and folders that are being written or removed.
const UNFINISHED: &str = ".unfinished-";

/// The name prefix of a folder that is being replaced where names cannot be exchanged; its name
/// follows.
const REPLACED: &str = ".replaced-";

/// Sets the mode that `open` or `mkdir` would use, subject to the umask, because temporary files
/// are private by default.
#[cfg(unix)]
fn with_mode<'a, 'b>(
    mut builder: tempfile::Builder<'a, 'b>,
    mode: u32,
) -> tempfile::Builder<'a, 'b> {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(Permissions::from_mode(mode));
    builder
}

#[cfg(not(unix))]
fn with_mode<'a, 'b>(builder: tempfile::Builder<'a, 'b>, _: u32) -> tempfile::Builder<'a, 'b> {
    builder
}

/// The parent folder of a file.
fn parent(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Creates a temporary file beside a file.
///
/// # Errors
/// I/O errors. That of a missing folder names the folder.
fn temporary_beside(file: &Path) -> Result<NamedTempFile> {
    let folder = parent(file);
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    with_mode(builder, 0o666).tempfile_in(folder).map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            let folder = display_path(folder);
            return Error::new(ErrorKind::NotFound, format!("there is no folder {folder}"));
        }
        without_temporary_name(error)
    })
}

/// The system's error without the name of the temporary file, which means nothing to a user: the message
/// of an error of `tempfile` is that of the system with the path behind it.
fn without_temporary_name(error: Error) -> Error {
    let text = error.to_string();
    let number = text.split_once("(os error ").and_then(|(_, rest)| rest.split(')').next());
    let number = number.and_then(|number| number.parse().ok());
    number.map_or(error, Error::from_raw_os_error)
}

/// Flushes renames in a folder to disk.
fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Writes a file atomically, replacing an existing file.
///
/// # Errors
/// I/O errors; an existing file is then unchanged.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut temporary = temporary_beside(file)?;
    temporary.as_file_mut().write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|error| error.error)?;
    sync_folder(parent(file))
}

/// A temporary folder that is filled and then published atomically.
pub struct Staging {
    folder: TempDir,
    parent: PathBuf,
}

impl Staging {
    /// Creates a temporary folder in `parent`, which is created if necessary.
    ///
    /// # Errors
    /// I/O errors.
    pub fn new(parent: &Path) -> Result<Self> {
        std::fs::create_dir_all(parent)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(UNFINISHED);
        let folder =
            with_mode(builder, 0o777).tempdir_in(parent).map_err(without_temporary_name)?;
        Ok(Self { folder, parent: parent.to_path_buf() })
    }

    /// The path of the temporary folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file in the temporary folder.
    ///
    /// # Errors
    /// I/O errors.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        std::fs::write(self.path().join(name), bytes)
    }

    /// Flushes all files to disk and returns their names. Files get the permissions of the folder,
    /// because some libraries create private files.
    fn flush(&self) -> Result<Vec<std::ffi::OsString>> {
        #[cfg(unix)]
        let mode = {
            use std::os::unix::fs::PermissionsExt;
            std::fs::metadata(self.path())?.permissions().mode() & 0o666
        };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.path())? {
            let entry = entry?;
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(entry.path(), Permissions::from_mode(mode))?;
            }
            File::open(entry.path())?.sync_all()?;
            names.push(entry.file_name());
        }
        sync_folder(self.path())?;
        Ok(names)
    }

    /// Renames the folder to `name` in its parent folder, replacing an existing folder.
    ///
    /// # Errors
    /// I/O errors; an existing folder is then not deleted.
    pub fn publish(self, name: &str) -> Result<()> {
        self.flush()?;
        let (from, to) = (self.folder.path().to_path_buf(), self.parent.join(name));
        if to.exists() {
            exchange(&from, &to)?;
            // The temporary path now contains the old folder. If it cannot be removed, it only uses
            // disk space.
            let _ = self.folder.close();
        } else {
            std::fs::rename(&from, &to)?;
            // The temporary path no longer exists.
            let _ = self.folder.keep();
        }
        // The folder is in place, even if its name may not outlast a power failure.
        let _ = sync_folder(&self.parent);
        Ok(())
    }

    /// Moves all files to the parent folder together, replacing files of the same names and
    /// removing the files in `stale`. A reader finds all old files or all new files at every
    /// moment, also after a crash. `key` is the file without which a reader ignores the others: on
    /// a system without links, it is missing while the others are replaced.
    ///
    /// # Errors
    /// I/O errors, and if a folder has the name of a file. The old files are then in place.
    pub fn publish_files(self, key: &str, stale: &[&str]) -> Result<()> {
        let mut names = self.flush()?;
        names.sort_unstable();
        for name in &names {
            let target = self.parent.join(name);
            if target.is_dir() {
                return Err(Error::new(
                    ErrorKind::IsADirectory,
                    format!("{} is a folder; rename or remove it", target.display()),
                ));
            }
        }
        let is_stale = |name: &&std::ffi::OsString| {
            !names.contains(name) && self.parent.join(name).symlink_metadata().is_ok()
        };
        let stale: Vec<std::ffi::OsString> = stale.iter().map(Into::into).collect();
        let stale: Vec<_> = stale.iter().filter(is_stale).cloned().collect();
        let publication = Publication {
            folder: &self.parent,
            staged: self.path(),
            names: &names,
            stale: &stale,
            key: key.as_ref(),
        };
        publication.publish(&mut |_| Ok(()))
    }
}

/// Exchanges the names of two folders, atomically if the system supports it.
fn exchange(a: &Path, b: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    exchange_in_turn(a, b)
}

/// Exchanges the names of two folders with three renames. A failure is undone, and
/// [`remove_leftovers`] undoes a crash.
fn exchange_in_turn(a: &Path, b: &Path) -> Result<()> {
    let mut aside = std::ffi::OsString::from(REPLACED);
    aside.push(b.file_name().unwrap_or_default());
    let aside = parent(b).join(aside);
    std::fs::rename(b, &aside)?;
    let renamed = std::fs::rename(a, b);
    if renamed.is_err() {
        std::fs::rename(&aside, b)?;
        return renamed;
    }
    std::fs::rename(&aside, a)
}

/// Removes a folder; a crash during the removal does not leave an incomplete folder of that name.
///
/// # Errors
/// I/O errors.
pub fn remove_folder(folder: &Path) -> Result<()> {
    let doomed = Staging::new(parent(folder))?;
    std::fs::rename(folder, doomed.path().join("folder"))?;
    doomed.folder.close()
}

/// Repairs a folder after a crash: completes an interrupted replacement of files, restores a folder
/// that was being replaced, and removes unfinished files and folders. Errors are ignored: the files
/// are complete all the same, and leftovers only use disk space.
pub fn remove_leftovers(folder: &Path) {
    let _ = publication::finish(folder, &mut |_| Ok(()));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.as_encoded_bytes();
        if name.starts_with(UNFINISHED.as_bytes()) {
            let _ = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
        } else if let Some(replaced) = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_prefix(REPLACED))
            .filter(|replaced| !replaced.is_empty())
        {
            let place = folder.join(replaced);
            let _ = if place.exists() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::rename(&path, &place)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("a");
        write_atomically(&file, b"old")?;
        assert!(write_atomically(&folder.path().join("no/such/folder/a"), b"x").is_err());
        write_atomically(&file, b"new")?;
        assert_eq!(std::fs::read(&file)?, b"new");
        assert_eq!(names(folder.path()), ["a"]);
        Ok(())
    }

    #[test]
    fn an_error_names_the_missing_folder_and_no_temporary_file() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let missing = folder.path().join("missing");
        let shown = display_path(&missing);
        let errors = [
            write_atomically(&missing.join("a.tsv"), b"x").err(),
            AtomicFile::create(&missing.join("a.tsv")).err(),
        ];
        for error in errors.into_iter().flatten() {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert_eq!(error.to_string(), format!("there is no folder {shown}"));
            assert_eq!(crate::core::write_advice::advice(&error), "Create the folder");
        }
        // A file where a folder is expected.
        std::fs::write(folder.path().join("file"), b"")?;
        let below_file = folder.path().join("file/a.tsv");
        let errors = [
            write_atomically(&below_file, b"x").err(),
            AtomicFile::create(&below_file).err(),
            Staging::new(&below_file).err(),
        ];
        assert_eq!(errors.len(), errors.iter().flatten().count());
        for error in errors.into_iter().flatten() {
            assert!(error.raw_os_error().is_some(), "{error}");
            assert!(!error.to_string().contains(UNFINISHED), "{error}");
        }
        Ok(())
    }

    #[test]
    fn a_published_folder_replaces_the_old_one() -> Result<()> {
        let parent = tempfile::tempdir()?;
        for content in ["one", "two"] {
            let staging = Staging::new(parent.path())?;
            staging.write("file", content.as_bytes())?;
            staging.publish("shown")?;
            assert_eq!(names(parent.path()), ["shown"]);
            assert_eq!(std::fs::read_to_string(parent.path().join("shown/file"))?, content);
        }
        // A dropped staging folder is never published.
        let dropped = Staging::new(parent.path())?;
        dropped.write("file", b"three")?;
        drop(dropped);
        assert_eq!(names(parent.path()), ["shown"]);
        remove_folder(&parent.path().join("shown"))?;
        assert_eq!(names(parent.path()), [""; 0]);
        Ok(())
    }

    #[test]
    fn published_files_replace_old_files_but_not_folders() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let staging = Staging::new(parent.path())?;
        for name in ["a", "key", "old"] {
            staging.write(name, b"1")?;
        }
        staging.publish_files("key", &["old", "never"])?;
        assert_eq!(names(parent.path()), ["a", "key", "old"], "written files are not stale");
        let staging = Staging::new(parent.path())?;
        staging.write("key", b"1")?;
        staging.publish_files("key", &["old"])?;
        assert_eq!(names(parent.path()), ["a", "key"]);
        std::fs::create_dir(parent.path().join("b"))?;
        let staging = Staging::new(parent.path())?;
        staging.write("a", b"2")?;
        staging.write("b", b"2")?;
        assert!(staging.publish_files("key", &[]).is_err());
        assert_eq!(std::fs::read(parent.path().join("a"))?, b"1");
        assert_eq!(names(parent.path()), ["a", "b", "key"], "nothing is touched");
        Ok(())
    }

    #[test]
    fn a_failed_exchange_is_undone_and_a_crash_in_it_is_repaired() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let (a, b) = (parent.path().join("a"), parent.path().join("b"));
        std::fs::create_dir(&b)?;
        std::fs::write(b.join("old"), b"")?;
        assert!(exchange_in_turn(&a, &b).is_err(), "there is no new folder");
        assert_eq!((names(parent.path()), names(&b)), (vec!["b".into()], vec!["old".into()]));
        // A crash after the first of the three renames.
        std::fs::rename(&b, parent.path().join(".replaced-b"))?;
        remove_leftovers(parent.path());
        assert_eq!((names(parent.path()), names(&b)), (vec!["b".into()], vec!["old".into()]));
        std::fs::create_dir(&a)?;
        exchange_in_turn(&a, &b)?;
        assert_eq!((names(&a), names(&b)), (vec!["old".to_owned()], vec![]));
        Ok(())
    }

    #[test]
    fn leftovers_of_a_crash_are_removed() -> Result<()> {
        let parent = tempfile::tempdir()?;
        std::fs::create_dir(parent.path().join(".unfinished-x"))?;
        std::fs::write(parent.path().join(".unfinished-y"), b"")?;
        std::fs::write(parent.path().join("kept"), b"")?;
        remove_leftovers(parent.path());
        assert_eq!(names(parent.path()), ["kept"]);
        Ok(())
    }
}
