//! Multi-head attention within each sequence.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::batch::DeviceBatch;
use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::memory::{DeviceSliceMut, LaunchShape};
use super::relative::{RelativeAttention, RelativeGradients};
use super::relative_buffers::RelativeScratch;
use super::shapes::groups;
use crate::core::ops::backend::{
    AttentionBackward, AttentionConfig, AttentionForward, AttentionOps,
};
use candle_core::{Result, bail};
use std::sync::PoisonError;

/// The queries, or keys, that a block handles at a time.
const TILE: usize = 32;

/// The columns of a head's result that a block computes: wider heads have several blocks per tile.
const SLICE: usize = 64;

/// The widest head that fits the shared memory of a block.
const MAX_HEAD_WIDTH: usize = 128;

/// The launch shapes over queries and over keys.
///
/// # Errors
/// If heads are too wide.
fn shapes<D: Driver>(
    config: &AttentionConfig,
    batch: &DeviceBatch<D>,
) -> Result<(LaunchShape, LaunchShape)> {
    let width = config.head_width;
    if width > MAX_HEAD_WIDTH {
        bail!("heads {width} wide are too wide for a GPU; the maximum is {MAX_HEAD_WIDTH}");
    }
    let shared = (64 * (4 * groups(width) + 4) + 1152) * size_of::<f32>();
    let (tiles, slices) = (batch.longest().div_ceil(TILE), width.div_ceil(SLICE));
    let shape = |tiles| LaunchShape {
        grid: [batch.sequences(), config.heads, tiles * slices],
        block: [128, 1, 1],
        shared,
    };
    Ok((shape(if config.first_only { 1 } else { tiles }), shape(tiles)))
}

impl<D: Driver> AttentionOps for CudaBackend<D> {
    fn attention(&self, arguments: AttentionForward<'_, Self>) -> Result<()> {
        if let Some(kernels) = self.tensor_kernels(arguments.config, arguments.relative.is_some()) {
            return self.tensor_attention(kernels, arguments);
        }
        let AttentionForward { config, batch, queries, keys_values, .. } = arguments;
        let AttentionForward { relative, out, statistics, .. } = arguments;
        let context = &self.context;
        let (rows, _) = batch.packed_rows(config.first_only)?;
        let (low, high) = config.dropout.key_halves();
        let queries = queries.slice(0..rows * config.queries.stride)?;
        let keys_values = keys_values.slice(0..batch.rows() * config.keys.stride)?;
        let mut scratch = self.relative.lock().unwrap_or_else(PoisonError::into_inner);
        let relative = relative.map(|relative| RelativeAttention { config, batch, relative });
        let terms = match &relative {
            Some(relative) => {
                let mut terms = scratch.scores.resize(context, relative.scores_len())?;
                relative.scores(self, queries, keys_values, terms.reborrow())?;
                Some(terms)
            }
            None => None,
        };
        let arguments = arguments![
            batch.starts()?,
            config.heads,
            config.head_width,
            config.scale,
            config.first_only,
            queries,
            config.queries.stride,
            config.queries.start,
            keys_values,
            config.keys.stride,
            config.keys.start,
            config.values.start,
            low,
            high,
            config.dropout.threshold(),
            config.dropout.kept(),
            terms.as_ref().map(DeviceSliceMut::as_slice),
            batch.longest(),
            out.resize_rows(context, rows, config.hidden())?,
            statistics.resize(context, rows * config.heads)?,
        ];
        let (over_queries, _) = shapes(config, batch)?;
        // SAFETY: the matrices have one row per query or per token, as wide as their strides, `out`
        // is `[query rows, heads × head width]`, and the statistics `[query rows, heads]`.
        unsafe { context.launch("attention", over_queries, arguments) }
    }

