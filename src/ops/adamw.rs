//! AdamW (Loshchilov and Hutter, 2019) in one pass over each parameter, as `torch.optim.AdamW`.

use super::cpu::{ELEMENTS_A_TASK, lane_sum, slice, with_slice};
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, Var};
use rayon::prelude::*;
use std::sync::Mutex;

/// AdamW's constants; the learning rate comes with each step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSettings {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the denominator.
    pub epsilon: f64,
    /// Decoupled weight decay, for the parameters that decay.
    pub weight_decay: f64,
}

/// One parameter and what the optimizer remembers of it.
#[derive(Debug)]
struct Slot {
    var: Var,
    decays: bool,
    mean: Vec<f32>,
    variance: Vec<f32>,
}

/// The optimizer's state.
#[derive(Debug)]
pub struct AdamW {
    settings: AdamWSettings,
    slots: Vec<Slot>,
    step: u64,
}

impl AdamW {
    /// An optimizer over `parameters`, each with whether weight decay applies to it.
    pub fn new(parameters: impl IntoIterator<Item = (Var, bool)>, settings: AdamWSettings) -> Self {
        let slots = parameters
            .into_iter()
            .map(|(var, decays)| Slot {
                mean: vec![0.0; var.elem_count()],
                variance: vec![0.0; var.elem_count()],
                var,
                decays,
            })
            .collect();
        Self { settings, slots, step: 0 }
    }

    /// How many updates were made.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The mean and the variance of each parameter's gradients, in the order of the parameters.
    pub fn moments(&self) -> impl Iterator<Item = (&[f32], &[f32])> {
        self.slots.iter().map(|slot| (slot.mean.as_slice(), slot.variance.as_slice()))
    }

    /// Goes on from moments that [`Self::moments`] gave after `steps` updates.
    ///
    /// # Errors
    /// If they are not those of these parameters.
    pub fn restore(
        &mut self,
        steps: u64,
        moments: impl IntoIterator<Item = (Vec<f32>, Vec<f32>)>,
    ) -> Result<()> {
        let mut restored = 0;
        for (slot, (mean, variance)) in self.slots.iter_mut().zip(moments) {
            if mean.len() != slot.mean.len() || variance.len() != slot.variance.len() {
                candle_core::bail!("the optimizer's moments are of another model");
            }
            (slot.mean, slot.variance) = (mean, variance);
            restored += 1;
        }
        if restored != self.slots.len() {
            candle_core::bail!("the optimizer's moments are of another model");
        }
        self.step = steps;
        Ok(())
    }

    /// The norm of all gradients together, as `torch.nn.utils.clip_grad_norm_` gives it. A
    /// parameter without a gradient counts as zero.
    ///
    /// # Errors
    /// If a gradient is not a CPU tensor of `f32`.
    pub fn gradient_norm(&self, gradients: &GradStore) -> Result<f64> {
        let mut total = 0f64;
        for slot in &self.slots {
            if let Some(gradient) = gradients.get(&slot.var) {
                total += with_slice(gradient, |g| Ok(squared_norm(g)))?;
            }
        }
        Ok(total.sqrt())
    }

    /// One update with the gradients times `gradient_scale`.
    ///
    /// # Errors
    /// If a gradient does not fit its parameter.
    pub fn step(
        &mut self,
        gradients: &GradStore,
        learning_rate: f64,
        gradient_scale: f64,
    ) -> Result<()> {
        self.step += 1;
        let AdamWSettings { beta1, beta2, epsilon, weight_decay } = self.settings;
        let step = self.step as f64;
        for slot in &mut self.slots {
            let Some(gradient) = gradients.get(&slot.var) else {
                continue;
            };
            let decay = if slot.decays { weight_decay } else { 0.0 };
            let update = Update {
                moments: Mutex::new((&mut slot.mean, &mut slot.variance)),
                gradient_scale: gradient_scale as f32,
                keep: (1.0 - learning_rate * decay) as f32,
                beta1: beta1 as f32,
                beta2: beta2 as f32,
                epsilon: epsilon as f32,
                rate: (learning_rate / (1.0 - beta1.powf(step))) as f32,
                correction: (1.0 / (1.0 - beta2.powf(step)).sqrt()) as f32,
            };
            let gradient: Tensor = gradient.contiguous()?;
            slot.var.inplace_op2(&gradient, &update)?;
        }
        Ok(())
    }
}

