//! The classification head: pooling of the tokens, the last layer and the loss.

use super::activation;
use super::device::Cpu;
use super::memory::{CpuGradients, resize};
use super::numeric::{lane_sum, vectorized};
use crate::core::data::batching::BatchRole;
use crate::core::ops::backend::{
    ClassifyBackward, ClassifyForward, CrossEntropy, Divergence, HeadOps, LinearLayout, PackedBatch,
};
use candle_core::Result;

impl HeadOps for Cpu {
    fn gather_first(
        &self,
        batch: &PackedBatch,
        width: usize,
        x: &Vec<f32>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        let out = resize(out, batch.batch_size() * width);
        for (out, &row) in out.chunks_exact_mut(width).zip(&batch.starts) {
            out.copy_from_slice(&x[row as usize * width..][..width]);
        }
        Ok(())
    }

    fn scatter_add_first(
        &self,
        batch: &PackedBatch,
        width: usize,
        grad: &Vec<f32>,
        dx: &mut Vec<f32>,
    ) -> Result<()> {
        for (grad, &row) in grad.chunks_exact(width).zip(&batch.starts) {
            activation::add(&mut dx[row as usize * width..][..width], grad);
        }
        Ok(())
    }

    fn mean_rows(
        &self,
        batch: &PackedBatch,
        width: usize,
        x: &Vec<f32>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        let out = resize(out, batch.batch_size() * width);
        for (out, ends) in out.chunks_exact_mut(width).zip(batch.starts.windows(2)) {
            let rows = &x[ends[0] as usize * width..ends[1] as usize * width];
            out.fill(0.0);
            let share = 1.0 / (ends[1] - ends[0]) as f32;
            vectorized!({
                for row in rows.chunks_exact(width) {
                    activation::add(out, row);
                }
                for sum in out.iter_mut() {
                    *sum *= share;
                }
            });
        }
        Ok(())
    }

    fn mean_rows_backward(
        &self,
        batch: &PackedBatch,
        width: usize,
        grad: &Vec<f32>,
        dx: &mut Vec<f32>,
    ) -> Result<()> {
        let dx = resize(dx, batch.rows() * width);
        for (grad, ends) in grad.chunks_exact(width).zip(batch.starts.windows(2)) {
            let share = 1.0 / (ends[1] - ends[0]) as f32;
            let rows = &mut dx[ends[0] as usize * width..ends[1] as usize * width];
            for row in rows.chunks_exact_mut(width) {
                vectorized!({
                    for (to, from) in row.iter_mut().zip(grad) {
                        *to = share * from;
                    }
                });
            }
        }
        Ok(())
    }

    fn classify(&self, arguments: ClassifyForward<'_, Self>) -> Result<()> {
        let ClassifyForward { parameters, layer, rows, x, logits } = arguments;
        let logits = resize(logits, rows * layer.outputs);
        parameters.read(|p| {
            classify(p, layer, x, logits);
            Ok(())
        })
    }

    fn classify_backward(&self, arguments: ClassifyBackward<'_, Self>) -> Result<()> {
        let ClassifyBackward { parameters, layer, rows, x, grad, dx, gradients } = arguments;
        let dx = resize(dx, rows * layer.inputs);
        parameters.read(|p| {
            classify_backward(p, layer, x, grad, dx, gradients);
            Ok(())
        })
    }

    fn cross_entropy(&self, arguments: CrossEntropy<'_, Self>) -> Result<()> {
        let CrossEntropy { classes, smoothing, scale, batch, logits, grad, gradients } = arguments;
        let grad = resize(grad, logits.len());
        let smoothing = f64::from(smoothing);
        let is_reported = batch.role != BatchRole::PseudoLabelled;
        let rows = logits.chunks_exact(classes).zip(grad.chunks_exact_mut(classes));
        for (row, ((logits, grad), &label)) in rows.zip(&batch.labels).enumerate() {
            let scale = scale * batch.weight(row);
            let mut best = 0;
            for (class, logit) in logits.iter().enumerate() {
                if *logit > logits[best] {
                    best = class;
                }
            }
            gradients.predicted.push(best as u32);
            let (loss, slopes) = loss_of(logits, label as usize, smoothing);
            if is_reported {
                gradients.loss += f64::from(scale) * loss;
            }
            for (grad, slope) in grad.iter_mut().zip(slopes) {
                *grad = scale * slope as f32;
            }
        }
        Ok(())
    }

