//! Prepares the inputs of optimizer steps in advance, on another thread.

use crate::core::data::batching::{BatchRole, Example, PackedBatch, epoch_batches, within_budget};
use crate::core::engine::StepInput;
use crate::core::train::arguments::TrainingArguments;
use crossbeam_channel::{Receiver, bounded};

/// The number of inputs prepared in advance.
const PREFETCHED: usize = 2;

/// The steps to prepare and the examples they use.
pub(super) struct StepPlan<'a> {
    pub examples: &'a [Example],
    pub arguments: &'a TrainingArguments,
    /// The least length in tokens that sequences are padded to where an engine pads them.
    pub pad_to: usize,
    /// The weight of each class; `None` if all are 1.
    pub class_weights: Option<Vec<f32>>,
    /// The number of parts in which each batch is computed.
    pub division: usize,
    /// The rank of this process among the `world_size` of the arguments.
    pub rank: usize,
    /// The number of steps already completed.
    pub first: u64,
    /// The number of the last step.
    pub end: u64,
}

impl StepPlan<'_> {
    /// Calls `send` with the input of each step until `send` returns `false`.
    fn for_each(&self, mut send: impl FnMut(StepInput) -> bool) {
        let arguments = self.arguments;
        let lengths: Vec<usize> = self.examples.iter().map(|e| e.ids.len()).collect();
        let steps_per_epoch = arguments.steps_per_epoch(self.examples.len());
        let mut step = self.first;
        while step < self.end {
            let batches = epoch_batches(
                &lengths,
                arguments.train_sampling_strategy,
                arguments.per_device_train_batch_size,
                arguments.data_seed,
                step / steps_per_epoch,
            );
            let steps = batches.chunks(arguments.batches_per_step());
            for batches in steps.skip((step % steps_per_epoch) as usize) {
                if step >= self.end || !send(self.input(batches, &lengths)) {
                    return;
                }
                step += 1;
            }
        }
    }

    fn input(&self, batches: &[Vec<usize>], lengths: &[usize]) -> StepInput {
        let (copies, role) = self.copies();
        // Each copy of an example has its share of the budget.
        let budget = self.arguments.max_tokens_per_batch.map(|budget| budget / copies);
        let size = self.arguments.per_device_train_batch_size;
        let part_size = size.div_ceil(self.division.max(1)).max(1);
        // As accelerate's `BatchSamplerShard`: rank r has the r-th of every `world_size` batches.
        let owners = (0..self.arguments.world_size.max(1)).cycle();
        let parts = batches.iter().zip(owners).flat_map(|(batch, owner)| {
            let parts = within_budget(batch, lengths, budget).into_iter();
            parts.flat_map(|part| part.chunks(part_size)).map(move |part| (part, owner))
        });
        let batch = |indices: &[usize]| {
            let copied = std::iter::repeat_n(indices, copies).flatten();
            let batch = PackedBatch::new(copied.map(|&index| &self.examples[index]), self.pad_to);
            let weights = self.weights(&batch.labels);
            batch.weighted(weights, role)
        };
        let (batches, owners) = parts.map(|(part, owner)| (batch(part), owner)).unzip();
        if self.arguments.world_size <= 1 {
            return StepInput::new(batches);
        }
        StepInput::shared(batches, owners, self.rank)
    }

    /// How often each example is in its batch, and the role of such a batch.
    fn copies(&self) -> (usize, BatchRole) {
        if self.arguments.rdrop_alpha > 0.0 {
            (2, BatchRole::LabelledTwice)
        } else {
            (1, BatchRole::Labelled)
        }
    }

    /// The weights of examples with these labels; none if all weights are 1.
    fn weights(&self, labels: &[u32]) -> Vec<f32> {
        let Some(weights) = &self.class_weights else {
            return Vec::new();
        };
        labels.iter().map(|&label| weights.get(label as usize).copied().unwrap_or(1.0)).collect()
    }
}

