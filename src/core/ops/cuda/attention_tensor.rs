//! Multi-head attention on tensor cores.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::batch::DeviceBatch;
use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::memory::{DeviceSliceMut, LaunchShape};
use crate::core::ops::backend::{AttentionBackward, AttentionConfig, AttentionForward};
use candle_core::{Result, bail};
use std::sync::PoisonError;

/// The queries, or keys, that a block handles at a time.
const TILE: usize = 64;

/// The elements that are loaded at once: strides and first columns are multiples.
const PIECE: usize = 8;

/// The widths of heads that there are kernels for.
pub(super) const HEAD_WIDTHS: [usize; 2] = [32, 64];

/// The kernels for heads of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TensorKernels {
    forward: &'static str,
    queries: &'static str,
    keys: &'static str,
}

impl TensorKernels {
    /// The kernels that compute such attention, if there are any.
    pub(super) fn of(config: &AttentionConfig, has_relative: bool) -> Option<Self> {
        let matrices = [config.queries, config.keys, config.values];
        let fits = |size: usize| size.is_multiple_of(PIECE);
        let aligned = matrices.iter().all(|columns| fits(columns.stride) && fits(columns.start));
        if has_relative || config.first_only || !aligned {
            return None;
        }
        match config.head_width {
            32 => Some(Self {
                forward: "attention_tensor_32",
                queries: "attention_tensor_backward_queries_32",
                keys: "attention_tensor_backward_keys_32",
            }),
            64 => Some(Self {
                forward: "attention_tensor_64",
                queries: "attention_tensor_backward_queries_64",
                keys: "attention_tensor_backward_keys_64",
            }),
            _ => None,
        }
    }
}

/// The launch shape over queries, and over keys.
fn shape<D: Driver>(config: &AttentionConfig, batch: &DeviceBatch<D>) -> LaunchShape {
    LaunchShape {
        grid: [batch.sequences(), config.heads, batch.longest().div_ceil(TILE)],
        block: [128, 1, 1],
        shared: 2 * TILE * (config.head_width + PIECE) * size_of::<u16>(),
    }
}

impl<D: Driver> CudaBackend<D> {
    /// The kernels on tensor cores for such attention, where they are to be used.
    pub(super) fn tensor_kernels(
        &self,
        config: &AttentionConfig,
        has_relative: bool,
    ) -> Option<TensorKernels> {
        if self.has_tensor_attention { TensorKernels::of(config, has_relative) } else { None }
    }

    /// As `AttentionOps::attention`, by these kernels.
    pub(super) fn tensor_attention(
        &self,
        kernels: TensorKernels,
        arguments: AttentionForward<'_, Self>,
    ) -> Result<()> {
        let AttentionForward { config, batch, queries, keys_values, .. } = arguments;
        let AttentionForward { out, statistics, .. } = arguments;
        let (context, rows) = (&self.context, batch.rows());
        let (low, high) = config.dropout.key_halves();
        let arguments = arguments![
            batch.starts()?,
            config.heads,
            config.scale,
            queries.slice(0..rows * config.queries.stride)?,
            config.queries.stride,
            config.queries.start,
            keys_values.slice(0..rows * config.keys.stride)?,
            config.keys.stride,
            config.keys.start,
            config.values.start,
            low,
            high,
            config.dropout.threshold(),
            config.dropout.kept(),
            out.resize_rows(context, rows, config.hidden())?,
            statistics.resize(context, rows * config.heads)?,
        ];
        // SAFETY: the matrices have one row per token, as wide as their strides, and begin where
        // their allocations do; `out` is `[rows, heads × head width]`, and the statistics
        // `[rows, heads]`.
        unsafe { context.launch(kernels.forward, shape(config, batch), arguments) }
    }

    /// As `AttentionOps::attention_backward`, by these kernels.
    pub(super) fn tensor_attention_backward(
        &self,
        kernels: TensorKernels,
        arguments: AttentionBackward<'_, Self>,
    ) -> Result<()> {
        let AttentionBackward { config, batch, queries, keys_values, statistics, .. } = arguments;
        let AttentionBackward { grad, dqueries, dkeys_values, .. } = arguments;
        let (context, rows) = (&self.context, batch.rows());
        let (query_stride, key_stride) = (config.queries.stride, config.keys.stride);
        if dqueries.is_none() && query_stride != key_stride {
            bail!("the queries are not columns of the matrix of keys and values");
        }
        let mut dkeys_values = dkeys_values.resize_rows(context, rows, key_stride)?;
        let mut dqueries = match dqueries {
            Some(dqueries) => Some(dqueries.resize_rows(context, rows, query_stride)?),
            None => None,
        };
        let mut means = self.attention_means.lock().unwrap_or_else(PoisonError::into_inner);
        let mut means = means.resize(context, rows * config.heads)?;
        let starts = batch.starts()?;
        let queries = queries.slice(0..rows * query_stride)?;
        let keys_values = keys_values.slice(0..rows * key_stride)?;
        let statistics = statistics.slice(0..rows * config.heads)?;
        let grad = grad.slice(0..rows * config.hidden())?;
        let (low, high) = config.dropout.key_halves();
        let shape = shape(config, batch);
        let arguments = arguments![
            starts,
            config.heads,
            config.scale,
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
            statistics,
            grad,
            dqueries.as_mut().map_or_else(|| dkeys_values.reborrow(), DeviceSliceMut::reborrow),
            means.reborrow(),
        ];
        // SAFETY: the matrices have one row per token, as wide as their strides, and so have their
        // gradients; they begin where their allocations do. `grad` is `[rows, heads × head width]`,
        // the statistics and the means are `[rows, heads]`.
        unsafe { context.launch(kernels.queries, shape, arguments)? };
        let arguments = arguments![
            starts,
            config.heads,
            config.scale,
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
            statistics,
            means.as_slice(),
            grad,
            dkeys_values,
        ];
        // SAFETY: as above.
        unsafe { context.launch(kernels.keys, shape, arguments) }
    }
}
