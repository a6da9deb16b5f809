//! Embeddings on the straight line between those of two texts, for integrated gradients.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::CudaBackend;
use super::driver::{Driver, arguments};
use super::memory::DeviceBuffer;
use super::shapes;
use crate::core::ops::backend::{EmbedBetween, EmbedBetweenBackward, PathOps};
use candle_core::{Result, bail};

impl<D: Driver> PathOps for CudaBackend<D> {
    fn embed_between(&self, arguments: EmbedBetween<'_, Self>) -> Result<()> {
        let EmbedBetween { parameters, norm, start, end, shares, sum, statistics, out } = arguments;
        let (context, width) = (&self.context, norm.width);
        let rows = start.len() / width.max(1);
        if end.len() != start.len() || rows == 0 || shares.is_empty() {
            bail!("{} points on a path between {rows} tokens", shares.len());
        }
        let total = shares.len() * rows;
        let shares = DeviceBuffer::from_host(context, shares)?;
        let arguments = arguments![
            start.slice(0..rows * width)?,
            end.slice(0..rows * width)?,
            shares.all(),
            rows,
            parameters.floats(norm.weight, width)?,
            parameters.floats(norm.bias, width)?,
            norm.epsilon,
            width,
            sum.resize(context, total * width)?,
            statistics.resize(context, total * 2)?,
            out.resize(context, total * width)?,
        ];
        let shape = shapes::whole_rows(total, width)?;
        // SAFETY: both ends are `[rows, width]`, scale and shift `[width]`; the shares are
        // `[points]`, the sum and `out` `[points * rows, width]`, the statistics
        // `[points * rows, 2]`.
        unsafe { context.launch("embed_between", shape, arguments) }
    }

    fn embed_between_backward(
        &self,
        arguments: EmbedBetweenBackward<'_, Self>,
    ) -> Result<Vec<f32>> {
        let EmbedBetweenBackward { parameters, norm, start, end, sum, statistics, grad } =
            arguments;
        let (context, width) = (&self.context, norm.width);
        let rows = start.len() / width.max(1);
        let total = sum.len() / width.max(1);
        if end.len() != start.len() || rows == 0 || total == 0 || !total.is_multiple_of(rows) {
            bail!("a path of {total} rows between {rows} tokens");
        }
        let mut slopes = DeviceBuffer::zeroed(context, total)?;
        let arguments = arguments![
            parameters.floats(norm.weight, width)?,
            start.slice(0..rows * width)?,
            end.slice(0..rows * width)?,
            rows,
            width,
            sum.slice(0..total * width)?,
            statistics.slice(0..total * 2)?,
            grad.slice(0..total * width)?,
            slopes.all_mut(),
        ];
        let shape = shapes::whole_rows(total, width)?;
        // SAFETY: the scale is `[width]`, both ends are `[rows, width]`; the sum and `grad` are
        // `[points * rows, width]`, the statistics `[points * rows, 2]`, and the slopes
        // `[points * rows]`.
        unsafe { context.launch("embed_between_backward", shape, arguments)? };
        slopes.to_host()
    }
}
