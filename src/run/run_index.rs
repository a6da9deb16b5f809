//! The runs below a folder: where they are, how they ended and how well they did.

use super::journal::JOURNAL;
use super::recorder::LOCK_FILE;
use super::recording::Recording;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::TrainEvent;
use crate::core::train::event::{Setting, number};
use crate::run::metric_series::History;
use serde::Serialize;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How deep below the folder runs are looked for.
const DEPTH: usize = 8;

/// The most folders that are looked into, so that a whole file system does not take for ever.
const MOST_FOLDERS: usize = 100_000;

/// The most runs.
const MOST_RUNS: usize = 10_000;

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It still goes on.
    Running,
    /// It came to its last step.
    Finished,
    /// It was stopped on request.
    Stopped,
    /// Something went wrong.
    Failed,
    /// It ended without a word: killed, or its machine went down.
    CutOff,
}

impl Status {
    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::CutOff => "cut off",
        }
    }
}

/// The scores of a run's best evaluation, by accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are those of `Trainer.evaluate()`")]
pub struct Best {
    pub step: u64,
    #[serde(with = "number")]
    pub eval_loss: f64,
    pub eval_accuracy: f64,
    pub eval_f1: f64,
}

/// What is known of a run without looking at its curves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// Where it lies, seen from the folder that was asked for, fit to be shown.
    pub run: String,
    /// What became of it.
    pub status: Status,
    /// Which model was trained.
    pub model: String,
    /// Steps done.
    pub step: u64,
    /// Steps asked for.
    pub max_steps: u64,
    /// Epochs done.
    pub epoch: f64,
    /// Reviews learned from.
    pub train_samples: usize,
    /// Reviews judged by.
    pub eval_samples: usize,
    /// Its best evaluation, if there was one.
    pub best: Option<Best>,
    /// The lowest evaluation loss.
    pub lowest_eval_loss: Option<f64>,
    /// The loss of the last step.
    #[serde(with = "number")]
    pub last_loss: f64,
    /// Seconds of training.
    pub seconds: f64,
    /// When the journal was last written, in seconds since 1970.
    pub modified: f64,
    /// The same on the clock of this place.
    #[serde(skip)]
    pub when: String,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// Every setting, by its Hugging Face name.
    pub settings: Vec<Setting>,
}

impl RunSummary {
    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().find(|setting| setting.name == name)?;
        Some(&found.value)
    }
}

/// A folder with a journal in it, and what can be told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Where it lies.
    pub folder: PathBuf,
    /// What is known of it, or why nothing is.
    pub summary: Result<RunSummary, Unreadable>,
    /// How long the journal was and when it was written: while these are the same, so is the rest.
    pub seen: Seen,
}

/// A run whose journal says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it lies, as in [`RunSummary::run`].
    pub run: String,
    /// What is wrong.
    pub reason: String,
}

impl Found {
    /// Where it lies, fit to be shown.
    pub fn run(&self) -> &str {
        match &self.summary {
            Ok(summary) => &summary.run,
            Err(unreadable) => &unreadable.run,
        }
    }
}

/// Bytes and time of a journal, and whether its run was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    length: u64,
    modified: Duration,
    locked: bool,
}

/// The folders below `root`, itself among them, that hold a journal. Links are not followed, hidden
/// folders and checkpoints not looked into.
///
/// # Errors
/// If `root` cannot be read; what cannot be read below it is passed over.
pub fn find(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    std::fs::read_dir(root)?;
    let mut level = vec![root.to_path_buf()];
    let mut visited = 0;
    for _ in 0..=DEPTH {
        let mut below = Vec::new();
        for folder in level {
            visited += 1;
            if visited > MOST_FOLDERS || found.len() >= MOST_RUNS {
                return Ok(found);
            }
            if folder.join(JOURNAL).is_file() {
                found.push(folder.clone());
            }
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let inside = entries.filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                is_folder && !name.starts_with('.') && !name.starts_with("checkpoint-")
            });
            below.extend(inside.map(|entry| entry.path()));
        }
        level = below;
    }
    found.sort();
    Ok(found)
}

/// How a journal looks from outside, if it is there.
pub fn look(folder: &Path) -> Option<Seen> {
    let metadata = std::fs::metadata(folder.join(JOURNAL)).ok()?;
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(Seen { length: metadata.len(), modified, locked: is_locked(folder) })
}

