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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_never_scales_gradients_up() {
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert!((clip_factor(4.0, 1.0) - 0.25).abs() < 1e-6);
        assert_eq!(clip_factor(4.0, 0.0), 1.0);
        assert!(clip_factor(f64::NAN, 1.0) <= 1.0);
    }
}
