//! What a step works on, prepared ahead of it on another thread.

use crate::core::data::batching::Batch;
use crate::core::ops::backend::PackedBatch;

/// The batches of one optimizer step: one, or several whose gradients are added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepInput {
    /// Padded, as the plain operations read them.
    pub batches: Vec<Batch>,
    /// The same without padding.
    pub packed: Vec<PackedBatch>,
    /// The distinct words of all of them, sorted.
    pub words: Vec<u32>,
}

impl StepInput {
    /// Packs the batches and finds where each word occurs.
    pub fn new(batches: Vec<Batch>) -> Self {
        let mut packed: Vec<PackedBatch> = batches.iter().map(pack).collect();
        let mut words: Vec<u32> = packed.iter().flat_map(|batch| &batch.ids).copied().collect();
        words.sort_unstable();
        words.dedup();
        for batch in &mut packed {
            find_occurrences(batch, &words);
        }
        Self { batches, packed, words }
    }

    /// The classes of all examples, batch after batch.
    pub fn labels(&self) -> impl Iterator<Item = u32> + '_ {
        self.batches.iter().flat_map(|batch| batch.labels.iter().copied())
    }

    /// How many tokens there are, padding aside.
    pub fn tokens(&self) -> usize {
        self.batches.iter().map(Batch::tokens).sum()
    }

    /// How many tokens there are, padding included.
    pub fn padded_tokens(&self) -> usize {
        self.batches.iter().map(|batch| batch.input_ids.len()).sum()
    }

    /// How many examples there are.
    pub fn examples(&self) -> usize {
        self.batches.iter().map(Batch::size).sum()
    }
}

/// A batch without its padding.
pub fn pack(batch: &Batch) -> PackedBatch {
    let mut packed = PackedBatch { labels: batch.labels.clone(), ..PackedBatch::default() };
    packed.starts.push(0);
    for (row, &length) in batch.input_ids.chunks(batch.length.max(1)).zip(&batch.lengths) {
        packed.ids.extend_from_slice(&row[..length as usize]);
        packed.starts.push(packed.ids.len() as u32);
    }
    packed
}

/// Lists the rows in which each of `words` occurs; they hold every word of the batch.
fn find_occurrences(batch: &mut PackedBatch, words: &[u32]) {
    let mut rows: Vec<(u32, u32)> =
        batch.ids.iter().zip(0..).map(|(&word, row)| (word, row)).collect();
    rows.sort_unstable();
    batch.occurrences = rows.iter().map(|&(_, row)| row).collect();
    let mut next = 0;
    batch.occurrence_starts = vec![0];
    for &word in words {
        while rows.get(next).is_some_and(|&(found, _)| found == word) {
            next += 1;
        }
        batch.occurrence_starts.push(next as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::data::batching::Example;

    #[test]
    fn padding_goes_and_every_word_is_found() {
        let example = |ids: &[u32], label| Example { ids: ids.to_vec(), label };
        let batch = |examples: &[Example]| Batch::new(examples, 0, 5);
        let input = StepInput::new(vec![
            batch(&[example(&[2, 7, 3], 1), example(&[2, 3], 0)]),
            batch(&[example(&[2, 9, 9, 3], 1)]),
        ]);
        assert_eq!(input.words, [2, 3, 7, 9]);
        assert_eq!(input.examples(), 3);
        let first = &input.packed[0];
        assert_eq!((first.rows(), first.batch(), first.longest()), (5, 2, 3));
        assert_eq!(first.ids, [2, 7, 3, 2, 3]);
        assert_eq!(first.starts, [0, 3, 5]);
        assert_eq!(first.occurrence_starts, [0, 2, 4, 5, 5]);
        assert_eq!(first.occurrences, [0, 3, 2, 4, 1]);
        let second = &input.packed[1];
        assert_eq!(second.occurrence_starts, [0, 1, 2, 2, 4]);
        assert_eq!(second.occurrences, [0, 3, 1, 2]);
    }
}
