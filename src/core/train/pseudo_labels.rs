//! Self-training within a run: unlabelled examples, labelled by the current model, join the batches
//! of labelled ones, as in `FixMatch` (Sohn et al., 2020) with dropout as the only noise.
//!
//! In each step after the warm-up, `M` unlabelled examples are drawn, the model (with `--ema-decay` its average) predicts
//! them without dropout, and those whose highest probability is at least the threshold are trained on
//! with the predicted class as their label. The loss of the step is
//! `labelled loss + weight × (sum of their losses) / M`.
//!
//! Of the parts in which one process predicts the examples of a step, rank r of several processes predicts
//! the r-th of every `world_size`; the labels are then exchanged, so that all ranks know the whole step.
//!
//! Which examples are drawn is a function of the data seed and the step, and their labels are a
//! function of the weights: there is no state to restore when a run is resumed.

use super::arguments::TrainingArguments;
use crate::core::collective::{Collective, is_shared};
use crate::core::data::batching::{BatchRole, Example, PackedBatch, within_budget};
use crate::core::data::sampling::Generator;
use crate::core::engine::logits::{class_of, confidence_of};
use crate::core::engine::{Engine, EngineError, EngineResult, StepInput};
use crate::core::text::sanitize_for_terminal;

/// Tells the order of unlabelled examples from that of labelled ones, which has the same seed.
const STREAM: u64 = 0x756e_6c61_6265_6c6c;

/// Instead of a class: the example is not trained on.
const UNLABELLED: u32 = u32::MAX;

/// Draws unlabelled examples, and labels them.
pub(super) struct PseudoLabels<'a> {
    examples: &'a [Example],
    arguments: &'a TrainingArguments,
    /// The first step with pseudo-labels, counted from 1.
    first_step: u64,
    classes: usize,
    /// The least length in tokens that sequences are padded to where an engine pads them.
    pad_to: usize,
    /// The most examples that are computed at once.
    part_size: usize,
    /// The number of a pass over the examples, and their order in it.
    pass: Option<(u64, Vec<usize>)>,
}

impl<'a> PseudoLabels<'a> {
    /// Pseudo-labels of these examples in a run of `max_steps` steps for a model of `classes`
    /// classes. Without examples, no step has any.
    pub(super) fn new(
        examples: &'a [Example],
        arguments: &'a TrainingArguments,
        max_steps: u64,
        classes: usize,
        pad_to: usize,
    ) -> Self {
        let warmup = (arguments.pseudo_label_warmup * max_steps as f64).ceil() as u64;
        let part_size = arguments.unlabelled_batch_size;
        Self { examples, arguments, first_step: warmup + 1, classes, pad_to, part_size, pass: None }
    }

    /// Computes the examples of a step in at least this many parts.
    pub(super) fn divided(mut self, division: usize) -> Self {
        self.part_size = self.arguments.unlabelled_batch_size.div_ceil(division.max(1));
        self
    }

    /// The input of step `number`, counted from 1, with the pseudo-labelled examples added, and
    /// their fraction of the examples that were drawn; `None` in a step without pseudo-labels.
    ///
    /// # Errors
    /// If a computation fails.
    pub(super) fn extend(
        &mut self,
        engine: &mut dyn Engine,
        collective: &dyn Collective,
        number: u64,
        input: StepInput,
    ) -> EngineResult<(StepInput, Option<f64>)> {
        if self.examples.is_empty() || number < self.first_step {
            return Ok((input, None));
        }
        let drawn = self.draw(number);
        let weight = self.arguments.pseudo_label_weight * input.total_weight();
        let weight = (weight / drawn.len() as f64) as f32;
        let lengths: Vec<usize> = drawn.iter().map(|example| example.ids.len()).collect();
        let all: Vec<usize> = (0..drawn.len()).collect();
        let parts = within_budget(&all, &lengths, self.arguments.max_tokens_per_batch);
        let parts = parts.into_iter().flat_map(|part| part.chunks(self.part_size.max(1)));
        let parts: Vec<Vec<&Example>> =
            parts.map(|part| part.iter().map(|&index| drawn[index]).collect()).collect();
        let own = parts.iter().skip(collective.rank()).step_by(collective.world_size());
        let own = own.map(|part| self.predict(engine, part)).collect::<EngineResult<Vec<_>>>();
        let labels = exchange_labels(collective, own, &parts)?;
        let mut batches = Vec::new();
        let mut count = 0;
        for (part, labels) in parts.iter().zip(labels) {
            let labelled = part.iter().zip(labels).filter(|&(_, label)| label != UNLABELLED);
            let labelled = labelled.map(|(example, label)| Example { label, ..(*example).clone() });
            let kept: Vec<Example> = labelled.collect();
            if !kept.is_empty() {
                count += kept.len();
                let batch = PackedBatch::new(&kept, self.pad_to);
                batches.push(batch.weighted(vec![weight; kept.len()], BatchRole::PseudoLabelled));
            }
        }
        let fraction = count as f64 / drawn.len() as f64;
        Ok((input.with(batches, collective.world_size()), Some(fraction)))
    }