    fn attention_backward(&self, arguments: AttentionBackward<'_, Self>) -> Result<()> {
        if let Some(kernels) = self.tensor_kernels(arguments.config, arguments.relative.is_some()) {
            return self.tensor_attention_backward(kernels, arguments);
        }
        let AttentionBackward { config, batch, queries, keys_values, statistics, .. } = arguments;
        let AttentionBackward { relative, grad, dqueries, dkeys_values, drelative, .. } = arguments;
        let context = &self.context;
        let (rows, _) = batch.packed_rows(config.first_only)?;
        let (query_stride, key_stride) = (config.queries.stride, config.keys.stride);
        if dqueries.is_none() && (config.first_only || query_stride != key_stride) {
            bail!("the queries are not columns of the matrix of keys and values");
        }
        let mut dkeys_values = dkeys_values.resize_rows(context, batch.rows(), key_stride)?;
        let mut dqueries = match dqueries {
            Some(dqueries) => Some(dqueries.resize_rows(context, rows, query_stride)?),
            None => None,
        };
        let mut means = self.attention_means.lock().unwrap_or_else(PoisonError::into_inner);
        let mut means = means.resize(context, rows * config.heads * 2)?;
        let starts = batch.starts()?;
        let queries = queries.slice(0..rows * query_stride)?;
        let keys_values = keys_values.slice(0..batch.rows() * key_stride)?;
        let statistics = statistics.slice(0..rows * config.heads)?;
        let grad = grad.slice(0..rows * config.hidden())?;
        let relative = relative.map(|relative| RelativeAttention { config, batch, relative });
        let mut scratch = self.relative.lock().unwrap_or_else(PoisonError::into_inner);
        let RelativeScratch { scores, dscores } = &mut *scratch;
        let (terms, mut dscores) = match &relative {
            Some(relative) => {
                let mut terms = scores.resize(context, relative.scores_len())?;
                relative.scores(self, queries, keys_values, terms.reborrow())?;
                (Some(terms), Some(dscores.resize(context, relative.scores_len())?))
            }
            None => (None, None),
        };
        let (low, high) = config.dropout.key_halves();
        let (over_queries, over_keys) = shapes(config, batch)?;
        let arguments = arguments![
            starts,
            config.heads,
            config.head_width,
            config.scale,
            config.first_only,
            queries,
            query_stride,
            config.queries.start,
            keys_values,
            key_stride,
            config.keys.start,
            config.values.start,
            low,
            high,
            config.dropout.threshold(),
            config.dropout.kept(),
            terms.as_ref().map(DeviceSliceMut::as_slice),
            batch.longest(),
            statistics,
            grad,
            dqueries.as_mut().map_or_else(|| dkeys_values.reborrow(), DeviceSliceMut::reborrow),
            means.reborrow(),
            dscores.as_mut().map(DeviceSliceMut::reborrow),
        ];
        // SAFETY: the matrices have one row per query or per token, as wide as their strides, and
        // so have their gradients; `grad` is `[query rows, heads × head width]`, the statistics
        // `[query rows, heads]` and the means `[query rows, heads, 2]`.
        unsafe { context.launch("attention_backward_queries", over_queries, arguments)? };
        let arguments = arguments![
            starts,
            config.heads,
            config.head_width,
            config.scale,
            config.first_only,
            queries,
            query_stride,
            config.queries.start,
            keys_values,
            key_stride,
            config.keys.start,
            config.values.start,
            low,
            high,
            config.dropout.threshold(),
            config.dropout.kept(),
            terms.as_ref().map(DeviceSliceMut::as_slice),
            batch.longest(),
            statistics,
            means.as_slice(),
            grad,
            dkeys_values.reborrow(),
        ];
        // SAFETY: as above.
        unsafe { context.launch("attention_backward_keys", over_keys, arguments)? };
        let (Some(relative), Some(dscores)) = (relative, dscores) else { return Ok(()) };
        relative.backward(
            self,
            dscores.as_slice(),
            (queries, keys_values),
            RelativeGradients { dqueries, dkeys_values, drelative },
        )
    }
}
