//! From tokenized reviews to padded batches.

use super::sampling::Generator;
use crate::core::named::named_enum;
use serde::{Deserialize, Serialize};

/// One review as the model reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Token ids, `[CLS]` and `[SEP]` included, truncated.
    pub ids: Vec<u32>,
    /// The class.
    pub label: u32,
}

named_enum! {
    /// The order of training examples, and which of them share a batch.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum SamplingStrategy {
        /// Shuffled, then grouped so that a batch holds reviews of like length (least padding)
        GroupByLength = "group_by_length",
        /// Shuffled
        Random = "random",
        /// In the order of the data
        Sequential = "sequential",
    }
}

/// Groups of this many batches are sorted by length among themselves, as in transformers'
/// `get_length_grouped_indices`.
const BATCHES_A_GROUP: usize = 50;

/// Which examples make up each batch of an epoch. The same arguments give the same batches on
/// every machine.
///
/// With `group_by_length`, the examples are shuffled, cut into groups of up to 50 batches (fewer
/// for small data, so that there are at least four groups), sorted by length within a group, cut
/// into batches, and the batches shuffled; the one with the longest example comes first, so that
/// a lack of memory shows at once.
pub fn epoch_batches(
    lengths: &[usize],
    strategy: SamplingStrategy,
    batch_size: usize,
    data_seed: u64,
    epoch: u64,
) -> Vec<Vec<usize>> {
    let batch_size = batch_size.max(1);
    let mut generator = Generator::from_entropy(&[data_seed, epoch]);
    let mut order = match strategy {
        SamplingStrategy::Sequential => (0..lengths.len()).collect(),
        SamplingStrategy::Random | SamplingStrategy::GroupByLength => {
            generator.permutation(lengths.len())
        }
    };
    if strategy != SamplingStrategy::GroupByLength {
        return order.chunks(batch_size).map(<[usize]>::to_vec).collect();
    }
    let group = (lengths.len() / (batch_size * 4)).clamp(1, BATCHES_A_GROUP) * batch_size;
    for chunk in order.chunks_mut(group) {
        chunk.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
    }
    let mut batches: Vec<Vec<usize>> = order.chunks(batch_size).map(<[usize]>::to_vec).collect();
    generator.shuffle(&mut batches);
    let longest = |batch: &Vec<usize>| batch.iter().map(|&i| lengths[i]).max();
    if let Some(first) = (0..batches.len()).max_by_key(|&i| (longest(&batches[i]), usize::MAX - i))
    {
        batches.swap(0, first);
    }
    batches
}

/// Cuts a batch so that no part has more than `budget` tokens, unless a single example has; in
/// order, and no more parts than needed for that.
pub fn within_budget<'a>(
    batch: &'a [usize],
    lengths: &[usize],
    budget: Option<usize>,
) -> Vec<&'a [usize]> {
    let Some(budget) = budget else {
        return vec![batch];
    };
    let mut parts = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (place, &example) in batch.iter().enumerate() {
        if place > start && tokens + lengths[example] > budget {
            parts.push(&batch[start..place]);
            (start, tokens) = (place, 0);
        }
        tokens += lengths[example];
    }
    parts.push(&batch[start..]);
    parts
}

/// Batches for evaluation: sorted by length, longest first, whatever the training order.
pub fn evaluation_batches(lengths: &[usize], batch_size: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
    order.chunks(batch_size.max(1)).map(<[usize]>::to_vec).collect()
}

/// Token ids padded to one length, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// `[batch, length]`, row-major.
    pub input_ids: Vec<u32>,
    /// `[batch]`: how many tokens of each row are real.
    pub lengths: Vec<u32>,
    /// `[batch]`.
    pub labels: Vec<u32>,
    /// The length all rows were padded to.
    pub length: usize,
}

