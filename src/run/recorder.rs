//! The files that a run writes into its folder while it trains: a journal of its events,
//! TensorBoard's event files, and the arguments with which it can be repeated.

mod faults;
mod lock;
mod place;
mod recording_files;
mod resumed;

pub(super) use lock::FolderLock;
#[cfg(test)]
pub(super) use lock::LOCK_FILE;
pub use lock::{check_unlocked, is_being_prepared, is_locked, lock_output_dir, other_computer};
pub use recording_files::Recorder;

use super::journal::{JOURNAL, Journal};
use crate::core::atomic_write::{Staging, remove_leftovers};
use crate::core::train::checkpoint::{list, step_of};
use crate::core::train::event::{Failed, TrainEvent};
use std::io::Result;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The prefix of folders with the checkpoints, journal and arguments of an earlier run; a number
/// follows.
const EARLIER_PREFIX: &str = "earlier-";

/// Moves the checkpoints of an earlier run, with a copy of its journal and its arguments, into a
/// new folder inside `output_dir`, from where it can still be resumed. For a run that is itself
/// resumed after a step, these are the checkpoints of later steps. `None` if there are none. After
/// a crash in the middle, the rest is moved the next time.
///
/// # Errors
/// If a file or folder cannot be read, moved or written.
pub fn move_earlier_checkpoints(output_dir: &Path, after: u64) -> Result<Option<PathBuf>> {
    remove_leftovers(output_dir);
    let mut checkpoints = list(output_dir);
    checkpoints.retain(|folder| step_of(folder) > Some(after));
    if checkpoints.is_empty() {
        return Ok(None);
    }
    let mut free = (1..).map(|number| format!("{EARLIER_PREFIX}{number}"));
    let name = free.find(|name| !output_dir.join(name).exists()).unwrap_or_default();
    let copies = Staging::new(output_dir)?;
    for name in [JOURNAL, crate::run::options::run_toml::NAME] {
        let file = output_dir.join(name);
        if file.is_file() {
            std::fs::copy(&file, copies.path().join(name))?;
        }
    }
    copies.publish(&name)?;
    let earlier = output_dir.join(name);
    for folder in checkpoints {
        if let Some(name) = folder.file_name() {
            std::fs::rename(&folder, earlier.join(name))?;
        }
    }
    Ok(Some(earlier))
}

/// Moves the checkpoints after the one of step `to`, to which a run goes back because the values of step
/// `failed` were not finite, as [`move_earlier_checkpoints`] does. The copy of the journal ends with
/// that failure, so that it is not taken for the journal of a run that was killed.
///
/// # Errors
/// As of [`move_earlier_checkpoints`].
fn move_failed_checkpoints(output_dir: &Path, to: u64, failed: u64) -> Result<()> {
    let Some(moved) = move_earlier_checkpoints(output_dir, to)? else { return Ok(()) };
    let journal = moved.join(JOURNAL);
    if !journal.exists() {
        return Ok(());
    }
    let message = format!("step {failed} was not finite: the run went back to step {to}");
    let ending = TrainEvent::Failed(Failed { message, hint: None, step: failed.saturating_sub(1) });
    Journal::continue_after(&journal, u64::MAX, |_| true)?.0.append(&ending)
}

/// The default folder of a run's TensorBoard files, named after the time and the host, as in
/// transformers.
pub fn default_logging_dir(output_dir: &Path) -> PathBuf {
    let now = jiff::Zoned::now().strftime("%b%d_%H-%M-%S");
    output_dir.join("runs").join(format!("{now}_{}", host()))
}

fn host() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_runs_checkpoints_are_moved() -> Result<()> {
        let folder = tempfile::tempdir()?;
        assert_eq!(move_earlier_checkpoints(folder.path(), 0)?, None);
        for step in [3, 6] {
            let checkpoint = folder.path().join(format!("checkpoint-{step}"));
            std::fs::create_dir(&checkpoint)?;
            std::fs::write(checkpoint.join("config.json"), "{}")?;
            std::fs::write(checkpoint.join("model.safetensors"), step.to_string())?;
            std::fs::write(folder.path().join("run.toml"), "")?;
            assert_eq!(
                move_earlier_checkpoints(folder.path(), step)?,
                None,
                "there is no later one"
            );
            let moved = move_earlier_checkpoints(folder.path(), 0)?.unwrap_or_default();
            assert!(list(folder.path()).is_empty());
            let kept = moved.join(format!("checkpoint-{step}"));
            assert_eq!(list(&moved), [kept]);
            assert!(moved.join("run.toml").is_file());
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = std::fs::metadata(&moved)?.permissions().mode();
                assert_eq!(mode & 0o700, 0o700, "the owner has full access");
            }
        }
        Ok(())
    }
}
