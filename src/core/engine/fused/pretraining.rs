//! Pretraining on plain text: masked language modeling (Devlin et al., 2019), and telling the tokens
//! apart that a generator replaced (ELECTRA; Clark et al., 2020).

use super::forward::{FusedPass, SavedActivations};
use super::network::Network;
use super::token_head::TokenHead;
use super::workspace::Workspace;
use super::{FusedEngine, TrainingState};
use crate::core::data::batching::PackedBatch;
use crate::core::data::masking::{Draw, DrawKey, MaskedTokens, Masker};
use crate::core::engine::{
    Engine, EngineError, EngineResult, LossParts, OptimizerOptions, PretrainingLosses, StepInput,
    StepOptions, StepTimings,
};
use crate::core::model::SequenceClassifier;
use crate::core::ops::backend::{Moments, PretrainingOps, ReplacedLosses, StepMetrics};
use crate::core::ops::{Backend, DropoutKey};
use candle_core::Result;
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
    parts: Option<LossParts>,
}

/// The scales and keys of one batch of a step.
#[derive(Clone, Copy)]
struct BatchScales {
    /// 1 / the number of masked tokens of the step.
    masked: f32,
    /// The discriminator's weight / the number of tokens of the step.
    replaced: f32,
    /// The keys of dropout in the model and in the generator; none in an evaluation.
    dropout: Option<[DropoutKey; 2]>,
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