impl Batch {
    /// Pads the examples to the longest of them, or to `pad_to` if that is longer.
    pub fn new<'a>(
        examples: impl IntoIterator<Item = &'a Example>,
        pad_id: u32,
        pad_to: usize,
    ) -> Self {
        let examples: Vec<&Example> = examples.into_iter().collect();
        let longest = examples.iter().map(|e| e.ids.len()).max().unwrap_or(0);
        let length = longest.max(pad_to);
        let mut input_ids = Vec::with_capacity(examples.len() * length);
        for example in &examples {
            input_ids.extend_from_slice(&example.ids);
            input_ids.resize(input_ids.len() + length - example.ids.len(), pad_id);
        }
        Self {
            input_ids,
            lengths: examples.iter().map(|e| e.ids.len() as u32).collect(),
            labels: examples.iter().map(|e| e.label).collect(),
            length,
        }
    }

    /// The number of rows.
    pub fn size(&self) -> usize {
        self.labels.len()
    }

    /// The number of tokens that are not padding.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().map(|&n| n as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SamplingStrategy::{GroupByLength, Random, Sequential};
    use proptest::prelude::*;

    fn padding(batches: &[Vec<usize>], lengths: &[usize]) -> usize {
        let longest = |b: &Vec<usize>| b.iter().map(|&i| lengths[i]).max().unwrap_or(0);
        batches.iter().map(|b| b.len() * longest(b)).sum()
    }

    proptest! {
        #[test]
        fn every_example_comes_exactly_once(
            lengths in proptest::collection::vec(2usize..120, 0..400),
            batch_size in 1usize..40,
            seed: u64,
            epoch in 0u64..20,
        ) {
            for strategy in [GroupByLength, Random, Sequential] {
                let batches = epoch_batches(&lengths, strategy, batch_size, seed, epoch);
                let mut seen: Vec<usize> = batches.iter().flatten().copied().collect();
                seen.sort_unstable();
                prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
                prop_assert_eq!(batches.len(), lengths.len().div_ceil(batch_size));
                prop_assert!(batches.iter().all(|b| b.len() <= batch_size));
            }
        }
    }

    #[test]
    fn grouping_saves_padding_and_starts_with_the_longest() {
        let lengths: Vec<usize> = Generator::new(3).permutation(2000);
        let grouped = epoch_batches(&lengths, GroupByLength, 32, 42, 0);
        let random = epoch_batches(&lengths, Random, 32, 42, 0);
        assert!(padding(&grouped, &lengths) * 10 < padding(&random, &lengths) * 7);
        assert!(grouped[0].iter().any(|&i| lengths[i] == 1999));
    }

    #[test]
    fn epochs_and_seeds_differ_and_repeat() {
        let lengths = vec![5; 100];
        let of = |seed, epoch| epoch_batches(&lengths, Random, 8, seed, epoch);
        assert_eq!(of(1, 0), of(1, 0));
        assert_ne!(of(1, 0), of(1, 1));
        assert_ne!(of(1, 0), of(2, 0));
        // numpy 2.4: default_rng([42, 3]).permutation(10)
        assert_eq!(epoch_batches(&[1; 10], Random, 10, 42, 3), [[4, 3, 7, 2, 5, 1, 9, 8, 0, 6]]);
    }

    #[test]
    fn a_budget_cuts_batches_in_order() {
        let lengths = [5, 9, 3, 20, 1];
        let parts = |budget| within_budget(&[0, 1, 2, 3, 4], &lengths, budget);
        assert_eq!(parts(None), [&[0, 1, 2, 3, 4][..]]);
        assert_eq!(parts(Some(14)), [&[0, 1][..], &[2], &[3], &[4]]);
        assert_eq!(parts(Some(100)).len(), 1);
        assert_eq!(parts(Some(0)).len(), 5);
    }

    #[test]
    fn padding_goes_to_the_longest_or_to_the_fixed_length() {
        let example = |ids: &[u32], label| Example { ids: ids.to_vec(), label };
        let examples = [example(&[2, 7, 3], 1), example(&[2, 3], 0)];
        let batch = Batch::new(&examples, 0, 0);
        assert_eq!(batch.input_ids, [2, 7, 3, 2, 3, 0]);
        assert_eq!((batch.size(), batch.tokens(), batch.length), (2, 5, 3));
        assert_eq!(Batch::new(&examples, 9, 5).input_ids, [2, 7, 3, 9, 9, 2, 3, 9, 9, 9]);
    }
}
