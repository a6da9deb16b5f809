//! Bias, dropout, residual and layer normalization in one pass.

use super::{Device, LayerNormLayout};
use crate::core::ops::dropout::Dropout;
use candle_core::Result;

/// The arguments of [`NormOps::add_norm`].
pub struct AddNormForward<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The offset of the bias, `[width]`, in the flat parameters.
    pub bias: usize,
    /// The normalization.
    pub norm: &'a LayerNormLayout,
    /// The dropout of `x`, applied after the bias.
    pub dropout: Dropout,
    /// The sequences.
    pub batch: &'a D::Batch,
    /// Whether `x` has one row per sequence, which belongs to its first token. Dropout then uses
    /// the packed row of that token.
    pub first_only: bool,
    /// `[rows, width]`; overwritten with the input of the normalization.
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
    /// The offset of the bias, `[width]`, in the flat parameters.
    pub bias: usize,
    /// The normalization.
    pub norm: &'a LayerNormLayout,
    /// As in the forward pass.
    pub dropout: Dropout,
    /// As in the forward pass.
    pub batch: &'a D::Batch,
    /// As in the forward pass.
    pub first_only: bool,
    /// From the forward pass.
    pub x: &'a D::Buffer,
    /// From the forward pass.
    pub statistics: &'a D::Floats,
    /// The gradient of the result; overwritten with the gradient of the residual.
    pub grad: &'a mut D::Buffer,
    /// Output, `[rows, width]`: the gradient of the original `x`.
    pub dx: &'a mut D::Buffer,
    /// Output: the gradients of scale, shift and bias.
    pub gradients: &'a mut D::Gradients,
}

/// Normalization after a residual connection, forward and backward.
pub trait NormOps: Device {
    /// `x = residual + dropout(x + b)`; `out = LN(x)`.
    fn add_norm(&self, arguments: AddNormForward<'_, Self>) -> Result<()>;

    /// Backward of [`Self::add_norm`].
    fn add_norm_backward(&self, arguments: AddNormBackward<'_, Self>) -> Result<()>;
}
