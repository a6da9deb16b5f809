//! Bias, dropout, residual and layer normalization (Ba et al., 2016) in one pass.

use super::activation::{add, drop_out};
use super::device::Cpu;
use super::memory::resize;
use super::numeric::{ROWS_PER_TASK, lane_sum, vectorized};
use crate::core::ops::backend::{
    AddNormBackward, AddNormForward, LayerNormLayout, NormOps, PackedBatch,
};
use crate::core::ops::dropout::Dropout;
use candle_core::Result;
use rayon::prelude::*;

/// Scale, shift and epsilon of a normalization.
#[derive(Clone, Copy)]
pub(super) struct NormParameters<'a> {
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    pub epsilon: f32,
}

impl<'a> NormParameters<'a> {
    pub(super) fn new(parameters: &'a [f32], norm: &LayerNormLayout) -> Self {
        Self {
            weight: &parameters[norm.weight..][..norm.width],
            bias: &parameters[norm.bias..][..norm.width],
            epsilon: norm.epsilon,
        }
    }
}

/// The packed row of each row, which selects its dropout pattern.
#[derive(Clone, Copy)]
pub(super) enum PackedRows<'a> {
    /// Row `i` is packed row `i`.
    All,
    /// One row per sequence: the packed row of its first token.
    First(&'a [u32]),
}

impl<'a> PackedRows<'a> {
    pub(super) fn new(batch: &'a PackedBatch, first_only: bool) -> Self {
        if first_only { Self::First(&batch.starts) } else { Self::All }
    }

    fn of(self, row: usize) -> usize {
        match self {
            Self::All => row,
            Self::First(starts) => starts[row] as usize,
        }
    }
}

impl PackedBatch {
    /// The number of rows: one per token, or with `first_only` one per sequence.
    pub(super) fn count_rows(&self, first_only: bool) -> usize {
        if first_only { self.batch_size() } else { self.rows() }
    }
}

impl NormOps for Cpu {
    fn add_norm(&self, arguments: AddNormForward<'_, Self>) -> Result<()> {
        let AddNormForward { parameters, bias, norm, dropout, batch, first_only, .. } = arguments;
        let AddNormForward { x, residual, statistics, out, .. } = arguments;
        let rows = batch.count_rows(first_only);
        let (out, statistics) = (resize(out, rows * norm.width), resize(statistics, rows * 2));
        parameters.read(|p| {
            let addend = Addend {
                bias: &p[bias..][..norm.width],
                dropout,
                packed_rows: PackedRows::new(batch, first_only),
                residual,
            };
            forward(&addend, NormParameters::new(p, norm), x, statistics, out);
            Ok(())
        })
    }

    fn add_norm_backward(&self, arguments: AddNormBackward<'_, Self>) -> Result<()> {
        let AddNormBackward { parameters, bias, norm, dropout, batch, first_only, .. } = arguments;
        let AddNormBackward { x, statistics, grad, dx, gradients, .. } = arguments;
        let (dx, width) = (resize(dx, grad.len()), norm.width);
        let partials = &mut gradients.partials;
        parameters.read(|p| {
            let weight = &p[norm.weight..][..width];
            let dropout = (dropout, PackedRows::new(batch, first_only));
            backward(weight, dropout, (x, statistics), grad, dx, partials);
            Ok(())
        })?;
        for (column, start) in [norm.weight, norm.bias, bias].into_iter().enumerate() {
            gradients.add_up(3 * width, column * width, start, width);
        }
        Ok(())
    }
}

/// Mean and reciprocal standard deviation of a row.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn moments(x: &[f32], epsilon: f32) -> [f32; 2] {
    let n = x.len() as f32;
    let mean = lane_sum(x.len(), |i| x[i]) / n;
    let variance = lane_sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) / n;
    [mean, 1.0 / (variance + epsilon).sqrt()]
}

/// `out = LN(x)` of one row; returns its moments.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
pub(super) fn normalize(x: &[f32], norm: NormParameters<'_>, out: &mut [f32]) -> [f32; 2] {
    let [mean, scale] = moments(x, norm.epsilon);
    for (i, out) in out.iter_mut().enumerate() {
        *out = (x[i] - mean) * scale * norm.weight[i] + norm.bias[i];
    }
    [mean, scale]
}

