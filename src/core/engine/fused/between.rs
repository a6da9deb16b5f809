//! Logits between two operations of a step, so that a question does not wait for the step's end.
//!
//! Until a step ends, the weights are those after the step before it. Only rows of the token table
//! whose updates are pending have to be brought up to date, as at the beginning of a step; rows of the
//! step's own tokens are. So the logits are those that the model has between the two steps, bit for
//! bit, and the step is not changed.

use super::forward::{FusedPass, SavedActivations};
use super::network::Network;
use super::workspace::Workspace;
use crate::core::engine::Interruption;
use crate::core::ops::Backend;
use crate::core::ops::backend::PackedBatch;
use candle_core::Result;

/// What is needed to compute logits within a step.
pub(super) struct Between<'a, B: Backend> {
    pub backend: &'a B,
    pub network: &'a Network,
    pub parameters: &'a B::Parameters,
    pub optimizer: &'a mut B::Optimizer,
    /// The activations, which are not those of the step.
    pub work: &'a mut Workspace<B>,
    pub interruption: &'a mut Interruption<'a>,
}

impl<B: Backend> Between<'_, B> {
    /// Lets logits be computed now, if the device can do that within a step.
    pub fn interrupt(&mut self) {
        let (backend, network, parameters) = (self.backend, self.network, self.parameters);
        let (optimizer, work) = (&mut *self.optimizer, &mut *self.work);
        if backend.is_interruptible() {
            (self.interruption)(&mut |batch| {
                Ok(logits(backend, network, parameters, optimizer, work, batch)?)
            });
        }
    }
}

fn logits<B: Backend>(
    backend: &B,
    network: &Network,
    parameters: &B::Parameters,
    optimizer: &mut B::Optimizer,
    work: &mut Workspace<B>,
    batch: &PackedBatch,
) -> Result<Vec<f32>> {
    backend.install(|| {
        let mut tokens = batch.ids.clone();
        tokens.sort_unstable();
        tokens.dedup();
        backend.apply_pending(&tokens, parameters, optimizer)?;
        let parameters = backend.average(optimizer).unwrap_or(parameters);
        let dropouts = &network.dropouts(None);
        let pass = FusedPass::evaluating(backend, network, parameters, dropouts, batch);
        pass.forward(batch, SavedActivations::None, work)?;
        backend.read(&work.head.logits)
    })
}

#[cfg(test)]
#[path = "between_tests.rs"]
mod tests;
