//! The state of a run that goes back to a checkpoint on all ranks: rank 0 has the checkpoint, and the
//! others get its weights, moments and progress.

use super::Trainer;
use super::active_run::ActiveRun;
use crate::core::collective::{
    Collective, CollectiveError, floats_of_bytes, floats_to_bytes, is_first, is_shared,
};
use crate::core::ops::backend::Moments;
use crate::core::ops::cpu::overwrite;
use crate::core::train::checkpoint::Checkpoint;
use crate::core::train::error::TrainError;
use crate::core::train::progress::Progress;
use crate::core::train::trainer_state::TrainerState;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The values of a message: 64 MiB.
const PART: usize = 16 << 20;

/// What is sent before the weights and moments.
#[derive(Serialize, Deserialize)]
struct SharedState {
    progress: Progress,
    state: TrainerState,
    /// The number of updates applied.
    optimizer_steps: u64,
    /// Whether the weights are those of an average, and the others follow the moments.
    has_average: bool,
}

impl Trainer<'_> {
    /// Whether rank 0 has found a checkpoint.
    pub(super) fn agree(&self, is_found: bool) -> Result<bool, CollectiveError> {
        if !is_shared(self.collective()) {
            return Ok(is_found);
        }
        let answer = self.collective().broadcast_bytes(&[u8::from(is_found)])?;
        Ok(answer == [1])
    }

    /// Gives the other ranks the state that rank 0 has restored from a checkpoint.
    pub(super) fn share_checkpoint(
        &self,
        run: &mut ActiveRun<'_>,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<(), TrainError> {
        let collective = self.collective();
        if !is_shared(collective) {
            return Ok(());
        }
        let invalid = |error: &dyn std::fmt::Display| {
            CollectiveError::OutOfStep(format!("the state of rank 0 is not valid: {error}"))
        };
        run.engine.store()?;
        let flat = self.model.parameters().flat();
        let mut weights = flat.to_vec1::<f32>().map_err(|error| invalid(&error))?;
        let own = run.engine.moments()?;
        let shared = SharedState {
            progress: run.progress.clone(),
            state: checkpoint.map_or_else(|| run.state.clone(), |read| read.state.clone()),
            optimizer_steps: own.steps,
            has_average: own.weights.is_some(),
        };
        let bytes = serde_json::to_vec(&shared).map_err(|error| invalid(&error))?;
        let shared: SharedState = serde_json::from_slice(&collective.broadcast_bytes(&bytes)?)
            .map_err(|error| invalid(&error))?;
        let (mut mean, mut variance) =
            (Arc::unwrap_or_clone(own.mean), Arc::unwrap_or_clone(own.variance));
        let mut others = own.weights;
        for values in [Some(&mut weights), Some(&mut mean), Some(&mut variance), others.as_mut()] {
            let Some(values) = values else { continue };
            broadcast(collective, values)?;
        }
        if is_first(collective) {
            return Ok(());
        }
        overwrite(flat, &weights).map_err(|error| invalid(&error))?;
        run.engine.reload()?;
        run.engine.restore(Moments {
            steps: shared.optimizer_steps,
            mean: mean.into(),
            variance: variance.into(),
            weights: others.filter(|_| shared.has_average),
        })?;
        run.progress = shared.progress;
        self.continue_from(run, shared.state);
        Ok(())
    }
}

/// Replaces values, as many on all ranks, by those of rank 0.
fn broadcast(collective: &dyn Collective, values: &mut [f32]) -> Result<(), CollectiveError> {
    let is_own = is_first(collective);
    for part in values.chunks_mut(PART) {
        let bytes = if is_own { floats_to_bytes(part) } else { Vec::new() };
        let sent = floats_of_bytes(&collective.broadcast_bytes(&bytes)?);
        let Some(sent) = sent.filter(|sent| sent.len() == part.len()) else {
            let problem = "rank 0 sends another number of weights".to_owned();
            return Err(CollectiveError::OutOfStep(problem));
        };
        part.copy_from_slice(&sent);
    }
    Ok(())
}
