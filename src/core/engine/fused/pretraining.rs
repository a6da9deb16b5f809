//! Pretraining on plain text: masked language modeling (Devlin et al., 2019), and telling the tokens
//! apart that a generator replaced (ELECTRA; Clark et al., 2020).

mod losses;

use super::network::Network;
use super::token_head::TokenHead;
use super::workspace::Workspace;
use super::{FusedEngine, TrainingState};
use crate::core::collective::Collective;
use crate::core::data::batching::PackedBatch;
use crate::core::data::masking::{DrawKey, MaskedTokens, Masker};
use crate::core::engine::{
    Engine, EngineError, EngineResult, LossParts, OptimizerOptions, PretrainingLosses, StepInput,
    StepOptions, StepTimings,
};
use crate::core::model::SequenceClassifier;
use crate::core::ops::backend::{Moments, PretrainingOps, StepMetrics};
use crate::core::ops::{Backend, DropoutKey};
use candle_core::Result;
use losses::BatchScales;
use std::sync::Arc;
use std::time::Instant;

/// The settings of pretraining.
#[derive(Clone, Debug, PartialEq)]
pub struct PretrainingSettings {
    /// Which tokens are masked.
    pub masker: Masker,
    /// The seed of the masks of evaluations.
    pub evaluation_seed: u64,
    /// The discriminator's weight in the total loss; 50 in ELECTRA.
    pub discriminator_weight: f64,
    /// The factor of the learning rate of the head and of the generator.
    pub head_lr_factor: f64,
    /// The number of steps at the start in which the encoder stays as it is.
    pub frozen_steps: u64,
}

/// A masked batch, and the tokens that replace the masked ones if they are not to be drawn.
#[derive(Clone, Debug, Default)]
pub struct MaskedBatch {
    /// The original texts.
    pub original: PackedBatch,
    /// The masked tokens.
    pub masked: MaskedTokens,
    /// `[masked]`: the tokens that the generator proposes; drawn from its predictions if `None`.
    pub proposed: Option<Vec<u32>>,
    /// The key of these draws.
    pub key: Option<DrawKey>,
}

/// An engine that trains a model on texts without labels.
pub struct PretrainingEngine<B: Backend> {
    inner: FusedEngine<B>,
    settings: PretrainingSettings,
    generator: Option<Network>,
    generator_work: Workspace<B>,
    token_head: TokenHead<B>,
    replaced_head: TokenHead<B>,
    /// Every id of the vocabulary: the last layer of a language modeling head uses all rows of the
    /// token table.
    vocabulary: Vec<u32>,
    /// Those of the step whose metrics were returned last.
    parts: Option<LossParts>,
}

/// What a seed is combined with for the generator's dropout.
const GENERATOR_SEED: u64 = 0x6765_6E65_7261_746F;

impl<B: Backend + PretrainingOps> PretrainingEngine<B> {
    /// An engine for `model`, whose task is a pretraining objective and for which `inner` was made.
    ///
    /// # Errors
    /// If the model is a classifier, or its vocabulary is smaller than the masker's.
    pub fn new(
        inner: FusedEngine<B>,
        model: &SequenceClassifier,
        settings: PretrainingSettings,
    ) -> Result<Self> {
        let tables = &inner.network.layout.tables;
        if !model.config().task.is_pretraining() {
            candle_core::bail!("the model is a classifier, which is not pretrained");
        }
        if settings.masker.vocab_size() > tables.vocabulary {
            candle_core::bail!(
                "the tokenizer has {} tokens, but the model's vocab_size is {}",
                settings.masker.vocab_size(),
                tables.vocabulary
            );
        }
        Ok(Self {
            generator: Network::generator(model.config(), model.layout()),
            vocabulary: (0..tables.vocabulary as u32).collect(),
            inner,
            settings,
            generator_work: Workspace::new(),
            token_head: TokenHead::default(),
            replaced_head: TokenHead::default(),
            parts: None,
        })
    }

    /// The device.
    #[cfg(test)]
    pub(crate) fn backend(&self) -> &B {
        &self.inner.backend
    }

