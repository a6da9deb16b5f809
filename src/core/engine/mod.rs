//! The engines that compute a model: the reference engine, with candle's operations, and the fused
//! engine, on the CPU or a GPU. All compute the same values up to rounding, including dropout.

mod build;
pub mod device;
pub mod fused;
pub mod input;
pub mod logits;
pub mod path;
pub mod reference;

pub use build::{build, build_pretraining};
pub use fused::pretraining::{PretrainingEngine, PretrainingSettings};
pub use input::StepInput;

use crate::core::collective::Collective;
use crate::core::data::batching::PackedBatch;
use crate::core::model::without_backtrace;
use crate::core::named::named_enum;
use crate::core::ops::backend::{Moments, ReplacedLosses, StepMetrics, TokenLosses, Update};
use crate::core::ops::{AdamWSettings, OUT_OF_MEMORY};
use device::DeviceChoice;
use path::{EmbeddingPath, PathPoint};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

named_enum! {
    /// The implementation of a model's operations.
    #[derive(Default)]
    pub enum Ops {
        /// Whole blocks at once, forward and backward written by hand
        @default Fused = "fused",
        /// candle's own operations and automatic differentiation: slow, to check the fused ones
        Reference = "reference" | "plain",
    }
}

named_enum! {
    /// Whether matrices are multiplied in bfloat16.
    #[derive(Default)]
    pub enum Bf16 {
        /// In float32
        @default False = "false",
        /// In bfloat16, on a GPU or on a processor with AVX512-BF16
        True = "true",
        /// In bfloat16 on a processor with AVX512-BF16, else in float32
        Auto = "auto",
    }
}

/// The options of an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineOptions {
    /// The implementation of the operations.
    pub ops: Ops,
    /// The device.
    pub device: DeviceChoice,
    /// Whether to multiply in bfloat16.
    pub bf16: Bf16,
    /// The number of the GPU that [`DeviceChoice::Auto`] means.
    pub auto_gpu: usize,
    /// Multiply `f32` matrices in TensorFloat-32 on a GPU.
    pub tf32: bool,
    /// Multiply by 8-bit weights on the CPU, for inference only.
    pub int8: bool,
    /// Keep copies of weights on the CPU that make answers about single texts quick. A
    /// training step drops them.
    pub keep_weights: bool,
    /// The number of CPU threads; 0 means one per core.
    pub threads: usize,
    /// Recompute each layer's activations in the backward pass instead of storing them.
    pub gradient_checkpointing: bool,
}

/// The options of one optimizer step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOptions {
    /// The seed of dropout.
    pub seed: u64,
    /// The step number, counted from 1.
    pub number: u64,
    /// The label smoothing factor of transformers' `LabelSmoother`.
    pub label_smoothing_factor: f64,
    /// The factor of R-Drop's divergence, for batches with each example twice.
    pub rdrop_alpha: f64,
    /// Learning rate and gradient clipping.
    pub update: Update,
}

/// How an engine's optimizer updates the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptimizerOptions {
    /// `AdamW`'s hyper-parameters.
    pub adamw: AdamWSettings,
    /// Whether weight decay also applies to biases and layer normalizations.
    pub decay_everything: bool,
    /// The factor of the learning rate from one layer to the next below; see
    /// [`ModelLayout::layer_rates`](crate::core::model::ModelLayout::layer_rates). 1 trains all layers
    /// at the same rate.
    pub layerwise_lr_decay: f64,
    /// The decay of the exponential moving average of the weights; 0 keeps none.
    pub ema_decay: f64,
}

impl OptimizerOptions {
    /// `AdamW` with one learning rate and without an average.
    pub fn new(adamw: AdamWSettings, decay_everything: bool) -> Self {
        Self { adamw, decay_everything, layerwise_lr_decay: 1.0, ema_decay: 0.0 }
    }
}

/// The durations of the parts of a step, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepTimings {
    /// The forward pass, from token ids to the loss.
    pub forward: f64,
    /// The backward pass, from the loss to all gradients.
    pub backward: f64,
    /// The gradient norm, clipping and the update.
    pub optimizer: f64,
    /// The sums over all ranks, also those during the backward pass.
    pub exchange: f64,
    /// For how much of the exchange the rank waited after its backward pass.
    pub waited: f64,
}

/// The losses of both parts of a step that trains a generator and a discriminator.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossParts {
    /// The generator's mean loss over masked tokens.
    pub generator: f64,
    /// The discriminator's mean loss over all tokens, without its weight in the total loss.
    pub discriminator: f64,
}