    /// Masks the micro-batches of a step.
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
        let count = |f: fn(&MaskedBatch) -> usize| batches.iter().map(f).sum::<usize>().max(1);
        let masked_count = count(|batch| batch.masked.rows.len());
        let tokens = count(|batch| batch.original.rows());
        let mut losses = PretrainingLosses::default();
        {
            let Self { inner, vocabulary, .. } = self;
            let FusedEngine { backend, parameters, training, timings, .. } = inner;
            let Some(TrainingState { gradients, optimizer }) = training else {
                candle_core::bail!("training has not begun");
            };
            *timings = StepTimings::default();
            backend.install(|| {
                backend.begin_step(vocabulary, parameters, gradients, optimizer)?;
                backend.clear(gradients);
                Ok::<_, candle_core::Error>(())
            })?;
        }
        for (index, batch) in batches.iter().enumerate() {
            let key = |seed: u64| DropoutKey::new(seed, options.number, index);
            let scales = BatchScales {
                masked: 1.0 / masked_count as f32,
                replaced: (self.settings.discriminator_weight / tokens as f64) as f32,
                dropout: Some([key(options.seed), key(options.seed ^ GENERATOR_SEED)]),
            };
            let of_batch = self.losses_of(batch, scales)?;
            losses.masked.add(of_batch.masked);
            if let Some(replaced) = of_batch.replaced {
                losses.replaced.get_or_insert_with(ReplacedLosses::default).add(replaced);
            }
        }
        self.parts = losses.replaced.map(|replaced| LossParts {
            generator: losses.masked.sum / masked_count as f64,
            discriminator: replaced.sum / tokens as f64,
        });
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
            Ok::<_, candle_core::Error>(())
        })?;
        timings.optimizer = began.elapsed().as_secs_f64();
        Ok(())
    }

    /// Computes the losses of one batch and, in training, adds its gradients.
    fn losses_of(&mut self, batch: &MaskedBatch, scales: BatchScales) -> Result<PretrainingLosses> {
        let Self {
            inner, generator, generator_work, token_head, replaced_head, vocabulary, ..
        } = self;
        let FusedEngine { backend, network, parameters, training, work, timings, .. } = inner;
        let recompute = inner.gradient_checkpointing;
        let mut gradients = match (training, scales.dropout) {
            (Some(training), Some(_)) => Some(&mut training.gradients),
            _ => None,
        };
        let saved = match (gradients.is_some(), recompute) {
            (false, _) => SavedActivations::None,
            (true, true) => SavedActivations::LayerInputs,
            (true, false) => SavedActivations::All,
        };
        let dropouts = [
            network.dropouts(scales.dropout.map(|keys| keys[0])),
            generator.as_ref().unwrap_or(network).dropouts(scales.dropout.map(|keys| keys[1])),
        ];
        let (backend, network, generator) = (&*backend, &*network, generator.as_ref());
        let (rows, sequences) = (batch.original.rows(), batch.original.batch_size());
        let masked = &batch.masked;
        backend.install(move || {
            let parameters = &*parameters;
            let pass = |network, dropouts| FusedPass {
                backend,
                network,
                parameters,
                dropouts,
                rows,
                sequences,
            };
            let began = Instant::now();
            let input = with_ids(&batch.original, masked.ids.clone(), vocabulary);
            let (language, language_work) = match generator {
                Some(generator) => (pass(generator, &dropouts[1]), generator_work),
                None => (pass(network, &dropouts[0]), &mut *work),
            };
            let last = language.encode(&input, saved, language_work)?;
            language.token_logits(&masked.rows, &language_work.hidden[last], token_head)?;
            let mut proposed = batch.proposed.clone();
            if let (true, None, Some(key)) = (generator.is_some(), &proposed, batch.key) {
                let uniform = |index: usize| key.uniform(Draw::Sample, masked.rows[index] as usize);
                let classes = network.layout.tables.vocabulary;
                proposed = Some(backend.sample_tokens(classes, &token_head.logits, &uniform)?);
            }
            let losses = language.token_losses(
                &masked.labels,
                scales.masked,
                token_head,
                gradients.as_deref_mut(),
            )?;
            timings.forward += began.elapsed().as_secs_f64();
            let began = Instant::now();
            if let Some(gradients) = gradients.as_deref_mut() {
                let grad = &mut language_work.grad;
                language.token_head_backward(&masked.rows, token_head, grad, gradients)?;
                language.encoder_backward(recompute, language_work, gradients)?;
            }
            timings.backward += began.elapsed().as_secs_f64();
            let Some(proposed) = proposed.filter(|_| generator.is_some()) else {
                return Ok(PretrainingLosses { masked: losses, replaced: None });
            };

            let began = Instant::now();
            let mut ids = batch.original.ids.clone();
            for (&row, token) in masked.rows.iter().zip(proposed) {
                ids[row as usize] = token;
            }
            let replaced: Vec<bool> =
                ids.iter().zip(&batch.original.ids).map(|(now, before)| now != before).collect();
            let input = with_ids(&batch.original, ids, vocabulary);
            let discriminator = pass(network, &dropouts[0]);
            let last = discriminator.encode(&input, saved, work)?;
            let hidden = &work.hidden[last];
            let told_apart = discriminator.replaced_losses(
                &replaced,
                scales.replaced,
                hidden,
                replaced_head,
                gradients.as_deref_mut(),
            )?;
            timings.forward += began.elapsed().as_secs_f64();
            let began = Instant::now();
            if let Some(gradients) = gradients {
                let grad = &mut work.grad;
                discriminator.replaced_head_backward(hidden, replaced_head, grad, gradients)?;
                discriminator.encoder_backward(recompute, work, gradients)?;
            }
            timings.backward += began.elapsed().as_secs_f64();
            Ok(PretrainingLosses { masked: losses, replaced: Some(told_apart) })
        })
    }

    /// The losses of masked texts, without dropout.
    ///
    /// # Errors
    /// As [`Engine::logits`].
    pub fn losses_on(&mut self, batch: &MaskedBatch) -> Result<PretrainingLosses> {
        let FusedEngine { backend, parameters, training, .. } = &mut self.inner;
        if let Some(training) = training {
            backend.install(|| backend.flush(parameters, &mut training.optimizer))?;
        }
        let scales = BatchScales { masked: 1.0, replaced: 1.0, dropout: None };
        self.losses_of(batch, scales)
    }
}

/// The batch with other token ids, and the rows in which each id of the vocabulary occurs.
fn with_ids(original: &PackedBatch, ids: Vec<u32>, vocabulary: &[u32]) -> PackedBatch {
    let mut batch = PackedBatch { ids, ..original.clone() };
    crate::core::engine::input::find_occurrences(&mut batch, vocabulary);
    batch
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

    fn step(&mut self, input: &StepInput, options: &StepOptions) -> EngineResult<()> {
        let batches = self.masked(input, options);
        Ok(self.step_on(&batches, options)?)
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
        self.inner.step_metrics()
    }

    fn ready_metrics(&mut self) -> EngineResult<Option<StepMetrics>> {
        self.inner.ready_metrics()
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

    fn moments(&mut self) -> EngineResult<Moments<'_>> {
        self.inner.moments()
    }

    fn restore(&mut self, moments: Moments<'static>) -> EngineResult<()> {
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

    fn device(&self) -> String {
        self.inner.device()
    }

    fn note(&self) -> Option<&str> {
        self.inner.note()
    }
}
