//! A packed batch on a device: one buffer, uploaded in one copy.

use super::driver::Driver;
use super::memory::{DeviceBuffer, DeviceSlice, GpuContext};
use crate::core::data::batching::BatchRole;
use crate::core::ops::backend::{EmbeddingTables, PackedBatch};
use candle_core::{Result, bail};
use std::ops::Range;
use std::sync::Arc;

/// A packed batch on a device, and the sizes that the host needs.
pub struct DeviceBatch<D: Driver> {
    memory: DeviceBuffer<D, u32>,
    /// All parts of the batch one after another, as they are uploaded.
    gathered: Vec<u32>,
    rows: usize,
    sequences: usize,
    role: BatchRole,
    longest: usize,
    /// The highest token id.
    highest: u32,
    /// Where the parts are in the memory.
    parts: Parts,
    /// The number of distinct tokens of the step; `None` where no gradient is computed.
    distinct: Option<usize>,
}

/// The number of rows of a table, where the tokens of each row start in the list, and the list.
pub(super) type Occurrences<'a> = (usize, DeviceSlice<'a, u32>, DeviceSlice<'a, u32>);

/// The parts of a batch as ranges of its memory; a part that the batch lacks is empty.
#[derive(Default)]
struct Parts {
    ids: Range<usize>,
    starts: Range<usize>,
    labels: Range<usize>,
    /// The bits of the weights.
    weights: Range<usize>,
    types: TableRows,
    positions: TableRows,
    occurrences: Range<usize>,
    occurrence_starts: Range<usize>,
}

/// The rows of an embedding table that a batch uses.
#[derive(Default)]
struct TableRows {
    /// `[rows]`: the row of the table for each token.
    ids: Range<usize>,
    /// The highest of them.
    highest: u32,
    /// `[highest + 2]`: where each row of the table starts in `occurrences`; empty where no
    /// gradient is computed.
    starts: Range<usize>,
    /// `[rows]`: the tokens of each row of the table, row after row.
    occurrences: Range<usize>,
}

impl TableRows {
    /// Appends the ids, and for a gradient the tokens of each row.
    fn gather(ids: &[u32], for_gradient: bool, gathered: &mut Vec<u32>) -> Self {
        let highest = ids.iter().copied().max().unwrap_or(0);
        let mut rows = Self { ids: append(gathered, ids), highest, ..Self::default() };
        if for_gradient && !ids.is_empty() {
            let mut order: Vec<(u32, u32)> = ids.iter().copied().zip(0..).collect();
            order.sort_unstable();
            let start = |row: u32| order.partition_point(|&(found, _)| found < row) as u32;
            let starts: Vec<u32> = (0..=highest + 1).map(start).collect();
            let order: Vec<u32> = order.into_iter().map(|(_, token)| token).collect();
            rows.starts = append(gathered, &starts);
            rows.occurrences = append(gathered, &order);
        }
        rows
    }
}

/// Appends values; returns their range.
fn append(gathered: &mut Vec<u32>, values: &[u32]) -> Range<usize> {
    let start = gathered.len();
    gathered.extend_from_slice(values);
    start..gathered.len()
}

