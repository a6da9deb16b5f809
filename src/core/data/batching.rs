//! Tokenized examples, the order in which they are trained on, and packed batches of them.

use super::sampling::Generator;
use crate::core::named::named_enum;
use serde::{Deserialize, Serialize};

/// One tokenized, labelled text or pair of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Token ids, `[CLS]` and `[SEP]` included, truncated.
    pub ids: Vec<u32>,
    /// The type of each token; empty if all are 0, as in a single text.
    pub type_ids: Vec<u32>,
    /// The class.
    pub label: u32,
}

impl Example {
    /// An example whose tokens have type 0.
    pub fn new(ids: Vec<u32>, label: u32) -> Self {
        Self { ids, type_ids: Vec::new(), label }
    }
}

named_enum! {
    /// The order of training examples, and which of them share a batch.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum SamplingStrategy {
        /// Shuffled, then grouped so that a batch holds texts of similar length (least padding)
        GroupByLength = "group_by_length",
        /// Shuffled
        Random = "random",
        /// In the order of the data
        Sequential = "sequential",
    }
}

/// Examples are sorted by length within groups of this many batches, as in transformers'
/// `get_length_grouped_indices`.
const BATCHES_PER_GROUP: usize = 50;

/// The examples of each batch of an epoch, by index. The same arguments give the same batches on
/// every computer.
///
/// With `group_by_length`, the examples are shuffled, cut into groups of up to 50 batches (fewer
/// for small data, so that there are at least four groups), sorted by length within a group, cut
/// into batches, and the batches shuffled; the batch with the longest example comes first, so that
/// running out of memory shows at once.
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
    let group = (lengths.len() / (batch_size * 4)).clamp(1, BATCHES_PER_GROUP) * batch_size;
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

/// Cuts a batch in order into as few parts as possible, each of at most `budget` tokens or one
/// example; without a budget, the batch is one part.
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
    for (index, &example) in batch.iter().enumerate() {
        if index > start && tokens + lengths[example] > budget {
            parts.push(&batch[start..index]);
            (start, tokens) = (index, 0);
        }
        tokens += lengths[example];
    }
    parts.push(&batch[start..]);
    parts
}

/// The examples of each batch of an evaluation, by index, sorted by length, longest first.
pub fn evaluation_batches(lengths: &[usize], batch_size: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
    order.chunks(batch_size.max(1)).map(<[usize]>::to_vec).collect()
}

/// What the sequences of a training batch are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchRole {
    /// Examples with their labels.
    #[default]
    Labelled,
    /// Labelled examples, each of them twice, for R-Drop: sequence `i` of the first half is also
    /// sequence `i` of the second half.
    LabelledTwice,
    /// Examples whose labels the model predicted. They are part of the gradient, but of no metric.
    PseudoLabelled,
}

/// A batch as every engine reads it: its sequences one after another, without padding. Each token
/// is a row of the matrices computed from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PackedBatch {
    /// `[rows]`: the token ids, sequence after sequence.
    pub ids: Vec<u32>,
    /// `[rows]`: the type of each token; empty if all are 0.
    pub type_ids: Vec<u32>,
    /// `[rows]`: the row of each token in the position table; empty if the tokens of a sequence
    /// have the rows from the model's first one on, in order.
    pub position_ids: Vec<u32>,
    /// `[batch + 1]`: the first row of each sequence, then `rows`.
    pub starts: Vec<u32>,
    /// `[batch]`: the classes.
    pub labels: Vec<u32>,
    /// `[batch]`: the weight of each sequence in the loss; empty if all are 1.
    pub weights: Vec<f32>,
    /// What the sequences are.
    pub role: BatchRole,
    /// The minimum length that transformers would pad each sequence to. The reference operations
    /// pad to it, and `total_flos` counts the padding.
    pub pad_to: usize,
    /// `[distinct + 1]`: where each of the step's distinct tokens starts in `occurrences`. Empty if
    /// no gradient is computed.
    pub occurrence_starts: Vec<u32>,
    /// `[rows]`: the rows in which each of the step's distinct tokens occurs, token after token.
    pub occurrences: Vec<u32>,
}

