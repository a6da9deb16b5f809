//! A packed batch on a device: one buffer, uploaded in one copy.

use super::driver::Driver;
use super::memory::{DeviceBuffer, DeviceSlice, GpuContext};
use crate::core::ops::backend::{EmbeddingTables, PackedBatch};
use candle_core::{Result, bail};
use std::sync::Arc;

/// A packed batch on a device, and the sizes that the host needs.
pub struct DeviceBatch<D: Driver> {
    memory: DeviceBuffer<D, u32>,
    /// All parts of the batch one after another, as they are uploaded.
    gathered: Vec<u32>,
    rows: usize,
    sequences: usize,
    longest: usize,
    /// The highest token id.
    highest: u32,
    /// The number of labels: one per sequence, or none.
    labels: usize,
    /// The number of distinct tokens of the step; `None` where no gradient is computed.
    distinct: Option<usize>,
}

impl<D: Driver> Default for DeviceBatch<D> {
    fn default() -> Self {
        Self {
            memory: DeviceBuffer::default(),
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

/// Rejects indices that are out of bounds: a device does not check them.
fn check(batch: &PackedBatch) -> Result<()> {
    let ascends = |starts: &[u32], end: usize| {
        starts.first() == Some(&0) && starts.last() == Some(&(end as u32)) && starts.is_sorted()
    };
    let rows = batch.rows();
    let tokens_fit = batch.occurrence_starts.is_empty()
        || ascends(&batch.occurrence_starts, batch.occurrences.len())
            && batch.occurrences.iter().all(|&row| (row as usize) < rows);
    let labels_fit = batch.labels.is_empty() || batch.labels.len() == batch.batch_size();
    if !ascends(&batch.starts, rows) || !tokens_fit || !labels_fit {
        bail!("the parts of a packed batch do not match");
    }
    Ok(())
}

impl<D: Driver> DeviceBatch<D> {
    /// Replaces the batch.
    pub(super) fn send(&mut self, context: &Arc<GpuContext<D>>, batch: &PackedBatch) -> Result<()> {
        check(batch)?;
        self.gathered.clear();
        for part in
            [&batch.ids, &batch.starts, &batch.labels, &batch.occurrences, &batch.occurrence_starts]
        {
            self.gathered.extend_from_slice(part);
        }
        self.rows = batch.rows();
        self.sequences = batch.batch_size();
        self.longest = batch.longest();
        self.highest = batch.ids.iter().copied().max().unwrap_or(0);
        self.labels = batch.labels.len();
        self.distinct = batch.occurrence_starts.len().checked_sub(1);
        self.memory.resize(context, self.gathered.len())?;
        self.memory.upload(&self.gathered)
    }

    /// The number of tokens.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The number of sequences.
    pub(super) fn sequences(&self) -> usize {
        self.sequences
    }

    /// The number of tokens of the longest sequence.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The number of rows that an operation works on, and their packed rows unless row `i` is
    /// packed row `i`: with `first_only` there is one row per sequence, its first.
    pub(super) fn packed_rows(
        &self,
        first_only: bool,
    ) -> Result<(usize, Option<DeviceSlice<'_, u32>>)> {
        if first_only { Ok((self.sequences, Some(self.starts()?))) } else { Ok((self.rows, None)) }
    }

    fn part(&self, start: usize, len: usize) -> Result<DeviceSlice<'_, u32>> {
        self.memory.slice(start..start + len)
    }

    /// `[rows]`: the token ids.
    pub(super) fn ids(&self) -> Result<DeviceSlice<'_, u32>> {
        self.part(0, self.rows)
    }

    /// `[sequences + 1]`: the first row of each sequence, and the number of rows.
    pub(super) fn starts(&self) -> Result<DeviceSlice<'_, u32>> {
        self.part(self.rows, self.sequences + 1)
    }

    /// `[sequences]`: the classes.
    ///
    /// # Errors
    /// If the batch has none.
    pub(super) fn labels(&self) -> Result<DeviceSlice<'_, u32>> {
        if self.labels != self.sequences {
            bail!("the batch has no labels");
        }
        self.part(self.rows + self.sequences + 1, self.labels)
    }

    /// Starts, `[distinct + 1]`, and occurrences, `[rows]`, of each distinct token.
    ///
    /// # Errors
    /// If the batch was prepared for another number of distinct tokens.
    pub(super) fn occurrences(
        &self,
        distinct: usize,
    ) -> Result<(DeviceSlice<'_, u32>, DeviceSlice<'_, u32>)> {
        if self.distinct != Some(distinct) {
            bail!("the batch lists the occurrences of other tokens than the step's");
        }
        let before = self.rows + self.sequences + 1 + self.labels;
        let starts = self.gathered.len() - (distinct + 1);
        Ok((self.part(starts, distinct + 1)?, self.part(before, starts - before)?))
    }

    /// Rejects ids and lengths outside the tables.
    pub(super) fn check(&self, tables: &EmbeddingTables) -> Result<()> {
        let (longest, positions) = (self.longest, tables.max_positions);
        if tables.first_position + longest > positions {
            bail!("a sequence of {longest} tokens is too long for {positions} positions");
        }
        if self.highest as usize >= tables.vocabulary {
            bail!("token id {} is outside the vocabulary of {}", self.highest, tables.vocabulary);
        }
        Ok(())
    }
}
