//! Continues a run after a step that failed: from an earlier checkpoint if a value was not finite, in
//! smaller parts if the device was out of memory.

use super::Trainer;
use super::active_run::ActiveRun;
use crate::core::collective::is_first;
use crate::core::train::arguments::NanPolicy;
use crate::core::train::checkpoint::{Checkpoint, list, load_weights, step_of};
use crate::core::train::error::TrainError;
use crate::core::train::event::{RolledBack, TrainEvent};
use crate::core::train::observer::Observer;

/// The factor of the learning rate after a step whose loss or gradient norm was not finite.
const RATE_FACTOR: f64 = 0.5;

impl Trainer<'_> {
    /// Prepares the run to continue after an error.
    ///
    /// # Errors
    /// The error itself, if the run cannot or must not continue.
    pub(super) fn recover(
        &self,
        run: &mut ActiveRun<'_>,
        error: TrainError,
        observer: &mut impl Observer,
    ) -> Result<(), TrainError> {
        match error {
            TrainError::NotFinite { step, .. }
                if self.arguments.nan_policy == NanPolicy::Rollback =>
            {
                self.roll_back(run, error, step, observer)
            }
            TrainError::OutOfMemory(message) if self.arguments.auto_find_batch_size => {
                self.divide_batches(run, message, observer)
            }
            error => Err(error),
        }
    }

    /// Continues from the last checkpoint before step `failed` with half the learning rate. All ranks do,
    /// because all have the same loss.
    fn roll_back(
        &self,
        run: &mut ActiveRun<'_>,
        error: TrainError,
        failed: u64,
        observer: &mut impl Observer,
    ) -> Result<(), TrainError> {
        let give_up = |error: TrainError, reason: String| TrainError::NotRecovered {
            error: Box::new(error),
            reason,
        };
        let (done, limit) = (run.progress.rollbacks, self.arguments.nan_rollbacks);
        if done >= limit {
            let reason = format!(
                "the run went back to a checkpoint {done} times before, the most that \
                 --nan-rollbacks allows"
            );
            return Err(give_up(error, reason));
        }
        // Only rank 0 reads and writes checkpoints.
        let is_first = is_first(self.collective());
        let checkpoint = if is_first { self.last_good_checkpoint(run, failed) } else { None };
        if !self.agree(checkpoint.is_some())? {
            let reason =
                "there is no whole checkpoint two steps or more before it to go back to".to_owned();
            return Err(give_up(error, reason));
        }
        let rate_factor = run.progress.rate_factor * RATE_FACTOR;
        // A device may have begun the step after the one that failed.
        while run.queued.pop_front().is_some() {
            run.engine.step_metrics()?;
        }
        if let Some(checkpoint) = &checkpoint {
            observer.rolled_back(checkpoint, failed);
            run.engine.store()?;
            load_weights(&checkpoint.folder, self.model)?;
            run.engine.reload()?;
            self.restore(run, checkpoint)?;
        }
        self.share_checkpoint(run, checkpoint.as_ref())?;
        run.progress.rollbacks = done + 1;
        run.progress.rate_factor = rate_factor;
        let step = run.progress.step;
        observer.publish(TrainEvent::RolledBack(RolledBack {
            step,
            epoch: run.epoch(),
            failed_step: failed,
            learning_rate: run.schedule.rate(step) * rate_factor,
            count: done + 1,
            limit,
            elapsed: run.elapsed(),
        }));
        // The existing checkpoint has the old rate; a run that is resumed from it needs the new one.
        run.progress.saved_at = None;
        self.save_now(run, observer);
        Ok(())
    }

    /// The last whole checkpoint of this run from which step `failed` can have another result. The
    /// loss of a step follows from the weights before it, so that the checkpoint of the step before
    /// would give the same loss with any learning rate.
    fn last_good_checkpoint(&self, run: &ActiveRun<'_>, failed: u64) -> Option<Checkpoint> {
        let own = self.checkpoints.map(|checkpoints| list(&checkpoints.output_dir));
        let folders = own.unwrap_or_default().into_iter().rev().chain(run.resumed_from.clone());
        let read = |folder: std::path::PathBuf| {
            let checkpoint = Checkpoint::read(&folder).ok()?;
            checkpoint.verify_files().ok()?;
            checkpoint.verify_moments(self.model).ok()?;
            Some(checkpoint)
        };
        let may_be_good =
            |folder: &std::path::PathBuf| step_of(folder).is_none_or(|step| step + 1 < failed);
        folders
            .filter(may_be_good)
            .filter_map(read)
            .find(|checkpoint| checkpoint.run.progress.step + 1 < failed)
    }

    /// Computes batches in twice as many parts from the next step on. The examples of a step, and
    /// its gradient except for dropout, stay the same.
    fn divide_batches(
        &self,
        run: &mut ActiveRun<'_>,
        message: String,
        observer: &mut impl Observer,
    ) -> Result<(), TrainError> {
        if let Err(error) = self.finish_steps(run, observer) {
            return self.recover(run, error, observer);
        }
        let (size, division) =
            (self.arguments.per_device_train_batch_size, run.progress.batch_division);
        if size.div_ceil(division) <= 1 {
            return Err(TrainError::OutOfMemory(message));
        }
        let division = division * 2;
        run.progress.batch_division = division;
        // An existing checkpoint of this step has the old number of parts.
        run.progress.saved_at = None;
        let part = size.div_ceil(division);
        let message = format!(
            "{message}. --auto-find-batch-size: batches of {size} are computed in {division} parts \
             of up to {part} texts from step {} on, and their gradients are added up",
            run.progress.step + 1
        );
        run.warn(observer, message);
        Ok(())
    }
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