    /// Keeps the parts of the loss of a step whose metrics are returned.
    fn keep_parts(&mut self, metrics: &StepMetrics) {
        let [generator, discriminator] = metrics.parts;
        self.parts = self.generator.as_ref().map(|_| LossParts { generator, discriminator });
    }

    /// Masks the micro-batches of a step, those of all ranks.
    fn masked(&self, input: &StepInput, options: &StepOptions) -> Vec<MaskedBatch> {
        let batches = input.batches.iter().enumerate();
        let batches = batches.map(|(index, batch)| {
            let key = DrawKey::new(options.seed, options.number, index);
            MaskedBatch {
                masked: self.settings.masker.mask(batch, key),
                original: batch.clone(),
                proposed: None,
                key: Some(key),
            }
        });
        batches.collect()
    }

    /// Runs one optimizer step on masked batches.
    ///
    /// # Errors
    /// As [`Engine::step`].
    pub fn step_on(&mut self, batches: &[MaskedBatch], options: &StepOptions) -> Result<()> {
        let all: Vec<usize> = (0..batches.len()).collect();
        self.step_on_own(batches, &all, options)
    }

    /// As [`Self::step_on`]; this rank computes the batches with the indices `own`.
    fn step_on_own(
        &mut self,
        batches: &[MaskedBatch],
        own: &[usize],
        options: &StepOptions,
    ) -> Result<()> {
        self.inner.timings = StepTimings::default();
        if let Some(ranks) = &mut self.inner.ranks {
            ranks.begin()?;
        }
        let computed = self.backpropagate(batches, own, options);
        self.inner.add_up(computed)?;
        self.update(options)
    }

    /// The gradients of the batches with the indices `own`, and their losses.
    fn backpropagate(
        &mut self,
        batches: &[MaskedBatch],
        own: &[usize],
        options: &StepOptions,
    ) -> Result<()> {
        let count = |f: fn(&MaskedBatch) -> usize| batches.iter().map(f).sum::<usize>().max(1);
        let masked_count = count(|batch| batch.masked.rows.len());
        let tokens = count(|batch| batch.original.rows());
        {
            let Self { inner, vocabulary, .. } = self;
            let FusedEngine { backend, parameters, training, .. } = inner;
            let Some(TrainingState { gradients, optimizer }) = training else {
                candle_core::bail!("training has not begun");
            };
            backend.install(|| {
                backend.begin_step(vocabulary, parameters, gradients, optimizer)?;
                backend.prepare_token_table(parameters)?;
                backend.clear(gradients)
            })?;
        }
        for &index in own {
            let key = |seed: u64| DropoutKey::new(seed, options.number, index);
            let scales = BatchScales {
                masked: 1.0 / masked_count as f32,
                replaced: (self.settings.discriminator_weight / tokens as f64) as f32,
                replaced_part: 1.0 / tokens as f32,
                dropout: Some([key(options.seed), key(options.seed ^ GENERATOR_SEED)]),
            };
            self.losses_of(&batches[index], scales)?;
        }
        Ok(())
    }

    /// Updates the weights with the gradients of the step.
    fn update(&mut self, options: &StepOptions) -> Result<()> {
        let measure_parts = self.inner.measure_parts;
        let FusedEngine { backend, network, parameters, training, timings, .. } = &mut self.inner;
        let Some(TrainingState { gradients, optimizer }) = training else {
            candle_core::bail!("training has not begun");
        };
        let began = Instant::now();
        let (head, end) = (network.layout.head.weight, network.layout.len());
        let is_frozen = options.number <= self.settings.frozen_steps;
        let factor = self.settings.head_lr_factor as f32;
        backend.install(|| {
            let mut scaled = Vec::new();
            for (start, end, factor, is_scaled) in
                [(0, head, 0.0, is_frozen), (head, end, factor, factor != 1.0)]
            {
                if is_scaled {
                    scaled.push((start, backend.copy_parameters(parameters, start, end)?, factor));
                }
            }
            backend.end_step(options.update, parameters, gradients, optimizer)?;
            for (start, before, factor) in &scaled {
                backend.scale_change(parameters, *start, before, *factor)?;
            }
            if measure_parts { backend.synchronize() } else { Ok(()) }
        })?;
        timings.optimizer = began.elapsed().as_secs_f64();
        Ok(())
    }

