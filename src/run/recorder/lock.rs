//! The lock that a run holds on its folder while it writes into it.
//!
//! The lock belongs to an open file, so the system releases it when the process ends, however it
//! ends. The file also has the process id of its last holder, which is valid while it is locked, and
//! the name of that process's computer: on a file system that several share, only that computer is
//! sure to know whether the process is there.

use super::host;
use crate::run::command_line::{command_line, path_argument};
use crate::run::journal::JOURNAL;
use std::fs::{File, TryLockError};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::Path;
use std::time::Duration;

/// The file that is locked while a run writes into a folder.
pub(in crate::run) const LOCK_FILE: &str = ".nsmc-tui.lock";

/// The number of attempts to lock a folder, and the pause between them. Listing runs locks the
/// folder for a moment.
const LOCK_ATTEMPTS: u32 = 4;
const LOCK_RETRY_PAUSE: Duration = Duration::from_millis(25);

/// The most bytes of a lock file that are read: a process id, a computer's name, and blanks.
const MAX_LOCK_BYTES: u64 = 128;

/// The columns of a computer's name; Linux has no longer ones.
const HOST_COLUMNS: usize = 64;

/// Whether a process writes into a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum FolderLock {
    /// No process does, or the system does not support file locks.
    Free,
    /// A process does; `None` if the file does not have its id.
    Held(Option<u32>),
}

impl FolderLock {
    /// The lock on a folder.
    pub fn of(folder: &Path) -> Self {
        let Ok(file) = File::open(folder.join(LOCK_FILE)) else { return Self::Free };
        // The shared lock is released at once; a run that starts at this moment retries.
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Self::Held(read_holder(&file).0),
            _ => Self::Free,
        }
    }

    /// Whether a process holds the lock.
    pub fn is_held(self) -> bool {
        self != Self::Free
    }

    /// The process id of the holder.
    pub fn pid(self) -> Option<u32> {
        match self {
            Self::Free => None,
            Self::Held(pid) => pid,
        }
    }
}

/// Whether a process of this computer writes into a folder.
pub fn is_locked(folder: &Path) -> bool {
    FolderLock::of(folder).is_held()
}

/// Checks that no other run writes into a folder.
///
/// # Errors
/// If one does.
pub fn check_unlocked(folder: &Path) -> Result<()> {
    match FolderLock::of(folder) {
        FolderLock::Free => Ok(()),
        FolderLock::Held(pid) => Err(held_by(folder, pid)),
    }
}

/// Locks a folder for one run, until the file is dropped.
///
/// # Errors
/// If another run has locked it, or the system reports an error.
pub fn lock_output_dir(output_dir: &Path) -> Result<File> {
    std::fs::create_dir_all(output_dir)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(output_dir.join(LOCK_FILE))?;
    let mut locked = file.try_lock();
    for _ in 0..LOCK_ATTEMPTS {
        if !matches!(locked, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(LOCK_RETRY_PAUSE);
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(held_by(output_dir, read_holder(&file).0)),
        // Some network file systems do not support locks.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Without these, messages say less, so a full disk does not prevent the run.
    let _ = write_holder(&file);
    Ok(file)
}

fn held_by(folder: &Path, pid: Option<u32>) -> Error {
    let attach = command_line(&["attach", &path_argument(&folder.display().to_string())]);
    let process = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
    Error::other(format!(
        "another run{process} is writing into this folder, or has ended and waits until its \
          dashboards are closed; {attach} comes back to it. Wait for its end, or pass another \
          --output-dir"
    ))
}

/// The computer of the last process that has written into a folder, if it is another one. On a file
/// system that several computers share, a run may be under way there.
pub fn other_computer(folder: &Path) -> Option<String> {
    let file = File::open(folder.join(LOCK_FILE)).ok()?;
    read_holder(&file).1.filter(|name| *name != own_computer())
}

/// Whether a process has locked a folder for a run that has not recorded anything yet: it reads its
/// model and data.
pub fn is_being_prepared(folder: &Path) -> bool {
    let modified =
        |name: &str| std::fs::metadata(folder.join(name)).and_then(|file| file.modified());
    let Ok(locked) = modified(LOCK_FILE) else { return false };
    is_locked(folder) && modified(JOURNAL).map_or(true, |recorded| recorded < locked)
}

fn own_computer() -> String {
    let mut name = host();
    name.truncate(HOST_COLUMNS);
    name
}

/// Writes the id and the computer of this process over those of the last one. The length is always the
/// same, so that a reader never finds a part of each.
fn write_holder(mut file: &File) -> Result<()> {
    let (id, computer) = (std::process::id(), own_computer());
    file.write_all(format!("{id:<10} {computer:<HOST_COLUMNS$}\n").as_bytes())
}

/// The id and the computer of the last process; earlier versions wrote only the id.
fn read_holder(file: &File) -> (Option<u32>, Option<String>) {
    let mut text = String::new();
    if file.take(MAX_LOCK_BYTES).read_to_string(&mut text).is_err() {
        return (None, None);
    }
    let mut words = text.split_whitespace();
    let id = words.next().and_then(|id| id.parse().ok());
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let computer = words.next().filter(|name| name.chars().all(is_of_a_name));
    (id, computer.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_can_be_locked_by_one_run_whose_process_is_named() -> Result<()> {
        let folder = tempfile::tempdir()?;
        assert_eq!(FolderLock::of(folder.path()), FolderLock::Free);
        // The id of an earlier process with more digits.
        std::fs::write(folder.path().join(LOCK_FILE), "4294967295\n")?;
        check_unlocked(folder.path())?;
        let locked = lock_output_dir(folder.path())?;
        assert!(check_unlocked(folder.path()).is_err());
        let own = std::process::id();
        assert_eq!(FolderLock::of(folder.path()), FolderLock::Held(Some(own)));
        let refused = lock_output_dir(folder.path())
            .map_or_else(|error| error.to_string(), |_| String::new());
        assert!(
            refused.starts_with(&format!("another run (process {own}) is writing")),
            "{refused}"
        );
        drop(locked);
        assert_eq!(FolderLock::of(folder.path()), FolderLock::Free, "whatever id the file has");
        lock_output_dir(folder.path()).map(drop)
    }

    #[test]
    fn a_lock_without_an_id_is_a_lock() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let locked = lock_output_dir(folder.path())?;
        std::fs::write(folder.path().join(LOCK_FILE), "\u{fffd} not a number")?;
        assert_eq!(FolderLock::of(folder.path()), FolderLock::Held(None));
        assert!(lock_output_dir(folder.path()).is_err_and(|error| {
            error.to_string().starts_with("another run is writing into this folder")
        }));
        drop(locked);
        Ok(())
    }

    #[test]
    fn a_folder_of_another_computer_is_told_from_ones_own() -> Result<()> {
        let folder = tempfile::tempdir()?;
        assert_eq!(other_computer(folder.path()), None, "nothing was written");
        drop(lock_output_dir(folder.path())?);
        assert_eq!(other_computer(folder.path()), None);
        let file = folder.path().join(LOCK_FILE);
        std::fs::write(&file, format!("{:<10} {:<64}\n", 7, "gpu-2"))?;
        assert_eq!(other_computer(folder.path()).as_deref(), Some("gpu-2"));
        // The file of an earlier version, and one that is not ours.
        for text in ["7         \n", "7 \u{1b}[2Jgpu\n", ""] {
            std::fs::write(&file, text)?;
            assert_eq!(other_computer(folder.path()), None, "{text:?}");
        }
        Ok(())
    }
}
