//! The summary of a run, without its curves.

use super::fingerprint::JournalFingerprint;
use super::notes::RunNotes;
use crate::core::number;
use crate::core::train::TrainEvent;
use crate::core::train::event::Setting;
use serde::Serialize;
use std::path::PathBuf;

/// The status of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// A process is training it.
    Running,
    /// It reached its last step.
    Finished,
    /// It was stopped on request.
    Stopped,
    /// It ended with an error.
    Failed,
    /// No process is training it and it has no final event: the process was killed, or the
    /// computer shut down.
    Dead,
}

impl RunStatus {
    /// The name of the status in English.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Dead => "dead",
        }
    }
}

/// The metrics of a run's evaluation with the highest accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are those of `Trainer.evaluate()`")]
pub struct BestEvaluation {
    pub step: u64,
    #[serde(with = "number")]
    pub eval_loss: f64,
    #[serde(with = "number")]
    pub eval_accuracy: f64,
    #[serde(with = "number")]
    pub eval_f1: f64,
}

/// The contents of a run's journal, without the curves. `nsmc-tui runs --json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// The run's folder relative to the root of the search, sanitized for the terminal.
    #[serde(rename = "run")]
    pub name: String,
    /// The status.
    pub status: RunStatus,
    /// The process that trains it, while it is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The computer of the last process that has written into the folder, if it is another one: a run
    /// that is dead here may be under way there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computer: Option<String>,
    /// The model that is trained.
    pub model: String,
    /// The number of steps done.
    pub step: u64,
    /// The total number of steps.
    pub max_steps: u64,
    /// Epochs done.
    #[serde(with = "number")]
    pub epoch: f64,
    /// Training samples.
    pub train_samples: usize,
    /// Evaluation samples.
    pub eval_samples: usize,
    /// The best evaluation, if there was one.
    pub best: Option<BestEvaluation>,
    /// The lowest evaluation loss.
    pub lowest_eval_loss: Option<f64>,
    /// The loss of the last step.
    #[serde(with = "number")]
    pub last_loss: f64,
    /// Seconds of training.
    #[serde(with = "number")]
    pub seconds: f64,
    /// The time of the last write to the journal, in seconds since 1970.
    #[serde(with = "number")]
    pub modified: f64,
    /// The same time as a local date and time.
    #[serde(skip)]
    pub modified_local: String,
    /// The error that ended the run, if it failed.
    pub failure: Option<String>,
    /// The user's note and tags, sanitized for the terminal.
    #[serde(flatten)]
    pub notes: RunNotes,
    /// The error if the file with the notes cannot be read.
    #[serde(skip)]
    pub notes_problem: Option<String>,
    /// Every setting, by its Hugging Face name.
    pub settings: Vec<Setting>,
}

impl RunSummary {
    /// The summary of a run without events.
    pub(super) fn new(name: String, fingerprint: &JournalFingerprint) -> Self {
        let mut summary = Self {
            name,
            status: RunStatus::Dead,
            pid: None,
            computer: None,
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
            modified: 0.0,
            modified_local: String::new(),
            failure: None,
            notes: RunNotes::default(),
            notes_problem: None,
            settings: Vec::new(),
        };
        summary.update(fingerprint);
        summary
    }

    /// Sets what the run's files tell: the time of the last write to the journal, whether a run
    /// without an end is running, and in which process.
    pub(super) fn update(&mut self, fingerprint: &JournalFingerprint) {
        self.modified = fingerprint.modified.as_secs_f64();
        self.modified_local = local_time(fingerprint.modified.as_secs());
        let is_locked = fingerprint.lock.is_held();
        if matches!(self.status, RunStatus::Running | RunStatus::Dead) {
            self.status = if is_locked { RunStatus::Running } else { RunStatus::Dead };
        }
        self.pid = fingerprint.lock.pid().filter(|_| self.status == RunStatus::Running);
    }

    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let setting = self.settings.iter().find(|setting| setting.name == name)?;
        Some(&setting.value)
    }

    /// The evaluation loss of the best evaluation, or the lowest one of a run that pretrains: its
    /// evaluations have no accuracy to choose by.
    pub fn eval_loss(&self) -> Option<f64> {
        match self.setting("objective") {
            Some(_) => self.lowest_eval_loss,
            None => self.best.map(|best| best.eval_loss),
        }
    }

    /// Adds the next event of the journal.
    pub(super) fn apply(&mut self, event: &TrainEvent) {
        if let Some(elapsed) = event.elapsed() {
            self.seconds = self.seconds.max(elapsed);
        }
        match event {
            TrainEvent::Started(started) => {
                self.model.clone_from(&started.model);
                self.max_steps = started.max_steps;
                self.train_samples = started.train_samples;
                self.eval_samples = started.eval_samples;
                self.settings.clone_from(&started.settings);
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
                    self.best =
                        Some(BestEvaluation { step, eval_loss: loss, eval_accuracy, eval_f1 });
                }
            }
            TrainEvent::Finished(finished) => {
                self.status =
                    if finished.stopped { RunStatus::Stopped } else { RunStatus::Finished };
            }
            TrainEvent::Failed(failed) => {
                (self.status, self.failure) = (RunStatus::Failed, Some(failed.message.clone()));
            }
            TrainEvent::Saved(_) if self.status == RunStatus::Failed => {
                // The model was saved after a failed attempt.
                (self.status, self.failure) = (RunStatus::Finished, None);
            }
            _ => {}
        }
    }
}

/// Local date and time of a number of seconds since 1970.
fn local_time(seconds: u64) -> String {
    let timestamp = jiff::Timestamp::from_second(seconds as i64);
    let zoned = timestamp.map(|at| at.to_zoned(jiff::tz::TimeZone::system()));
    zoned.map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}

/// A folder with a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEntry {
    /// The folder.
    pub folder: PathBuf,
    /// The summary, or the error if the journal cannot be read.
    pub summary: Result<RunSummary, UnreadableRun>,
    /// The fingerprint of the journal at the time it was read.
    pub fingerprint: JournalFingerprint,
}

impl RunEntry {
    /// See [`RunSummary::name`].
    pub fn name(&self) -> &str {
        match &self.summary {
            Ok(summary) => &summary.name,
            Err(unreadable) => &unreadable.name,
        }
    }

    /// Whether a process has locked the folder: it trains the run, or still shows it.
    pub fn is_in_use(&self) -> bool {
        self.fingerprint.lock.is_held()
    }
}

/// A run whose journal cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRun {
    /// See [`RunSummary::name`].
    pub name: String,
    /// The error.
    pub reason: String,
}