impl PackedBatch {
    /// Packs examples. Padding, where it is counted, is to the length of the longest example or to
    /// `pad_to`, whichever is longer.
    pub fn new<'a>(examples: impl IntoIterator<Item = &'a Example>, pad_to: usize) -> Self {
        let mut batch = Self { starts: vec![0], pad_to, ..Self::default() };
        for example in examples {
            if !example.type_ids.is_empty() {
                batch.type_ids.resize(batch.ids.len(), 0);
                batch.type_ids.extend_from_slice(&example.type_ids);
            }
            batch.ids.extend_from_slice(&example.ids);
            batch.starts.push(batch.ids.len() as u32);
            batch.labels.push(example.label);
        }
        if !batch.type_ids.is_empty() {
            batch.type_ids.resize(batch.ids.len(), 0);
        }
        batch
    }

    /// The same batch with these weights and this role.
    #[must_use]
    pub fn weighted(self, weights: Vec<f32>, role: BatchRole) -> Self {
        Self { weights, role, ..self }
    }

    /// The number of tokens.
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// The weight of a sequence in the loss.
    pub fn weight(&self, sequence: usize) -> f32 {
        self.weights.get(sequence).copied().unwrap_or(1.0)
    }

    /// The sum of the weights of all sequences.
    pub fn total_weight(&self) -> f64 {
        if self.weights.is_empty() {
            return self.batch_size() as f64;
        }
        self.weights.iter().map(|&weight| f64::from(weight)).sum()
    }

    /// The number of labelled examples: those that metrics count. They are the first sequences.
    pub fn labelled_examples(&self) -> usize {
        match self.role {
            BatchRole::Labelled => self.batch_size(),
            BatchRole::LabelledTwice => self.batch_size() / 2,
            BatchRole::PseudoLabelled => 0,
        }
    }

    /// The number of tokens of the labelled examples.
    pub fn labelled_rows(&self) -> usize {
        self.starts.get(self.labelled_examples()).map_or(0, |&row| row as usize)
    }

    /// The number of sequences.
    pub fn batch_size(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The token ids of each sequence.
    pub fn sequences(&self) -> impl Iterator<Item = &[u32]> {
        self.starts.windows(2).map(|pair| &self.ids[pair[0] as usize..pair[1] as usize])
    }

    /// The number of tokens of the longest sequence.
    pub fn longest(&self) -> usize {
        self.starts.windows(2).map(|pair| (pair[1] - pair[0]) as usize).max().unwrap_or(0)
    }

    /// The length of each sequence with padding.
    pub fn padded_length(&self) -> usize {
        self.longest().max(self.pad_to)
    }

    /// The number of tokens with padding.
    pub fn padded_tokens(&self) -> usize {
        self.batch_size() * self.padded_length()
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
        fn every_example_is_used_exactly_once(
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
    fn epochs_and_seeds_have_different_reproducible_batches() {
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
    fn sequences_are_packed_and_padding_is_counted() {
        let example = |ids: &[u32], label| Example::new(ids.to_vec(), label);
        let examples = [example(&[2, 7, 3], 1), example(&[2, 3], 0)];
        let batch = PackedBatch::new(&examples, 0);
        assert_eq!(batch.ids, [2, 7, 3, 2, 3]);
        assert_eq!(batch.starts, [0, 3, 5]);
        assert_eq!(batch.labels, [1, 0]);
        assert_eq!(batch.sequences().collect::<Vec<_>>(), [&[2, 7, 3][..], &[2, 3]]);
        assert_eq!((batch.rows(), batch.batch_size(), batch.longest()), (5, 2, 3));
        assert_eq!((batch.padded_length(), batch.padded_tokens()), (3, 6));
        let padded = PackedBatch::new(&examples, 5);
        assert_eq!(padded.ids, batch.ids);
        assert_eq!((padded.padded_length(), padded.padded_tokens()), (5, 10));
        assert!(batch.type_ids.is_empty() && batch.position_ids.is_empty());
        let pair = Example { type_ids: vec![0, 0, 1, 1], ..example(&[2, 3, 8, 3], 1) };
        let batch = PackedBatch::new(&[examples[1].clone(), pair, examples[0].clone()], 0);
        assert_eq!(batch.type_ids, [0, 0, 0, 0, 1, 1, 0, 0, 0]);
        let empty = PackedBatch::new(&[], 4);
        assert_eq!((empty.rows(), empty.batch_size(), empty.padded_tokens()), (0, 0, 0));
    }
}
