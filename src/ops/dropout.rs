//! Dropout whose pattern is a function of the run's seed, the step and the place in the network.
//!
//! candle's CPU generator cannot be seeded. Here element `i` is kept or not by hashing `i` with a
//! key, so the pattern needs no storage (the backward makes it again), repeats from the seed, and
//! is the same whatever the number of threads.

use super::cpu::{ELEMENTS_A_TASK, slice, with_slice};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use std::cell::Cell;

/// The dropout of one place in the network at one step: a probability and a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    probability: f32,
    key: u64,
}

/// splitmix64's finalizer (Steele, Lea and Flood, 2014).
fn mix64(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A bijective 32-bit hash (Chris Wellons, "lowbias32").
#[inline]
fn mix32(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

impl Dropout {
    /// No dropout: everything is kept.
    pub const NONE: Self = Self { probability: 0.0, key: 0 };

    /// Drops each element with `probability`, in the pattern that `key` gives.
    pub fn new(probability: f32, key: u64) -> Self {
        Self { probability, key }
    }

    /// Whether nothing is dropped.
    pub fn is_none(&self) -> bool {
        self.probability <= 0.0
    }

    /// What element `i` is multiplied by: `0`, or `1 / (1 - p)`.
    pub(super) fn factors(&self) -> impl Fn(usize) -> f32 + Copy + use<> {
        let (low, high) = (self.key as u32, (self.key >> 32) as u32);
        let threshold = (f64::from(self.probability) * 4_294_967_296.0) as u32;
        let kept = 1.0 / (1.0 - self.probability);
        move |i| {
            let draw = mix32(mix32(i as u32 ^ low).wrapping_add(high ^ (i >> 32) as u32));
            if draw >= threshold { kept } else { 0.0 }
        }
    }
}

/// Hands out the dropouts of one forward pass, one for each place that asks, in order.
#[derive(Debug)]
pub struct Dropouts {
    key: Option<u64>,
    place: Cell<u64>,
}

impl Dropouts {
    /// Evaluation: nothing is dropped.
    pub fn off() -> Self {
        Self { key: None, place: Cell::new(0) }
    }

    /// Training: the pattern of step `step` of the run seeded with `seed`.
    pub fn training(seed: u64, step: u64) -> Self {
        Self { key: Some(mix64(mix64(seed) ^ step)), place: Cell::new(0) }
    }

    /// The dropout of the next place in the network.
    pub fn next(&self, probability: f64) -> Dropout {
        match self.key {
            Some(key) if probability > 0.0 => {
                let place = self.place.get();
                self.place.set(place + 1);
                Dropout::new(probability as f32, mix64(key ^ mix64(place)))
            }
            _ => Dropout::NONE,
        }
    }
}

/// `dropout(x)`, any shape.
///
/// # Errors
/// If `x` is not a CPU tensor of `f32`.
pub fn dropout(x: &Tensor, dropout: Dropout) -> Result<Tensor> {
    if dropout.is_none() {
        return Ok(x.clone());
    }
    x.contiguous()?.apply_op1(dropout)
}

/// `residual + dropout(x)`, both of one shape.
///
/// # Errors
/// If the shapes differ or they are not CPU tensors of `f32`.
pub fn dropout_add(x: &Tensor, residual: &Tensor, dropout: Dropout) -> Result<Tensor> {
    if dropout.is_none() {
        return x + residual;
    }
    x.contiguous()?.apply_op2(&residual.contiguous()?, DropoutAdd(dropout))
}

/// `out[i] = x[i] × factor(i)`, in parallel.
fn scale_by_pattern(x: &[f32], dropout: Dropout) -> Vec<f32> {
    let factor = dropout.factors();
    let mut out = vec![0f32; x.len()];
    out.par_chunks_mut(ELEMENTS_A_TASK).zip(x.par_chunks(ELEMENTS_A_TASK)).enumerate().for_each(
        |(task, (out, x))| {
            let start = task * ELEMENTS_A_TASK;
            for (i, (out, x)) in out.iter_mut().zip(x).enumerate() {
                *out = x * factor(start + i);
            }
        },
    );
    out
}

fn gradient(grad: &Tensor, dropout: Dropout) -> Result<Tensor> {
    let scaled = with_slice(grad, |grad| Ok(scale_by_pattern(grad, dropout)))?;
    Tensor::from_vec(scaled, grad.shape(), grad.device())
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let out = scale_by_pattern(slice(storage, layout)?, *self);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(gradient(grad, *self)?))
    }
}

