//! The losses of one masked batch and, in training, their gradients.

use super::{MaskedBatch, PretrainingEngine};
use crate::core::data::batching::PackedBatch;
use crate::core::data::masking::Draw;
use crate::core::engine::PretrainingLosses;
use crate::core::engine::fused::forward::{FusedPass, SavedActivations};
use crate::core::engine::fused::token_head::{ReplacedTokens, TokenHead};
use crate::core::engine::fused::workspace::Workspace;
use crate::core::engine::fused::{FusedEngine, TrainingState};
use crate::core::ops::backend::{PretrainingOps, ReplacedLosses, TokenLosses};
use crate::core::ops::{Backend, DropoutKey};
use candle_core::Result;
use std::time::Instant;

/// The scales and keys of one batch of a step.
#[derive(Clone, Copy)]
pub(super) struct BatchScales {
    /// 1 / the number of masked tokens of the step.
    pub masked: f32,
    /// The discriminator's weight / the number of tokens of the step.
    pub replaced: f32,
    /// 1 / the number of tokens of the step.
    pub replaced_part: f32,
    /// The keys of dropout in the model and in the generator; none in an evaluation.
    pub dropout: Option<[DropoutKey; 2]>,
}

/// What both passes over a batch use.
struct BatchPass<'a, B: Backend> {
    batch: &'a MaskedBatch,
    vocabulary: &'a [u32],
    scales: BatchScales,
    saved: SavedActivations,
    backend: &'a B,
    /// Whether to wait for the device before times are taken.
    waits: bool,
}

/// The seconds of the forward and the backward pass.
type Seconds = [f64; 2];

impl<B: Backend> BatchPass<'_, B> {
    /// Adds the time since `began` and starts anew.
    fn lap(&self, began: &mut Instant, seconds: &mut f64) -> Result<()> {
        if self.waits {
            self.backend.synchronize()?;
        }
        *seconds += began.elapsed().as_secs_f64();
        *began = Instant::now();
        Ok(())
    }
}

/// The batch with other token ids, and the rows in which each id of the vocabulary occurs.
fn with_ids(original: &PackedBatch, ids: Vec<u32>, vocabulary: &[u32]) -> PackedBatch {
    let mut batch = PackedBatch { ids, ..original.clone() };
    crate::core::engine::input::find_occurrences(&mut batch, vocabulary);
    batch
}

