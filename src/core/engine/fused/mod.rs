//! The fused engine: a hand-written forward and backward pass over reused buffers, without an
//! autograd graph, on any [`Backend`].

mod backward;
mod between;
mod forward;
mod network;
mod path;
pub mod pretraining;
mod ranks;
mod rate;
mod relative;
mod relative_state;
mod step;
mod token_head;
mod workspace;

use super::path::{EmbeddingPath, PathPoint};
use super::{
    Engine, EngineError, EngineResult, Interruption, OptimizerOptions, StepInput, StepOptions,
    StepTimings,
};
use crate::core::collective::Collective;
use crate::core::model::SequenceClassifier;
use crate::core::ops::backend::{Moments, PackedBatch, StepMetrics};
use crate::core::ops::cpu::overwrite;
use crate::core::ops::{Backend, Cpu};
use candle_core::{Result, Tensor};
use forward::{FusedPass, SavedActivations};
use network::Network;
use ranks::RankSums;
use std::sync::Arc;
use workspace::Workspace;

/// A model on a device.
pub struct FusedEngine<B: Backend> {
    backend: B,
    network: Network,
    /// The model's flat tensor with the values of all parameters.
    flat: Tensor,
    parameters: B::Parameters,
    training: Option<TrainingState<B>>,
    /// The sums with the ranks that compute other parts of a step.
    ranks: Option<RankSums>,
    ema_decay: f64,
    work: Workspace<B>,
    /// The activations of what is asked within a step.
    asked: Workspace<B>,
    gradient_checkpointing: bool,
    measure_parts: bool,
    timings: StepTimings,
    name: String,
    note: Option<String>,
    /// Whether linear layers have 8-bit weights, which have no gradients.
    is_quantized: bool,
}

struct TrainingState<B: Backend> {
    gradients: B::Gradients,
    optimizer: B::Optimizer,
}

/// The weights that the model is evaluated with: their average, if training keeps one.
fn evaluated<'a, B: Backend>(
    backend: &B,
    parameters: &'a mut B::Parameters,
    training: &'a mut Option<TrainingState<B>>,
) -> Result<&'a B::Parameters> {
    let Some(training) = training else {
        return Ok(parameters);
    };
    backend.flush(parameters, &mut training.optimizer)?;
    Ok(backend.average(&training.optimizer).unwrap_or(parameters))
}

impl<B: Backend> FusedEngine<B> {
    /// Creates an engine for `model` on `backend`; `name` is the displayed name of the device.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn new(
        backend: B,
        model: &SequenceClassifier,
        gradient_checkpointing: bool,
        name: String,
    ) -> Result<Self> {
        let network = Network::new(model.config(), model.layout());
        let flat = model.parameters().flat().clone();
        let parameters = backend.parameters(&network.layout.parameter_layout(false, 1.0), &flat)?;
        Ok(Self {
            backend,
            network,
            flat,
            parameters,
            training: None,
            ranks: None,
            ema_decay: 0.0,
            work: Workspace::new(),
            asked: Workspace::new(),
            gradient_checkpointing,
            measure_parts: false,
            timings: StepTimings::default(),
            name,
            note: None,
            is_quantized: false,
        })
    }

    /// Sets the note for the user on the choice of the device.
    #[must_use]
    pub fn with_note(mut self, note: Option<String>) -> Self {
        self.note = note;
        self
    }

    fn logits_of(&mut self, packed: &PackedBatch) -> Result<Vec<f32>> {
        let Self { backend, network, parameters, training, work, .. } = self;
        backend.install(|| {
            let parameters = evaluated(backend, parameters, training)?;
            let dropouts = &network.dropouts(None);
            let pass = FusedPass::evaluating(backend, network, parameters, dropouts, packed);
            pass.forward(packed, SavedActivations::None, work)?;
            backend.read(&work.head.logits)
        })
    }

    /// As [`Self::logits_of`]; other logits can be computed meanwhile.
    fn interruptible_logits_of(
        &mut self,
        packed: &PackedBatch,
        interruption: &mut Interruption<'_>,
    ) -> Result<Vec<f32>> {
        let Self { backend, network, parameters, training, work, asked, .. } = self;
        let (backend, network) = (&*backend, &*network);
        let parameters = backend.install(|| evaluated(backend, parameters, training))?;
        let dropouts = &network.dropouts(None);
        let pass = |batch: &PackedBatch| {
            FusedPass::evaluating(backend, network, parameters, dropouts, batch)
        };
        let own = pass(packed);
        backend.install(|| own.begin(packed, SavedActivations::None, work))?;
        let last = own.interruptible_layers(SavedActivations::None, work, || {
            interruption(&mut |batch| {
                let asked = &mut *asked;
                let logits = backend.install(|| {
                    pass(batch).forward(batch, SavedActivations::None, asked)?;
                    backend.read(&asked.head.logits)
                });
                Ok(logits?)
            });
        })?;
        backend.install(|| {
            own.classify(last, work)?;
            backend.read(&work.head.logits)
        })
    }

    fn optimizer(&mut self) -> Result<(&B, &mut B::Parameters, &mut TrainingState<B>)> {
        match &mut self.training {
            Some(training) => Ok((&self.backend, &mut self.parameters, training)),
            None => candle_core::bail!("training has not begun"),
        }
    }
}