/// The losses of a batch of held-out texts under a pretraining objective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PretrainingLosses {
    /// The masked tokens, predicted by the model or by its generator.
    pub masked: TokenLosses,
    /// The tokens that may be replaced, if the model has a generator.
    pub replaced: Option<ReplacedLosses>,
}

/// A failed computation; the message names the operation.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(pub String);

impl EngineError {
    /// Whether the device had no memory left.
    pub fn is_out_of_memory(&self) -> bool {
        self.0.contains(OUT_OF_MEMORY)
    }
}

/// The result of an engine's operation.
pub type EngineResult<T> = Result<T, EngineError>;

impl From<candle_core::Error> for EngineError {
    fn from(error: candle_core::Error) -> Self {
        Self(without_backtrace(&error))
    }
}

/// Computes the logits of a batch, as [`Engine::logits`].
pub type Logits<'a> = dyn FnMut(&PackedBatch) -> EngineResult<Vec<f32>> + 'a;

/// Called when a step can be interrupted, to compute logits or nothing.
pub type Interruption<'a> = dyn FnMut(&mut Logits<'_>) + 'a;

/// A model that can be evaluated and trained. Its weights may be copies on another device:
/// [`Engine::store`] copies them back to the model.
pub trait Engine: Send {
    /// Computes the logits of a batch, `[batch, labels]`, row-major, without dropout; with the
    /// average of the weights if training keeps one.
    ///
    /// # Errors
    /// If a token id is outside the vocabulary, a sequence is longer than the position embeddings,
    /// or the device fails.
    fn logits(&mut self, batch: &PackedBatch) -> EngineResult<Vec<f32>>;

    /// As [`Engine::logits`]. `interruption` may be called meanwhile, on a device that computes one
    /// operation after another, to compute logits of other batches.
    ///
    /// # Errors
    /// As [`Engine::logits`].
    fn interruptible_logits(
        &mut self,
        batch: &PackedBatch,
        _interruption: &mut Interruption<'_>,
    ) -> EngineResult<Vec<f32>> {
        self.logits(batch)
    }

    /// Adds up the gradients of each later step over all ranks before its update. The losses and
    /// predictions of [`Engine::step_metrics`] are then those of the whole step. Returns a note for the
    /// user, if there is one. All ranks call it.
    ///
    /// # Errors
    /// If the engine trains in one process only.
    fn join(&mut self, _collective: Arc<dyn Collective>) -> EngineResult<Option<String>> {
        Err(EngineError("this engine trains in one process only".to_owned()))
    }

    /// Computes points on a path of embeddings, without dropout and with the weights of
    /// [`Engine::logits`].
    ///
    /// # Errors
    /// The errors of [`Engine::logits`], and if the engine or its device does not compute paths.
    fn path_points(&mut self, _path: &EmbeddingPath<'_>) -> EngineResult<Vec<PathPoint>> {
        Err(EngineError("this engine computes no integrated gradients".to_owned()))
    }

    /// Allocates gradients and the optimizer state. With an average of the weights, it begins with
    /// the model's tensors.
    ///
    /// # Errors
    /// If the device is out of memory.
    fn begin_training_with(&mut self, options: &OptimizerOptions) -> EngineResult<()>;

    /// As [`Engine::begin_training_with`], with [`OptimizerOptions::new`].
    ///
    /// # Errors
    /// If the device is out of memory.
    fn begin_training(
        &mut self,
        settings: AdamWSettings,
        decay_everything: bool,
    ) -> EngineResult<()> {
        self.begin_training_with(&OptimizerOptions::new(settings, decay_everything))
    }

    /// Runs one optimizer step: forward and backward passes over all micro-batches, then the
    /// update, which is skipped if the loss or the gradient norm is not finite.
    ///
    /// # Errors
    /// The errors of [`Engine::logits`], and if training has not begun.
    fn step(&mut self, input: &StepInput, options: &StepOptions) -> EngineResult<()>;

    /// As [`Engine::step`]. `interruption` may be called within the step: between its layers, on a
    /// device that computes one operation after another. The logits that it computes are those before
    /// the step, and the step is not changed by them.
    ///
    /// # Errors
    /// As [`Engine::step`].
    fn interruptible_step(
        &mut self,
        input: &StepInput,
        options: &StepOptions,
        _interruption: &mut Interruption<'_>,
    ) -> EngineResult<()> {
        self.step(input, options)
    }

