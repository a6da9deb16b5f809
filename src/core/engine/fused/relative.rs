//! The table of relative positions (He et al., 2021), and the keys and queries that each layer computes
//! from it: only for the rows of distances that a batch has.

use super::backward::LinearBuffers;
use super::forward::FusedPass;
use super::workspace::Workspace;
use crate::core::model::RelativePositions;
use crate::core::ops::Backend;
use crate::core::ops::backend::{
    DropRows, LinearBackwardWeight, NormBackward, NormForward, Relative, RelativeColumns,
    RelativeTable,
};
use candle_core::Result;
use std::ops::Range;

/// The rows of the table that a batch uses, which all layers share, and their gradients.
pub(super) struct RelativeState<B: Backend> {
    /// The rows by distance, and the number of tokens that they are enough for.
    by_distance: B::RelativeRows,
    reach: usize,
    /// The first row that the batch uses, and how many it uses.
    first: usize,
    count: usize,
    /// The rows as they are in the table, if they are normalized.
    raw: B::Buffer,
    statistics: B::Floats,
    /// The rows.
    rows: B::Buffer,
    /// The gradient of the rows, added up over the layers.
    grad: B::Buffer,
    /// The gradient of one layer's matrix of keys and queries, and of the rows after its dropout.
    pub grad_matrix: B::Buffer,
    grad_layer: B::Buffer,
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
    dropped: B::Buffer,
    /// The queries and keys of positions, side by side.
    matrix: B::Buffer,
}

impl<B: Backend> Default for RelativeLayer<B> {
    fn default() -> Self {
        Self { dropped: B::Buffer::default(), matrix: B::Buffer::default() }
    }
}

impl<B: Backend> RelativeState<B> {
    /// The rows of the distances within sequences of up to `longest` tokens.
    fn prepare(
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
    fn parameters(&self, table: &RelativeTable) -> Range<usize> {
        let start = table.start + self.first * table.width;
        start..start + self.count * table.width
    }
}

impl<B: Backend> FusedPass<'_, B> {
    /// Computes the rows of the table that a batch uses, if the model has one. `longest` is the number
    /// of tokens of the longest sequence.
    pub(super) fn begin_relative(&self, longest: usize, work: &mut Workspace<B>) -> Result<()> {
        let (backend, parameters) = (self.backend, self.parameters);
        let (Some(positions), Some(table)) =
            (&self.network.relative, &self.network.layout.relative)
        else {
            return Ok(());
        };
        let state = &mut work.relative;
        state.prepare(backend, positions, longest)?;
        let range = state.parameters(table);
        let Some(norm) = &table.norm else {
            return backend.parameter_rows(parameters, range, &mut state.rows);
        };
        backend.parameter_rows(parameters, range, &mut state.raw)?;
        backend.norm(NormForward {
            parameters,
            norm,
            rows: state.count,
            x: &state.raw,
            statistics: &mut state.statistics,
            out: &mut state.rows,
        })
    }

    /// The columns of a layer's matrix.
    fn relative_columns(&self, state: &RelativeState<B>) -> Option<RelativeColumns> {
        let (positions, hidden) = (self.network.relative.as_ref()?, self.network.hidden);
        Some(RelativeColumns {
            stride: positions.projections() * hidden,
            queries: positions.queries.then_some(0),
            keys: positions.keys.then_some(if positions.queries { hidden } else { 0 }),
            first_row: state.first,
            rows: state.count,
        })
    }

    /// Computes a layer's keys and queries of positions.
    pub(super) fn layer_relative(
        &self,
        index: usize,
        state: &RelativeState<B>,
        layer: &mut RelativeLayer<B>,
    ) -> Result<()> {
        let Some(linear) = &self.network.layout.layers[index].relative else { return Ok(()) };
        let dropout = self.dropouts.layers[index].relative;
        let RelativeLayer { dropped, matrix } = layer;
        let rows = if dropout.is_none() {
            &state.rows
        } else {
            let (rows, width) = (state.count, linear.inputs);
            let (x, out) = (&state.rows, &mut *dropped);
            let accumulate = false;
            self.backend.drop_rows(DropRows { dropout, rows, width, accumulate, x, out })?;
            &*dropped
        };
        self.linear(linear, state.count, rows, matrix)
    }

    /// The relative positions for a layer's attention.
    pub(super) fn relative<'a>(
        &self,
        state: &'a RelativeState<B>,
        layer: &'a RelativeLayer<B>,
    ) -> Option<Relative<'a, B>> {
        let columns = self.relative_columns(state)?;
        Some(Relative { columns, rows: &state.by_distance, matrix: &layer.matrix })
    }

    /// From the gradient of a layer's keys and queries of positions to those of its weights and of the
    /// rows. The gradients of the tokens' own keys and queries have to be there before.
    pub(super) fn layer_relative_backward(
        &self,
        index: usize,
        layer: &RelativeLayer<B>,
        state: &mut RelativeState<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let layers = &self.network.layout.layers;
        let (Some(linear), Some(positions)) = (&layers[index].relative, &self.network.relative)
        else {
            return Ok(());
        };
        if !self.trains {
            return Ok(());
        }
        let dropout = self.dropouts.layers[index].relative;
        let RelativeState { rows, count, grad, grad_matrix, grad_layer, .. } = state;
        let (rows, count) = (if dropout.is_none() { &*rows } else { &layer.dropped }, *count);
        self.backend.linear_backward_weight(LinearBackwardWeight {
            layer: linear,
            biased: true,
            again: positions.shared,
            rows: count,
            x: rows,
            grad: grad_matrix,
            gradients,
        })?;
        let buffers = LinearBuffers {
            rows: count,
            x: rows,
            grad: grad_matrix,
            dx: grad_layer,
            accumulate: false,
        };
        self.linear_backward_input(linear, buffers)?;
        self.backend.drop_rows(DropRows {
            dropout,
            rows: count,
            width: linear.inputs,
            // The last layer is the first whose gradient is computed.
            accumulate: index + 1 < layers.len(),
            x: grad_layer,
            out: grad,
        })
    }

    /// From the gradient of the rows to those of the table and its normalization.
    pub(super) fn relative_backward(
        &self,
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let Some(table) = &self.network.layout.relative else { return Ok(()) };
        let (backend, state) = (self.backend, &mut work.relative);
        if let Some(norm) = &table.norm {
            backend.norm_backward(NormBackward {
                parameters: self.parameters,
                norm,
                x: &state.raw,
                statistics: &state.statistics,
                grad: &mut state.grad,
                gradients,
            })?;
        }
        let all = table.start..table.start + table.rows * table.width;
        backend.parameter_rows_backward(&state.grad, state.parameters(table), all, gradients)
    }
}
