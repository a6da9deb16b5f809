//! Embeddings on the straight line between those of two texts, for integrated gradients.

use super::{Device, LayerNormLayout};
use candle_core::Result;

/// The arguments of [`PathOps::embed_between`].
pub struct EmbedBetween<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The normalization of the embeddings.
    pub norm: &'a LayerNormLayout,
    /// `[rows, width]`: the sums of embeddings at share 0.
    pub start: &'a D::Buffer,
    /// `[rows, width]`: the sums of embeddings at share 1.
    pub end: &'a D::Buffer,
    /// `[points]`: where on the line each copy of the rows is.
    pub shares: &'a [f32],
    /// Output, `[points × rows, width]`: the input of the normalization.
    pub sum: &'a mut D::Buffer,
    /// Output, `[points × rows, 2]`: mean and reciprocal standard deviation of each row.
    pub statistics: &'a mut D::Floats,
    /// Output, `[points × rows, width]`: the result.
    pub out: &'a mut D::Buffer,
}

/// The arguments of [`PathOps::embed_between_backward`].
pub struct EmbedBetweenBackward<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// As in the forward pass.
    pub norm: &'a LayerNormLayout,
    /// As in the forward pass.
    pub start: &'a D::Buffer,
    /// As in the forward pass.
    pub end: &'a D::Buffer,
    /// From the forward pass.
    pub sum: &'a D::Buffer,
    /// From the forward pass.
    pub statistics: &'a D::Floats,
    /// The gradient of the result; its values afterwards are not specified.
    pub grad: &'a mut D::Buffer,
}

/// Embeddings between two texts, forward and backward.
pub trait PathOps: Device {
    /// `sum[p, r] = start[r] + shares[p] × (end[r] - start[r])`; `out = LN(sum)`.
    fn embed_between(&self, arguments: EmbedBetween<'_, Self>) -> Result<()>;

    /// Backward of [`Self::embed_between`]. Returns the derivative by the share of each row,
    /// `grad of sum[p, r] · (end[r] - start[r])`, `[points × rows]`.
    fn embed_between_backward(&self, arguments: EmbedBetweenBackward<'_, Self>)
    -> Result<Vec<f32>>;
}
