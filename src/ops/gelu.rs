//! The Gaussian error linear unit, `x Φ(x)`, by the error function (Hendrycks and Gimpel, 2016).

use super::cpu::{ELEMENTS_A_TASK, exp, slice, with_slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// `gelu(x)`, any shape; Hugging Face's `"gelu"`.
///
/// # Errors
/// If `x` is not a CPU tensor of `f32`.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Gelu)
}

struct Gelu;

/// `(Φ(x), φ(x))`: the normal distribution's cumulative and density functions.
///
/// The error function is approximation 7.1.26 of Abramowitz and Stegun, within 1.5e-7; it needs
/// the very exponential that the density needs.
#[inline]
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

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(storage, layout)?;
        let mut out = vec![0f32; x.len()];
        out.par_chunks_mut(ELEMENTS_A_TASK).zip(x.par_chunks(ELEMENTS_A_TASK)).for_each(
            |(out, x)| {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = x * normal(x).0;
                }
            },
        );
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let out = with_slice(x, |x| {
            with_slice(grad, |grad| {
                let mut out = vec![0f32; x.len()];
                out.par_chunks_mut(ELEMENTS_A_TASK)
                    .zip(x.par_chunks(ELEMENTS_A_TASK))
                    .zip(grad.par_chunks(ELEMENTS_A_TASK))
                    .for_each(|((out, x), grad)| {
                        for ((out, &x), grad) in out.iter_mut().zip(x).zip(grad) {
                            let (cumulative, density) = normal(x);
                            *out = grad * (cumulative + x * density);
                        }
                    });
                Ok(out)
            })
        })?;
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cpu::testing::{assert_agree, var};

    #[test]
    fn it_agrees_with_candles_own() -> Result<()> {
        let x = var(&[40, 51], 2.0, 1)?;
        assert_agree(&[&x], 2e-6, || gelu(&x), || x.gelu_erf())
    }

    #[test]
    fn far_out_it_is_zero_or_the_identity() {
        for x in [-50.0f32, -9.0] {
            assert!((x * normal(x).0).abs() < 1e-6);
        }
        assert_eq!(normal(50.0), (1.0, normal(-50.0).1));
    }
}