/// Runs `work` with a channel of the step inputs, which another thread prepares in advance.
pub(super) fn prefetch<R>(plan: &StepPlan<'_>, work: impl FnOnce(Receiver<StepInput>) -> R) -> R {
    let (sender, inputs) = bounded(PREFETCHED);
    std::thread::scope(|scope| {
        // Sending fails after `work` has returned, which ends the thread.
        scope.spawn(move || plan.for_each(|input| sender.send(input).is_ok()));
        work(inputs)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::trainer::tests::arguments;

    fn plan<'a>(
        examples: &'a [Example],
        arguments: &'a TrainingArguments,
        first: u64,
        end: u64,
    ) -> StepPlan<'a> {
        StepPlan {
            examples,
            arguments,
            pad_to: 0,
            class_weights: None,
            division: 1,
            rank: 0,
            first,
            end,
        }
    }

    #[test]
    fn a_resumed_plan_has_the_inputs_of_the_original_plan() {
        let examples: Vec<Example> =
            (0..37).map(|i| Example::new(vec![2; 3 + i % 7], i as u32 % 2)).collect();
        let mut arguments = arguments(|_| {});
        arguments.per_device_train_batch_size = 4;
        arguments.gradient_accumulation_steps = 3;
        arguments.max_tokens_per_batch = Some(16);
        assert_eq!(arguments.steps_per_epoch(37), 4);
        let all: Vec<StepInput> =
            prefetch(&plan(&examples, &arguments, 0, 11), |inputs| inputs.iter().collect());
        assert_eq!(all.len(), 11);
        // The tenth batch of an epoch is the only batch of its step and has one example.
        assert_eq!(all[3].examples(), 1);
        assert_eq!(all[..4].iter().map(StepInput::examples).sum::<usize>(), 37);
        for batch in all.iter().flat_map(|input| &input.batches) {
            assert!(batch.rows() <= 16);
        }
        let later: Vec<StepInput> =
            prefetch(&plan(&examples, &arguments, 6, 11), |inputs| inputs.iter().collect());
        assert_eq!(later, all[6..]);
        let one = prefetch(&plan(&examples, &arguments, 0, 11), |inputs| inputs.iter().next());
        assert_eq!(one.as_ref(), all.first());
    }

    #[test]
    fn ranks_compute_the_steps_of_one_process_that_accumulates() {
        let examples: Vec<Example> =
            (0..37).map(|i| Example::new(vec![2; 3 + i % 7], i as u32 % 2)).collect();
        let with = |world_size, gradient_accumulation_steps| {
            arguments(|arguments| {
                arguments.per_device_train_batch_size = 4;
                arguments.max_tokens_per_batch = Some(16);
                arguments.world_size = world_size;
                arguments.gradient_accumulation_steps = gradient_accumulation_steps;
            })
        };
        let (one, two) = (with(1, 4), with(2, 2));
        assert_eq!((one.steps_per_epoch(37), two.steps_per_epoch(37)), (3, 3));
        let inputs = |arguments: &TrainingArguments, rank| -> Vec<StepInput> {
            let plan = StepPlan { rank, ..plan(&examples, arguments, 0, 6) };
            prefetch(&plan, |inputs| inputs.iter().collect())
        };
        let (whole, first, second) = (inputs(&one, 0), inputs(&two, 0), inputs(&two, 1));
        for (whole, (first, second)) in whole.iter().zip(first.iter().zip(&second)) {
            assert_eq!(whole.distinct_tokens, second.distinct_tokens);
            assert_eq!(whole.examples(), second.examples());
            let mut own: Vec<_> = first.own().chain(second.own()).collect();
            own.sort_by_key(|&(index, _)| index);
            // With the same numbers, they have the same dropout.
            assert_eq!(own, whole.own().collect::<Vec<_>>());
        }
        // The last step of an epoch has the tenth batch, which is of rank 1: 37 = 9 × 4 + 1.
        let counts = |input: &StepInput| input.own().map(|(_, b)| b.batch_size()).sum::<usize>();
        assert_eq!((counts(&first[2]), counts(&second[2])), (4, 1));
    }

    #[test]
    fn with_rdrop_each_part_of_a_batch_has_its_examples_twice() {
        let examples: Vec<Example> =
            (0..10).map(|i| Example::new(vec![2; 3 + i % 3], i as u32 % 2)).collect();
        let with = |rdrop_alpha| {
            arguments(|arguments| {
                arguments.per_device_train_batch_size = 5;
                arguments.max_tokens_per_batch = Some(20);
                arguments.rdrop_alpha = rdrop_alpha;
            })
        };
        let (once, twice) = (with(0.0), with(1.0));
        let inputs = |arguments: &TrainingArguments, class_weights| -> Vec<StepInput> {
            let plan = StepPlan { class_weights, ..plan(&examples, arguments, 0, 2) };
            prefetch(&plan, |inputs| inputs.iter().collect())
        };
        let (once, twice) = (inputs(&once, None), inputs(&twice, Some(vec![0.5, 2.0])));
        for (once, twice) in once.iter().zip(&twice) {
            assert_eq!((twice.examples(), twice.tokens()), (once.examples(), once.tokens()));
            assert!(twice.batches.len() > once.batches.len());
            for batch in &twice.batches {
                assert!(batch.rows() <= 20);
                let half = batch.batch_size() / 2;
                let sequences: Vec<_> = batch.sequences().collect();
                assert_eq!(sequences[..half], sequences[half..]);
                assert_eq!(batch.labels[..half], batch.labels[half..]);
                for (&label, &weight) in batch.labels.iter().zip(&batch.weights) {
                    assert_eq!(weight, [0.5, 2.0][label as usize]);
                }
            }
        }
    }

    #[test]
    fn padded_tokens_count_padding_to_the_longest_sequence_or_to_the_fixed_length() {
        let examples: Vec<Example> = (0..23).map(|i| Example::new(vec![2; 3 + i % 7], 0)).collect();
        let arguments = arguments(|arguments| {
            arguments.per_device_train_batch_size = 4;
            arguments.max_tokens_per_batch = Some(18);
        });
        let padded_tokens = |pad_to| -> Vec<usize> {
            let plan = StepPlan { pad_to, ..plan(&examples, &arguments, 0, 6) };
            prefetch(&plan, |inputs| inputs.iter().map(|input| input.padded_tokens()).collect())
        };
        let lengths: Vec<usize> = examples.iter().map(|example| example.ids.len()).collect();
        let strategy = arguments.train_sampling_strategy;
        let batches = epoch_batches(&lengths, strategy, 4, arguments.data_seed, 0);
        for pad_to in [0, 9] {
            let padded = |part: &[usize]| {
                let longest = part.iter().map(|&index| lengths[index]).max().unwrap_or(0);
                part.len() * longest.max(pad_to)
            };
            let step = |batch: &Vec<usize>| -> usize {
                within_budget(batch, &lengths, Some(18)).into_iter().map(padded).sum()
            };
            assert_eq!(padded_tokens(pad_to), batches.iter().map(step).collect::<Vec<_>>());
        }
        assert_eq!(padded_tokens(9).iter().sum::<usize>(), 23 * 9);
    }
}