    /// The predicted class of each example; [`UNLABELLED`] below the threshold.
    fn predict(&self, engine: &mut dyn Engine, part: &[&Example]) -> EngineResult<Vec<u32>> {
        let logits = engine.logits(&PackedBatch::new(part.iter().copied(), self.pad_to))?;
        let label = |row: &[f32]| {
            let is_sure = confidence_of(row) >= self.arguments.pseudo_label_threshold;
            if is_sure { class_of(row) } else { UNLABELLED }
        };
        Ok(logits.chunks_exact(self.classes).map(label).collect())
    }

    /// The unlabelled examples of step `number`: each pass over all examples has its own order, and
    /// each step takes the next of them, from step 1 on.
    fn draw(&mut self, number: u64) -> Vec<&'a Example> {
        let len = self.examples.len() as u64;
        let count = len.min(self.arguments.unlabelled_batch_size as u64);
        let mut drawn = Vec::with_capacity(count as usize);
        for position in (number - 1) * count..number * count {
            let (pass, index) = (position / len, (position % len) as usize);
            if self.pass.as_ref().is_none_or(|(current, _)| *current != pass) {
                let seed = [self.arguments.data_seed, STREAM, pass];
                let order = Generator::from_entropy(&seed).permutation(self.examples.len());
                self.pass = Some((pass, order));
            }
            drawn.extend(self.pass.iter().map(|(_, order)| &self.examples[order[index]]));
        }
        drawn
    }
}

/// The labels of all parts, from those of the parts of each rank. If a rank could not predict its parts, all
/// ranks fail with its error.
fn exchange_labels(
    collective: &dyn Collective,
    own: EngineResult<Vec<Vec<u32>>>,
    parts: &[Vec<&Example>],
) -> EngineResult<Vec<Vec<u32>>> {
    if !is_shared(collective) {
        return own;
    }
    let failed = |error: &dyn std::fmt::Display| EngineError(error.to_string());
    let own = serde_json::to_vec(&own.map_err(|error| error.0)).map_err(|error| failed(&error))?;
    let all = collective.all_gather_bytes(&own).map_err(|error| failed(&error))?;
    let mut of_ranks = Vec::with_capacity(all.len());
    for (bytes, rank) in all.iter().zip(0..) {
        let of_rank: Result<Vec<Vec<u32>>, String> =
            serde_json::from_slice(bytes).map_err(|error| failed(&error))?;
        let of_rank = of_rank.map_err(|error| {
            failed(&format_args!("rank {rank}: {}", sanitize_for_terminal(&error)))
        })?;
        of_ranks.push(of_rank.into_iter());
    }
    let mut labels = Vec::with_capacity(parts.len());
    for (part, rank) in parts.iter().zip((0..of_ranks.len()).cycle()) {
        let of_part = of_ranks[rank].next().filter(|of_part| of_part.len() == part.len());
        labels.push(of_part.ok_or_else(|| failed(&format_args!("rank {rank} lacks labels")))?);
    }
    Ok(labels)
}

#[cfg(test)]
#[path = "pseudo_labels_tests.rs"]
mod tests;
