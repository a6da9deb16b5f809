//! Relative positions in attention (He et al., 2021).

#![expect(unsafe_code, reason = "kernels are launched")]

use super::CudaBackend;
use super::batch::DeviceBatch;
use super::driver::{Driver, arguments};
use super::gradients::CudaGradients;
use super::memory::{Act, DeviceBuffer, DeviceSlice, DeviceSliceMut, LaunchShape};
use super::parameters::CudaParameters;
use super::relative_buffers::DeviceRelativeRows;
use super::shapes;
use crate::core::ops::backend::{
    AttentionConfig, DropRows, MatrixColumns, Relative, RelativeColumns, RelativeOps, RelativeRows,
};
use candle_core::{Result, bail};
use std::ops::Range;

/// An attention with relative positions.
pub(super) struct RelativeAttention<'a, D: Driver> {
    pub config: &'a AttentionConfig,
    pub batch: &'a DeviceBatch<D>,
    pub relative: Relative<'a, CudaBackend<D>>,
}

/// Where the gradients go: those of queries and keys are added to.
pub(super) struct RelativeGradients<'a, D: Driver> {
    /// `None` if the queries are columns of the matrix of keys and values.
    pub dqueries: Option<DeviceSliceMut<'a, Act>>,
    pub dkeys_values: DeviceSliceMut<'a, Act>,
    /// The gradient of the matrix, if it is wanted.
    pub drelative: Option<&'a mut DeviceBuffer<D, Act>>,
}

/// The threads of a block of the backward kernels along columns, and those that share sequences.
const BLOCK: [usize; 2] = [64, 4];