    /// The losses of masked texts, without dropout.
    ///
    /// # Errors
    /// As [`Engine::logits`].
    pub fn losses_on(&mut self, batch: &MaskedBatch) -> Result<PretrainingLosses> {
        let FusedEngine { backend, parameters, training, .. } = &mut self.inner;
        backend.install(|| {
            if let Some(training) = training {
                backend.flush(parameters, &mut training.optimizer)?;
            }
            backend.prepare_token_table(parameters)
        })?;
        let scales = BatchScales { masked: 1.0, replaced: 1.0, replaced_part: 1.0, dropout: None };
        self.losses_of(batch, scales)
    }
}

impl<B: Backend + PretrainingOps> Engine for PretrainingEngine<B> {
    fn logits(&mut self, _: &PackedBatch) -> EngineResult<Vec<f32>> {
        let why = "a pretrained model has no classes, so it does not classify texts";
        Err(EngineError(why.to_owned()))
    }

    fn begin_training_with(&mut self, options: &OptimizerOptions) -> EngineResult<()> {
        if options.ema_decay > 0.0 {
            let why = "pretraining keeps no average of the weights; leave out --ema-decay";
            return Err(EngineError(why.to_owned()));
        }
        self.inner.begin_training_with(options)
    }

    fn join(&mut self, collective: Arc<dyn Collective>) -> EngineResult<Option<String>> {
        self.inner.join(collective)
    }

    fn step(&mut self, input: &StepInput, options: &StepOptions) -> EngineResult<()> {
        let batches = self.masked(input, options);
        let own: Vec<usize> = input.own().map(|(index, _)| index).collect();
        let outcome = self.step_on_own(&batches, &own, options);
        if outcome.is_err() {
            // A smaller step may follow if the memory was used up.
            self.inner.work = Workspace::new();
            self.generator_work = Workspace::new();
        }
        Ok(outcome?)
    }

    fn pretraining_losses(
        &mut self,
        batch: &PackedBatch,
        number: u64,
    ) -> EngineResult<Option<PretrainingLosses>> {
        let key = DrawKey::new(!self.settings.evaluation_seed, number, 0);
        let batch = MaskedBatch {
            masked: self.settings.masker.mask(batch, key),
            original: batch.clone(),
            proposed: None,
            key: Some(key),
        };
        Ok(Some(self.losses_on(&batch)?))
    }

    fn loss_parts(&self) -> Option<LossParts> {
        self.parts
    }

    fn step_metrics(&mut self) -> EngineResult<StepMetrics> {
        let metrics = self.inner.step_metrics()?;
        self.keep_parts(&metrics);
        Ok(metrics)
    }

    fn ready_metrics(&mut self) -> EngineResult<Option<StepMetrics>> {
        let metrics = self.inner.ready_metrics()?;
        if let Some(metrics) = &metrics {
            self.keep_parts(metrics);
        }
        Ok(metrics)
    }

    fn gradients(&mut self) -> EngineResult<Vec<f32>> {
        self.inner.gradients()
    }

    fn store(&mut self) -> EngineResult<()> {
        self.inner.store()
    }

    fn reload(&mut self) -> EngineResult<()> {
        self.inner.reload()
    }

    fn moments(&mut self) -> EngineResult<Moments> {
        self.inner.moments()
    }

    fn restore(&mut self, moments: Moments) -> EngineResult<()> {
        self.inner.restore(moments)
    }

    fn measure_parts(&mut self, measure: bool) {
        self.inner.measure_parts(measure);
    }

    fn timings(&self) -> Option<StepTimings> {
        self.inner.timings()
    }

    fn matmul_rate(&mut self) -> EngineResult<Option<f64>> {
        self.inner.matmul_rate()
    }

    fn peak_memory(&self) -> Option<usize> {
        self.inner.peak_memory()
    }

    fn take_warning(&mut self) -> Option<String> {
        self.inner.take_warning()
    }

    fn device(&self) -> String {
        self.inner.device()
    }

    fn note(&self) -> Option<&str> {
        self.inner.note()
    }
}
