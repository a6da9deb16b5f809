//! The state of a run in progress.

use super::rank_meter::RankMeter;
use crate::core::engine::{Engine, StepInput};
use crate::core::train::command::{Command, MAX_LEARNING_RATE};
use crate::core::train::early_stopping::EarlyStopping;
use crate::core::train::event::{
    CommandApplied, CommandEffect, LogEntry, Logged, TrainEvent, Warned,
};
use crate::core::train::observer::Observer;
use crate::core::train::progress::Progress;
use crate::core::train::schedule::Schedule;
use crate::core::train::trainer_state::TrainerState;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

/// Why a run ends before its last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopRequest {
    /// The user's command.
    Command {
        /// Whether to evaluate before stopping.
        evaluate: bool,
    },
    /// The metric of the best model has not improved for long enough.
    Early,
}

impl StopRequest {
    /// Whether to evaluate before stopping.
    pub fn evaluates(self) -> bool {
        self == Self::Command { evaluate: true }
    }
}

/// A step whose metrics have not arrived yet because the device may still be computing it.
pub(super) struct QueuedStep {
    /// The step number, counted from 1.
    pub number: u64,
    pub learning_rate: f64,
    pub input: StepInput,
    /// The fraction of its unlabelled examples that have pseudo-labels.
    pub pseudo_labelled: Option<f64>,
}

/// A run in progress.
pub(super) struct ActiveRun<'e> {
    pub engine: &'e mut dyn Engine,
    pub started_at: Instant,
    /// Seconds of training before the run was resumed.
    pub resumed_elapsed: f64,
    /// The checkpoint that the run was resumed from.
    pub resumed_from: Option<PathBuf>,
    pub progress: Progress,
    pub state: TrainerState,
    /// The folder of the best checkpoint. `state.best_model_checkpoint` is its name for Python,
    /// which may lack bytes that are not UTF-8, so it is never used as a path.
    pub best_checkpoint: Option<PathBuf>,
    pub max_steps: u64,
    pub steps_per_epoch: u64,
    pub schedule: Schedule,
    pub early_stopping: Option<EarlyStopping>,
    /// The start of the current pause, if any.
    pub paused_at: Option<Instant>,
    /// Whether to stop at the end of the epoch.
    pub stop_after_epoch: bool,
    /// Commands that arrived during an evaluation, to be applied after it.
    pub pending: VecDeque<Command>,
    /// Whether a sentence was pinned since the latest evaluation, which therefore lacks it.
    pub pinned: bool,
    /// Steps whose metrics have not arrived: none on the CPU, at most one on a GPU. It is empty
    /// whenever a command is applied and whenever an evaluation or a checkpoint is due.
    pub queued: VecDeque<QueuedStep>,
    /// How this process does, in a run of several.
    pub meter: RankMeter,
}

impl ActiveRun<'_> {
    /// Seconds of training, excluding pauses.
    pub fn elapsed(&self) -> f64 {
        let now = self.paused_at.unwrap_or_else(Instant::now);
        self.resumed_elapsed + now.duration_since(self.started_at).as_secs_f64()
    }

    /// The number of steps completed or queued.
    pub fn started_steps(&self) -> u64 {
        self.progress.step + self.queued.len() as u64
    }

    /// The number of epochs completed, with the fraction of the current one.
    pub fn epoch(&self) -> f64 {
        self.progress.step as f64 / self.steps_per_epoch as f64
    }

    /// Whether the current step is the last of its epoch or of the run.
    pub fn is_epoch_end(&self) -> bool {
        let step = self.progress.step;
        step.is_multiple_of(self.steps_per_epoch) || step == self.max_steps
    }

    /// Whether the evaluation at this step, which is not the last one, ends the run.
    pub fn stops_early(&self) -> bool {
        let is_due = self.early_stopping.as_ref().is_some_and(EarlyStopping::is_due);
        let step = self.progress.step;
        is_due && self.progress.evaluated_at == Some(step) && step < self.max_steps
    }

    /// Sets the step of `state`, and the values that depend on it.
    pub fn advance_state(&mut self, total_flos: f64) {
        self.state.advance_to(self.progress.step, self.epoch(), total_flos);
        if let Some(stopping) = &self.early_stopping {
            self.state.record_early_stopping(stopping);
        }
    }

    /// Sets the folder of the best checkpoint.
    pub fn set_best_checkpoint(&mut self, folder: Option<PathBuf>) {
        self.state.best_model_checkpoint =
            folder.as_ref().map(|folder| folder.display().to_string());
        self.best_checkpoint = folder;
    }

    /// Adds an entry to the log history.
    pub fn log(&mut self, observer: &mut impl Observer, elapsed: f64, entry: LogEntry) {
        self.state.log_history.push(entry.clone());
        observer.publish(TrainEvent::Logged(Logged { elapsed, entry }));
    }

    pub fn warn(&self, observer: &mut impl Observer, message: String) {
        observer.publish(TrainEvent::Warned(Warned { message, step: self.progress.step }));
    }

    /// Whether the current weights were evaluated, with all pinned sentences.
    pub fn has_evaluated(&self) -> bool {
        self.progress.evaluated_at == Some(self.progress.step) && !self.pinned
    }

    /// Whether the latest step has a checkpoint.
    pub fn has_saved(&self) -> bool {
        self.progress.saved_at == Some(self.progress.step)
    }

    pub fn publish_effect(&self, observer: &mut impl Observer, effect: CommandEffect) {
        let (step, epoch, elapsed) = (self.progress.step, self.epoch(), self.elapsed());
        let applied = CommandApplied { step, epoch, elapsed, effect };
        observer.publish(TrainEvent::CommandApplied(applied));
    }

    pub fn pause(&mut self, observer: &mut impl Observer) {
        if self.paused_at.is_none() {
            self.publish_effect(observer, CommandEffect::Paused);
            self.paused_at = Some(Instant::now());
        }
    }

    /// Ends the current pause, if any. The pause does not count as training time.
    pub fn resume(&mut self, observer: &mut impl Observer) {
        if let Some(paused_at) = self.paused_at.take() {
            let pause = paused_at.elapsed();
            self.started_at += pause;
            let seconds = pause.as_secs_f64();
            self.publish_effect(observer, CommandEffect::Resumed { seconds });
        }
    }

    /// Scales the schedule so that the next step uses `rate`. If the scheduled rate is 0, as in
    /// the first step of a warm-up, the peak of the schedule becomes `rate`.
    pub fn set_learning_rate(&mut self, rate: f64, observer: &mut impl Observer) {
        if !(rate > 0.0 && rate <= MAX_LEARNING_RATE) {
            let message = format!(
                "the learning rate {rate} was refused: it has to be above 0 and at most \
                 {MAX_LEARNING_RATE}"
            );
            self.warn(observer, message);
            return;
        }
        let scheduled = self.schedule.rate(self.progress.step);
        let from = scheduled * self.progress.rate_factor;
        let reference = if scheduled > 0.0 { scheduled } else { self.schedule.base() };
        self.progress.rate_factor = rate / reference;
        // An existing checkpoint of this step contains the old factor and must be written again.
        self.progress.saved_at = None;
        self.publish_effect(observer, CommandEffect::LearningRateChanged { from, to: rate });
    }
}