    fn divergence(&self, arguments: Divergence<'_, Self>) -> Result<()> {
        let Divergence { classes, scale, batch, logits, grad, gradients } = arguments;
        let half = batch.batch_size() / 2 * classes;
        let (first, second) = logits.split_at(half);
        let (grad_first, grad_second) = grad.split_at_mut(half);
        let pairs = first.chunks_exact(classes).zip(second.chunks_exact(classes));
        let grads = grad_first.chunks_exact_mut(classes).zip(grad_second.chunks_exact_mut(classes));
        for (row, ((p, q), (grad_p, grad_q))) in pairs.zip(grads).enumerate() {
            let scale = scale * batch.weight(row);
            let (log_sum_p, log_sum_q) = (log_sum_of(p), log_sum_of(q));
            // For each class: both probabilities, and log p - log q.
            let terms = |p: f32, q: f32| {
                let (log_p, log_q) = (f64::from(p) - log_sum_p, f64::from(q) - log_sum_q);
                (log_p.exp(), log_q.exp(), log_p - log_q)
            };
            let (mut forward, mut reverse) = (0.0, 0.0);
            for (&p, &q) in p.iter().zip(q) {
                let (p, q, difference) = terms(p, q);
                forward += p * difference;
                reverse -= q * difference;
            }
            gradients.loss += f64::from(scale) * (forward + reverse);
            let logits = p.iter().zip(q);
            for ((&p, &q), (grad_p, grad_q)) in logits.zip(grad_p.iter_mut().zip(grad_q)) {
                let (p, q, difference) = terms(p, q);
                *grad_p += scale * (p * (difference - forward) + p - q) as f32;
                *grad_q += scale * (q * (-difference - reverse) + q - p) as f32;
            }
        }
        Ok(())
    }
}

/// The logarithm of the sum of exponentials of a row.
fn log_sum_of(logits: &[f32]) -> f64 {
    let highest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(f64::from(b)));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - highest).exp()).sum();
    highest + sum.ln()
}

/// `logits = x Wᵀ + b`.
fn classify(parameters: &[f32], layer: &LinearLayout, x: &[f32], logits: &mut [f32]) {
    let weight = &parameters[layer.weight..];
    let bias = &parameters[layer.bias..];
    let rows = x.chunks_exact(layer.inputs).zip(logits.chunks_exact_mut(layer.outputs));
    for (x, logits) in rows {
        for (label, logit) in logits.iter_mut().enumerate() {
            let weight = &weight[label * layer.inputs..][..layer.inputs];
            *logit = bias[label] + vectorized!(lane_sum(x.len(), |i| x[i] * weight[i]));
        }
    }
}

/// Backward of [`classify`].
fn classify_backward(
    parameters: &[f32],
    layer: &LinearLayout,
    x: &[f32],
    grad: &[f32],
    dx: &mut [f32],
    gradients: &mut CpuGradients,
) {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let weight = &parameters[layer.weight..][..inputs * outputs];
    for (dx, grad) in dx.chunks_exact_mut(inputs).zip(grad.chunks_exact(outputs)) {
        dx.fill(0.0);
        for (weight, &grad) in weight.chunks_exact(inputs).zip(grad) {
            vectorized!({
                for (dx, weight) in dx.iter_mut().zip(weight) {
                    *dx += grad * weight;
                }
            });
        }
    }
    if !gradients.accumulate {
        gradients.at(layer.weight, inputs * outputs).fill(0.0);
        gradients.at(layer.bias, outputs).fill(0.0);
    }
    for (x, grad) in x.chunks_exact(inputs).zip(grad.chunks_exact(outputs)) {
        let dweight = gradients.at(layer.weight, inputs * outputs);
        for (dweight, &grad) in dweight.chunks_exact_mut(inputs).zip(grad) {
            vectorized!({
                for (dweight, x) in dweight.iter_mut().zip(x) {
                    *dweight += grad * x;
                }
            });
        }
        let dbias = gradients.at(layer.bias, outputs);
        for (dbias, grad) in dbias.iter_mut().zip(grad) {
            *dbias += grad;
        }
    }
}

/// The loss of one row, and its gradient.
fn loss_of(logits: &[f32], label: usize, smoothing: f64) -> (f64, impl Iterator<Item = f64> + '_) {
    let log_sum = log_sum_of(logits);
    let mean = logits.iter().map(|&logit| f64::from(logit)).sum::<f64>() / logits.len() as f64;
    let own = logits.get(label).map_or(f64::NAN, |&logit| f64::from(logit));
    let loss = (1.0 - smoothing) * (log_sum - own) + smoothing * (log_sum - mean);
    let uniform = smoothing / logits.len() as f64;
    let slopes = logits.iter().enumerate().map(move |(class, &logit)| {
        let target = if class == label { 1.0 - smoothing } else { 0.0 };
        (f64::from(logit) - log_sum).exp() - target - uniform
    });
    (loss, slopes)
}
