//! A machine's memory, and the bookkeeping of a training step.

use super::shapes::{Arrangement, Moments, StepMetrics, Update};
use crate::core::data::batching::PackedBatch;
use crate::core::ops::adamw::AdamWSettings;
use candle_core::{Result, Tensor};

/// A machine that the fused path runs on.
///
/// `Buffer`s hold activations: `f32`, or `bf16` where the machine computes in that. `Floats` are
/// always `f32`. Both are empty when made by `Default` and take the length an operation needs; what
/// they held before is lost. Sums over rows are added in an order that does not depend on the
/// number of threads.
pub trait Device: Send + Sync {
    /// Activations and their gradients.
    type Buffer: Default + Send;
    /// Statistics that need full precision.
    type Floats: Default + Send;
    /// A packed batch on the machine.
    type Batch: Default + Send;
    /// All parameters.
    type Parameters: Send;
    /// The gradient of every parameter; of the table of words only the rows a step uses.
    type Gradients: Send;
    /// AdamW's moments, and what is owed to rows of the table of words.
    type Optimizer: Send;

    /// Runs `work` on the threads that this machine computes with.
    fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R;

    /// Takes parameters over; `flat` is a contiguous CPU tensor of `f32`.
    fn parameters(&self, arrangement: &Arrangement, flat: &Tensor) -> Result<Self::Parameters>;

    /// Gives parameters back to the host's flat tensor.
    fn store(&self, parameters: &Self::Parameters, flat: &Tensor) -> Result<()>;

    /// Room for gradients.
    fn gradients(&self, arrangement: &Arrangement) -> Result<Self::Gradients>;

    /// An optimizer that has made no step.
    fn optimizer(
        &self,
        arrangement: &Arrangement,
        settings: AdamWSettings,
    ) -> Result<Self::Optimizer>;

    /// Sends a batch.
    fn send(&self, batch: &PackedBatch, to: &mut Self::Batch) -> Result<()>;

    /// The numbers of `floats`.
    fn read(&self, floats: &Self::Floats) -> Result<Vec<f32>>;

    /// Begins a step over the micro-batches whose distinct words these are: brings those rows up
    /// to date and forgets all gradients.
    fn begin_step(
        &self,
        words: &[u32],
        parameters: &mut Self::Parameters,
        gradients: &mut Self::Gradients,
        optimizer: &mut Self::Optimizer,
    ) -> Result<()>;

    /// Says that what backward operations give from here on is added to what they gave: between
    /// two micro-batches of a step. Before it, each overwrites.
    fn accumulate(&self, gradients: &mut Self::Gradients);

    /// Clips, and updates all parameters with AdamW, unless loss or norm are not finite. Rows of
    /// the table of words without a gradient are updated when they are next needed, exactly as if
    /// they had been updated at every step.
    fn end_step(
        &self,
        update: Update,
        parameters: &mut Self::Parameters,
        gradients: &mut Self::Gradients,
        optimizer: &mut Self::Optimizer,
    ) -> Result<()>;

    /// What the last step came to; waits for it.
    fn figures(&self, gradients: &Self::Gradients) -> Result<StepMetrics>;

    /// Brings every row of the table of words up to date.
    fn settle(
        &self,
        parameters: &mut Self::Parameters,
        optimizer: &mut Self::Optimizer,
    ) -> Result<()>;

    /// The gradient of every parameter, `[len]`, with zeros in rows of words that were not used.
    fn read_gradients(&self, gradients: &Self::Gradients) -> Result<Vec<f32>>;

    /// The optimizer's memory; after [`Self::settle`].
    fn moments<'a>(&self, optimizer: &'a Self::Optimizer) -> Result<Moments<'a>>;

    /// Goes on from what [`Self::moments`] gave.
    fn restore(&self, optimizer: &mut Self::Optimizer, moments: Moments<'static>) -> Result<()>;

    /// Waits until everything asked for is done.
    fn synchronize(&self) -> Result<()>;

    /// The most memory of its own that was held at once so far, in bytes; `None` where it is the
    /// process's.
    fn peak_memory(&self) -> Option<usize>;
}