/// Replaces `grad`, the gradient of `LN(x)` of one row, by the gradient of `x`; adds the gradients
/// of scale and shift to their sums.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
pub(super) fn normalize_backward(
    x: &[f32],
    weight: &[f32],
    statistics: &[f32],
    grad: &mut [f32],
    dweight: &mut [f32],
    dbias: &mut [f32],
) {
    let (mean, scale) = (statistics[0], statistics[1]);
    let width = x.len();
    let (grad, weight) = (&mut grad[..width], &weight[..width]);
    let (dweight, dbias) = (&mut dweight[..width], &mut dbias[..width]);
    let normal = |i: usize| (x[i] - mean) * scale;
    let n = width as f32;
    let a = lane_sum(width, |i| grad[i] * weight[i]) / n;
    let b = lane_sum(width, |i| grad[i] * weight[i] * normal(i)) / n;
    for i in 0..width {
        let normal = normal(i);
        dweight[i] += grad[i] * normal;
        dbias[i] += grad[i];
        grad[i] = scale * (grad[i] * weight[i] - a - normal * b);
    }
}

/// The terms that are combined with `x` before it is normalized.
struct Addend<'a> {
    bias: &'a [f32],
    dropout: Dropout,
    packed_rows: PackedRows<'a>,
    residual: &'a [f32],
}

/// `x = residual + dropout(x + bias)`, in place; `out = LN(x)`.
fn forward(
    addend: &Addend<'_>,
    norm: NormParameters<'_>,
    x: &mut [f32],
    statistics: &mut [f32],
    out: &mut [f32],
) {
    let Addend { bias, dropout, packed_rows, residual } = *addend;
    let width = bias.len();
    let task = ROWS_PER_TASK * width;
    x.par_chunks_mut(task)
        .zip(residual.par_chunks(task))
        .zip(out.par_chunks_mut(task))
        .zip(statistics.par_chunks_mut(ROWS_PER_TASK * 2))
        .enumerate()
        .for_each(|(task, (((x, residual), out), statistics))| {
            let rows = x
                .chunks_exact_mut(width)
                .zip(residual.chunks_exact(width))
                .zip(out.chunks_exact_mut(width))
                .zip(statistics.chunks_exact_mut(2));
            for (row, (((x, residual), out), statistics)) in rows.enumerate() {
                vectorized!({
                    add(x, bias);
                    drop_out(dropout, packed_rows.of(task * ROWS_PER_TASK + row), x);
                    add(x, residual);
                    statistics.copy_from_slice(&normalize(x, norm, out));
                });
            }
        });
}

/// Replaces `grad`, the gradient of `out`, by the gradient of the residual; `dx` is the gradient
/// of the original `x`. Each task writes its sums for scale, shift and bias to `partials`, three
/// rows per task.
fn backward(
    weight: &[f32],
    (dropout, packed_rows): (Dropout, PackedRows<'_>),
    (x, statistics): (&[f32], &[f32]),
    grad: &mut [f32],
    dx: &mut [f32],
    partials: &mut Vec<f32>,
) {
    let width = weight.len();
    let task = ROWS_PER_TASK * width;
    partials.clear();
    partials.resize(grad.len().div_ceil(task) * 3 * width, 0.0);
    grad.par_chunks_mut(task)
        .zip(dx.par_chunks_mut(task))
        .zip(x.par_chunks(task))
        .zip(statistics.par_chunks(ROWS_PER_TASK * 2))
        .zip(partials.par_chunks_mut(3 * width))
        .enumerate()
        .for_each(|(task, ((((grad, dx), x), statistics), sums))| {
            let (dweight, sums) = sums.split_at_mut(width);
            let (dshift, dbias) = sums.split_at_mut(width);
            let rows = grad
                .chunks_exact_mut(width)
                .zip(dx.chunks_exact_mut(width))
                .zip(x.chunks_exact(width))
                .zip(statistics.chunks_exact(2));
            for (row, (((grad, dx), x), statistics)) in rows.enumerate() {
                vectorized!({
                    normalize_backward(x, weight, statistics, grad, dweight, dshift);
                    dx.copy_from_slice(grad);
                    drop_out(dropout, packed_rows.of(task * ROWS_PER_TASK + row), dx);
                    add(dbias, dx);
                });
            }
        });
}
