//! Bias, dropout, residual and layer normalisation (Ba et al., 2016) in one pass.

use super::activation::{add, drop_out};
use super::numeric::{ROWS_A_TASK, lane_sum, vectorised};
use crate::core::ops::dropout::Dropout;
use rayon::prelude::*;

/// Scale, shift and what is added to the variance.
#[derive(Clone, Copy)]
pub(super) struct Scale<'a> {
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    pub epsilon: f32,
}

/// Which row of the packed batch each row is, for dropout.
#[derive(Clone, Copy)]
pub(super) enum Numbers<'a> {
    /// Its own place.
    Own,
    /// As listed.
    Listed(&'a [u32]),
}

impl Numbers<'_> {
    fn of(self, row: usize) -> usize {
        match self {
            Self::Own => row,
            Self::Listed(list) => list[row] as usize,
        }
    }
}

/// Mean and reciprocal deviation of a row.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it has to become part of vectorised loops")]
fn moments(x: &[f32], epsilon: f32) -> [f32; 2] {
    let n = x.len() as f32;
    let mean = lane_sum(x.len(), |i| x[i]) / n;
    let variance = lane_sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) / n;
    [mean, 1.0 / (variance + epsilon).sqrt()]
}

/// `out = LN(x)` of one row; returns its moments.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it has to become part of vectorised loops")]
pub(super) fn normalise(x: &[f32], norm: Scale<'_>, out: &mut [f32]) -> [f32; 2] {
    let [mean, scale] = moments(x, norm.epsilon);
    for (i, out) in out.iter_mut().enumerate() {
        *out = (x[i] - mean) * scale * norm.weight[i] + norm.bias[i];
    }
    [mean, scale]
}

/// `grad` comes as the gradient of `LN(x)` and leaves as that of `x`, of one row; what scale and
/// shift get is added to their sums.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it has to become part of vectorised loops")]
pub(super) fn normalise_backward(
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

/// `x = residual + dropout(x + bias)`, kept in `x`; `out = LN(x)`.
#[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
pub(super) fn forward(
    bias: &[f32],
    norm: Scale<'_>,
    dropout: Dropout,
    numbers: Numbers<'_>,
    x: &mut [f32],
    residual: &[f32],
    statistics: &mut [f32],
    out: &mut [f32],
) {
    let width = bias.len();
    let task = ROWS_A_TASK * width;
    x.par_chunks_mut(task)
        .zip(residual.par_chunks(task))
        .zip(out.par_chunks_mut(task))
        .zip(statistics.par_chunks_mut(ROWS_A_TASK * 2))
        .enumerate()
        .for_each(|(task, (((x, residual), out), statistics))| {
            let rows = x
                .chunks_exact_mut(width)
                .zip(residual.chunks_exact(width))
                .zip(out.chunks_exact_mut(width))
                .zip(statistics.chunks_exact_mut(2));
            for (row, (((x, residual), out), statistics)) in rows.enumerate() {
                vectorised(|| {
                    add(x, bias);
                    drop_out(dropout, numbers.of(task * ROWS_A_TASK + row), x);
                    add(x, residual);
                    statistics.copy_from_slice(&normalise(x, norm, out));
                });
            }
        });
}

/// `grad` comes as the gradient of `out` and leaves as that of `residual`; `dx` is that of what
/// `x` was. Each task's sums for scale, shift and bias are put into `partials`, three rows a task.
#[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
pub(super) fn backward(
    weight: &[f32],
    dropout: Dropout,
    numbers: Numbers<'_>,
    x: &[f32],
    statistics: &[f32],
    grad: &mut [f32],
    dx: &mut [f32],
    partials: &mut Vec<f32>,
) {
    let width = weight.len();
    let task = ROWS_A_TASK * width;
    partials.clear();
    partials.resize(grad.len().div_ceil(task) * 3 * width, 0.0);
    grad.par_chunks_mut(task)
        .zip(dx.par_chunks_mut(task))
        .zip(x.par_chunks(task))
        .zip(statistics.par_chunks(ROWS_A_TASK * 2))
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
                vectorised(|| {
                    normalise_backward(x, weight, statistics, grad, dweight, dshift);
                    dx.copy_from_slice(grad);
                    drop_out(dropout, numbers.of(task * ROWS_A_TASK + row), dx);
                    add(dbias, dx);
                });
            }
        });
}
