//! Bias, activation and dropout in one pass.

use super::{Activation, Device};
use crate::core::ops::dropout::Dropout;
use candle_core::Result;

/// The arguments of [`ActivationOps::activate`].
pub struct ActivateForward<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The offset of the bias, `[width]`, in the flat parameters, if there is one.
    pub bias: Option<usize>,
    /// The activation function.
    pub activation: Activation,
    /// The dropout of the result.
    pub dropout: Dropout,
    /// The rows of `x`.
    pub rows: usize,
    /// The columns of `x`.
    pub width: usize,
    /// `[rows, width]`; the bias is added in place.
    pub x: &'a mut D::Buffer,
    /// Output, `[rows, width]`.
    pub out: &'a mut D::Buffer,
}

/// The arguments of [`ActivationOps::activate_backward`].
pub struct ActivateBackward<'a, D: Device + ?Sized> {
    /// As in the forward pass.
    pub bias: Option<usize>,
    /// As in the forward pass.
    pub activation: Activation,
    /// As in the forward pass.
    pub dropout: Dropout,
    /// As in the forward pass.
    pub rows: usize,
    /// As in the forward pass.
    pub width: usize,
    /// `[rows, width]`: `x` after the forward pass.
    pub x: &'a D::Buffer,
    /// The gradient of the result; overwritten with the gradient of `x`.
    pub grad: &'a mut D::Buffer,
    /// Output: the gradient of the bias, if there is one.
    pub gradients: &'a mut D::Gradients,
}

/// Activation functions, forward and backward.
pub trait ActivationOps: Device {
    /// `x += b`; `out = dropout(activation(x))`.
    fn activate(&self, arguments: ActivateForward<'_, Self>) -> Result<()>;

    /// Backward of [`Self::activate`].
    fn activate_backward(&self, arguments: ActivateBackward<'_, Self>) -> Result<()>;
}