impl FusedEngine<Cpu> {
    /// Keeps copies of weights that make answers about single texts quick, for inference only.
    pub fn keep_weights(&mut self) {
        self.parameters.keep_weights();
    }

    /// Quantizes the weights of linear layers to 8 bits, for inference only.
    ///
    /// # Errors
    /// If the weights cannot be quantized.
    pub fn quantize(&mut self) -> Result<()> {
        let layout = &self.network.layout;
        let mut layers = vec![layout.head];
        layers.extend(layout.project);
        for (index, layer) in layout.layers.iter().enumerate() {
            if self.network.is_first_only(index) {
                layers.extend([layer.query, layer.key_value()]);
            } else {
                layers.push(layer.query_key_value());
            }
            layers.extend([layer.attention_output, layer.intermediate, layer.output]);
            layers.extend(layer.relative);
        }
        self.name += ", int8";
        self.is_quantized = true;
        self.parameters.quantize(&layers)
    }
}

impl<B: Backend> Engine for FusedEngine<B> {
    fn logits(&mut self, batch: &PackedBatch) -> EngineResult<Vec<f32>> {
        Ok(self.logits_of(batch)?)
    }

    fn interruptible_logits(
        &mut self,
        batch: &PackedBatch,
        interruption: &mut Interruption<'_>,
    ) -> EngineResult<Vec<f32>> {
        if !self.backend.is_interruptible() {
            return self.logits(batch);
        }
        Ok(self.interruptible_logits_of(batch, interruption)?)
    }

    fn join(&mut self, collective: Arc<dyn Collective>) -> EngineResult<Option<String>> {
        let (backend, layout) = (&mut self.backend, &self.network.layout);
        let (ranks, note) = RankSums::new(collective, backend, layout)?;
        self.ranks = Some(ranks);
        Ok(note)
    }

    fn path_points(&mut self, path: &EmbeddingPath<'_>) -> EngineResult<Vec<PathPoint>> {
        if self.is_quantized {
            let why = "integrated gradients need gradients, which 8-bit weights do not have";
            return Err(EngineError(why.to_owned()));
        }
        self.points_of(path)
    }

    fn begin_training_with(&mut self, options: &OptimizerOptions) -> EngineResult<()> {
        let layout = self
            .network
            .layout
            .parameter_layout(options.decay_everything, options.layerwise_lr_decay);
        let had_average = self.ema_decay > 0.0;
        self.ema_decay = options.ema_decay;
        self.training = Some(TrainingState {
            gradients: self.backend.gradients(&layout)?,
            optimizer: self.backend.optimizer(&layout, options.adamw)?,
        });
        if had_average || self.ema_decay > 0.0 { self.reload() } else { Ok(()) }
    }