impl<B: Backend + PretrainingOps> BatchPass<'_, B> {
    /// Whether activations are computed again in the backward pass.
    fn recomputes(&self) -> bool {
        self.saved == SavedActivations::LayerInputs
    }

    /// Predicts the masked tokens. Returns the losses, but for training, and, of a generator, the
    /// tokens that it proposes.
    fn masked(
        &self,
        pass: &FusedPass<'_, B>,
        generates: bool,
        (work, head): (&mut Workspace<B>, &mut TokenHead<B>),
        mut gradients: Option<&mut B::Gradients>,
        seconds: &mut Seconds,
    ) -> Result<(Option<TokenLosses>, Option<Vec<u32>>)> {
        let Self { batch, backend, .. } = *self;
        let masked = &batch.masked;
        let mut began = Instant::now();
        let input = with_ids(&batch.original, masked.ids.clone(), self.vocabulary);
        let last = pass.encode(&input, self.saved, work)?;
        pass.token_logits(&masked.rows, &work.hidden[last], head)?;
        let mut proposed = batch.proposed.clone().filter(|_| generates);
        if let (true, None, Some(key)) = (generates, &proposed, batch.key) {
            let uniform = |index: usize| key.uniform(Draw::Sample, masked.rows[index] as usize);
            proposed =
                Some(backend.sample_tokens(self.vocabulary.len(), &head.logits, &uniform)?);
        }
        let losses =
            pass.token_losses(&masked.labels, self.scales.masked, head, gradients.as_deref_mut())?;
        self.lap(&mut began, &mut seconds[0])?;
        if let Some(gradients) = gradients {
            pass.token_head_backward(&masked.rows, head, &mut work.grad, gradients)?;
            pass.encoder_backward(self.recomputes(), work, gradients)?;
        }
        self.lap(&mut began, &mut seconds[1])?;
        Ok((losses, proposed))
    }

    /// Tells the proposed tokens from the original ones. Returns the losses, but for training.
    fn replaced(
        &self,
        pass: &FusedPass<'_, B>,
        proposed: Vec<u32>,
        (work, head): (&mut Workspace<B>, &mut TokenHead<B>),
        mut gradients: Option<&mut B::Gradients>,
        seconds: &mut Seconds,
    ) -> Result<Option<ReplacedLosses>> {
        let original = &self.batch.original;
        let mut began = Instant::now();
        let mut ids = original.ids.clone();
        for (&row, token) in self.batch.masked.rows.iter().zip(proposed) {
            ids[row as usize] = token;
        }
        let replaced: Vec<bool> =
            ids.iter().zip(&original.ids).map(|(now, before)| now != before).collect();
        let input = with_ids(original, ids, self.vocabulary);
        let last = pass.encode(&input, self.saved, work)?;
        let hidden = &work.hidden[last];
        let tokens = ReplacedTokens {
            replaced: &replaced,
            scale: self.scales.replaced,
            part_scale: self.scales.replaced_part,
        };
        let losses = pass.replaced_losses(tokens, hidden, head, gradients.as_deref_mut())?;
        self.lap(&mut began, &mut seconds[0])?;
        if let Some(gradients) = gradients {
            pass.replaced_head_backward(hidden, head, &mut work.grad, gradients)?;
            pass.encoder_backward(self.recomputes(), work, gradients)?;
        }
        self.lap(&mut began, &mut seconds[1])?;
        Ok(losses)
    }
}

impl<B: Backend + PretrainingOps> PretrainingEngine<B> {
    /// Computes the losses of one batch. In training it adds them to the metrics of the step, returns
    /// none, and adds the gradients.
    pub(super) fn losses_of(
        &mut self,
        batch: &MaskedBatch,
        scales: BatchScales,
    ) -> Result<PretrainingLosses> {
        let Self {
            inner, generator, generator_work, token_head, replaced_head, vocabulary, ..
        } = self;
        let (recompute, waits) = (inner.gradient_checkpointing, inner.measure_parts);
        let FusedEngine { backend, network, parameters, training, work, timings, .. } = inner;
        let mut gradients = match (training, scales.dropout) {
            (Some(TrainingState { gradients, .. }), Some(_)) => Some(gradients),
            _ => None,
        };
        let trains = gradients.is_some();
        let saved = match (trains, recompute) {
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
        let of_batch = BatchPass { batch, vocabulary, scales, saved, backend, waits };
        backend.install(move || {
            let parameters = &*parameters;
            let pass = |network, dropouts| FusedPass {
                backend,
                network,
                parameters,
                dropouts,
                rows,
                sequences,
                trains,
            };
            let mut seconds = [0.0; 2];
            let (language, language_work) = match generator {
                Some(generator) => (pass(generator, &dropouts[1]), generator_work),
                None => (pass(network, &dropouts[0]), &mut *work),
            };
            let (masked, proposed) = of_batch.masked(
                &language,
                generator.is_some(),
                (language_work, token_head),
                gradients.as_deref_mut(),
                &mut seconds,
            )?;
            let replaced = match proposed {
                Some(proposed) => of_batch.replaced(
                    &pass(network, &dropouts[0]),
                    proposed,
                    (work, replaced_head),
                    gradients,
                    &mut seconds,
                )?,
                None => None,
            };
            timings.forward += seconds[0];
            timings.backward += seconds[1];
            Ok(PretrainingLosses { masked: masked.unwrap_or_default(), replaced })
        })
    }
}
