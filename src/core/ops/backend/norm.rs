//! Bias, dropout, residual and layer normalisation in one pass.

use super::{Device, LayerNormLayout};
use crate::core::ops::dropout::Dropout;
use candle_core::Result;

/// The arguments of [`NormOps::add_norm`].
pub struct AddNormForward<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The start of the bias among all parameters, `[width]`.
    pub bias: usize,
    /// The normalisation.
    pub norm: &'a LayerNormLayout,
    /// Applied to `x` after the bias.
    pub dropout: Dropout,
    /// The sequences.
    pub batch: &'a D::Batch,
    /// Whether there is one row per sequence, numbered for dropout as its first token's row.
    pub first_only: bool,
    /// `[rows, width]`; becomes the input of the normalisation.
    pub x: &'a mut D::Buffer,
    /// `[rows, width]`.
    pub residual: &'a D::Buffer,
    /// Output, `[rows, 2]`: mean and reciprocal standard deviation of each row.
    pub statistics: &'a mut D::Floats,
    /// Output, `[rows, width]`.
    pub out: &'a mut D::Buffer,
}

/// The arguments of [`NormOps::add_norm_backward`].
pub struct AddNormBackward<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The start of the bias among all parameters, `[width]`.
    pub bias: usize,
    /// The normalisation.
    pub norm: &'a LayerNormLayout,
    /// As in the forward pass.
    pub dropout: Dropout,
    /// As in the forward pass.
    pub batch: &'a D::Batch,
    /// As in the forward pass.
    pub first_only: bool,
    /// As the forward pass left it.
    pub x: &'a D::Buffer,
    /// As the forward pass left it.
    pub statistics: &'a D::Floats,
    /// The gradient of the result; becomes the gradient of the residual.
    pub grad: &'a mut D::Buffer,
    /// Output, `[rows, width]`: the gradient of the original `x`.
    pub dx: &'a mut D::Buffer,
    /// Output: the gradients of scale, shift and bias.
    pub gradients: &'a mut D::Gradients,
}

/// Normalisation after a residual connection, forward and backward.
pub trait NormOps: Device {
    /// `x = residual + dropout(x + b)`; `out = LN(x)`.
    fn add_norm(&self, arguments: AddNormForward<'_, Self>) -> Result<()>;

    /// Backward of [`Self::add_norm`].
    fn add_norm_backward(&self, arguments: AddNormBackward<'_, Self>) -> Result<()>;
}