fn squared_norm(values: &[f32]) -> f64 {
    let partials: Vec<f64> = values
        .par_chunks(ELEMENTS_A_TASK)
        .map(|chunk| {
            // Short runs in f32, added up in f64.
            let runs = chunk.chunks(256);
            runs.map(|run| f64::from(lane_sum(run.len(), |i| run[i] * run[i]))).sum()
        })
        .collect();
    partials.iter().sum()
}

/// The factor that brings gradients of this norm down to `max_norm`; 1 when they are within it,
/// or when `max_norm` is zero. As `torch.nn.utils.clip_grad_norm_`.
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    if max_norm > 0.0 { (max_norm / (norm + 1e-6)).min(1.0) } else { 1.0 }
}

struct Update<'a> {
    moments: Mutex<(&'a mut Vec<f32>, &'a mut Vec<f32>)>,
    gradient_scale: f32,
    keep: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    rate: f32,
    correction: f32,
}

impl InplaceOp2 for Update<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        let gradient = slice(gradient, gradient_layout)?;
        let (CpuStorage::F32(parameter), Some((start, end))) =
            (parameter, layout.contiguous_offsets())
        else {
            candle_core::bail!("adamw: a contiguous f32 parameter is needed")
        };
        let parameter = &mut parameter[start..end];
        let Ok(mut moments) = self.moments.lock() else {
            candle_core::bail!("adamw: an earlier update failed")
        };
        let (mean, variance) = &mut *moments;
        if gradient.len() != parameter.len() || mean.len() != parameter.len() {
            candle_core::bail!("adamw: the gradient does not fit the parameter");
        }
        parameter
            .par_chunks_mut(ELEMENTS_A_TASK)
            .zip(gradient.par_chunks(ELEMENTS_A_TASK))
            .zip(mean.par_chunks_mut(ELEMENTS_A_TASK))
            .zip(variance.par_chunks_mut(ELEMENTS_A_TASK))
            .for_each(|(((parameter, gradient), mean), variance)| {
                for i in 0..parameter.len() {
                    let g = gradient[i] * self.gradient_scale;
                    mean[i] = self.beta1 * mean[i] + (1.0 - self.beta1) * g;
                    variance[i] = self.beta2 * variance[i] + (1.0 - self.beta2) * g * g;
                    let denominator = variance[i].sqrt() * self.correction + self.epsilon;
                    parameter[i] = parameter[i] * self.keep - self.rate * mean[i] / denominator;
                }
            });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cpu::testing::{max_difference, numbers, var};
    use candle_core::Device;
    use candle_nn::Optimizer;

    #[test]
    fn it_agrees_with_candles_own() -> Result<()> {
        let (a, b) = (var(&[40, 7], 1.0, 1)?, var(&[40, 7], 1.0, 1)?);
        let settings =
            AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
        let mut ours = AdamW::new([(a.clone(), true)], settings);
        let params = candle_nn::ParamsAdamW { lr: 1e-2, ..Default::default() };
        let mut theirs = candle_nn::AdamW::new(vec![b.clone()], params)?;
        for step in 0..20 {
            let target = Tensor::from_vec(numbers(280, 1.0, 100 + step), (40, 7), &Device::Cpu)?;
            let loss = |var: &Var| (var.as_tensor() - &target)?.sqr()?.mean_all();
            ours.step(&loss(&a)?.backward()?, 1e-2, 1.0)?;
            theirs.step(&loss(&b)?.backward()?)?;
        }
        assert!(max_difference(&a, &b)? < 1e-5);
        Ok(())
    }

    #[test]
    fn clipping_brings_the_norm_down_and_never_up() {
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert!((clip_factor(4.0, 1.0) - 0.25).abs() < 1e-6);
        assert_eq!(clip_factor(4.0, 0.0), 1.0);
        assert!(clip_factor(f64::NAN, 1.0) <= 1.0);
    }

    #[test]
    fn the_norm_counts_every_gradient() -> Result<()> {
        let (a, b) = (var(&[300], 1.0, 1)?, var(&[5], 1.0, 2)?);
        let sum = (a.sqr()?.sum_all()? + b.sqr()?.sum_all()?)?;
        let gradients = (sum * 0.5)?.backward()?;
        let all = AdamW::new(
            [(a.clone(), true), (b.clone(), false)],
            AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 },
        );
        let expected: f32 = (a.sqr()?.sum_all()? + b.sqr()?.sum_all()?)?.to_scalar()?;
        let norm = all.gradient_norm(&gradients)?;
        assert!((norm - f64::from(expected).sqrt()).abs() < 1e-4);
        Ok(())
    }
}
