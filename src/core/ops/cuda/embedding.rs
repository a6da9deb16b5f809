//! The embedding layer: the sum of the rows of three tables, layer normalization and dropout.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::memory::LaunchShape;
use super::shapes::{self, RowChunks, groups};
use crate::core::ops::backend::{EmbedBackward, EmbedForward, EmbeddingOps};
use candle_core::Result;

impl<D: Driver> EmbeddingOps for CudaBackend<D> {
    fn embed(&self, arguments: EmbedForward<'_, Self>) -> Result<()> {
        let EmbedForward { parameters, tables, norm, dropout, batch, sum, statistics, out } =
            arguments;
        batch.check(tables)?;
        let (context, rows, width) = (&self.context, batch.rows(), tables.width);
        let (low, high) = dropout.key_halves();
        let arguments = arguments![
            parameters.floats(tables.tokens, tables.vocabulary * width)?,
            parameters.floats(tables.positions, tables.max_positions * width)?,
            parameters.floats(tables.token_types, width)?,
            parameters.floats(norm.weight, width)?,
            parameters.floats(norm.bias, width)?,
            norm.epsilon,
            width,
            tables.first_position,
            batch.ids()?,
            batch.starts()?,
            batch.sequences(),
            low,
            high,
            dropout.threshold(),
            dropout.kept(),
            sum.resize(context, rows * width)?,
            statistics.resize(context, rows * 2)?,
            out.resize(context, rows * width)?,
        ];
        let shape = shapes::whole_rows(rows, width)?;
        // SAFETY: ids and positions are within their tables, as was just checked; scale and shift
        // are `[width]`, the sum and `out` `[rows, width]`, and the statistics `[rows, 2]`.
        unsafe { context.launch("embed", shape, arguments) }
    }

    fn embed_backward(&self, arguments: EmbedBackward<'_, Self>) -> Result<()> {
        let EmbedBackward { parameters, tables, norm, dropout, batch, .. } = arguments;
        let EmbedBackward { sum, statistics, grad, gradients, .. } = arguments;
        batch.check(tables)?;
        let (context, rows, width) = (&self.context, batch.rows(), tables.width);
        let (occurrence_starts, occurrences) = batch.occurrences(gradients.tokens.len())?;
        let chunks = RowChunks::new(rows);
        let mut partials = gradients.partials.resize(context, chunks.count * 3 * width)?;
        let mut grad = grad.slice_mut(0..rows * width)?;
        let (low, high) = dropout.key_halves();
        let arguments = arguments![
            parameters.floats(norm.weight, width)?,
            rows,
            width,
            chunks.rows,
            low,
            high,
            dropout.threshold(),
            dropout.kept(),
            sum.slice(0..rows * width)?,
            statistics.slice(0..rows * 2)?,
            grad.reborrow(),
            partials.reborrow(),
        ];
        let shape = shapes::whole_rows(chunks.count, width)?;
        // SAFETY: the scale is `[width]`, the sum and `grad` are `[rows, width]`, the statistics
        // `[rows, 2]`, and the partial sums `[chunks, 3, width]`.
        unsafe { context.launch("embed_backward", shape, arguments)? };
        let dense = &mut gradients.dense;
        let targets = [norm.weight, norm.bias, tables.token_types];
        dense.add_partials(context, partials.as_slice(), (chunks.count, width), &targets)?;
        let accumulate = dense.accumulate;
        if !accumulate {
            // Every token has type 0.
            let others = (tables.max_token_types - 1) * width;
            let to = dense.at(tables.token_types + width, others)?;
            let arguments = arguments![to, others as u64, 0f32];
            // SAFETY: `to` has `others` elements.
            unsafe { context.launch("fill", shapes::elements(others), arguments)? };
        }

        let shape = |rows| LaunchShape {
            grid: [rows, groups(width).div_ceil(32), 1],
            block: [32, 4, 1],
            shared: 0,
        };
        let positions = tables.max_positions;
        let arguments = arguments![
            batch.starts()?,
            batch.sequences(),
            tables.first_position,
            width,
            grad.as_slice(),
            dense.at(tables.positions, positions * width)?,
            accumulate,
        ];
        // SAFETY: `grad` is `[rows, width]`, and the table `[positions, width]`.
        unsafe { context.launch("position_gradients", shape(positions), arguments)? };
        let arguments = arguments![
            occurrence_starts,
            occurrences,
            width,
            grad.as_slice(),
            gradients.token_rows.all_mut(),
            accumulate,
        ];
        // SAFETY: `grad` is `[rows, width]`, occurrences are rows, and there is one row of
        // gradients for each distinct token.
        unsafe { context.launch("token_gradients", shape(gradients.tokens.len()), arguments) }
    }
}
