//! Bias, activation and dropout in one pass.

use super::device::Cpu;
use super::memory::resize;
use super::numeric::{ROWS_PER_TASK, exp, vectorized};
use crate::core::ops::backend::{ActivateBackward, ActivateForward, Activation, ActivationOps};
use crate::core::ops::dropout::Dropout;
use candle_core::Result;
use rayon::prelude::*;

impl ActivationOps for Cpu {
    fn activate(&self, arguments: ActivateForward<'_, Self>) -> Result<()> {
        let ActivateForward { parameters, bias, activation, dropout, rows, width, x, out } =
            arguments;
        let out = resize(out, rows * width);
        parameters.read(|p| {
            let bias = bias.map(|bias| &p[bias..][..width]);
            forward(bias, activation, dropout, width, x, out);
            Ok(())
        })
    }

    fn activate_backward(&self, arguments: ActivateBackward<'_, Self>) -> Result<()> {
        let ActivateBackward { bias, activation, dropout, width, x, grad, gradients, .. } =
            arguments;
        backward(activation, dropout, width, x, grad, &mut gradients.partials);
        if let Some(bias) = bias {
            gradients.add_up(width, 0, bias, width);
        }
        Ok(())
    }
}

/// `(Φ(x), φ(x))`: the normal distribution's cumulative and density functions.
///
/// The error function is approximation 7.1.26 of Abramowitz and Stegun, within 1.5e-7; it
/// shares its exponential with the density.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn normal(x: f32) -> (f32, f32) {
    let exponential = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2 * x.abs());
    let p = 1.061_405_4_f32;
    let p = p * t - 1.453_152_1;
    let p = p * t + 1.421_413_8;
    let p = p * t - 0.284_496_72;
    let p = p * t + 0.254_829_6;
    // Half of erfc(|x| / √2), the smaller tail.
    let tail = 0.5 * p * t * exponential;
    let cumulative = if x < 0.0 { tail } else { 1.0 - tail };
    (cumulative, exponential * 0.398_942_3)
}

/// `tanh(x)`, computed from the exponential.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn tanh(x: f32) -> f32 {
    let e = exp((2.0 * x).clamp(-40.0, 40.0));
    // Near zero the quotient loses digits, so the Taylor series is used.
    let small = x * (1.0 - x * x * (1.0 / 3.0 - x * x * (2.0 / 15.0)));
    if x.abs() < 0.02 { small } else { (e - 1.0) / (e + 1.0) }
}

/// The constants of GELU's approximation by `tanh`: `√(2/π)` and the coefficient of `x³`.
const GELU_TANH: (f32, f32) = (0.797_884_6, 0.044_715);

#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn value(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Identity => x,
        Activation::Gelu => x * normal(x).0,
        Activation::GeluTanh => {
            let (a, b) = GELU_TANH;
            0.5 * x * (1.0 + tanh(a * (x + b * x * x * x)))
        }
        Activation::Relu => x.max(0.0),
        Activation::Tanh => tanh(x),
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn slope(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Identity => 1.0,
        Activation::Gelu => {
            let (cumulative, density) = normal(x);
            cumulative + x * density
        }
        Activation::GeluTanh => {
            let (a, b) = GELU_TANH;
            let t = tanh(a * (x + b * x * x * x));
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * a * (1.0 + 3.0 * b * x * x)
        }
        Activation::Relu => f32::from(u8::from(x > 0.0)),
        Activation::Tanh => {
            let t = tanh(x);
            1.0 - t * t
        }
    }
}

