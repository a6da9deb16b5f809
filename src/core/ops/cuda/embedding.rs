//! The embedding layer: the sum of the rows of three tables, layer normalization and dropout.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::batch::DeviceBatch;
use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::gradients::{CudaGradients, DenseGradients};
use super::memory::{Act, DeviceSlice, DeviceSliceMut, GpuContext, LaunchShape};
use super::shapes::{self, RowChunks, groups};
use crate::core::ops::backend::{EmbedBackward, EmbedForward, EmbeddingOps, EmbeddingTables};
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
            tables
                .positions
                .map(|table| parameters.floats(table, tables.max_positions * width))
                .transpose()?,
            (tables.max_token_types > 0)
                .then(|| parameters.floats(tables.token_types, tables.max_token_types * width))
                .transpose()?,
            parameters.floats(norm.weight, width)?,
            parameters.floats(norm.bias, width)?,
            norm.epsilon,
            width,
            tables.first_position,
            batch.ids()?,
            batch.starts()?,
            batch.sequences(),
            batch.type_ids()?,
            batch.position_ids()?,
            low,
            high,
            dropout.threshold(),
            dropout.kept(),
            sum.resize(context, rows * width)?,
            statistics.resize(context, rows * 2)?,
            out.resize_rows(context, rows, width)?,
        ];
        let shape = shapes::whole_rows(rows, width)?;
        // SAFETY: ids, types and positions are within their tables, as was just checked; scale and shift
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
        let targets = [norm.weight, norm.bias, tables.token_types];
        let targets = &targets[..if tables.max_token_types > 0 { 3 } else { 2 }];
        let sums = targets.len();
        let mut partials = gradients.partials.resize(context, chunks.count * sums * width)?;
        let mut grad = grad.slice_mut(0..rows * width)?;
        let (low, high) = dropout.key_halves();
        let arguments = arguments![
            parameters.floats(norm.weight, width)?,
            rows,
            width,
            chunks.rows,
            batch.type_ids()?,
            low,
            high,
            dropout.threshold(),
            dropout.kept(),
            sum.slice(0..rows * width)?,
            statistics.slice(0..rows * 2)?,
            grad.reborrow(),
            partials.reborrow(),
            sums,
        ];
        let shape = shapes::whole_rows(chunks.count, width)?;
        // SAFETY: the scale is `[width]`, the sum and `grad` are `[rows, width]`, the statistics
        // `[rows, 2]`, and the partial sums `[chunks, sums, width]`.
        unsafe { context.launch("embed_backward", shape, arguments)? };
        let dense = &mut gradients.dense;
        dense.add_partials(context, partials.as_slice(), (chunks.count, width), targets)?;
        let accumulate = dense.accumulate;
        if !accumulate && tables.max_token_types > 0 {
            // The kernel adds up the tokens of type 0 alone.
            let others = (tables.max_token_types - 1) * width;
            fill_with_zeros(context, dense.at(tables.token_types + width, others)?, others)?;
        }
        if let Some((types, starts, tokens)) = batch.type_occurrences()? {
            let to = dense.at(tables.token_types + width, types * width)?;
            let arguments = arguments![starts, tokens, width, grad.as_slice(), to, true];
            // SAFETY: `grad` is `[rows, width]`, the listed tokens are rows, and `to` has one row
            // for each type from 1 on.
            unsafe { context.launch("token_gradients", table_rows(types, width), arguments)? };
        }
        position_gradients(self, tables, batch, grad.as_slice(), dense)?;
        let CudaGradients { tokens, token_rows, .. } = gradients;
        // The padding token has no gradient here; that of a tied last layer stays as it is.
        let padding = tokens.iter().position(|&token| Some(token) == tables.padding_token);
        let first_end = padding.unwrap_or(tokens.len());
        for range in [0..first_end, (first_end + 1).min(tokens.len())..tokens.len()] {
            let arguments = arguments![
                occurrence_starts.from(range.start, context.precision())?,
                occurrences,
                width,
                grad.as_slice(),
                token_rows.slice_mut(range.start * width..range.end * width)?,
                accumulate,
            ];
            // SAFETY: `grad` is `[rows, width]`, occurrences are rows, and there is one row of
            // gradients for each distinct token of the range.
            unsafe {
                context.launch("token_gradients", table_rows(range.len(), width), arguments)?;
            }
        }
        match padding {
            Some(padding) if !accumulate => {
                let row = token_rows.slice_mut(padding * width..(padding + 1) * width)?;
                fill_with_zeros(context, row, width)
            }
            _ => Ok(()),
        }
    }
}

/// The launch shape of sums for each row of a table.
fn table_rows(rows: usize, width: usize) -> LaunchShape {
    LaunchShape { grid: [rows, groups(width).div_ceil(32), 1], block: [32, 4, 1], shared: 0 }
}

fn fill_with_zeros<D: Driver>(
    context: &GpuContext<D>,
    to: DeviceSliceMut<'_, f32>,
    len: usize,
) -> Result<()> {
    let arguments = arguments![to, len as u64, 0f32];
    // SAFETY: `to` has `len` elements.
    unsafe { context.launch("fill", shapes::elements(len), arguments) }
}

/// Computes the gradient of the position table.
fn position_gradients<D: Driver>(
    backend: &CudaBackend<D>,
    tables: &EmbeddingTables,
    batch: &DeviceBatch<D>,
    grad: DeviceSlice<'_, Act>,
    dense: &mut DenseGradients<D>,
) -> Result<()> {
    let (context, width, accumulate) = (&backend.context, tables.width, dense.accumulate);
    let Some(table) = tables.positions else { return Ok(()) };
    let positions = tables.max_positions;
    let Some((used, starts, tokens)) = batch.position_occurrences()? else {
        let arguments = arguments![
            batch.starts()?,
            batch.sequences(),
            tables.first_position,
            width,
            grad,
            dense.at(table, positions * width)?,
            accumulate,
        ];
        // SAFETY: `grad` is `[rows, width]`, and the table `[positions, width]`.
        return unsafe {
            context.launch("position_gradients", table_rows(positions, width), arguments)
        };
    };
    if !accumulate {
        let all = dense.at(table, positions * width)?;
        fill_with_zeros(context, all, positions * width)?;
    }
    let to = dense.at(table, used * width)?;
    let arguments = arguments![starts, tokens, width, grad, to, true];
    // SAFETY: `grad` is `[rows, width]`, the listed tokens are rows, and `to` has `used` rows.
    unsafe { context.launch("token_gradients", table_rows(used, width), arguments)? };
    match tables.padding_position {
        Some(padding) => {
            let row = dense.at(table + padding as usize * width, width)?;
            fill_with_zeros(context, row, width)
        }
        None => Ok(()),
    }
}
