//! The engines that compute a model: the reference engine, by candle's own operations, and the fused
//! engine, on the CPU or a GPU. All compute the same values, dropout included, up to rounding.

mod build;
pub mod device;
pub mod fused;
pub mod input;
pub mod logits;
pub mod reference;

pub use build::build;
pub use input::StepInput;

use crate::core::data::batching::PackedBatch;
use crate::core::model::without_backtrace;
use crate::core::named::named_enum;
use crate::core::ops::AdamWSettings;
use crate::core::ops::backend::{Moments, StepMetrics, Update};
use device::DeviceChoice;

named_enum! {
    /// Which operations compute.
    #[derive(Default)]
    pub enum Ops {
        /// Whole blocks at once, forward and backward written by hand
        @default Fused = "fused",
        /// candle's own operations and automatic differentiation: slow, to check the fused ones
        Reference = "reference" | "plain",
    }
}

/// Which engine to build, and how it computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineOptions {
    /// The operations.
    pub ops: Ops,
    /// The device.
    pub device: DeviceChoice,
    /// Compute in bfloat16 on a GPU.
    pub bf16: bool,
    /// Multiply `f32` matrices in TensorFloat-32 on a GPU.
    pub tf32: bool,
    /// Multiply by 8-bit weights on the CPU; for inference only.
    pub int8: bool,
    /// Threads of the CPU; 0 is one for each core.
    pub threads: usize,
    /// Compute each layer's forward pass again in the backward pass instead of keeping it.
    pub gradient_checkpointing: bool,
}

/// The options of one optimizer step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOptions {
    /// The run's seed, for dropout.
    pub seed: u64,
    /// The step's number, counted from 1.
    pub number: u64,
    /// The label smoothing factor, as in transformers' `LabelSmoother`.
    pub label_smoothing_factor: f64,
    /// Learning rate and gradient clipping.
    pub update: Update,
}

/// Seconds that the parts of a step took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepTimings {
    /// From token ids to the loss.
    pub forward: f64,
    /// From the loss to all gradients.
    pub backward: f64,
    /// Gradient norm, clipping and update.
    pub optimizer: f64,
}

/// A failed computation; the message names what failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(pub String);

/// The result of an engine's operation.
pub type EngineResult<T> = Result<T, EngineError>;

impl From<candle_core::Error> for EngineError {
    fn from(error: candle_core::Error) -> Self {
        Self(without_backtrace(&error))
    }
}

/// A model that can be evaluated and trained. Its weights may be copies on another device:
/// [`Engine::store`] copies them back to the model.
pub trait Engine: Send {
    /// The logits of a batch, `[batch, labels]`, row-major; without dropout.
    ///
    /// # Errors
    /// If a token id is outside the vocabulary, a sequence is longer than the position embeddings,
    /// or the device fails.
    fn logits(&mut self, batch: &PackedBatch) -> EngineResult<Vec<f32>>;

    /// Allocates gradients and the optimizer state.
    ///
    /// # Errors
    /// If the device is out of memory.
    fn begin_training(
        &mut self,
        settings: AdamWSettings,
        decay_everything: bool,
    ) -> EngineResult<()>;

    /// One optimizer step: forward and backward passes over all micro-batches, then the update,
    /// which is skipped if the loss or the gradient norm is not finite.
    ///
    /// # Errors
    /// As [`Engine::logits`], and if training has not begun.
    fn step(&mut self, input: &StepInput, options: &StepOptions) -> EngineResult<()>;

    /// The metrics of the last step; waits for it.
    ///
    /// # Errors
    /// If the device fails.
    fn step_metrics(&mut self) -> EngineResult<StepMetrics>;

    /// To be called once after each [`Engine::step`]: the metrics of the earliest step whose
    /// metrics were not returned yet, if they are there without waiting for the step queued last.
    /// An engine that computes at once returns those of that step; one whose device has a queue
    /// returns those of the step before it, and `None` after the first step.
    ///
    /// # Errors
    /// If the device fails.
    fn ready_metrics(&mut self) -> EngineResult<Option<StepMetrics>> {
        self.step_metrics().map(Some)
    }

    /// The gradients of all parameters in the last step, in the order of the model's layout.
    ///
    /// # Errors
    /// If the device fails.
    fn gradients(&mut self) -> EngineResult<Vec<f32>>;

    /// Copies the weights to the model's tensors.
    ///
    /// # Errors
    /// If the device fails.
    fn store(&mut self) -> EngineResult<()>;

    /// Copies the weights from the model's tensors, after they were changed.
    ///
    /// # Errors
    /// If the device fails.
    fn reload(&mut self) -> EngineResult<()>;

    /// The optimizer state.
    ///
    /// # Errors
    /// If the device fails, or training has not begun.
    fn moments(&mut self) -> EngineResult<Moments<'_>>;

    /// Restores an optimizer state that [`Engine::moments`] returned.
    ///
    /// # Errors
    /// If it is of another model, or training has not begun.
    fn restore(&mut self, moments: Moments<'static>) -> EngineResult<()>;

    /// Whether to wait for the device between the parts of a step, so that [`Engine::timings`]
    /// can time them separately.
    fn measure_parts(&mut self, measure: bool);

    /// The timings of the last step; `None` if the engine does not measure them.
    fn timings(&self) -> Option<StepTimings>;

    /// The device's rate of matrix multiplication with the model's largest layer, in
    /// floating-point operations per second; `None` if the engine does not measure it.
    ///
    /// # Errors
    /// If the device fails.
    fn matmul_rate(&mut self) -> EngineResult<Option<f64>>;

    /// The peak memory of the device so far, in bytes; `None` if it uses the process's memory.
    fn peak_memory(&self) -> Option<usize>;

    /// The device's name for the list of settings: `cpu, 2 threads`.
    fn device(&self) -> String;

    /// A note for the user on the choice of the device: why it is not the requested one.
    fn note(&self) -> Option<&str>;
}

#[cfg(test)]
pub mod pytorch_fixtures;

#[cfg(test)]
mod tests;

#[cfg(test)]
#[path = "gpu_memory_tests.rs"]
mod gpu_memory_tests;

#[cfg(test)]
#[path = "difference_tests.rs"]
mod difference_tests;
