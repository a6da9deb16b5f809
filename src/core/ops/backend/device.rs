//! The memory of a device, and the phases of a training step.

use super::shapes::{Moments, ParameterLayout, StepMetrics, Update};
use crate::core::collective::{Collective, Reducer};
use crate::core::data::batching::PackedBatch;
use crate::core::ops::adamw::AdamWSettings;
use candle_core::{Result, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// A device that the fused path runs on.
///
/// `Buffer`s hold activations: `f32`, or `bf16` on a device that computes in `bf16`. `Floats` are
/// always `f32`. `Default` makes both empty; an operation resizes its outputs, and their previous
/// contents are lost. Sums over rows are added in an order that does not depend on the number of
/// threads.
pub trait Device: Send + Sync {
    /// Activations and their gradients.
    type Buffer: Default + Send + Sync;
    /// Values in full precision: statistics and logits.
    type Floats: Default + Send + Sync;
    /// A packed batch on the device.
    type Batch: Default + Send + Sync;
    /// The rows of a table of relative positions by distance.
    type RelativeRows: Default + Send + Sync;
    /// All parameters.
    type Parameters: Send + Sync;
    /// The gradients of all parameters (of the token table, only the rows that the step uses), and
    /// the step's loss and predictions.
    type Gradients: Send;
    /// AdamW's moments, and the updates that are pending for rows of the token table.
    type Optimizer: Send;

    /// Runs `work` on the threads that this device computes with.
    fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R;

    /// Copies or shares parameters; `flat` is a contiguous CPU tensor of `f32`.
    fn parameters(&self, layout: &ParameterLayout, flat: &Tensor) -> Result<Self::Parameters>;

    /// Writes parameters back to the host's flat tensor.
    fn store(&self, parameters: &Self::Parameters, flat: &Tensor) -> Result<()>;

    /// Allocates gradients.
    fn gradients(&self, layout: &ParameterLayout) -> Result<Self::Gradients>;

    /// Creates an optimizer with zero moments.
    fn optimizer(
        &self,
        layout: &ParameterLayout,
        settings: AdamWSettings,
    ) -> Result<Self::Optimizer>;

    /// Makes the optimizer keep an exponential moving average of the weights from now on:
    /// `average = d average + (1 - d) weights` after each update, where `1 - d` is
    /// [`average_share`](crate::core::ops::adamw::average_share) of `decay`. `average` holds the
    /// current weights, in memory of its own.
    fn start_average(&self, optimizer: &mut Self::Optimizer, average: Self::Parameters, decay: f64);

    /// The average of the weights, if the optimizer keeps one. Call [`Self::flush`] first.
    fn average<'a>(&self, optimizer: &'a Self::Optimizer) -> Option<&'a Self::Parameters>;

    /// Copies a batch to the device.
    fn send(&self, batch: &PackedBatch, to: &mut Self::Batch) -> Result<()>;

    /// Copies values to the host.
    fn read(&self, floats: &Self::Floats) -> Result<Vec<f32>>;

    /// Begins a step over micro-batches with these distinct tokens: applies the pending updates of
    /// their rows and resets gradients, loss and predictions.
    fn begin_step(
        &self,
        tokens: &[u32],
        parameters: &mut Self::Parameters,
        gradients: &mut Self::Gradients,
        optimizer: &mut Self::Optimizer,
    ) -> Result<()>;

    /// Whether logits can be computed within a step, without waiting for operations in a queue.
    fn is_interruptible(&self) -> bool {
        false
    }

    /// Within a step, applies the pending updates of the rows of these distinct tokens, as
    /// [`Self::begin_step`] does.
    fn apply_pending(
        &self,
        _tokens: &[u32],
        _parameters: &Self::Parameters,
        _optimizer: &mut Self::Optimizer,
    ) -> Result<()> {
        candle_core::bail!("this device cannot be interrupted within a step")
    }

    /// Makes later backward operations of the step add to its gradients instead of overwriting
    /// them. It is called between two micro-batches.
    fn accumulate(&self, gradients: &mut Self::Gradients);

    /// Whether gradients can be added up over the ranks in the device's memory; else why not, or `None` if
    /// they are in the host's memory anyway.
    fn can_sum(&self) -> std::result::Result<(), Option<String>> {
        Err(None)
    }

    /// What the devices of the ranks have in common that add up gradients; rank 0 makes it.
    fn sum_id(&self) -> Result<Vec<u8>> {
        candle_core::bail!("this device does not add up gradients over ranks")
    }

    /// Adds up gradients over the ranks in the device's memory from now on. It waits for the devices of
    /// the other ranks.
    fn join_sums(&mut self, _id: &[u8], _collective: Arc<dyn Collective>) -> Result<()> {
        candle_core::bail!("this device does not add up gradients over ranks")
    }

    /// Adds up gradients in the host's memory after all.
    fn leave_sums(&mut self) {}

    /// Sets the gradients of the step to zero: this rank computes nothing in it.
    fn clear_gradients(&self, gradients: &mut Self::Gradients) -> Result<()>;

    /// Starts to replace the gradients of the parameters in `range` by their sums over all ranks. Later
    /// backward operations of the step do not change them; ranges follow each other from the last
    /// parameter down, without gaps.
    fn start_sum(
        &self,
        gradients: &mut Self::Gradients,
        range: Range<usize>,
        reducer: &mut Reducer,
    ) -> Result<()>;

    /// Replaces the remaining gradients, the loss and its parts by their sums over all ranks, whose
    /// steps have the same distinct tokens, and waits for all sums. The predictions become those of
    /// all ranks, one rank after another, and are returned by rank. It follows the last backward
    /// operation of the step. With a `failure`, this rank could not compute its part: it takes part in
    /// the sums, and all ranks fail with this message.
    fn finish_sums(
        &self,
        gradients: &mut Self::Gradients,
        reducer: &mut Reducer,
        failure: Option<&str>,
    ) -> Result<Vec<Vec<u32>>>;

    /// Replaces the predictions of the step, as many as there are.
    fn set_predicted(&self, gradients: &mut Self::Gradients, predicted: &[u32]) -> Result<()>;

    /// Clips the gradients and updates all parameters with AdamW, unless the loss or the gradient
    /// norm is not finite. Rows of the token table without a gradient are updated when they are
    /// next needed, exactly as if they had been updated at every step.
    fn end_step(
        &self,
        update: Update,
        parameters: &mut Self::Parameters,
        gradients: &mut Self::Gradients,
        optimizer: &mut Self::Optimizer,
    ) -> Result<()>;

    /// The metrics of the earliest step that has ended and whose metrics were not returned yet, if
    /// they are available without waiting for the last queued step. A synchronous device returns
    /// the metrics of the step that just ended; an asynchronous device returns those of the step
    /// before it, and `None` after the first step.
    fn ready_metrics(&self, gradients: &mut Self::Gradients) -> Result<Option<StepMetrics>>;

    /// Waits for the last step and returns its metrics.
    fn step_metrics(&self, gradients: &mut Self::Gradients) -> Result<StepMetrics>;

    /// Applies all pending updates of the token table, and of its average.
    fn flush(
        &self,
        parameters: &mut Self::Parameters,
        optimizer: &mut Self::Optimizer,
    ) -> Result<()>;

    /// The gradient of every parameter, `[len]`, with zeros in unused rows of the token table.
    fn read_gradients(&self, gradients: &Self::Gradients) -> Result<Vec<f32>>;

    /// The optimizer's state. Call [`Self::flush`] first.
    fn moments(&self, optimizer: &Self::Optimizer) -> Result<Moments>;

    /// Restores the state that [`Self::moments`] returned, except the weights: `parameters` already
    /// holds them, and the optimizer their average, if any.
    fn restore(
        &self,
        parameters: &Self::Parameters,
        optimizer: &mut Self::Optimizer,
        moments: Moments,
    ) -> Result<()>;

    /// A warning for the user about the steps so far, the first time that it is asked.
    fn take_warning(&self) -> Option<String> {
        None
    }

    /// Waits until all queued work is done.
    fn synchronize(&self) -> Result<()>;

    /// The peak of allocated device memory, in bytes; `None` if the device uses the memory of the
    /// process.
    fn peak_memory(&self) -> Option<usize>;
}
