//! The embedding layer: the sum of the rows of three tables, layer normalization and dropout.

use super::{Device, EmbeddingTables, LayerNormLayout};
use crate::core::ops::dropout::Dropout;
use candle_core::Result;

/// The arguments of [`EmbeddingOps::embed`].
pub struct EmbedForward<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The tables.
    pub tables: &'a EmbeddingTables,
    /// The normalization.
    pub norm: &'a LayerNormLayout,
    /// The dropout of the result.
    pub dropout: Dropout,
    /// The ids, types and positions of the tokens.
    pub batch: &'a D::Batch,
    /// Output, `[rows, width]`: the sum, which is the input of the normalization.
    pub sum: &'a mut D::Buffer,
    /// Output, `[rows, 2]`: mean and reciprocal standard deviation of each row.
    pub statistics: &'a mut D::Floats,
    /// Output, `[rows, width]`: the result.
    pub out: &'a mut D::Buffer,
}

/// The arguments of [`EmbeddingOps::embed_backward`].
pub struct EmbedBackward<'a, D: Device + ?Sized> {
    /// All parameters.
    pub parameters: &'a D::Parameters,
    /// The tables.
    pub tables: &'a EmbeddingTables,
    /// The normalization.
    pub norm: &'a LayerNormLayout,
    /// As in the forward pass.
    pub dropout: Dropout,
    /// As in the forward pass.
    pub batch: &'a D::Batch,
    /// From the forward pass.
    pub sum: &'a D::Buffer,
    /// From the forward pass.
    pub statistics: &'a D::Floats,
    /// The gradient of the result; overwritten.
    pub grad: &'a mut D::Buffer,
    /// Output: the gradients of the tables and of the normalization.
    pub gradients: &'a mut D::Gradients,
}

/// The embeddings, forward and backward.
pub trait EmbeddingOps: Device {
    /// `sum = tokens[id] + positions[position] + token_types[type]`; `out = dropout(LN(sum))`.
    /// Without a table of token types, the last term is left out.
    fn embed(&self, arguments: EmbedForward<'_, Self>) -> Result<()>;

    /// Backward of [`Self::embed`]. The rows of `padding_token` and `padding_position` get no
    /// gradient.
    fn embed_backward(&self, arguments: EmbedBackward<'_, Self>) -> Result<()>;
}
