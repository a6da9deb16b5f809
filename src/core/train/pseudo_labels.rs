//! Self-training within a run: unlabelled examples, labelled by the current model, join the batches
//! of labelled ones, as in `FixMatch` (Sohn et al., 2020) with dropout as the only noise.
//!
//! In each step after the warm-up, `M` unlabelled examples are drawn, the model (with `--ema-decay` its average) predicts
//! them without dropout, and those whose highest probability is at least the threshold are trained on
//! with the predicted class as their label. The loss of the step is
//! `labelled loss + weight × (sum of their losses) / M`.
//!
//! Which examples are drawn is a function of the data seed and the step, and their labels are a
//! function of the weights: there is no state to restore when a run is resumed.

use super::arguments::TrainingArguments;
use crate::core::data::batching::{BatchRole, Example, PackedBatch, within_budget};
use crate::core::data::sampling::Generator;
use crate::core::engine::logits::{class_of, confidence_of};
use crate::core::engine::{Engine, EngineResult, StepInput};

/// Tells the order of unlabelled examples from that of labelled ones, which has the same seed.
const STREAM: u64 = 0x756e_6c61_6265_6c6c;

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
        let mut batches = input.batches;
        let mut count = 0;
        let parts = within_budget(&all, &lengths, self.arguments.max_tokens_per_batch);
        for part in parts.into_iter().flat_map(|part| part.chunks(self.part_size.max(1))) {
            let part: Vec<&Example> = part.iter().map(|&index| drawn[index]).collect();
            let logits = engine.logits(&PackedBatch::new(part.iter().copied(), self.pad_to))?;
            let kept: Vec<Example> = part
                .into_iter()
                .zip(logits.chunks_exact(self.classes))
                .filter(|(_, row)| confidence_of(row) >= self.arguments.pseudo_label_threshold)
                .map(|(example, row)| Example { label: class_of(row), ..example.clone() })
                .collect();
            if !kept.is_empty() {
                count += kept.len();
                let batch = PackedBatch::new(&kept, self.pad_to);
                batches.push(batch.weighted(vec![weight; kept.len()], BatchRole::PseudoLabelled));
            }
        }
        let fraction = count as f64 / drawn.len() as f64;
        Ok((StepInput::new(batches), Some(fraction)))
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

#[cfg(test)]
#[path = "pseudo_labels_tests.rs"]
mod tests;
