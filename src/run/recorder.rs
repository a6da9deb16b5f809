//! The files that a run writes into its folder while it trains: a journal of its events,
//! TensorBoard's event files, and the arguments with which it can be repeated.

use super::journal::{JOURNAL, Journal};
use super::tensorboard::{self, EventWriter};
use crate::core::atomic_write::{remove_leftovers, write_atomically};
use crate::core::text::sanitize_for_terminal;
use crate::core::train::checkpoint::{list, step_of};
use crate::core::train::event::LogEntry;
use crate::core::train::{Checkpoint, TrainEvent};
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The prefix of folders with the checkpoints, journal and arguments of an earlier run; a number
/// follows.
const EARLIER_PREFIX: &str = "earlier-";

/// The file that is locked while a run writes into a folder.
pub(super) const LOCK_FILE: &str = ".nsmc-tui.lock";

/// The number of attempts to lock a folder, and the pause between them. Listing runs locks the
/// folder for a moment.
const LOCK_ATTEMPTS: u32 = 4;
const LOCK_RETRY_PAUSE: Duration = Duration::from_millis(25);

/// Locks a folder for one run, until the file is dropped.
///
/// # Errors
/// If another run has locked it, or the system reports an error.
pub fn lock_output_dir(output_dir: &Path) -> Result<File> {
    std::fs::create_dir_all(output_dir)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(output_dir.join(LOCK_FILE))?;
    let mut locked = file.try_lock();
    for _ in 0..LOCK_ATTEMPTS {
        if !matches!(locked, Err(std::fs::TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(LOCK_RETRY_PAUSE);
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::other(
            "another run is writing into this folder; wait for its end, or pass another \
             --output-dir",
        )),
        // Some network file systems do not support locks.
        Err(std::fs::TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
            Ok(file)
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

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
    let mut free = (1..).map(|number| output_dir.join(format!("{EARLIER_PREFIX}{number}")));
    let earlier = free.find(|folder| !folder.exists()).unwrap_or_default();
    std::fs::create_dir(&earlier)?;
    for name in [JOURNAL, crate::run::options::run_toml::NAME] {
        let file = output_dir.join(name);
        if file.is_file() {
            std::fs::copy(&file, earlier.join(name))?;
        }
    }
    for folder in checkpoints {
        if let Some(name) = folder.file_name() {
            std::fs::rename(&folder, earlier.join(name))?;
        }
    }
    Ok(Some(earlier))
}

/// The default folder of a run's TensorBoard files, named after the time and the host, as in
/// transformers.
pub fn default_logging_dir(output_dir: &Path) -> PathBuf {
    let now = jiff::Zoned::now().strftime("%b%d_%H-%M-%S");
    output_dir.join("runs").join(format!("{now}_{}", host()))
}

/// Whether both paths are the same folder.
pub fn is_same_folder(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        path.canonicalize().ok()
    };
    real(one).is_some() && real(one) == real(other)
}

/// Copies the TensorBoard files of the resumed run from its folder, or from the folder that they
/// were moved to.
fn copy_events(checkpoint: &Checkpoint, run: &Path, to: &Path) -> Result<()> {
    let Some(logging_dir) = &checkpoint.run.logging_dir else {
        return Ok(());
    };
    let places = [Some(run), run.parent()].into_iter().flatten();
    let found = places.map(|place| place.join(logging_dir)).find(|place| place.is_dir());
    let Some(from) = found.filter(|from| !is_same_folder(from, to)) else {
        return Ok(());
    };
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)?.flatten() {
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn host() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Records a run. A file that cannot be written is reported once and not written again.
#[derive(Debug, Default)]
pub struct Recorder {
    journal: Option<Journal>,
    tensorboard: Option<EventWriter>,
    problems: Vec<String>,
}

impl Recorder {
    /// Starts a journal in `output_dir`, and event files in `logging_dir` if there is one. For a
    /// resumed run, events of steps after the checkpoint are removed, and those before it are
    /// returned.
    pub fn begin(
        output_dir: &Path,
        logging_dir: Option<&Path>,
        resume: Option<&Checkpoint>,
    ) -> (Self, Vec<TrainEvent>) {
        let mut recorder = Self::default();
        let mut history = Vec::new();
        let file = output_dir.join(JOURNAL);
        let journal = match resume {
            None => Journal::create(&file),
            Some(checkpoint) => {
                let progress = &checkpoint.run.progress;
                if let Some(run) =
                    checkpoint.folder.parent().filter(|run| !is_same_folder(run, output_dir))
                {
                    // The run is resumed into another folder. If its history cannot be read, the
                    // run continues without it.
                    let past = std::fs::read(run.join(JOURNAL)).unwrap_or_default();
                    let _ = write_atomically(&file, &past);
                    if let Some(folder) = logging_dir {
                        let _ = copy_events(checkpoint, run, folder);
                    }
                }
                let of_the_checkpoint = |event: &TrainEvent| match event {
                    TrainEvent::Evaluated(evaluated) => {
                        progress.evaluated_at == Some(evaluated.step)
                    }
                    TrainEvent::Checkpoint(_) | TrainEvent::Epoch(_) => true,
                    _ => false,
                };
                Journal::continue_after(&file, progress.step, of_the_checkpoint).map(
                    |(journal, events)| {
                        history = events;
                        journal
                    },
                )
            }
        };
        recorder.journal = recorder.keep_or_report(journal, &file);
        if let Some(folder) = logging_dir {
            let writer = match resume {
                Some(checkpoint) => {
                    let progress = &checkpoint.run.progress;
                    let step = progress.step;
                    let of_the_step = |entry: &&LogEntry| {
                        entry.get("step").and_then(serde_json::Value::as_u64) == Some(step)
                    };
                    let point = tensorboard::ResumePoint {
                        step,
                        is_evaluated: progress.evaluated_at == Some(step),
                        log_entries: checkpoint
                            .state
                            .log_history
                            .iter()
                            .filter(of_the_step)
                            .count(),
                    };
                    tensorboard::truncate_after(folder, point)
                }
                None => Ok(0),
            }
            .and_then(|_| EventWriter::create(folder, now(), &host(), std::process::id()));
            recorder.tensorboard = recorder.keep_or_report(writer, folder);
        }
        (recorder, history)
    }

    fn keep_or_report<T>(&mut self, outcome: Result<T>, place: &Path) -> Option<T> {
        outcome
            .map_err(|error| {
                let place = place.display();
                let text = format!("{place}: {error}; the run continues without writing there");
                self.problems.push(sanitize_for_terminal(&text).into_owned());
            })
            .ok()
    }

    /// Writes the run's arguments to `run.toml` and to TensorBoard.
    pub fn arguments(&mut self, output_dir: &Path, text: &str) {
        let file = output_dir.join(crate::run::options::run_toml::NAME);
        let written = write_atomically(&file, text.as_bytes());
        self.keep_or_report(written, &file);
        self.tensorboard(|writer| {
            // Markdown displays indented text verbatim.
            let indented = format!("    {}", text.replace('\n', "\n    "));
            writer.text("args", 0, now(), &indented)?;
            writer.flush()
        });
    }

    /// Records an event: journaled events in the journal, log entries in TensorBoard's event files.
    pub fn record(&mut self, event: &TrainEvent) {
        if let TrainEvent::Logged(logged) = event {
            self.log_scalars(&logged.entry);
        }
        if event.is_journaled()
            && let Some(mut journal) = self.journal.take()
        {
            let written = journal.append(event).map(|()| journal);
            self.journal = self.keep_or_report(written, Path::new(JOURNAL));
        }
    }

    fn log_scalars(&mut self, entry: &LogEntry) {
        let number = |name: &str| entry.get(name).and_then(serde_json::Value::as_f64);
        let step = entry.get("step").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let scalars: Vec<(String, f64)> = entry
            .keys()
            .filter(|name| *name != "step")
            .filter_map(|name| Some((tensorboard::tag(name), number(name)?)))
            .collect();
        self.tensorboard(|writer| {
            writer.scalars(step, now(), &scalars)?;
            writer.flush()
        });
    }

    fn tensorboard(&mut self, write: impl FnOnce(&mut EventWriter) -> Result<()>) {
        if let Some(mut writer) = self.tensorboard.take() {
            let place = writer.path().to_path_buf();
            let written = write(&mut writer).map(|()| writer);
            self.tensorboard = self.keep_or_report(written, &place);
        }
    }

    /// Returns and clears the problems since the last call.
    pub fn take_problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::event::Logged;

    #[test]
    fn a_folder_can_be_locked_by_one_run() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let locked = lock_output_dir(folder.path())?;
        let refused = lock_output_dir(folder.path());
        assert!(refused.is_err_and(|error| error.to_string().contains("another run")));
        drop(locked);
        lock_output_dir(folder.path()).map(drop)
    }

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

    #[test]
    fn a_file_that_cannot_be_written_is_reported_once() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "")?;
        let (mut recorder, history) = Recorder::begin(&blocked, Some(&blocked), None);
        assert!(history.is_empty());
        assert_eq!(recorder.take_problems().len(), 2);
        let logged = Logged { elapsed: 0.0, entry: LogEntry::new() };
        recorder.record(&TrainEvent::Logged(logged));
        assert!(recorder.take_problems().is_empty());
        Ok(())
    }
}