struct DropoutAdd(Dropout);

impl CustomOp2 for DropoutAdd {
    fn name(&self) -> &'static str {
        "dropout-add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, residual) = (slice(x, x_layout)?, slice(residual, residual_layout)?);
        if x.len() != residual.len() {
            candle_core::bail!("dropout-add: the shapes differ");
        }
        let mut out = scale_by_pattern(x, self.0);
        out.par_chunks_mut(ELEMENTS_A_TASK).zip(residual.par_chunks(ELEMENTS_A_TASK)).for_each(
            |(out, residual)| {
                for (out, residual) in out.iter_mut().zip(residual) {
                    *out += residual;
                }
            },
        );
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(gradient(grad, self.0)?), Some(grad.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cpu::testing::{assert_agree, var};
    use candle_core::Device;

    #[test]
    fn a_tenth_is_dropped_and_the_mean_is_kept() -> Result<()> {
        let x = Tensor::ones(200_000, candle_core::DType::F32, &Device::Cpu)?;
        let y: Vec<f32> = dropout(&x, Dropout::new(0.1, 5))?.to_vec1()?;
        let dropped = y.iter().filter(|&&v| v == 0.0).count() as f32 / 2e5;
        assert!((dropped - 0.1).abs() < 0.003, "{dropped}");
        let mean = y.iter().sum::<f32>() / 2e5;
        assert!((mean - 1.0).abs() < 0.005, "{mean}");
        Ok(())
    }

    #[test]
    fn neighbours_and_places_are_independent() {
        let (a, b) = (Dropout::new(0.5, 1).factors(), Dropout::new(0.5, 2).factors());
        let n = 100_000;
        let share =
            |agree: &dyn Fn(usize) -> bool| (0..n).filter(|&i| agree(i)).count() as f64 / n as f64;
        assert!((share(&|i| a(i) == a(i + 1)) - 0.5).abs() < 0.01);
        assert!((share(&|i| a(i) == a(i + 64)) - 0.5).abs() < 0.01);
        assert!((share(&|i| a(i) == b(i)) - 0.5).abs() < 0.01);
    }

    #[test]
    fn the_pattern_follows_seed_step_and_place() {
        let of = |seed, step| {
            let dropouts = Dropouts::training(seed, step);
            [dropouts.next(0.1), dropouts.next(0.1)]
        };
        assert_eq!(of(1, 1), of(1, 1));
        assert_ne!(of(1, 1), of(1, 2));
        assert_ne!(of(1, 1), of(2, 1));
        assert_ne!(of(1, 1)[0], of(1, 1)[1]);
        assert!(Dropouts::off().next(0.5).is_none());
    }

    #[test]
    fn gradients_are_those_of_a_multiplication_by_the_pattern() -> Result<()> {
        let (x, residual) = (var(&[7, 33], 1.0, 1)?, var(&[7, 33], 1.0, 2)?);
        let pattern = Dropout::new(0.3, 77);
        let factors: Vec<f32> = (0..7 * 33).map(pattern.factors()).collect();
        let factors = Tensor::from_vec(factors, (7, 33), &Device::Cpu)?;
        assert_agree(
            &[&x, &residual],
            1e-6,
            || dropout_add(&x, &residual, pattern),
            || (x.as_tensor() * &factors)? + residual.as_tensor(),
        )?;
        assert_agree(&[&x], 1e-6, || dropout(&x, pattern), || x.as_tensor() * &factors)
    }
}
