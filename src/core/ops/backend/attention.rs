//! Multi-head attention.

use super::{AttentionConfig, Device, Relative};
use candle_core::Result;

/// The arguments of [`AttentionOps::attention`].
pub struct AttentionForward<'a, D: Device + ?Sized> {
    /// Heads, scale, dropout and columns.
    pub config: &'a AttentionConfig,
    /// The sequences.
    pub batch: &'a D::Batch,
    /// The matrix of queries.
    pub queries: &'a D::Buffer,
    /// The matrix of keys and values; it may be the matrix of queries.
    pub keys_values: &'a D::Buffer,
    /// The relative positions, in models that have them.
    pub relative: Option<Relative<'a, D>>,
    /// Output, `[query rows, heads × head width]`.
    pub out: &'a mut D::Buffer,
    /// Output, `[query rows, heads]`: log-sum-exp of the scaled scores.
    pub statistics: &'a mut D::Floats,
}

/// The arguments of [`AttentionOps::attention_backward`].
pub struct AttentionBackward<'a, D: Device + ?Sized> {
    /// As in the forward pass.
    pub config: &'a AttentionConfig,
    /// As in the forward pass.
    pub batch: &'a D::Batch,
    /// As in the forward pass.
    pub queries: &'a D::Buffer,
    /// As in the forward pass.
    pub keys_values: &'a D::Buffer,
    /// As in the forward pass.
    pub relative: Option<Relative<'a, D>>,
    /// The statistics from the forward pass.
    pub statistics: &'a D::Floats,
    /// The gradient of the result.
    pub grad: &'a D::Buffer,
    /// Output: the gradient of the queries. `None` if the queries are columns of the matrix of keys
    /// and values: then it is written to those columns of `dkeys_values`.
    pub dqueries: Option<&'a mut D::Buffer>,
    /// Output: the gradient of keys and values.
    pub dkeys_values: &'a mut D::Buffer,
    /// Output: the gradient of the matrix of relative positions, if there is one and its gradient is
    /// wanted.
    pub drelative: Option<&'a mut D::Buffer>,
}

/// Attention, forward and backward.
pub trait AttentionOps: Device {
    /// `out = dropout(softmax(scale × q kᵀ)) v` for each head of each sequence; relative positions add
    /// terms to the scores, as [`Relative`] says.
    fn attention(&self, arguments: AttentionForward<'_, Self>) -> Result<()>;

    /// Backward of [`Self::attention`].
    fn attention_backward(&self, arguments: AttentionBackward<'_, Self>) -> Result<()>;
}
