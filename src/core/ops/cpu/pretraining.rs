//! The heads and losses of pretraining.

use super::activation::column_sums;
use super::device::Cpu;
use super::matmul::{Matrix, matmul};
use super::memory::{CpuGradients, CpuParameters, resize};
use super::norm::{NormParameters, normalize, normalize_backward};
use super::numeric::{ROWS_PER_TASK, exp, lane_sum, vectorized};
use crate::core::ops::backend::{
    NormBackward, NormForward, PretrainingOps, ReplacedCrossEntropy, ReplacedLosses,
    TiedBackwardWeight, TokenCrossEntropy, TokenLosses,
};
use candle_core::Result;
use rayon::prelude::*;

impl PretrainingOps for Cpu {
    fn copy_parameters(
        &self,
        parameters: &CpuParameters,
        start: usize,
        end: usize,
    ) -> Result<Vec<f32>> {
        parameters.read(|p| Ok(p[start..end].to_vec()))
    }

    fn scale_change(
        &self,
        parameters: &mut CpuParameters,
        start: usize,
        before: &Vec<f32>,
        factor: f32,
    ) -> Result<()> {
        parameters.write(|p| {
            let changed = &mut p[start..start + before.len()];
            let chunks = changed.par_chunks_mut(1 << 16).zip(before.par_chunks(1 << 16));
            chunks.for_each(|(changed, before)| {
                if factor == 0.0 {
                    return changed.copy_from_slice(before);
                }
                vectorized!({
                    for (value, before) in changed.iter_mut().zip(before) {
                        *value = before + factor * (*value - before);
                    }
                });
            });
        })
    }

    fn clear(&self, gradients: &mut CpuGradients) -> Result<()> {
        let CpuGradients { dense, token_rows, .. } = gradients;
        for values in [dense, token_rows] {
            values.par_chunks_mut(1 << 16).for_each(|chunk| chunk.fill(0.0));
        }
        gradients.accumulate = true;
        Ok(())
    }

    fn prepare_token_table(&self, _: &mut CpuParameters) -> Result<()> {
        // Products read the parameters themselves, or copies that follow their version.
        Ok(())
    }

    fn gather_rows(
        &self,
        rows: &[u32],
        width: usize,
        x: &Vec<f32>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        let out = resize(out, rows.len() * width);
        for (out, &row) in out.chunks_exact_mut(width).zip(rows) {
            out.copy_from_slice(&x[row as usize * width..][..width]);
        }
        Ok(())
    }

    fn scatter_rows(
        &self,
        rows: &[u32],
        total: usize,
        width: usize,
        grad: &Vec<f32>,
        dx: &mut Vec<f32>,
    ) -> Result<()> {
        let dx = resize(dx, total * width);
        dx.fill(0.0);
        for (grad, &row) in grad.chunks_exact(width).zip(rows) {
            dx[row as usize * width..][..width].copy_from_slice(grad);
        }
        Ok(())
    }

    fn norm(&self, arguments: NormForward<'_, Self>) -> Result<()> {
        let NormForward { parameters, norm, rows, x, statistics, out } = arguments;
        let width = norm.width;
        let (out, statistics) = (resize(out, rows * width), resize(statistics, rows * 2));
        parameters.read(|p| {
            let norm = NormParameters::new(p, norm);
            out.par_chunks_mut(width)
                .zip(x.par_chunks(width))
                .zip(statistics.par_chunks_mut(2))
                .with_min_len(ROWS_PER_TASK)
                .for_each(|((out, x), statistics)| {
                    vectorized!(statistics.copy_from_slice(&normalize(x, norm, out)));
                });
            Ok(())
        })
    }

    fn norm_backward(&self, arguments: NormBackward<'_, Self>) -> Result<()> {
        let NormBackward { parameters, norm, x, statistics, grad, gradients } = arguments;
        let width = norm.width;
        let task = ROWS_PER_TASK * width;
        let partials = &mut gradients.partials;
        partials.clear();
        partials.resize(grad.len().div_ceil(task) * 2 * width, 0.0);
        parameters.read(|p| {
            let weight = &p[norm.weight..][..width];
            grad.par_chunks_mut(task)
                .zip(x.par_chunks(task))
                .zip(statistics.par_chunks(ROWS_PER_TASK * 2))
                .zip(partials.par_chunks_mut(2 * width))
                .for_each(|(((grad, x), statistics), sums)| {
                    let (dweight, dbias) = sums.split_at_mut(width);
                    let rows = grad
                        .chunks_exact_mut(width)
                        .zip(x.chunks_exact(width))
                        .zip(statistics.chunks_exact(2));
                    for ((grad, x), statistics) in rows {
                        vectorized!({
                            normalize_backward(x, weight, statistics, grad, dweight, dbias);
                        });
                    }
                });
            Ok(())
        })?;
        gradients.add_up(2 * width, 0, norm.weight, width);
        gradients.add_up(2 * width, width, norm.bias, width);
        Ok(())
    }

