//! One optimizer step.

use super::backward::LossOptions;
use super::between::Between;
use super::forward::{FusedPass, SavedActivations};
use super::{FusedEngine, TrainingState};
use crate::core::data::batching::BatchRole;
use crate::core::engine::{Interruption, StepInput, StepOptions, StepTimings};
use crate::core::model::without_backtrace;
use crate::core::ops::{Backend, DropoutKey, OUT_OF_MEMORY};
use candle_core::Result;
use std::time::Instant;

impl<B: Backend> FusedEngine<B> {
    /// Runs one step.
    pub(super) fn train_on(
        &mut self,
        input: &StepInput,
        options: &StepOptions,
        interruption: &mut Interruption<'_>,
    ) -> Result<()> {
        self.timings = StepTimings::default();
        if let Some(ranks) = &mut self.ranks {
            ranks.begin()?;
        }
        let computed = self.backpropagate(input, options, interruption);
        let predicted = self.add_up(computed)?;
        let measured = self.measure_parts;
        let Self { backend, parameters, training, timings, .. } = self;
        let Some(TrainingState { gradients, optimizer }) = training else {
            candle_core::bail!("training has not begun");
        };
        if let Some(predicted) = predicted {
            let predicted = input.in_order(&predicted).map_err(candle_core::Error::msg)?;
            backend.set_predicted(gradients, &predicted)?;
        }
        let began = Instant::now();
        backend.install(|| backend.end_step(options.update, parameters, gradients, optimizer))?;
        if measured {
            backend.synchronize()?;
        }
        timings.optimizer = began.elapsed().as_secs_f64();
        Ok(())
    }

    /// Adds up the gradients and losses of a step over all ranks, and returns the predictions by rank;
    /// `None` in a run of one process. If a rank had no memory for its part, all ranks fail together,
    /// and can run another step.
    pub(super) fn add_up(&mut self, computed: Result<()>) -> Result<Option<Vec<Vec<u32>>>> {
        let Self { backend, training, ranks, timings, .. } = self;
        let (Some(ranks), Some(training)) = (ranks, training) else {
            return computed.map(|()| None);
        };
        let failure = computed.as_ref().err().map(without_backtrace);
        let failure = failure.filter(|message| message.contains(OUT_OF_MEMORY));
        if failure.is_none() {
            computed?;
        }
        let gradients = &mut training.gradients;
        ranks.finish(backend, gradients, failure.as_deref(), timings).map(Some)
    }

    /// The gradients of the step, and its losses and predictions: of this rank, but that the sums over
    /// all ranks of some gradients have been started.
    fn backpropagate(
        &mut self,
        input: &StepInput,
        options: &StepOptions,
        interruption: &mut Interruption<'_>,
    ) -> Result<()> {
        let measured = self.measure_parts;
        let Self { backend, network, parameters, training, ranks, work, asked, timings, .. } = self;
        let Some(TrainingState { gradients, optimizer }) = training else {
            candle_core::bail!("training has not begun");
        };
        let saved = if self.gradient_checkpointing {
            SavedActivations::LayerInputs
        } else {
            SavedActivations::All
        };
        let scale = (1.0 / input.total_weight()) as f32;
        let smoothing = options.label_smoothing_factor as f32;
        let wait = |backend: &B| if measured { backend.synchronize() } else { Ok(()) };
        let tokens = &input.distinct_tokens;
        backend.install(|| backend.begin_step(tokens, parameters, gradients, optimizer))?;
        let count = input.own().count();
        if count == 0 {
            backend.install(|| backend.clear_gradients(gradients))?;
        }
        for (position, (index, packed)) in input.own().enumerate() {
            if position > 0 {
                backend.accumulate(gradients);
            }
            let mut ranks = ranks.as_mut().filter(|_| position + 1 == count);
            let key = DropoutKey::new(options.seed, options.number, index);
            let dropouts = &network.dropouts(Some(key));
            let (rows, sequences) = (packed.rows(), packed.batch_size());
            let parameters: &B::Parameters = parameters;
            let pass =
                FusedPass { backend, network, parameters, dropouts, rows, sequences, trains: true };
            let mut between = Between {
                backend,
                network,
                parameters,
                optimizer: &mut *optimizer,
                work: &mut *asked,
                interruption: &mut *interruption,
            };
            wait(backend)?;
            let began = Instant::now();
            backend.install(|| pass.begin(packed, saved, work))?;
            between.interrupt();
            let last = pass.interruptible_layers(saved, work, || between.interrupt())?;
            backend.install(|| pass.classify(last, work))?;
            wait(backend)?;
            timings.forward += began.elapsed().as_secs_f64();
            let began = Instant::now();
            let recompute = saved == SavedActivations::LayerInputs;
            let alpha = options.rdrop_alpha as f32;
            let divergence = (packed.role == BatchRole::LabelledTwice).then_some(alpha * scale);
            let loss = LossOptions { smoothing, scale, divergence };
            backend.install(|| pass.head_backward(loss, work, gradients))?;
            pass.interruptible_layers_backward(recompute, work, gradients, |layer, gradients| {
                between.interrupt();
                match (layer, &mut ranks) {
                    (Some(layer), Some(ranks)) => ranks.start_from(layer, backend, gradients),
                    _ => Ok(()),
                }
            })?;
            backend.install(|| pass.embed_backward(work, gradients))?;
            between.interrupt();
            wait(backend)?;
            timings.backward += began.elapsed().as_secs_f64();
        }
        Ok(())
    }
}
