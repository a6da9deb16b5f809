//! AdamW (Loshchilov and Hutter, 2019), as `torch.optim.AdamW`: settings, and gradient clipping.

/// AdamW's hyper-parameters, except the learning rate, which is passed to each step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSettings {
    /// The exponential decay rate of the mean of gradients.
    pub beta1: f64,
    /// The exponential decay rate of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the denominator of the update.
    pub epsilon: f64,
    /// The decoupled weight decay of the parameters that it applies to.
    pub weight_decay: f64,
}

/// The factor that clips gradients of this norm to `max_norm`: 1 if the norm is at most `max_norm`,
/// or if `max_norm` is 0. As in `torch.nn.utils.clip_grad_norm_`.
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    if max_norm > 0.0 { (max_norm / (norm + 1e-6)).min(1.0) } else { 1.0 }
}

/// The share `1 - d` of the new weights in their exponential moving average after update `number`,
/// counted from 1: `d = min(decay, (1 + number) / (10 + number))`, as TensorFlow's
/// `ExponentialMovingAverage` with `num_updates`. Without this limit, a run of some hundred steps
/// would end with an average in which its first weights, such as a random head's, still weigh much.
pub fn average_share(decay: f64, number: u64) -> f64 {
    let number = number as f64;
    1.0 - decay.min((1.0 + number) / (10.0 + number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_averages_follow_the_weights_faster() {
        assert!((average_share(0.999, 1) - 9.0 / 11.0).abs() < 1e-12);
        assert!((average_share(0.5, 7) - 9.0 / 17.0).abs() < 1e-12);
        assert!((average_share(0.5, 8) - 0.5).abs() < 1e-12);
        assert!((average_share(0.999, 1_000_000) - 0.001).abs() < 1e-12);
    }

    #[test]
    fn clipping_never_scales_gradients_up() {
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert!((clip_factor(4.0, 1.0) - 0.25).abs() < 1e-6);
        assert_eq!(clip_factor(4.0, 0.0), 1.0);
        assert!(clip_factor(f64::NAN, 1.0) <= 1.0);
    }
}
