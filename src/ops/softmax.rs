//! Attention probabilities: scale, mask, softmax and dropout in one pass.

use super::cpu::{exp, lane_sum, slice, with_slice};
use super::dropout::Dropout;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// `dropout(softmax(scale × scores))` over the keys, where row `b` of the batch sees its first
/// `lengths[b]` keys only.
///
/// `scores` is `[batch, heads, queries, keys]`; `lengths` is `[batch]`. Keys beyond the length get
/// a probability of exactly zero, so padding changes nothing.
///
/// # Errors
/// If the shapes do not fit or it is not a CPU tensor of `f32`.
pub fn attention_probabilities(
    scores: &Tensor,
    lengths: &Arc<[u32]>,
    scale: f64,
    dropout: Dropout,
) -> Result<Tensor> {
    scores.contiguous()?.apply_op1(AttentionProbabilities {
        lengths: lengths.clone(),
        scale: scale as f32,
        dropout,
    })
}

struct AttentionProbabilities {
    lengths: Arc<[u32]>,
    scale: f32,
    dropout: Dropout,
}

impl AttentionProbabilities {
    /// `(rows of one batch element, keys)`.
    fn sizes(&self, shape: &Shape) -> Result<(usize, usize)> {
        let (batch, heads, queries, keys) = shape.dims4()?;
        let fits = |&length: &u32| (1..=keys).contains(&(length as usize));
        if batch != self.lengths.len() || !self.lengths.iter().all(fits) {
            candle_core::bail!("attention: the lengths do not fit the scores");
        }
        Ok((heads * queries, keys))
    }

    /// Softmax of one row over its real keys; `out` beyond them is left alone.
    fn softmax(&self, scores: &[f32], out: &mut [f32]) {
        let mut highest = f32::NEG_INFINITY;
        for &score in scores {
            highest = if score > highest || score.is_nan() { score } else { highest };
        }
        for (out, &score) in out.iter_mut().zip(scores) {
            *out = exp((score - highest) * self.scale);
        }
        let out = &mut out[..scores.len()];
        let scale = 1.0 / lane_sum(out.len(), |i| out[i]);
        for out in out {
            *out *= scale;
        }
    }

    fn forward(&self, scores: &[f32], rows: usize, keys: usize) -> Vec<f32> {
        let factor = self.dropout.factors();
        let mut out = vec![0f32; scores.len()];
        out.par_chunks_mut(rows * keys).zip(scores.par_chunks(rows * keys)).enumerate().for_each(
            |(b, (out, scores))| {
                let real = self.lengths[b] as usize;
                let pairs = out.chunks_exact_mut(keys).zip(scores.chunks_exact(keys));
                for (row, (out, scores)) in pairs.enumerate() {
                    self.softmax(&scores[..real], out);
                    if !self.dropout.is_none() {
                        let start = (b * rows + row) * keys;
                        for (i, out) in out[..real].iter_mut().enumerate() {
                            *out *= factor(start + i);
                        }
                    }
                }
            },
        );
        out
    }

    fn backward(&self, scores: &[f32], grad: &[f32], rows: usize, keys: usize) -> Vec<f32> {
        let factor = self.dropout.factors();
        let mut out = vec![0f32; scores.len()];
        out.par_chunks_mut(rows * keys)
            .zip(scores.par_chunks(rows * keys))
            .zip(grad.par_chunks(rows * keys))
            .enumerate()
            .for_each(|(b, ((out, scores), grad))| {
                let real = self.lengths[b] as usize;
                let mut probability = vec![0f32; real];
                let mut passed = vec![0f32; real];
                let pairs = out
                    .chunks_exact_mut(keys)
                    .zip(scores.chunks_exact(keys))
                    .zip(grad.chunks_exact(keys));
                for (row, ((out, scores), grad)) in pairs.enumerate() {
                    self.softmax(&scores[..real], &mut probability);
                    let start = (b * rows + row) * keys;
                    for (i, passed) in passed.iter_mut().enumerate() {
                        *passed = grad[i] * factor(start + i);
                    }
                    // In f64, so that a row's gradients add up to nearly nothing: what is left
                    // over is all that a key's bias would get, and AdamW would blow it up.
                    let (mut sum, mut weight) = (0f64, 0f64);
                    for (&probability, &passed) in probability.iter().zip(&passed) {
                        sum += f64::from(probability) * f64::from(passed);
                        weight += f64::from(probability);
                    }
                    let mean = sum / weight;
                    for i in 0..real {
                        let centred = (f64::from(passed[i]) - mean) as f32;
                        out[i] = self.scale * probability[i] * centred;
                    }
                }
            });
        out
    }
}

impl CustomOp1 for AttentionProbabilities {
    fn name(&self) -> &'static str {
        "attention-probabilities"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, keys) = self.sizes(layout.shape())?;
        let out = self.forward(slice(storage, layout)?, rows, keys);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, scores: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (rows, keys) = self.sizes(scores.shape())?;
        let out = with_slice(scores, |scores| {
            with_slice(grad, |grad| Ok(self.backward(scores, grad, rows, keys)))
        })?;
        Ok(Some(Tensor::from_vec(out, scores.shape(), scores.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cpu::testing::{assert_agree, var};
    use candle_core::{D, Device};

    #[test]
    fn it_agrees_with_plain_operations() -> Result<()> {
        let scores = var(&[3, 2, 9, 9], 2.0, 1)?;
        let lengths: Arc<[u32]> = Arc::from([9, 4, 1]);
        let dropout = Dropout::new(0.2, 11);
        let factors: Vec<f32> = (0..3 * 2 * 81).map(dropout.factors()).collect();
        let factors = Tensor::from_vec(factors, (3, 2, 9, 9), &Device::Cpu)?;
        let mut mask = vec![0f32; 27];
        for (b, &length) in lengths.iter().enumerate() {
            mask[b * 9 + length as usize..(b + 1) * 9].fill(f32::MIN);
        }
        let mask = Tensor::from_vec(mask, (3, 1, 1, 9), &Device::Cpu)?;
        assert_agree(
            &[&scores],
            1e-6,
            || attention_probabilities(&scores, &lengths, 0.3, dropout),
            || {
                let masked = (scores.as_tensor() * 0.3)?.broadcast_add(&mask)?;
                candle_nn::ops::softmax(&masked, D::Minus1)? * &factors
            },
        )
    }

    #[test]
    fn masked_keys_get_exactly_nothing() -> Result<()> {
        let scores = var(&[1, 1, 3, 5], 50.0, 4)?;
        let lengths: Arc<[u32]> = Arc::from([2]);
        let p = attention_probabilities(&scores, &lengths, 1.0, Dropout::NONE)?;
        for row in p.flatten_to(2)?.to_vec2::<f32>()? {
            assert_eq!(row[2..], [0.0; 3]);
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        Ok(())
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() -> Result<()> {
        let scores = var(&[1, 1, 3, 5], 1.0, 4)?;
        for lengths in [vec![6u32], vec![0], vec![1, 1]] {
            let lengths: Arc<[u32]> = lengths.into();
            assert!(attention_probabilities(&scores, &lengths, 1.0, Dropout::NONE).is_err());
        }
        Ok(())
    }
}
