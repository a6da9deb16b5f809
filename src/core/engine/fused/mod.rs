//! The fused path: a forward and a backward pass written by hand over reused memory, without a
//! graph, on any [`Backend`].

mod backward;
mod forward;
mod memory;
mod network;
mod rate;

use super::{Engine, EngineResult, StepInput, StepOptions, StepTimings};
use crate::core::model::SequenceClassifier;
use crate::core::ops::backend::{Moments, PackedBatch, StepMetrics};
use crate::core::ops::{AdamWSettings, Backend, Cpu, DropoutKey};
use backward::Loss;
use candle_core::{Result, Tensor};
use forward::{Keep, Pass};
use memory::Workspace;
use network::Network;
use std::time::Instant;

/// A model on a machine.
pub struct FusedEngine<B: Backend> {
    backend: B,
    network: Network,
    /// The model's own tensor of all parameters.
    home: Tensor,
    parameters: B::Parameters,
    training: Option<Training<B>>,
    work: Workspace<B>,
    gradient_checkpointing: bool,
    measure_parts: bool,
    timings: StepTimings,
    name: String,
    note: Option<String>,
}

struct Training<B: Backend> {
    gradients: B::Gradients,
    optimizer: B::Optimizer,
}

impl<B: Backend> FusedEngine<B> {
    /// `model` on `backend`, which the settings' table calls `name`.
    ///
    /// # Errors
    /// If the machine has no room.
    pub fn new(
        backend: B,
        model: &SequenceClassifier,
        gradient_checkpointing: bool,
        name: String,
    ) -> Result<Self> {
        let network = Network::new(model.config(), model.layout());
        let home = model.parameters().flat().clone();
        let parameters = backend.parameters(&network.layout.arrangement(false), &home)?;
        Ok(Self {
            backend,
            network,
            home,
            parameters,
            training: None,
            work: Workspace::new(),
            gradient_checkpointing,
            measure_parts: false,
            timings: StepTimings::default(),
            name,
            note: None,
        })
    }

    /// The same with something to say of why it was chosen.
    #[must_use]
    pub fn with_note(mut self, note: Option<String>) -> Self {
        self.note = note;
        self
    }

    fn logits_of(&mut self, packed: &PackedBatch) -> Result<Vec<f32>> {
        let Self { backend, network, parameters, training, work, .. } = self;
        backend.install(|| {
            if let Some(training) = training {
                backend.settle(parameters, &mut training.optimizer)?;
            }
            let dropouts = network.dropouts(None);
            let (rows, sequences) = (packed.rows(), packed.batch());
            let pass = Pass { backend, network, parameters, dropouts: &dropouts, rows, sequences };
            pass.forward(packed, Keep::Nothing, work)?;
            backend.read(&work.head.logits)
        })
    }

    fn train_on(&mut self, input: &StepInput, options: &StepOptions) -> Result<()> {
        let measured = self.measure_parts;
        let Self { backend, network, parameters, training, work, timings, .. } = self;
        let Some(Training { gradients, optimizer }) = training else {
            candle_core::bail!("training has not begun");
        };
        let keep = if self.gradient_checkpointing { Keep::Inputs } else { Keep::All };
        let loss = Loss {
            smoothing: options.label_smoothing_factor as f32,
            scale: 1.0 / input.examples() as f32,
        };
        *timings = StepTimings::default();
        let wait = |backend: &B| if measured { backend.synchronize() } else { Ok(()) };
        backend.install(|| {
            backend.begin_step(&input.distinct_tokens, parameters, gradients, optimizer)?;
            for (index, packed) in input.batches.iter().enumerate() {
                if index > 0 {
                    backend.accumulate(gradients);
                }
                let key = DropoutKey::new(options.seed, options.number, index);
                let dropouts = network.dropouts(Some(key));
                let (rows, sequences) = (packed.rows(), packed.batch());
                let pass =
                    Pass { backend, network, parameters, dropouts: &dropouts, rows, sequences };
                wait(backend)?;
                let began = Instant::now();
                pass.forward(packed, keep, work)?;
                wait(backend)?;
                timings.forward += began.elapsed().as_secs_f64();
                let began = Instant::now();
                pass.backward(loss, keep == Keep::Inputs, work, gradients)?;
                wait(backend)?;
                timings.backward += began.elapsed().as_secs_f64();
            }
            let began = Instant::now();
            backend.end_step(options.update, parameters, gradients, optimizer)?;
            wait(backend)?;
            timings.optimizer = began.elapsed().as_secs_f64();
            Ok(())
        })
    }

