//! The last layer and the loss.

use super::memory::Gradients;
use super::numeric::{lane_sum, vectorised};
use crate::core::ops::backend::{Dense, PackedBatch};

/// `logits = x Wᵀ + b`.
pub(super) fn classify(parameters: &[f32], dense: &Dense, x: &[f32], logits: &mut [f32]) {
    let weight = &parameters[dense.weight..];
    let bias = &parameters[dense.bias..];
    let rows = x.chunks_exact(dense.inputs).zip(logits.chunks_exact_mut(dense.outputs));
    for (x, logits) in rows {
        for (label, logit) in logits.iter_mut().enumerate() {
            let weight = &weight[label * dense.inputs..][..dense.inputs];
            *logit = bias[label] + vectorised(|| lane_sum(x.len(), |i| x[i] * weight[i]));
        }
    }
}

/// Backward of [`classify`].
pub(super) fn classify_backward(
    parameters: &[f32],
    dense: &Dense,
    x: &[f32],
    grad: &[f32],
    dx: &mut [f32],
    gradients: &mut Gradients,
) {
    let (inputs, outputs) = (dense.inputs, dense.outputs);
    let weight = &parameters[dense.weight..][..inputs * outputs];
    for (dx, grad) in dx.chunks_exact_mut(inputs).zip(grad.chunks_exact(outputs)) {
        dx.fill(0.0);
        for (weight, &grad) in weight.chunks_exact(inputs).zip(grad) {
            vectorised(|| {
                for (dx, weight) in dx.iter_mut().zip(weight) {
                    *dx += grad * weight;
                }
            });
        }
    }
    if !gradients.accumulate {
        gradients.at(dense.weight, inputs * outputs).fill(0.0);
        gradients.at(dense.bias, outputs).fill(0.0);
    }
    for (x, grad) in x.chunks_exact(inputs).zip(grad.chunks_exact(outputs)) {
        let dweight = gradients.at(dense.weight, inputs * outputs);
        for (dweight, &grad) in dweight.chunks_exact_mut(inputs).zip(grad) {
            vectorised(|| {
                for (dweight, x) in dweight.iter_mut().zip(x) {
                    *dweight += grad * x;
                }
            });
        }
        let dbias = gradients.at(dense.bias, outputs);
        for (dbias, grad) in dbias.iter_mut().zip(grad) {
            *dbias += grad;
        }
    }
}

/// Loss, predictions and the gradient of logits; see [`crate::core::ops::Backend::cross_entropy`].
pub(super) fn cross_entropy(
    classes: usize,
    smoothing: f32,
    scale: f32,
    batch: &PackedBatch,
    logits: &[f32],
    grad: &mut [f32],
    gradients: &mut Gradients,
) {
    let smoothing = f64::from(smoothing);
    let rows = logits.chunks_exact(classes).zip(grad.chunks_exact_mut(classes));
    for ((logits, grad), &label) in rows.zip(&batch.labels) {
        let mut best = 0;
        for (class, logit) in logits.iter().enumerate() {
            if *logit > logits[best] {
                best = class;
            }
        }
        gradients.predicted.push(best as u32);
        let (loss, slopes) = loss_of(logits, label as usize, smoothing);
        gradients.loss += f64::from(scale) * loss;
        for (grad, slope) in grad.iter_mut().zip(slopes) {
            *grad = scale * slope as f32;
        }
    }
}

/// The loss of one row, and its gradient.
fn loss_of(logits: &[f32], label: usize, smoothing: f64) -> (f64, impl Iterator<Item = f64> + '_) {
    let highest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(f64::from(b)));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - highest).exp()).sum();
    let log_sum = highest + sum.ln();
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
