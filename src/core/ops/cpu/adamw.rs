//! The arithmetic of one update of AdamW, and of the average of the weights.

use super::numeric::vectorized;
use crate::core::ops::adamw::AdamWSettings;

/// The factors of one update.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factors {
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    /// The factor of weight decay: `1 - learning rate × weight decay`.
    pub keep: f32,
    /// The learning rate with the bias correction of the mean: `learning rate / (1 - beta1^step)`.
    rate: f32,
    /// The bias correction of the square root of the variance: `1 / √(1 - beta2^step)`.
    correction: f32,
    /// The share of the new weights in their average, if there is one.
    share: f32,
}

/// Parameters with their moments and average, and all of them equally many.
pub(super) struct Part<'a> {
    pub parameters: &'a mut [f32],
    pub mean: &'a mut [f32],
    pub variance: &'a mut [f32],
    pub average: Option<&'a mut [f32]>,
}

impl Factors {
    /// The factors of `torch.optim.AdamW` at this step, counted from 1.
    pub(super) fn new(
        settings: &AdamWSettings,
        step: u64,
        learning_rate: f64,
        decays: bool,
        share: f64,
    ) -> Self {
        let step = step as f64;
        let decay = if decays { settings.weight_decay } else { 0.0 };
        Self {
            beta1: settings.beta1 as f32,
            beta2: settings.beta2 as f32,
            epsilon: settings.epsilon as f32,
            keep: (1.0 - learning_rate * decay) as f32,
            rate: (learning_rate / (1.0 - settings.beta1.powf(step))) as f32,
            correction: (1.0 / (1.0 - settings.beta2.powf(step)).sqrt()) as f32,
            share: share as f32,
        }
    }

    /// One update of one parameter; returns its new value.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
    fn updated(&self, parameter: f32, g: f32, mean: &mut f32, variance: &mut f32) -> f32 {
        *mean = self.beta1 * *mean + (1.0 - self.beta1) * g;
        *variance = self.beta2 * *variance + (1.0 - self.beta2) * g * g;
        let denominator = variance.sqrt() * self.correction + self.epsilon;
        parameter * self.keep - self.rate * *mean / denominator
    }

    /// One update of `part`, whose gradient is `gradient(i)`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
    pub(super) fn apply(&self, part: Part<'_>, gradient: impl Fn(usize) -> f32) {
        let Part { parameters, mean, variance, average } = part;
        let n = parameters.len();
        let (mean, variance) = (&mut mean[..n], &mut variance[..n]);
        if let Some(average) = average {
            let average = &mut average[..n];
            for i in 0..n {
                let new = self.updated(parameters[i], gradient(i), &mut mean[i], &mut variance[i]);
                parameters[i] = new;
                average[i] += self.share * (new - average[i]);
            }
        } else {
            for i in 0..n {
                parameters[i] =
                    self.updated(parameters[i], gradient(i), &mut mean[i], &mut variance[i]);
            }
        }
    }

    /// One update without a gradient of parameters whose moments are zero.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
    pub(super) fn decay(&self, part: &mut Part<'_>) {
        for value in part.parameters.iter_mut() {
            *value *= self.keep;
        }
        if let Some(average) = &mut part.average {
            for (average, new) in average.iter_mut().zip(&*part.parameters) {
                *average += self.share * (new - *average);
            }
        }
    }
}

impl Part<'_> {
    /// The same elements, borrowed again.
    pub(super) fn reborrow(&mut self) -> Part<'_> {
        Part {
            parameters: self.parameters,
            mean: self.mean,
            variance: self.variance,
            average: self.average.as_deref_mut(),
        }
    }

    /// Splits off the elements before `len`, as [`slice::split_at_mut`] does.
    pub(super) fn split_at(self, len: usize) -> (Self, Self) {
        let (parameters, later_parameters) = self.parameters.split_at_mut(len);
        let (mean, later_mean) = self.mean.split_at_mut(len);
        let (variance, later_variance) = self.variance.split_at_mut(len);
        let (average, later_average) = self.average.map(|all| all.split_at_mut(len)).unzip();
        (
            Self { parameters, mean, variance, average },
            Self {
                parameters: later_parameters,
                mean: later_mean,
                variance: later_variance,
                average: later_average,
            },
        )
    }

    /// The number of parameters.
    pub(super) fn len(&self) -> usize {
        self.parameters.len()
    }

    /// One update with the widest vector instructions of this processor.
    pub(super) fn update(self, factors: &Factors, gradient: impl Fn(usize) -> f32) {
        vectorized!(factors.apply(self, gradient));
    }
}