    fn optimizer(&mut self) -> Result<(&B, &mut B::Parameters, &mut Training<B>)> {
        match &mut self.training {
            Some(training) => Ok((&self.backend, &mut self.parameters, training)),
            None => candle_core::bail!("training has not begun"),
        }
    }
}

impl FusedEngine<Cpu> {
    /// Multiplies by weights in eight bits from here on; for answers only.
    ///
    /// # Errors
    /// If there is no room for them.
    pub fn quantize(&mut self) -> Result<()> {
        let layout = &self.network.layout;
        let mut dense = vec![layout.head];
        dense.extend(layout.project);
        for (index, layer) in layout.layers.iter().enumerate() {
            if index + 1 == layout.layers.len() {
                dense.extend([layer.query, layer.key_value()]);
            } else {
                dense.push(layer.query_key_value());
            }
            dense.extend([layer.attention_output, layer.intermediate, layer.output]);
        }
        self.name += ", int8";
        self.parameters.quantize(&dense)
    }
}

impl<B: Backend> Engine for FusedEngine<B> {
    fn logits(&mut self, batch: &PackedBatch) -> EngineResult<Vec<f32>> {
        Ok(self.logits_of(batch)?)
    }

    fn begin_training(
        &mut self,
        settings: AdamWSettings,
        decay_everything: bool,
    ) -> EngineResult<()> {
        let arrangement = self.network.layout.arrangement(decay_everything);
        self.training = Some(Training {
            gradients: self.backend.gradients(&arrangement)?,
            optimizer: self.backend.optimizer(&arrangement, settings)?,
        });
        Ok(())
    }

    fn step(&mut self, input: &StepInput, options: &StepOptions) -> EngineResult<()> {
        Ok(self.train_on(input, options)?)
    }

    fn step_metrics(&mut self) -> EngineResult<StepMetrics> {
        let (backend, _, training) = self.optimizer()?;
        Ok(backend.figures(&training.gradients)?)
    }

    fn gradients(&mut self) -> EngineResult<Vec<f32>> {
        let (backend, _, training) = self.optimizer()?;
        Ok(backend.read_gradients(&training.gradients)?)
    }

    fn store(&mut self) -> EngineResult<()> {
        if self.training.is_some() {
            let (backend, parameters, training) = self.optimizer()?;
            backend.install(|| backend.settle(parameters, &mut training.optimizer))?;
        }
        Ok(self.backend.store(&self.parameters, &self.home)?)
    }

    fn reload(&mut self) -> EngineResult<()> {
        let arrangement = self.network.layout.arrangement(false);
        self.parameters = self.backend.parameters(&arrangement, &self.home)?;
        Ok(())
    }

    fn moments(&mut self) -> EngineResult<Moments<'_>> {
        let (backend, parameters, training) = self.optimizer()?;
        backend.install(|| backend.settle(parameters, &mut training.optimizer))?;
        Ok(backend.moments(&training.optimizer)?)
    }

    fn restore(&mut self, moments: Moments<'static>) -> EngineResult<()> {
        let (backend, _, training) = self.optimizer()?;
        Ok(backend.restore(&mut training.optimizer, moments)?)
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

    fn device(&self) -> String {
        self.name.clone()
    }

    fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}
