//! Layer normalisation (Ba, Kiros and Hinton, 2016) over the last dimension.

use super::cpu::{ROWS_A_TASK, add_in_order, lane_sum, slice, with_slice};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// `(x - mean) / sqrt(variance + epsilon) × weight + bias`, each over the last dimension.
///
/// `x` is `[…, hidden]`, `weight` and `bias` are `[hidden]`.
///
/// # Errors
/// If the shapes do not fit or they are not CPU tensors of `f32`.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let epsilon = epsilon as f32;
    x.contiguous()?.apply_op3(weight, bias, LayerNorm { epsilon })
}

struct LayerNorm {
    epsilon: f32,
}

impl LayerNorm {
    /// The mean of a row, and one over its standard deviation.
    fn moments(&self, row: &[f32]) -> (f32, f32) {
        let n = row.len() as f32;
        let mean = lane_sum(row.len(), |i| row[i]) / n;
        let variance = lane_sum(row.len(), |i| (row[i] - mean) * (row[i] - mean)) / n;
        (mean, 1.0 / (variance + self.epsilon).sqrt())
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = slice(x, x_layout)?;
        let (weight, bias) = (slice(weight, weight_layout)?, slice(bias, bias_layout)?);
        let hidden = weight.len();
        if x_layout.dims().last() != Some(&hidden) || bias.len() != hidden || hidden == 0 {
            candle_core::bail!("layer-norm: the last dimension is not the weight's");
        }
        let mut out = vec![0f32; x.len()];
        out.par_chunks_mut(ROWS_A_TASK * hidden).zip(x.par_chunks(ROWS_A_TASK * hidden)).for_each(
            |(out, x)| {
                for (out, x) in out.chunks_exact_mut(hidden).zip(x.chunks_exact(hidden)) {
                    let (mean, scale) = self.moments(x);
                    for i in 0..hidden {
                        out[i] = (x[i] - mean) * scale * weight[i] + bias[i];
                    }
                }
            },
        );
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dweight, dbias) = with_slice(x, |x| {
            with_slice(weight, |weight| {
                with_slice(grad, |grad| Ok(self.gradients(x, weight, grad)))
            })
        })?;
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), device)?),
            Some(Tensor::from_vec(dweight, weight.shape(), device)?),
            Some(Tensor::from_vec(dbias, weight.shape(), device)?),
        ))
    }
}

impl LayerNorm {
    fn gradients(&self, x: &[f32], weight: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let hidden = weight.len();
        let mut dx = vec![0f32; x.len()];
        let partials: Vec<(Vec<f32>, Vec<f32>)> = dx
            .par_chunks_mut(ROWS_A_TASK * hidden)
            .zip(x.par_chunks(ROWS_A_TASK * hidden))
            .zip(grad.par_chunks(ROWS_A_TASK * hidden))
            .map(|((dx, x), grad)| {
                let mut dweight = vec![0f32; hidden];
                let mut dbias = vec![0f32; hidden];
                let rows = dx
                    .chunks_exact_mut(hidden)
                    .zip(x.chunks_exact(hidden))
                    .zip(grad.chunks_exact(hidden));
                for ((dx, x), grad) in rows {
                    let (mean, scale) = self.moments(x);
                    let normal = |i: usize| (x[i] - mean) * scale;
                    let n = hidden as f32;
                    let a = lane_sum(hidden, |i| grad[i] * weight[i]) / n;
                    let b = lane_sum(hidden, |i| grad[i] * weight[i] * normal(i)) / n;
                    for i in 0..hidden {
                        dx[i] = scale * (grad[i] * weight[i] - a - normal(i) * b);
                        dweight[i] += grad[i] * normal(i);
                        dbias[i] += grad[i];
                    }
                }
                (dweight, dbias)
            })
            .collect();
        let (dweight, dbias) = partials.into_iter().unzip();
        (dx, add_in_order(dweight, hidden), add_in_order(dbias, hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cpu::testing::{assert_agree, var};
    use candle_core::D;

    #[test]
    fn it_agrees_with_plain_operations() -> Result<()> {
        let x = var(&[5, 41, 37], 1.5, 1)?;
        let (weight, bias) = (var(&[37], 1.0, 2)?, var(&[37], 1.0, 3)?);
        assert_agree(
            &[&x, &weight, &bias],
            2e-5,
            || layer_norm(&x, &weight, &bias, 1e-12),
            || {
                let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
                let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
                let normal = centred.broadcast_div(&(variance + 1e-12)?.sqrt()?)?;
                normal.broadcast_mul(&weight)?.broadcast_add(&bias)
            },
        )
    }
}