/// `x += bias`, in place; `out = dropout(activation(x))`; rows are `width` wide.
fn forward(
    bias: Option<&[f32]>,
    activation: Activation,
    dropout: Dropout,
    width: usize,
    x: &mut [f32],
    out: &mut [f32],
) {
    let task = ROWS_PER_TASK * width;
    x.par_chunks_mut(task).zip(out.par_chunks_mut(task)).enumerate().for_each(
        |(task, (x, out))| {
            let rows = x.chunks_exact_mut(width).zip(out.chunks_exact_mut(width));
            for (row, (x, out)) in rows.enumerate() {
                vectorized!({
                    if let Some(bias) = bias {
                        add(x, bias);
                    }
                    match activation {
                        Activation::Gelu => map(x, out, |x| value(Activation::Gelu, x)),
                        Activation::GeluTanh => map(x, out, |x| value(Activation::GeluTanh, x)),
                        Activation::Relu => map(x, out, |x| value(Activation::Relu, x)),
                        Activation::Tanh => map(x, out, |x| value(Activation::Tanh, x)),
                        Activation::Identity => out.copy_from_slice(x),
                    }
                    drop_out(dropout, task * ROWS_PER_TASK + row, out);
                });
            }
        },
    );
}

/// Replaces `grad`, the gradient of `out`, by the gradient of `x`. Each task writes its column sums
/// to `partials`, one row per task.
fn backward(
    activation: Activation,
    dropout: Dropout,
    width: usize,
    x: &[f32],
    grad: &mut [f32],
    partials: &mut Vec<f32>,
) {
    let task = ROWS_PER_TASK * width;
    partials.clear();
    partials.resize(grad.len().div_ceil(task.max(1)) * width, 0.0);
    grad.par_chunks_mut(task)
        .zip(x.par_chunks(task))
        .zip(partials.par_chunks_mut(width))
        .enumerate()
        .for_each(|(task, ((grad, x), sums))| {
            let rows = grad.chunks_exact_mut(width).zip(x.chunks_exact(width));
            for (row, (grad, x)) in rows.enumerate() {
                vectorized!({
                    drop_out(dropout, task * ROWS_PER_TASK + row, grad);
                    match activation {
                        Activation::Gelu => scale(x, grad, |x| slope(Activation::Gelu, x)),
                        Activation::GeluTanh => scale(x, grad, |x| slope(Activation::GeluTanh, x)),
                        Activation::Relu => scale(x, grad, |x| slope(Activation::Relu, x)),
                        Activation::Tanh => scale(x, grad, |x| slope(Activation::Tanh, x)),
                        Activation::Identity => {}
                    }
                    add(sums, grad);
                });
            }
        });
}

/// Writes each task's column sums of a matrix to `partials`, one row per task.
pub(super) fn column_sums(width: usize, matrix: &[f32], partials: &mut Vec<f32>) {
    let task = ROWS_PER_TASK * width;
    partials.clear();
    partials.resize(matrix.len().div_ceil(task.max(1)) * width, 0.0);
    matrix.par_chunks(task).zip(partials.par_chunks_mut(width)).for_each(|(matrix, sums)| {
        vectorized!({
            for row in matrix.chunks_exact(width) {
                add(sums, row);
            }
        });
    });
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn map(x: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = f(x);
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn scale(x: &[f32], grad: &mut [f32], f: impl Fn(f32) -> f32) {
    for (grad, &x) in grad.iter_mut().zip(x) {
        *grad *= f(x);
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
pub(super) fn add(sums: &mut [f32], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

/// Applies dropout to a row.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
pub(super) fn drop_out(dropout: Dropout, row: usize, values: &mut [f32]) {
    if !dropout.is_none() {
        let pattern = dropout.row(row);
        for (i, value) in values.iter_mut().enumerate() {
            *value *= pattern.factor(i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_match_finite_differences() {
        for i in -600..600 {
            let x = f64::from(i) / 100.0;
            let x32 = x as f32;
            assert!((f64::from(tanh(x32)) - x.tanh()).abs() < 3e-7, "{x}");
            let all = [Activation::Gelu, Activation::GeluTanh, Activation::Tanh];
            for activation in all {
                let h = 1e-2;
                let rise = value(activation, x32 + h) - value(activation, x32 - h);
                let (ours, expected) = (slope(activation, x32), rise / (2.0 * h));
                assert!((ours - expected).abs() < 2e-4, "{activation:?} {x}: {ours} {expected}");
            }
        }
        assert_eq!((value(Activation::Relu, -1.0), value(Activation::Relu, 2.0)), (0.0, 2.0));
        assert_eq!((slope(Activation::Relu, -1.0), slope(Activation::Relu, 2.0)), (0.0, 1.0));
    }
}