    fn interruptible_step(
        &mut self,
        input: &StepInput,
        options: &StepOptions,
        interruption: &mut Interruption<'_>,
    ) -> EngineResult<()> {
        let outcome = self.train_on(input, options, interruption);
        if outcome.is_err() {
            // A smaller step may follow if the memory was used up.
            self.work = Workspace::new();
        }
        Ok(outcome?)
    }

    fn step(&mut self, input: &StepInput, options: &StepOptions) -> EngineResult<()> {
        self.interruptible_step(input, options, &mut |_| {})
    }

    fn step_metrics(&mut self) -> EngineResult<StepMetrics> {
        let (backend, _, training) = self.optimizer()?;
        Ok(backend.step_metrics(&mut training.gradients)?)
    }

    fn ready_metrics(&mut self) -> EngineResult<Option<StepMetrics>> {
        let (backend, _, training) = self.optimizer()?;
        Ok(backend.ready_metrics(&mut training.gradients)?)
    }

    fn gradients(&mut self) -> EngineResult<Vec<f32>> {
        let (backend, _, training) = self.optimizer()?;
        Ok(backend.read_gradients(&training.gradients)?)
    }

    fn store(&mut self) -> EngineResult<()> {
        let mut weights = &self.parameters;
        if let Some(training) = &mut self.training {
            let (backend, parameters) = (&self.backend, &mut self.parameters);
            backend.install(|| backend.flush(parameters, &mut training.optimizer))?;
            weights = backend.average(&training.optimizer).unwrap_or(parameters);
        }
        Ok(self.backend.store(weights, &self.flat)?)
    }

    fn reload(&mut self) -> EngineResult<()> {
        let layout = self.network.layout.parameter_layout(false, 1.0);
        match &mut self.training {
            Some(training) if self.ema_decay > 0.0 => {
                // A device may share the memory of the model's tensors: that of the average.
                let average = self.backend.parameters(&layout, &self.flat)?;
                self.backend.start_average(&mut training.optimizer, average, self.ema_decay);
                self.parameters = self.backend.parameters(&layout, &self.flat.copy()?)?;
            }
            _ => self.parameters = self.backend.parameters(&layout, &self.flat)?,
        }
        Ok(())
    }

    fn moments(&mut self) -> EngineResult<Moments> {
        let (backend, parameters, training) = self.optimizer()?;
        backend.install(|| backend.flush(parameters, &mut training.optimizer))?;
        let weights = match backend.average(&training.optimizer) {
            Some(_) => {
                let weights = self.flat.zeros_like()?;
                self.backend.store(&self.parameters, &weights)?;
                Some(weights.to_vec1::<f32>()?)
            }
            None => None,
        };
        let (backend, _, training) = self.optimizer()?;
        Ok(Moments { weights, ..backend.moments(&training.optimizer)? })
    }

    fn restore(&mut self, mut moments: Moments) -> EngineResult<()> {
        if let Some(weights) = moments.weights.take() {
            let count = weights.len();
            let weights = Tensor::from_vec(weights, count, self.flat.device())?;
            if self.ema_decay > 0.0 {
                let layout = self.network.layout.parameter_layout(false, 1.0);
                self.parameters = self.backend.parameters(&layout, &weights)?;
            } else {
                overwrite(&self.flat, &weights.to_vec1::<f32>()?)?;
                self.reload()?;
            }
        }
        let (backend, parameters, training) = self.optimizer()?;
        Ok(backend.restore(parameters, &mut training.optimizer, moments)?)
    }

    fn measure_parts(&mut self, measure: bool) {
        self.measure_parts = measure;
    }

    fn timings(&self) -> Option<StepTimings> {
        Some(self.timings)
    }

    fn matmul_rate(&mut self) -> EngineResult<Option<f64>> {
        Ok(rate::matmul_rate(self)?)
    }

    fn peak_memory(&self) -> Option<usize> {
        self.backend.peak_memory()
    }

    fn take_warning(&mut self) -> Option<String> {
        self.backend.take_warning()
    }

    fn device(&self) -> String {
        self.name.clone()
    }

    fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;

#[cfg(test)]
#[cfg(unix)]
#[path = "graph_tests.rs"]
mod graph_tests;