    fn tied_backward_weight(&self, arguments: TiedBackwardWeight<'_, Self>) -> Result<()> {
        let TiedBackwardWeight { layer, rows, x, grad, gradients } = arguments;
        if !gradients.accumulate || gradients.token_rows.len() != layer.weight_len() {
            candle_core::bail!("the step does not use every row of the token table");
        }
        let slopes = Matrix::new(grad, rows, layer.outputs).transposed();
        let x = Matrix::new(x, rows, layer.inputs);
        match &self.bf16 {
            Some(bf16) => bf16.product(slopes, x, &mut gradients.token_rows, true),
            None => matmul(slopes, x, &mut gradients.token_rows, true),
        }
        column_sums(layer.outputs, grad, &mut gradients.partials);
        gradients.add_up(layer.outputs, 0, layer.bias, layer.outputs);
        Ok(())
    }

    fn token_cross_entropy(
        &self,
        arguments: TokenCrossEntropy<'_, Self>,
    ) -> Result<Option<TokenLosses>> {
        let TokenCrossEntropy { vocabulary, scale, labels, logits, gradients } = arguments;
        if let Some(label) = labels.iter().find(|&&label| label as usize >= vocabulary) {
            candle_core::bail!("token id {label} is outside the vocabulary of {vocabulary}");
        }
        let trains = gradients.is_some();
        let losses: Vec<(f64, bool)> = logits
            .par_chunks_mut(vocabulary)
            .zip(labels)
            .map(|(logits, &label)| {
                vectorized!(token_loss(logits, label as usize, trains.then_some(scale)))
            })
            .collect();
        let sum: f64 = losses.iter().map(|(loss, _)| loss).sum();
        if let Some(gradients) = gradients {
            gradients.loss += f64::from(scale) * sum;
            gradients.parts[0] += f64::from(scale) * sum;
            return Ok(None);
        }
        let correct = losses.iter().filter(|(_, correct)| *correct).count() as u64;
        Ok(Some(TokenLosses { sum, count: labels.len() as u64, correct }))
    }

    fn sample_tokens(
        &self,
        vocabulary: usize,
        logits: &Vec<f32>,
        uniform: &(dyn Fn(usize) -> f64 + Sync),
    ) -> Result<Vec<u32>> {
        let rows = logits.par_chunks(vocabulary).enumerate();
        Ok(rows.map(|(row, logits)| vectorized!(sample(logits, uniform(row)))).collect())
    }

    fn replaced_cross_entropy(
        &self,
        arguments: ReplacedCrossEntropy<'_, Self>,
    ) -> Result<Option<ReplacedLosses>> {
        let ReplacedCrossEntropy { scale, part_scale, replaced, logits, grad, gradients } =
            arguments;
        let grad = resize(grad, logits.len());
        let mut losses = ReplacedLosses::default();
        for ((&logit, &replaced), grad) in logits.iter().zip(replaced).zip(grad) {
            let z = f64::from(logit);
            let target = f64::from(u8::from(replaced));
            let tail = (-z.abs()).exp();
            losses.sum += z.max(0.0) - z * target + tail.ln_1p();
            let probability = if z >= 0.0 { 1.0 / (1.0 + tail) } else { tail / (1.0 + tail) };
            *grad = scale * (probability - target) as f32;
            losses.counts[usize::from(replaced)][usize::from(z > 0.0)] += 1;
        }
        if let Some(gradients) = gradients {
            gradients.loss += f64::from(scale) * losses.sum;
            gradients.parts[1] += f64::from(part_scale) * losses.sum;
            return Ok(None);
        }
        Ok(Some(losses))
    }
}

/// The highest value; NaN does not count.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn highest(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let mut chunks = values.chunks_exact(16);
    for chunk in &mut chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = lane.max(*value);
        }
    }
    lanes.into_iter().chain(chunks.remainder().iter().copied()).fold(f32::NEG_INFINITY, f32::max)
}

/// The loss of one row, and whether its label has the highest logit. With a scale, the logits are
/// overwritten with their gradient.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn token_loss(logits: &mut [f32], label: usize, scale: Option<f32>) -> (f64, bool) {
    let top = highest(logits);
    let own = logits[label];
    let sum = lane_sum(logits.len(), |i| exp(logits[i] - top));
    let loss = f64::from(sum).ln() + f64::from(top) - f64::from(own);
    if let Some(scale) = scale {
        let factor = scale / sum;
        for logit in logits.iter_mut() {
            *logit = factor * exp(*logit - top);
        }
        logits[label] -= scale;
    }
    // A row of NaN has no highest logit, and its sum is NaN.
    (if sum.is_finite() { loss } else { f64::NAN }, own >= top)
}

/// The token of one row at which the cumulative probability exceeds `uniform`.
#[inline]
fn sample(logits: &[f32], uniform: f64) -> u32 {
    const BLOCK: usize = 256;
    let top = highest(logits);
    let block_sum = |block: &[f32]| f64::from(lane_sum(block.len(), |i| exp(block[i] - top)));
    let sums: Vec<f64> = logits.chunks(BLOCK).map(block_sum).collect();
    let target = uniform * sums.iter().sum::<f64>();
    let (mut below, mut first) = (0.0, 0);
    for sum in &sums[..sums.len().saturating_sub(1)] {
        if below + sum > target {
            break;
        }
        below += sum;
        first += BLOCK;
    }
    for (index, logit) in logits[first..].iter().enumerate() {
        below += f64::from(exp(logit - top));
        if below > target {
            return (first + index) as u32;
        }
    }
    logits.len().saturating_sub(1) as u32
}

#[cfg(test)]
#[path = "pretraining_tests.rs"]
mod tests;
