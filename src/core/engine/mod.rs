//! How a model is computed: plainly, by candle's own operations, or fused, on the CPU or a GPU.
//! All engines compute the same numbers, up to rounding, dropout included.

mod choose;
pub mod device;
pub mod fused;
pub mod input;
pub mod logits;
pub mod reference;

pub use choose::build;
pub use input::StepInput;

use crate::core::data::batching::Batch;
use crate::core::model::without_backtrace;
use crate::core::ops::AdamWSettings;
use crate::core::ops::backend::{Moments, StepMetrics, Update};
use clap::ValueEnum;
use device::DeviceChoice;

/// Which operations compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Ops {
    /// Whole blocks at once, forward and backward written by hand
    #[default]
    Fused,
    /// candle's own operations and automatic differentiation: slow, to settle a doubt
    #[value(name = "reference", alias = "plain")]
    Reference,
}

/// What computes, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineOptions {
    /// Which operations.
    pub ops: Ops,
    /// On which machine.
    pub device: DeviceChoice,
    /// Half precision on a GPU.
    pub bf16: bool,
    /// On a GPU, products of `f32` in TensorFloat-32.
    pub tf32: bool,
    /// On the CPU, multiply by weights in eight bits; for answers only.
    pub int8: bool,
    /// Threads of the CPU; 0 is one for each core.
    pub threads: usize,
    /// Compute each layer's forward pass again in the backward pass instead of keeping it.
    pub gradient_checkpointing: bool,
}

/// What a step is told beside its batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOptions {
    /// The run's seed, which dropout follows.
    pub seed: u64,
    /// The step's number, counted from 1.
    pub number: u64,
    /// As transformers' `LabelSmoother`.
    pub label_smoothing_factor: f64,
    /// Rate and clipping.
    pub update: Update,
}

/// Seconds of the parts of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepTimings {
    /// From ids to the loss.
    pub forward: f64,
    /// From the loss to all gradients.
    pub backward: f64,
    /// Norm, clipping and update.
    pub optimizer: f64,
}

/// A computation failed; the message names what.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(pub String);

/// What an engine answers.
pub type EngineResult<T> = Result<T, EngineError>;

impl From<candle_core::Error> for EngineError {
    fn from(error: candle_core::Error) -> Self {
        Self(without_backtrace(&error))
    }
}

/// A model that can be asked and trained. Its weights are the model's own or copies of them on
/// another machine: [`Engine::store`] brings them home.
pub trait Engine: Send {
    /// The logits of a batch, `[batch, labels]`, row-major; nothing is dropped out.
    ///
    /// # Errors
    /// If an id lies outside the vocabulary, a row is longer than there are positions, or the
    /// machine fails.
    fn logits(&mut self, batch: &Batch) -> EngineResult<Vec<f32>>;

    /// Makes room for gradients and moments.
    ///
    /// # Errors
    /// If the machine has no room.
    fn begin_training(
        &mut self,
        settings: AdamWSettings,
        decay_everything: bool,
    ) -> EngineResult<()>;

    /// Forward, backward and update over all batches of a step together. The update is left out
    /// where loss or gradients are not finite.
    ///
    /// # Errors
    /// As [`Engine::logits`], and before [`Engine::begin_training`].
    fn step(&mut self, input: &StepInput, options: &StepOptions) -> EngineResult<()>;

    /// What the last step came to; waits for it.
    ///
    /// # Errors
    /// If the machine fails.
    fn figures(&mut self) -> EngineResult<StepMetrics>;

    /// To be called once after each [`Engine::step`]: the metrics of the earliest step whose
    /// metrics were not returned yet, if they are there without waiting for the step queued last.
    /// An engine that computes at once returns those of that step; one whose device has a queue
    /// returns those of the step before it, and `None` after the first step.
    ///
    /// # Errors
    /// If the device fails.
    fn ready_metrics(&mut self) -> EngineResult<Option<StepMetrics>> {
        self.figures().map(Some)
    }

    /// The gradient of every parameter in the last step, as the layout arranges them.
    ///
    /// # Errors
    /// If the machine fails.
    fn gradients(&mut self) -> EngineResult<Vec<f32>>;

    /// Brings the weights to the model's tensors.
    ///
    /// # Errors
    /// If the machine fails.
    fn store(&mut self) -> EngineResult<()>;

    /// Takes the weights over from the model's tensors, after [`Engine::store`] and a change there.
    ///
    /// # Errors
    /// If the machine fails.
    fn reload(&mut self) -> EngineResult<()>;

    /// The optimizer's memory.
    ///
    /// # Errors
    /// If the machine fails, or before [`Engine::begin_training`].
    fn moments(&mut self) -> EngineResult<Moments<'_>>;

    /// Goes on from what [`Engine::moments`] gave.
    ///
    /// # Errors
    /// If they are of another model, or before [`Engine::begin_training`].
    fn restore(&mut self, moments: Moments<'static>) -> EngineResult<()>;

    /// Whether to wait for the machine between the parts of a step, so that [`Engine::timings`]
    /// tells them apart.
    fn measure_parts(&mut self, measure: bool);

    /// How long the parts of the last step took; `None` where that is not known.
    fn timings(&self) -> Option<StepTimings>;

    /// The rate of the machine's matrix product on the model's largest layer, in floating-point
    /// operations a second; `None` where it is not known.
    ///
    /// # Errors
    /// If the machine fails.
    fn matmul_rate(&mut self) -> EngineResult<Option<f64>>;

    /// The most memory of the machine held at once so far, in bytes; `None` where it is the
    /// process's.
    fn peak_memory(&self) -> Option<usize>;

    /// What computes, for the settings' table: `cpu, 2 threads`.
    fn device(&self) -> String;

    /// What is to be said of that choice, once: why it is not what was asked for.
    fn note(&self) -> Option<&str>;
}

#[cfg(test)]
mod tests;

#[cfg(test)]
#[path = "card_memory_tests.rs"]
mod card_memory_tests;

#[cfg(test)]
#[path = "difference_tests.rs"]
mod difference_tests;