impl<D: Driver> RelativeAttention<'_, D> {
    fn query_rows(&self) -> usize {
        if self.config.first_only { self.batch.sequences() } else { self.batch.rows() }
    }

    /// The elements of a matrix of scores.
    pub(super) fn scores_len(&self) -> usize {
        self.query_rows() * self.config.heads * self.batch.longest()
    }

    /// Rows by distance and their middle; the matrix of relative positions.
    fn inputs(&self) -> Result<(DeviceSlice<'_, u32>, usize, DeviceSlice<'_, Act>)> {
        let (rows, columns) = (self.relative.rows, &self.relative.columns);
        let longest = self.batch.longest();
        if longest == 0 || rows.longest < longest {
            bail!("rows for distances within {} of {longest} tokens", rows.longest);
        }
        let matrix = self.relative.matrix.slice(0..columns.rows * columns.stride)?;
        Ok((rows.rows.all(), rows.longest - 1, matrix))
    }

    fn shape(&self, rows: usize, block: [usize; 2]) -> LaunchShape {
        let grid = [rows, self.config.heads, 1];
        LaunchShape { grid, block: [block[0], block[1], 1], shared: 0 }
    }

    /// Computes the terms of the scores.
    pub(super) fn scores(
        &self,
        backend: &CudaBackend<D>,
        queries: DeviceSlice<'_, Act>,
        keys_values: DeviceSlice<'_, Act>,
        scores: DeviceSliceMut<'_, f32>,
    ) -> Result<()> {
        let (config, batch) = (self.config, self.batch);
        let RelativeColumns { stride, keys, queries: queries_at, first_row, .. } =
            self.relative.columns;
        let (rows, center, matrix) = self.inputs()?;
        let arguments = arguments![
            batch.starts()?,
            batch.sequences(),
            config.heads,
            config.head_width,
            config.first_only,
            queries,
            config.queries.stride,
            config.queries.start,
            keys_values,
            config.keys.stride,
            config.keys.start,
            matrix,
            stride,
            keys.is_some(),
            keys.unwrap_or(0),
            queries_at.is_some(),
            queries_at.unwrap_or(0),
            first_row,
            rows,
            center,
            batch.longest(),
            scores,
        ];
        let grid = [self.query_rows(), config.heads, batch.longest().div_ceil(128)];
        let shape = LaunchShape { grid, block: [128, 1, 1], shared: 0 };
        // SAFETY: the matrices have one row per query or per token, as wide as their strides; the rows by
        // distance reach as far as the longest sequence, as was just checked, and are rows of the matrix
        // from `first_row` on; the scores are `[query rows, heads, longest]`.
        unsafe { backend.context.launch("relative_scores", shape, arguments) }
    }

    /// Adds what the terms contribute to the gradients of queries and keys, and computes that of the matrix.
    pub(super) fn backward(
        &self,
        backend: &CudaBackend<D>,
        dscores: DeviceSlice<'_, f32>,
        (queries, keys_values): (DeviceSlice<'_, Act>, DeviceSlice<'_, Act>),
        gradients: RelativeGradients<'_, D>,
    ) -> Result<()> {
        let RelativeColumns { stride, rows, keys, queries: queries_at, .. } = self.relative.columns;
        let RelativeGradients { dqueries, mut dkeys_values, drelative } = gradients;
        let config = self.config;
        let mut drelative = match drelative {
            Some(drelative) => Some(drelative.resize(&backend.context, rows * stride)?),
            None => None,
        };
        if let Some(at) = keys {
            let kernel = ("relative_backward_queries", self.query_rows());
            let to = dqueries.unwrap_or_else(|| dkeys_values.reborrow());
            self.add_content(backend, kernel, dscores, at, (to, config.queries))?;
            if let Some(drelative) = &mut drelative {
                let content = (true, queries, config.queries);
                self.rows_gradient(backend, dscores, content, at, drelative.reborrow())?;
            }
        }
        if let Some(at) = queries_at {
            let kernel = ("relative_backward_keys", self.batch.rows());
            let to = dkeys_values.reborrow();
            self.add_content(backend, kernel, dscores, at, (to, config.keys))?;
            if let Some(drelative) = &mut drelative {
                let content = (false, keys_values, config.keys);
                self.rows_gradient(backend, dscores, content, at, drelative.reborrow())?;
            }
        }
        Ok(())
    }

    /// Adds to the gradient of queries or keys.
    fn add_content(
        &self,
        backend: &CudaBackend<D>,
        (kernel, rows): (&'static str, usize),
        dscores: DeviceSlice<'_, f32>,
        at: usize,
        (to, columns): (DeviceSliceMut<'_, Act>, MatrixColumns),
    ) -> Result<()> {
        let (config, batch) = (self.config, self.batch);
        let (by_distance, center, matrix) = self.inputs()?;
        let arguments = arguments![
            batch.starts()?,
            batch.sequences(),
            config.heads,
            config.head_width,
            config.first_only,
            dscores,
            batch.longest(),
            matrix,
            self.relative.columns.stride,
            at,
            self.relative.columns.first_row,
            by_distance,
            center,
            to,
            columns.stride,
            columns.start,
        ];
        // SAFETY: as in `scores`; the target has one row per query or per token, as wide as its stride.
        unsafe { backend.context.launch(kernel, self.shape(rows, [BLOCK[0], 1]), arguments) }
    }

    /// The gradient of the keys or the queries of positions.
    fn rows_gradient(
        &self,
        backend: &CudaBackend<D>,
        dscores: DeviceSlice<'_, f32>,
        (of_queries, content, columns): (bool, DeviceSlice<'_, Act>, MatrixColumns),
        at: usize,
        drelative: DeviceSliceMut<'_, Act>,
    ) -> Result<()> {
        let (config, batch) = (self.config, self.batch);
        let RelativeColumns { stride, first_row, rows, .. } = self.relative.columns;
        let (by_distance, center, _) = self.inputs()?;
        let arguments = arguments![
            batch.starts()?,
            batch.sequences(),
            config.heads,
            config.head_width,
            config.first_only,
            of_queries,
            dscores,
            batch.longest(),
            content,
            columns.stride,
            columns.start,
            first_row,
            by_distance,
            center,
            drelative,
            stride,
            at,
        ];
        // SAFETY: as in `scores`; `drelative` is as large as the matrix.
        unsafe {
            let shape = self.shape(rows, BLOCK);
            backend.context.launch("relative_backward_rows", shape, arguments)
        }
    }
}

impl<D: Driver> RelativeOps for CudaBackend<D> {
    fn send_relative_rows(
        &self,
        rows: &RelativeRows,
        to: &mut DeviceRelativeRows<D>,
    ) -> Result<()> {
        to.rows = DeviceBuffer::from_host(&self.context, rows.all())?;
        to.longest = rows.longest();
        Ok(())
    }

    fn parameter_rows(
        &self,
        parameters: &CudaParameters<D>,
        range: Range<usize>,
        out: &mut DeviceBuffer<D, Act>,
    ) -> Result<()> {
        let (context, len) = (&self.context, range.len());
        let from = parameters.floats(range.start, len)?;
        let arguments = arguments![from, out.resize(context, len)?, len as u64];
        // SAFETY: both have `len` elements.
        unsafe { context.launch("to_activations", shapes::elements(len), arguments) }
    }

    fn parameter_rows_backward(
        &self,
        grad: &DeviceBuffer<D, Act>,
        range: Range<usize>,
        all: Range<usize>,
        gradients: &mut CudaGradients<D>,
    ) -> Result<()> {
        let (context, dense) = (&self.context, &mut gradients.dense);
        if !dense.accumulate {
            let arguments = arguments![dense.at(all.start, all.len())?, all.len() as u64, 0f32];
            // SAFETY: the target has as many elements.
            unsafe { context.launch("fill", shapes::elements(all.len()), arguments)? };
        }
        let len = range.len();
        let to = dense.at(range.start, len)?;
        let arguments = arguments![grad.slice(0..len)?, len as u64, to];
        // SAFETY: both have `len` elements.
        unsafe { context.launch("add_to_floats", shapes::elements(len), arguments) }
    }

    fn drop_rows(&self, arguments: DropRows<'_, Self>) -> Result<()> {
        let DropRows { dropout, rows, width, accumulate, x, out } = arguments;
        let (context, len) = (&self.context, rows * width);
        let out = if accumulate {
            out.slice_mut(0..len)?
        } else {
            out.resize_rows(context, rows, width)?
        };
        let (low, high) = dropout.key_halves();
        let arguments = arguments![
            width,
            low,
            high,
            dropout.threshold(),
            dropout.kept(),
            x.slice(0..len)?,
            out,
            accumulate,
        ];
        // SAFETY: `x` and `out` are `[rows, width]`.
        unsafe { context.launch("drop_rows", shapes::columns(rows, width, 128), arguments) }
    }
}
