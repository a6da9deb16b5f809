//! Bias, dropout, residual and layer normalization in one pass.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::shapes::{self, RowChunks};
use crate::core::ops::backend::{AddNormBackward, AddNormForward, NormOps};
use candle_core::Result;

impl<D: Driver> NormOps for CudaBackend<D> {
    fn add_norm(&self, arguments: AddNormForward<'_, Self>) -> Result<()> {
        let AddNormForward { parameters, bias, norm, dropout, batch, first_only, .. } = arguments;
        let AddNormForward { x, residual, statistics, out, .. } = arguments;
        let (context, width) = (&self.context, norm.width);
        let (rows, packed_rows) = batch.packed_rows(first_only)?;
        let (low, high) = dropout.key_halves();
        let arguments = arguments![
            parameters.floats(bias, width)?,
            parameters.floats(norm.weight, width)?,
            parameters.floats(norm.bias, width)?,
            norm.epsilon,
            width,
            packed_rows,
            low,
            high,
            dropout.threshold(),
            dropout.kept(),
            x.slice_mut(0..rows * width)?,
            residual.slice(0..rows * width)?,
            statistics.resize(context, rows * 2)?,
            out.resize_rows(context, rows, width)?,
        ];
        let shape = shapes::whole_rows(rows, width)?;
        // SAFETY: bias, scale and shift are `[width]`; `x`, the residual and `out` are
        // `[rows, width]`, the statistics `[rows, 2]`, and there is a packed row for each row.
        unsafe { context.launch("add_norm", shape, arguments) }
    }

    fn add_norm_backward(&self, arguments: AddNormBackward<'_, Self>) -> Result<()> {
        let AddNormBackward { parameters, bias, norm, dropout, batch, first_only, .. } = arguments;
        let AddNormBackward { x, statistics, grad, dx, gradients, .. } = arguments;
        let (context, width) = (&self.context, norm.width);
        let (rows, packed_rows) = batch.packed_rows(first_only)?;
        let chunks = RowChunks::new(rows);
        let mut partials = gradients.partials.resize(context, chunks.count * 3 * width)?;
        let (low, high) = dropout.key_halves();
        let arguments = arguments![
            parameters.floats(norm.weight, width)?,
            rows,
            width,
            chunks.rows,
            packed_rows,
            low,
            high,
            dropout.threshold(),
            dropout.kept(),
            x.slice(0..rows * width)?,
            statistics.slice(0..rows * 2)?,
            grad.slice_mut(0..rows * width)?,
            dx.resize_rows(context, rows, width)?,
            partials.reborrow(),
        ];
        let shape = shapes::whole_rows(chunks.count, width)?;
        // SAFETY: the scale is `[width]`; `x`, `grad` and `dx` are `[rows, width]`, the statistics
        // `[rows, 2]`, the partial sums `[chunks, 3, width]`, and there is a packed row for each
        // row.
        unsafe { context.launch("add_norm_backward", shape, arguments)? };
        let targets = [norm.weight, norm.bias, bias];
        let (partials, size) = (partials.as_slice(), (chunks.count, width));
        gradients.dense.add_partials(context, partials, size, &targets)
    }
}
