//! Linear layers.

use super::{Device, LinearLayout};
use candle_core::Result;

/// The arguments of [`LinearOps::linear`].
pub struct LinearForward<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The layer.
    pub layer: &'a LinearLayout,
    /// Whether to add the bias.
    pub biased: bool,
    /// The rows of `x`.
    pub rows: usize,
    /// `[rows, inputs]`.
    pub x: &'a D::Buffer,
    /// Output, `[rows, outputs]`.
    pub out: &'a mut D::Buffer,
}

/// The arguments of [`LinearOps::linear_backward_input`].
pub struct LinearBackwardInput<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The layer.
    pub layer: &'a LinearLayout,
    /// Whether to add to `dx` instead of overwriting it.
    pub accumulate: bool,
    /// The rows of `grad`.
    pub rows: usize,
    /// `[rows, outputs]`: the gradient of the result.
    pub grad: &'a D::Buffer,
    /// Output, `[rows, inputs]`: the gradient of `x`.
    pub dx: &'a mut D::Buffer,
}

/// The arguments of [`LinearOps::linear_backward_weight`].
pub struct LinearBackwardWeight<'a, D: Device + ?Sized> {
    /// The layer.
    pub layer: &'a LinearLayout,
    /// Whether to compute the gradient of the bias, too.
    pub biased: bool,
    /// Whether to add to gradients that this micro-batch has already, of a layer that is used twice.
    pub again: bool,
    /// The rows of `x` and of `grad`.
    pub rows: usize,
    /// `[rows, inputs]`.
    pub x: &'a D::Buffer,
    /// `[rows, outputs]`: the gradient of the result.
    pub grad: &'a D::Buffer,
    /// Output: the gradients of weight and bias.
    pub gradients: &'a mut D::Gradients,
}

/// Linear layers, forward and backward.
pub trait LinearOps: Device {
    /// `out = x Wᵀ`, or `out = x Wᵀ + b`.
    fn linear(&self, arguments: LinearForward<'_, Self>) -> Result<()>;

    /// `dx = grad W`, or `dx += grad W`.
    fn linear_backward_input(&self, arguments: LinearBackwardInput<'_, Self>) -> Result<()>;

    /// `dW = gradᵀ x`, and `db` = the column sums of `grad`.
    fn linear_backward_weight(&self, arguments: LinearBackwardWeight<'_, Self>) -> Result<()>;
}
