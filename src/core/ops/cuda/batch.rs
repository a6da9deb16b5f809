//! A packed batch on a card: one piece of memory, sent in one go.

use super::driver::{Driver, Pointer};
use super::memory::{Card, Memory};
use crate::core::ops::backend::{PackedBatch, Tables};
use candle_core::{Result, bail};
use std::sync::Arc;

/// A packed batch, and what the host has to know of it.
pub struct Batch<D: Driver> {
    memory: Memory<D>,
    /// What is sent, gathered in one place.
    gathered: Vec<u32>,
    rows: usize,
    sequences: usize,
    longest: usize,
    /// The highest token id.
    highest: u32,
    /// How many labels there are: as many as sequences, or none.
    labels: usize,
    /// How many words the step has; `None` where no gradient is asked for.
    distinct: Option<usize>,
}

impl<D: Driver> Default for Batch<D> {
    fn default() -> Self {
        Self {
            memory: Memory::default(),
            gathered: Vec::new(),
            rows: 0,
            sequences: 0,
            longest: 0,
            highest: 0,
            labels: 0,
            distinct: None,
        }
    }
}

/// Refuses places that lie elsewhere: a card would not notice.
fn check(batch: &PackedBatch) -> Result<()> {
    let ascends = |starts: &[u32], end: usize| {
        starts.first() == Some(&0) && starts.last() == Some(&(end as u32)) && starts.is_sorted()
    };
    let rows = batch.rows();
    let words_fit = batch.occurrence_starts.is_empty()
        || ascends(&batch.occurrence_starts, batch.occurrences.len())
            && batch.occurrences.iter().all(|&row| (row as usize) < rows);
    let labels_fit = batch.labels.is_empty() || batch.labels.len() == batch.batch();
    if !ascends(&batch.starts, rows) || !words_fit || !labels_fit {
        bail!("the batch does not fit together");
    }
    Ok(())
}

impl<D: Driver> Batch<D> {
    /// Sends `batch` in place of what was here.
    pub(super) fn send(&mut self, card: &Arc<Card<D>>, batch: &PackedBatch) -> Result<()> {
        check(batch)?;
        self.gathered.clear();
        for part in
            [&batch.ids, &batch.starts, &batch.labels, &batch.occurrences, &batch.occurrence_starts]
        {
            self.gathered.extend_from_slice(part);
        }
        self.rows = batch.rows();
        self.sequences = batch.batch();
        self.longest = batch.longest();
        self.highest = batch.ids.iter().copied().max().unwrap_or(0);
        self.labels = batch.labels.len();
        self.distinct = batch.occurrence_starts.len().checked_sub(1);
        self.memory.fit(card, self.gathered.len() * size_of::<u32>())?;
        self.memory.upload(0, &self.gathered)
    }

    /// How many tokens.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// How many sequences.
    pub(super) fn sequences(&self) -> usize {
        self.sequences
    }

    /// The tokens of the longest sequence.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The rows that an operation works on, and the list of their numbers unless they are their
    /// own: with `first_only` one a sequence.
    pub(super) fn numbered(&self, first_only: bool) -> (usize, Pointer) {
        if first_only { (self.sequences, self.starts()) } else { (self.rows, Pointer::NULL) }
    }

    fn after(&self, numbers: usize) -> Pointer {
        self.memory.start().offset(numbers * size_of::<u32>())
    }

    /// `[rows]`.
    pub(super) fn ids(&self) -> Pointer {
        self.after(0)
    }

    /// `[sequences + 1]`.
    pub(super) fn starts(&self) -> Pointer {
        self.after(self.rows)
    }

    /// `[sequences]`.
    ///
    /// # Errors
    /// If none were sent.
    pub(super) fn labels(&self) -> Result<Pointer> {
        if self.labels != self.sequences {
            bail!("the batch has no labels");
        }
        Ok(self.after(self.rows + self.sequences + 1))
    }

    /// Starts, `[distinct + 1]`, and occurrences, `[rows]`, of each of so many words.
    ///
    /// # Errors
    /// If it was not prepared for so many.
    pub(super) fn occurrences(&self, distinct: usize) -> Result<(Pointer, Pointer)> {
        if self.distinct != Some(distinct) {
            bail!("the batch was not prepared for this step's words");
        }
        let before = self.rows + self.sequences + 1 + self.labels;
        let starts = self.gathered.len() - (distinct + 1);
        Ok((self.after(starts), self.after(before)))
    }

    /// Refuses ids and lengths that lie outside the tables.
    pub(super) fn check(&self, tables: &Tables) -> Result<()> {
        let (longest, positions) = (self.longest, tables.max_positions);
        if tables.first_position + longest > positions {
            bail!("a length of {longest} for {positions} positions");
        }
        if self.highest as usize >= tables.vocabulary {
            bail!("token id {} in a vocabulary of {}", self.highest, tables.vocabulary);
        }
        Ok(())
    }
}
