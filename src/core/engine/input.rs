//! The input of one optimizer step, prepared in advance on another thread.

use crate::core::data::batching::{BatchRole, PackedBatch};

/// The micro-batches of one optimizer step, whose gradients are accumulated: those of all processes
/// that train together, so that each of them knows the whole step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepInput {
    /// The micro-batches; those that this process computes have the rows in which the distinct tokens
    /// occur.
    pub batches: Vec<PackedBatch>,
    /// The distinct tokens of all micro-batches, sorted.
    pub distinct_tokens: Vec<u32>,
    /// The rank of the process that computes each micro-batch; empty if this process computes all.
    owners: Vec<usize>,
    /// The rank of this process.
    rank: usize,
}

impl StepInput {
    /// Creates the input, with the distinct tokens and the rows in which they occur.
    pub fn new(batches: Vec<PackedBatch>) -> Self {
        Self::shared(batches, Vec::new(), 0)
    }

    /// As [`Self::new`], for the process of this rank; `owners` has the rank that computes each
    /// micro-batch.
    pub fn shared(mut batches: Vec<PackedBatch>, owners: Vec<usize>, rank: usize) -> Self {
        let mut tokens: Vec<u32> = batches.iter().flat_map(|batch| &batch.ids).copied().collect();
        tokens.sort_unstable();
        tokens.dedup();
        for (index, batch) in batches.iter_mut().enumerate() {
            if owners.get(index).is_none_or(|&owner| owner == rank) {
                find_occurrences(batch, &tokens);
            }
        }
        Self { batches, distinct_tokens: tokens, owners, rank }
    }

    /// The step with more micro-batches, of which rank r of `world_size` computes every `world_size`-th as
    /// of those before them.
    #[must_use]
    pub fn with(self, more: Vec<PackedBatch>, world_size: usize) -> Self {
        let Self { mut batches, mut owners, rank, .. } = self;
        batches.extend(more);
        if world_size > 1 {
            owners.extend((owners.len()..batches.len()).map(|index| index % world_size));
        }
        Self::shared(batches, owners, rank)
    }

    /// The micro-batches that this process computes, each with its number in the step.
    pub fn own(&self) -> impl Iterator<Item = (usize, &PackedBatch)> {
        let is_own = |index: &usize| self.owners.get(*index).is_none_or(|&rank| rank == self.rank);
        self.batches.iter().enumerate().filter(move |(index, _)| is_own(index))
    }

    /// The predicted classes of all micro-batches in order, from those of each rank.
    ///
    /// # Errors
    /// If a rank has another number of predictions than sequences.
    pub fn in_order(&self, of_ranks: &[Vec<u32>]) -> Result<Vec<u32>, String> {
        let mut rest: Vec<&[u32]> = of_ranks.iter().map(Vec::as_slice).collect();
        let mut all = Vec::new();
        for (index, batch) in self.batches.iter().enumerate() {
            let owner = self.owners.get(index).copied().unwrap_or(self.rank);
            let taken = rest.get_mut(owner).and_then(|rest| {
                let (taken, after) = rest.split_at_checked(batch.batch_size())?;
                *rest = after;
                Some(taken)
            });
            all.extend_from_slice(taken.ok_or_else(|| format!("rank {owner} lacks predictions"))?);
        }
        match rest.iter().position(|rest| !rest.is_empty()) {
            Some(rank) => Err(format!("rank {rank} has predictions of another step")),
            None => Ok(all),
        }
    }

    /// The class id of each labelled example, in batch order, and its predicted class; `predicted`
    /// has the predicted class of every sequence of every batch.
    pub fn labelled_predictions<'a>(
        &'a self,
        predicted: &'a [u32],
    ) -> impl Iterator<Item = (u32, u32)> + 'a {
        let mut rest = predicted;
        self.batches.iter().flat_map(move |batch| {
            let (of_batch, after) = rest.split_at(batch.batch_size().min(rest.len()));
            rest = after;
            let labels = batch.labels.iter().copied().zip(of_batch.iter().copied());
            labels.take(batch.labelled_examples())
        })
    }

    /// The number of tokens of the labelled examples, excluding padding.
    pub fn tokens(&self) -> usize {
        self.batches.iter().map(PackedBatch::labelled_rows).sum()
    }

    /// The number of tokens that are computed, including padding, as counted by `total_flos`.
    pub fn padded_tokens(&self) -> usize {
        self.batches.iter().map(PackedBatch::padded_tokens).sum()
    }

    /// The number of labelled examples.
    pub fn examples(&self) -> usize {
        self.batches.iter().map(PackedBatch::labelled_examples).sum()
    }

    /// The sum of weights that the step's loss is divided by: that of all labelled sequences, as in
    /// PyTorch's `CrossEntropyLoss(weight=…)` over all micro-batches as one batch.
    pub fn total_weight(&self) -> f64 {
        let labelled = self.batches.iter().filter(|batch| batch.role != BatchRole::PseudoLabelled);
        labelled.map(PackedBatch::total_weight).sum()
    }
}

