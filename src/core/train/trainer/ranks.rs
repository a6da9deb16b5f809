//! The beginning and the end of a run of several processes.

use super::Trainer;
use super::active_run::ActiveRun;
use crate::core::collective::{is_first, is_shared};
use crate::core::engine::Engine;
use crate::core::train::error::TrainError;
use crate::core::train::observer::Observer;
use std::sync::Arc;

impl Trainer<'_> {
    /// Lets the engine add up the gradients of all ranks.
    pub(super) fn join(&self, engine: &mut dyn Engine) -> Result<(), TrainError> {
        let (ranks, expected) = (self.collective.world_size(), self.arguments.world_size);
        if ranks != expected {
            let problem = format!("{ranks} processes for a world_size of {expected}");
            return Err(TrainError::Computation(problem));
        }
        if is_shared(self.collective()) {
            if !self.unlabelled.is_empty() {
                let problem = "pseudo-labels are computed by one process only".to_owned();
                return Err(TrainError::Computation(problem));
            }
            engine.join(Arc::clone(&self.collective))?;
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