    /// Masks a batch of texts and computes the losses of a pretraining objective, without dropout.
    /// `number` is that of the batch in its evaluation: every evaluation masks the same tokens. `None`
    /// for a classifier.
    ///
    /// # Errors
    /// The errors of [`Engine::logits`].
    fn pretraining_losses(
        &mut self,
        _batch: &PackedBatch,
        _number: u64,
    ) -> EngineResult<Option<PretrainingLosses>> {
        Ok(None)
    }

    /// The losses of both parts of the step whose metrics were returned last, if it has two.
    fn loss_parts(&self) -> Option<LossParts> {
        None
    }

    /// Waits for the last step and returns its metrics.
    ///
    /// # Errors
    /// If the device fails.
    fn step_metrics(&mut self) -> EngineResult<StepMetrics>;

    /// Returns the metrics of the earliest step whose metrics were not returned yet, if they are
    /// available without waiting for the last step. It must be called once after each
    /// [`Engine::step`]. A synchronous engine returns the metrics of that step; an engine whose
    /// device has a queue returns those of the step before, and `None` after the first step.
    ///
    /// # Errors
    /// If the device fails.
    fn ready_metrics(&mut self) -> EngineResult<Option<StepMetrics>> {
        self.step_metrics().map(Some)
    }

    /// The gradients of all parameters in the last step, concatenated in the order of the model's
    /// layout.
    ///
    /// # Errors
    /// If the device fails.
    fn gradients(&mut self) -> EngineResult<Vec<f32>>;

    /// Copies the weights to the model's tensors; their average if training keeps one.
    ///
    /// # Errors
    /// If the device fails.
    fn store(&mut self) -> EngineResult<()>;

    /// Copies the weights from the model's tensors; needed after they were changed. An average of
    /// the weights begins with them again.
    ///
    /// # Errors
    /// If the device fails.
    fn reload(&mut self) -> EngineResult<()>;

    /// The optimizer state; with an average, also the weights, which [`Engine::store`] does not
    /// store.
    ///
    /// # Errors
    /// If the device fails, or training has not begun.
    fn moments(&mut self) -> EngineResult<Moments>;

    /// Restores an optimizer state that [`Engine::moments`] returned, with its weights if it has any.
    /// If training keeps an average, it stays as it is: the model's tensors when training began.
    ///
    /// # Errors
    /// If the state does not fit the model, or training has not begun.
    fn restore(&mut self, moments: Moments) -> EngineResult<()>;

    /// Sets whether to wait for the device between the parts of a step, so that
    /// [`Engine::timings`] can report them separately.
    fn measure_parts(&mut self, measure: bool);

    /// The timings of the last step; `None` if the engine does not measure them.
    fn timings(&self) -> Option<StepTimings>;

    /// Measures the speed of the device in multiplying by the model's largest matrix, in
    /// floating-point operations per second; `None` if the engine does not support it.
    ///
    /// # Errors
    /// If the device fails.
    fn matmul_rate(&mut self) -> EngineResult<Option<f64>>;

    /// A warning for the user about the steps so far, the first time that it is asked.
    fn take_warning(&mut self) -> Option<String> {
        None
    }

    /// The peak memory usage of the device in bytes; `None` if it uses the process's memory.
    fn peak_memory(&self) -> Option<usize>;

    /// The device's name for the list of settings, for example `cpu, 2 threads`.
    fn device(&self) -> String;

    /// A note for the user on why the device is not a GPU, if any.
    fn note(&self) -> Option<&str>;
}

#[cfg(test)]
pub mod pytorch_fixtures;

#[cfg(test)]
pub(crate) mod tests;

#[cfg(test)]
#[path = "loss_tests.rs"]
mod loss_tests;

#[cfg(test)]
#[path = "gpu_memory_tests.rs"]
mod gpu_memory_tests;

#[cfg(test)]
#[path = "pretraining_tests.rs"]
mod pretraining_tests;

#[cfg(test)]
#[path = "difference_tests.rs"]
mod difference_tests;

#[cfg(test)]
#[path = "optimizer_tests.rs"]
mod optimizer_tests;

#[cfg(test)]
#[path = "relative_tests.rs"]
mod relative_tests;

#[cfg(test)]
#[path = "ranks_tests.rs"]
mod ranks_tests;

#[cfg(test)]
#[cfg(unix)]
#[path = "gpu_ranks_tests.rs"]
mod gpu_ranks_tests;
