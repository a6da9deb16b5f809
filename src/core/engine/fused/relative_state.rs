//! The buffers of relative positions.

use crate::core::model::RelativePositions;
use crate::core::ops::Backend;
use crate::core::ops::backend::RelativeTable;
use candle_core::Result;
use std::ops::Range;

/// The rows of the table that a batch uses, which all layers share, and their gradients.
pub(super) struct RelativeState<B: Backend> {
    /// The rows by distance, and the number of tokens that they are enough for.
    pub by_distance: B::RelativeRows,
    pub reach: usize,
    /// The first row that the batch uses, and how many it uses.
    pub first: usize,
    pub count: usize,
    /// The rows as they are in the table, if they are normalized.
    pub raw: B::Buffer,
    pub statistics: B::Floats,
    /// The rows.
    pub rows: B::Buffer,
    /// The gradient of the rows, added up over the layers.
    pub grad: B::Buffer,
    /// The gradient of one layer's matrix of keys and queries, and of the rows after its dropout.
    pub grad_matrix: B::Buffer,
    pub grad_layer: B::Buffer,
}

impl<B: Backend> Default for RelativeState<B> {
    fn default() -> Self {
        Self {
            by_distance: B::RelativeRows::default(),
            reach: 0,
            first: 0,
            count: 0,
            raw: B::Buffer::default(),
            statistics: B::Floats::default(),
            rows: B::Buffer::default(),
            grad: B::Buffer::default(),
            grad_matrix: B::Buffer::default(),
            grad_layer: B::Buffer::default(),
        }
    }
}

/// What one layer makes of the rows.
pub(super) struct RelativeLayer<B: Backend> {
    /// The rows after dropout, if there is any.
    pub dropped: B::Buffer,
    /// The queries and keys of positions, side by side.
    pub matrix: B::Buffer,
}

impl<B: Backend> Default for RelativeLayer<B> {
    fn default() -> Self {
        Self { dropped: B::Buffer::default(), matrix: B::Buffer::default() }
    }
}

impl<B: Backend> RelativeState<B> {
    /// The rows of the distances within sequences of up to `longest` tokens.
    pub(super) fn prepare(
        &mut self,
        backend: &B,
        positions: &RelativePositions,
        longest: usize,
    ) -> Result<()> {
        if self.reach < longest {
            let reach = longest.next_power_of_two();
            backend.send_relative_rows(&positions.rows(reach), &mut self.by_distance)?;
            self.reach = reach;
        }
        let range = positions.range(longest);
        (self.first, self.count) = (range.start, range.len());
        Ok(())
    }

    /// The parameters that these rows are.
    pub(super) fn parameters(&self, table: &RelativeTable) -> Range<usize> {
        let start = table.start + self.first * table.width;
        start..start + self.count * table.width
    }
}