/// Whether a run is writing into the folder. Where the system has no locks none is known of.
fn is_locked(folder: &Path) -> bool {
    let lock = File::open(folder.join(LOCK_FILE));
    // Shared, and let go of at once: a run that begins just now tries again.
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

/// Reads what is known of the run in a folder below `root`; `None` if its journal is gone.
pub fn summarise(root: &Path, folder: &Path) -> Option<Found> {
    let seen = look(folder)?;
    let below = folder.strip_prefix(root).ok().filter(|below| !below.as_os_str().is_empty());
    let shown = below.unwrap_or(folder).display().to_string();
    let run = sanitize_for_terminal(&shown).into_owned();
    let summary = read(folder, &run, seen).map_err(|reason| {
        let reason = sanitize_for_terminal(&reason).into_owned();
        Unreadable { run, reason }
    });
    Some(Found { folder: folder.to_path_buf(), summary, seen })
}

fn read(folder: &Path, run: &str, seen: Seen) -> Result<RunSummary, String> {
    let recording = Recording::open(folder).map_err(|error| error.to_string())?;
    let mut summary = RunSummary {
        run: run.to_owned(),
        status: if seen.locked { Status::Running } else { Status::CutOff },
        model: String::new(),
        step: 0,
        max_steps: 0,
        epoch: 0.0,
        train_samples: 0,
        eval_samples: 0,
        best: None,
        lowest_eval_loss: None,
        last_loss: f64::NAN,
        seconds: 0.0,
        modified: seen.modified.as_secs_f64(),
        when: local(seen.modified),
        failure: None,
        settings: Vec::new(),
    };
    for event in recording.events().map_err(|error| error.to_string())? {
        summary.take(event.map_err(|error| error.to_string())?);
    }
    Ok(summary)
}

/// Date and time of day here.
fn local(since_1970: Duration) -> String {
    let timestamp = jiff::Timestamp::from_second(since_1970.as_secs() as i64);
    let zoned = timestamp.map(|at| at.to_zoned(jiff::tz::TimeZone::system()));
    zoned.map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}

impl RunSummary {
    fn take(&mut self, event: TrainEvent) {
        if let Some(elapsed) = event.elapsed() {
            self.seconds = self.seconds.max(elapsed);
        }
        match event {
            TrainEvent::Started(started) => {
                (self.model, self.max_steps) = (started.model, started.max_steps);
                self.train_samples = started.train_samples;
                self.eval_samples = started.eval_samples;
                self.settings = started.settings;
            }
            TrainEvent::Step(step) => {
                (self.step, self.epoch, self.last_loss) = (step.step, step.epoch, step.loss);
            }
            TrainEvent::Evaluated(evaluated) => {
                let metrics = &evaluated.metrics;
                let loss = metrics.eval_loss;
                if loss.is_finite() {
                    self.lowest_eval_loss =
                        Some(self.lowest_eval_loss.map_or(loss, |lowest| lowest.min(loss)));
                }
                let (eval_accuracy, eval_f1) = (metrics.eval_accuracy, metrics.eval_f1);
                if self.best.is_none_or(|best| eval_accuracy > best.eval_accuracy) {
                    let step = evaluated.step;
                    self.best = Some(Best { step, eval_loss: loss, eval_accuracy, eval_f1 });
                }
            }
            TrainEvent::Finished(finished) => {
                self.status = if finished.stopped { Status::Stopped } else { Status::Finished };
            }
            TrainEvent::Failed(failed) => {
                (self.status, self.failure) = (Status::Failed, Some(failed.message));
            }
            TrainEvent::Saved(_) if self.status == Status::Failed => {
                // Saving went wrong at first.
                (self.status, self.failure) = (Status::Finished, None);
            }
            _ => {}
        }
    }
}

/// The curves of the run in a folder, as far as its journal can be read.
///
/// # Errors
/// What is wrong with its beginning, for the user.
pub fn curves(folder: &Path) -> Result<History, String> {
    let recording = Recording::open(folder).map_err(|error| error.to_string())?;
    let mut history = History::default();
    for event in recording.events().map_err(|error| error.to_string())?.map_while(Result::ok) {
        history.take(&event);
    }
    Ok(history)
}

#[cfg(test)]
#[path = "run_index_tests.rs"]
pub(crate) mod tests;
