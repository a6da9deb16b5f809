//! The beginning and the end of a run of several processes, and what rank 0 publishes of them every few
//! seconds.

use super::Trainer;
use super::active_run::ActiveRun;
use crate::core::collective::{CollectiveError, is_first, is_shared};
use crate::core::engine::Engine;
use crate::core::train::error::TrainError;
use crate::core::train::event::{RankMeasured, RanksMeasured, TrainEvent};
use crate::core::train::observer::Observer;
use std::sync::Arc;

impl Trainer<'_> {
    /// Lets the engine add up the gradients of all ranks. Returns a note for the user, if there is one.
    pub(super) fn join(&self, engine: &mut dyn Engine) -> Result<Option<String>, TrainError> {
        let (ranks, expected) = (self.collective.world_size(), self.arguments.world_size);
        if ranks != expected {
            let problem = format!("{ranks} processes for a world_size of {expected}");
            return Err(TrainError::Computation(problem));
        }
        if is_shared(self.collective()) {
            return Ok(engine.join(Arc::clone(&self.collective))?);
        }
        Ok(None)
    }

    /// Exchanges what the processes have measured, and publishes it on rank 0. All ranks call it after
    /// the same step.
    pub(super) fn measure_ranks(
        &self,
        run: &mut ActiveRun<'_>,
        observer: &mut impl Observer,
    ) -> Result<(), CollectiveError> {
        let collective = self.collective();
        if !is_shared(collective) || run.meter.is_empty() {
            return Ok(());
        }
        let own = run.meter.take(observer.memory(), run.engine.peak_memory());
        let invalid = |error: serde_json::Error| {
            CollectiveError::OutOfStep(format!("what a rank has measured is not valid: {error}"))
        };
        let all = collective.all_gather_bytes(&serde_json::to_vec(&own).map_err(invalid)?)?;
        if is_first(collective) {
            let all = all.iter().map(|bytes| serde_json::from_slice(bytes).map_err(invalid));
            let all = all.collect::<Result<Vec<RankMeasured>, _>>()?;
            let measured = RanksMeasured::new(run.progress.step, run.elapsed(), all);
            observer.publish(TrainEvent::Ranks(measured));
        }
        Ok(())
    }

    /// The error that ends the run. If another process was lost, rank 0 writes a checkpoint of the
    /// last completed step: the weights are the same on all ranks, and no step is applied before all
    /// ranks have computed it.
    pub(super) fn fail(
        &self,
        run: &mut ActiveRun<'_>,
        error: TrainError,
        observer: &mut impl Observer,
    ) -> TrainError {
        let Some(failure) = self.collective.failure() else { return error };
        if is_first(self.collective()) {
            // What the device has done before the step that failed.
            match self.finish_steps(run, observer) {
                Ok(()) => self.save(run, observer),
                Err(error) => run.warn(observer, format!("no checkpoint is written: {error}")),
            }
        }
        TrainError::Ranks(failure)
    }
}

#[cfg(test)]
#[path = "ranks_tests.rs"]
mod tests;