/// Lists the rows in which each of `tokens` occurs; `tokens` includes every token of the batch.
pub(super) fn find_occurrences(batch: &mut PackedBatch, tokens: &[u32]) {
    let mut rows: Vec<(u32, u32)> =
        batch.ids.iter().zip(0..).map(|(&token, row)| (token, row)).collect();
    rows.sort_unstable();
    batch.occurrences = rows.iter().map(|&(_, row)| row).collect();
    let mut next = 0;
    batch.occurrence_starts = vec![0];
    for &token in tokens {
        while rows.get(next).is_some_and(|&(found, _)| found == token) {
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
    fn every_token_of_every_batch_is_found() {
        let example = |ids: &[u32], label| Example::new(ids.to_vec(), label);
        let input = StepInput::new(vec![
            PackedBatch::new(&[example(&[2, 7, 3], 1), example(&[2, 3], 0)], 5),
            PackedBatch::new(&[example(&[2, 9, 9, 3], 1)], 5),
        ]);
        assert_eq!(input.distinct_tokens, [2, 3, 7, 9]);
        assert_eq!((input.examples(), input.tokens(), input.padded_tokens()), (3, 9, 15));
        let labelled: Vec<_> = input.labelled_predictions(&[1, 1, 0]).collect();
        assert_eq!((labelled, input.total_weight()), (vec![(1, 1), (0, 1), (1, 0)], 3.0));
        let [first, second] = &input.batches[..] else { unreachable!("two batches") };
        assert_eq!(first.occurrence_starts, [0, 2, 4, 5, 5]);
        assert_eq!(first.occurrences, [0, 3, 2, 4, 1]);
        assert_eq!(second.occurrence_starts, [0, 1, 2, 2, 4]);
        assert_eq!(second.occurrences, [0, 3, 1, 2]);
    }

    #[test]
    fn a_process_computes_its_own_batches_and_knows_the_whole_step() -> Result<(), String> {
        let batch = |ids: &[u32], label| PackedBatch::new(&[Example::new(ids.to_vec(), label)], 0);
        let batches = vec![batch(&[2, 7], 1), batch(&[2, 9], 0), batch(&[5, 5], 1)];
        let input = StepInput::shared(batches.clone(), vec![0, 1, 0], 1);
        let own: Vec<_> = input.own().map(|(index, batch)| (index, batch.ids.clone())).collect();
        assert_eq!(own, [(1, vec![2, 9])]);
        assert_eq!(input.distinct_tokens, [2, 5, 7, 9]);
        assert_eq!(input.batches[1].occurrence_starts, [0, 1, 1, 1, 2]);
        assert!(input.batches[0].occurrence_starts.is_empty());
        assert_eq!((input.examples(), input.total_weight()), (3, 3.0));
        assert_eq!(input.in_order(&[vec![10, 12], vec![11]])?, [10, 11, 12]);
        assert!(input.in_order(&[vec![10], vec![11]]).is_err());
        assert!(input.in_order(&[vec![10, 12], vec![11, 13]]).is_err());
        let alone = StepInput::new(batches);
        assert_eq!(alone.own().count(), 3);
        assert_eq!(alone.in_order(&[vec![10, 11, 12]])?, [10, 11, 12]);
        Ok(())
    }

    #[test]
    fn second_copies_and_pseudo_labelled_examples_are_not_counted() {
        let batch = |labels: &[u32], weights: &[f32], role| {
            let examples = labels.iter().map(|&label| Example::new(vec![2; 3], label));
            PackedBatch::new(&examples.collect::<Vec<_>>(), 0).weighted(weights.to_vec(), role)
        };
        let input = StepInput::new(vec![
            batch(&[1, 0, 1, 0], &[0.5, 2.0, 0.5, 2.0], BatchRole::LabelledTwice),
            batch(&[1], &[4.0], BatchRole::PseudoLabelled),
            batch(&[1], &[0.5], BatchRole::Labelled),
        ]);
        assert_eq!((input.examples(), input.tokens(), input.padded_tokens()), (3, 9, 18));
        assert_eq!(input.total_weight(), 5.5);
        let labelled: Vec<_> = input.labelled_predictions(&[9, 8, 7, 6, 5, 4]).collect();
        assert_eq!(labelled, [(1, 9), (0, 8), (1, 4)]);
    }
}