impl<D: Driver> Default for DeviceBatch<D> {
    fn default() -> Self {
        Self {
            memory: DeviceBuffer::default(),
            gathered: Vec::new(),
            rows: 0,
            sequences: 0,
            role: BatchRole::default(),
            longest: 0,
            highest: 0,
            parts: Parts::default(),
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
    let weights_fit = batch.weights.is_empty() || batch.weights.len() == batch.batch_size();
    let is_for_rows = |ids: &[u32]| ids.is_empty() || ids.len() == rows;
    let ids_fit = is_for_rows(&batch.type_ids) && is_for_rows(&batch.position_ids);
    if !ascends(&batch.starts, rows) || !tokens_fit || !labels_fit || !weights_fit || !ids_fit {
        bail!("the parts of a packed batch do not match");
    }
    Ok(())
}

impl<D: Driver> DeviceBatch<D> {
    /// Replaces the batch.
    pub(super) fn send(&mut self, context: &Arc<GpuContext<D>>, batch: &PackedBatch) -> Result<()> {
        check(batch)?;
        let for_gradient = !batch.occurrence_starts.is_empty();
        let weights: Vec<u32> = batch.weights.iter().map(|weight| weight.to_bits()).collect();
        let gathered = &mut self.gathered;
        gathered.clear();
        self.parts = Parts {
            ids: append(gathered, &batch.ids),
            starts: append(gathered, &batch.starts),
            labels: append(gathered, &batch.labels),
            weights: append(gathered, &weights),
            types: TableRows::gather(&batch.type_ids, for_gradient, gathered),
            positions: TableRows::gather(&batch.position_ids, for_gradient, gathered),
            occurrences: append(gathered, &batch.occurrences),
            occurrence_starts: append(gathered, &batch.occurrence_starts),
        };
        self.rows = batch.rows();
        self.sequences = batch.batch_size();
        self.role = batch.role;
        self.longest = batch.longest();
        self.highest = batch.ids.iter().copied().max().unwrap_or(0);
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

    /// What the sequences are.
    pub(super) fn role(&self) -> BatchRole {
        self.role
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

    fn part(&self, range: &Range<usize>) -> Result<DeviceSlice<'_, u32>> {
        self.memory.slice(range.clone())
    }

    fn optional(&self, range: &Range<usize>) -> Result<Option<DeviceSlice<'_, u32>>> {
        if range.is_empty() { Ok(None) } else { self.part(range).map(Some) }
    }

    /// `[rows]`: the token ids.
    pub(super) fn ids(&self) -> Result<DeviceSlice<'_, u32>> {
        self.part(&self.parts.ids)
    }

    /// `[rows]`: the token types; `None` if all are 0.
    pub(super) fn type_ids(&self) -> Result<Option<DeviceSlice<'_, u32>>> {
        self.optional(&self.parts.types.ids)
    }

    /// `[rows]`: the rows of the position table; `None` if they follow from the starts.
    pub(super) fn position_ids(&self) -> Result<Option<DeviceSlice<'_, u32>>> {
        self.optional(&self.parts.positions.ids)
    }

    /// The tokens of each type from 1 on: the number of these types, where each starts in the
    /// list, and the list. `None` if all types are 0.
    pub(super) fn type_occurrences(&self) -> Result<Option<Occurrences<'_>>> {
        self.table_occurrences(&self.parts.types, 1)
    }

    /// The tokens of each row of the position table, up to the highest one, as
    /// [`Self::type_occurrences`]; `None` if the rows follow from the starts.
    pub(super) fn position_occurrences(&self) -> Result<Option<Occurrences<'_>>> {
        self.table_occurrences(&self.parts.positions, 0)
    }

    fn table_occurrences(&self, rows: &TableRows, first: usize) -> Result<Option<Occurrences<'_>>> {
        let (len, used) = (rows.starts.len(), rows.highest as usize + 1);
        if rows.ids.is_empty() || used <= first {
            return Ok(None);
        }
        if len != used + 1 {
            bail!("the batch was not prepared for gradients");
        }
        let starts = rows.starts.start + first..rows.starts.end;
        Ok(Some((used - first, self.part(&starts)?, self.part(&rows.occurrences)?)))
    }

    /// `[sequences + 1]`: the first row of each sequence, and the number of rows.
    pub(super) fn starts(&self) -> Result<DeviceSlice<'_, u32>> {
        self.part(&self.parts.starts)
    }

    /// `[sequences]`: the classes.
    ///
    /// # Errors
    /// If the batch has none.
    pub(super) fn labels(&self) -> Result<DeviceSlice<'_, u32>> {
        if self.parts.labels.len() != self.sequences {
            bail!("the batch has no labels");
        }
        self.part(&self.parts.labels)
    }

    /// `[sequences]`: the bits of the weights; `None` if all are 1.
    pub(super) fn weights(&self) -> Result<Option<DeviceSlice<'_, u32>>> {
        self.optional(&self.parts.weights)
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
        Ok((self.part(&self.parts.occurrence_starts)?, self.part(&self.parts.occurrences)?))
    }

    /// Rejects ids, types, positions and lengths outside the tables.
    pub(super) fn check(&self, tables: &EmbeddingTables) -> Result<()> {
        let (longest, positions) = (self.longest, tables.max_positions);
        if tables.first_position + longest > positions {
            bail!("a sequence of {longest} tokens is too long for {positions} positions");
        }
        if self.highest as usize >= tables.vocabulary {
            bail!("token id {} is outside the vocabulary of {}", self.highest, tables.vocabulary);
        }
        for (what, rows, size) in [
            ("position", &self.parts.positions, positions),
            ("token type", &self.parts.types, tables.max_token_types),
        ] {
            if rows.highest as usize >= size && !rows.ids.is_empty() {
                bail!("{what} {} is outside the table of {size}", rows.highest);
            }
        }
        Ok(())
    }
}
