//! Writing so that a reader, or a crash at any moment, finds the old state or the new one, whole.

use std::fs::{File, Permissions};
use std::io::{Result, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What is being written, or being removed, is called so until it is whole, or gone.
const UNFINISHED: &str = ".unfinished-";

/// The permissions that a plain `open` or `mkdir` asks for, before the umask; temporary files are
/// private otherwise.
#[cfg(unix)]
fn ordinary<'a, 'b>(
    mut builder: tempfile::Builder<'a, 'b>,
    mode: u32,
) -> tempfile::Builder<'a, 'b> {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(Permissions::from_mode(mode));
    builder
}

#[cfg(not(unix))]
fn ordinary<'a, 'b>(builder: tempfile::Builder<'a, 'b>, _: u32) -> tempfile::Builder<'a, 'b> {
    builder
}

/// The folder a file is in.
fn parent(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes what was renamed in a folder last.
fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Writes a file so that a reader, or a crash at any moment, finds the old one or the new one.
///
/// # Errors
/// What the system says; the old file is then untouched.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> Result<()> {
    let folder = parent(file);
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    let mut temporary = ordinary(builder, 0o666).tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// A folder that is filled out of sight and then shown at once.
pub struct Staging {
    folder: TempDir,
    parent: PathBuf,
}

impl Staging {
    /// A new folder inside `parent`, which is made if it is not there.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(parent: &Path) -> Result<Self> {
        std::fs::create_dir_all(parent)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(UNFINISHED);
        let folder = ordinary(builder, 0o777).tempdir_in(parent)?;
        Ok(Self { folder, parent: parent.to_path_buf() })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes one of the files.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        std::fs::write(self.path().join(name), bytes)
    }

    /// The files written, each flushed to the disk and as readable as the folder is: libraries
    /// that write through temporary files leave them private.
    fn flushed(&self) -> Result<Vec<std::ffi::OsString>> {
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

    /// Shows the whole folder under its name, in place of one that is there.
    ///
    /// # Errors
    /// What the system says; the old folder is then still there.
    pub fn publish(self, name: &str) -> Result<()> {
        self.flushed()?;
        let (from, to) = (self.folder.path().to_path_buf(), self.parent.join(name));
        if to.exists() {
            exchange(&from, &to)?;
            // What the temporary folder holds is now the old one, and goes with it; where it
            // cannot be removed it only takes room.
            let _ = self.folder.close();
        } else {
            std::fs::rename(&from, &to)?;
            // The name it had is no longer there to be removed.
            let _ = self.folder.keep();
        }
        sync_folder(&self.parent)
    }

    /// Shows each file in the parent folder, in place of those of the same names and of the
    /// `stale` ones, which are removed. Several files cannot change places in one step: so the one
    /// called `key`, without which a reader takes none of the others, goes first and comes last.
    ///
    /// # Errors
    /// What the system says.
    pub fn publish_files(self, key: &str, stale: &[&str]) -> Result<()> {
        let mut names = self.flushed()?;
        names.sort_by_key(|name| name == key);
        for name in &names {
            let taken = self.parent.join(name);
            if taken.is_dir() {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::IsADirectory,
                    format!("a folder is in the way of {}", taken.display()),
                ));
            }
        }
        let written = |name: &&&str| !names.iter().any(|written| written == **name);
        for name in [key].iter().chain(stale.iter().filter(written)) {
            match std::fs::remove_file(self.parent.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        sync_folder(&self.parent)?;
        let last = names.len().saturating_sub(1);
        for (i, name) in names.iter().enumerate() {
            if i == last {
                sync_folder(&self.parent)?;
            }
            std::fs::rename(self.path().join(name), self.parent.join(name))?;
        }
        sync_folder(&self.parent)
    }
}

/// Exchanges two folders' names, in one step where the system can.
fn exchange(a: &Path, b: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    // Not a name that counts as unfinished: a crash in between must not lose it.
    let mut aside = b.as_os_str().to_owned();
    aside.push(".replaced");
    std::fs::rename(b, &aside)?;
    std::fs::rename(a, b)?;
    std::fs::rename(&aside, a)
}

/// Removes a folder; a crash in the middle leaves nothing that looks whole.
///
/// # Errors
/// What the system says.
pub fn remove_folder(folder: &Path) -> Result<()> {
    let doomed = Staging::new(parent(folder))?;
    std::fs::rename(folder, doomed.path().join("folder"))?;
    doomed.folder.close()
}

/// Removes what a crash left unfinished in a folder. Trouble is passed over: it takes nothing but
/// room.
pub fn remove_leftovers(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED))
    {
        let path = entry.path();
        let _ = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
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
    fn a_folder_is_shown_whole_and_takes_the_place_of_another() -> Result<()> {
        let parent = tempfile::tempdir()?;
        for content in ["one", "two"] {
            let staging = Staging::new(parent.path())?;
            staging.write("file", content.as_bytes())?;
            staging.publish("shown")?;
            assert_eq!(names(parent.path()), ["shown"]);
            assert_eq!(std::fs::read_to_string(parent.path().join("shown/file"))?, content);
        }
        // One that is dropped is never seen.
        let dropped = Staging::new(parent.path())?;
        dropped.write("file", b"three")?;
        drop(dropped);
        assert_eq!(names(parent.path()), ["shown"]);
        remove_folder(&parent.path().join("shown"))?;
        assert_eq!(names(parent.path()), [""; 0]);
        Ok(())
    }

    #[test]
    fn files_are_shown_in_the_parent_unless_a_folder_is_in_the_way() -> Result<()> {
        let parent = tempfile::tempdir()?;
        let staging = Staging::new(parent.path())?;
        for name in ["a", "key", "old"] {
            staging.write(name, b"1")?;
        }
        staging.publish_files("key", &["old", "never"])?;
        assert_eq!(names(parent.path()), ["a", "key", "old"], "what is written is not stale");
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
    fn leftovers_of_a_crash_go() -> Result<()> {
        let parent = tempfile::tempdir()?;
        std::fs::create_dir(parent.path().join(".unfinished-x"))?;
        std::fs::write(parent.path().join(".unfinished-y"), b"")?;
        std::fs::write(parent.path().join("kept"), b"")?;
        remove_leftovers(parent.path());
        assert_eq!(names(parent.path()), ["kept"]);
        Ok(())
    }
}
