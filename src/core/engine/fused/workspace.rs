//! The buffers of an engine: gradients, and activations that the forward pass saves for the
//! backward pass. They are reused in each step, so nothing is allocated after the largest batch.

use super::relative::{RelativeLayer, RelativeState};
use crate::core::ops::Backend;

/// The activations of one layer.
pub(super) struct LayerState<B: Backend> {
    /// Queries, keys and values of all rows; where only first tokens are queries, keys and values.
    pub qkv: B::Buffer,
    /// In a layer that computes only first tokens: the input rows of the first tokens, and their queries.
    pub first: B::Buffer,
    pub queries: B::Buffer,
    pub relative: RelativeLayer<B>,
    pub attention_statistics: B::Floats,
    pub context: B::Buffer,
    /// The input of the first layer normalization.
    pub attended: B::Buffer,
    pub attended_statistics: B::Floats,
    /// The output of the first layer normalization.
    pub middle: B::Buffer,
    /// Values before and after the activation function.
    pub wide: B::Buffer,
    pub activated: B::Buffer,
    /// The input of the second layer normalization.
    pub output: B::Buffer,
    pub output_statistics: B::Floats,
}

impl<B: Backend> Default for LayerState<B> {
    fn default() -> Self {
        Self {
            qkv: B::Buffer::default(),
            first: B::Buffer::default(),
            queries: B::Buffer::default(),
            relative: RelativeLayer::default(),
            attention_statistics: B::Floats::default(),
            context: B::Buffer::default(),
            attended: B::Buffer::default(),
            attended_statistics: B::Floats::default(),
            middle: B::Buffer::default(),
            wide: B::Buffer::default(),
            activated: B::Buffer::default(),
            output: B::Buffer::default(),
            output_statistics: B::Floats::default(),
        }
    }
}

/// The activations of the head.
pub(super) struct HeadState<B: Backend> {
    /// The pooled row of each sequence after dropout, if the architecture applies it there.
    pub input: B::Buffer,
    /// Values before and after the activation function.
    pub dense: B::Buffer,
    pub activated: B::Buffer,
    pub logits: B::Floats,
}

impl<B: Backend> Default for HeadState<B> {
    fn default() -> Self {
        Self {
            input: B::Buffer::default(),
            dense: B::Buffer::default(),
            activated: B::Buffer::default(),
            logits: B::Floats::default(),
        }
    }
}

/// All buffers of one engine.
pub(super) struct Workspace<B: Backend> {
    pub batch: B::Batch,
    pub embedded_sum: B::Buffer,
    pub embedded_statistics: B::Floats,
    /// The output of the embeddings before the projection, in models that have one.
    pub embedded: B::Buffer,
    pub relative: RelativeState<B>,
    /// The input of each layer, and the output of the last.
    pub hidden: Vec<B::Buffer>,
    /// The activations of each layer whose activations are saved.
    pub layers: Vec<LayerState<B>>,
    /// The mean of each sequence's rows, if the head reads it.
    pub pooled: B::Buffer,
    pub head: HeadState<B>,
    pub grad_logits: B::Floats,
    /// The gradients of activations.
    pub grad: B::Buffer,
    pub grad_first: B::Buffer,
    pub grad_narrow: B::Buffer,
    pub grad_context: B::Buffer,
    pub grad_wide: B::Buffer,
    pub grad_qkv: B::Buffer,
    pub grad_queries: B::Buffer,
}

impl<B: Backend> Workspace<B> {
    pub(super) fn new() -> Self {
        Self {
            batch: B::Batch::default(),
            embedded_sum: B::Buffer::default(),
            embedded_statistics: B::Floats::default(),
            embedded: B::Buffer::default(),
            relative: RelativeState::default(),
            hidden: Vec::new(),
            layers: Vec::new(),
            pooled: B::Buffer::default(),
            head: HeadState::default(),
            grad_logits: B::Floats::default(),
            grad: B::Buffer::default(),
            grad_first: B::Buffer::default(),
            grad_narrow: B::Buffer::default(),
            grad_context: B::Buffer::default(),
            grad_wide: B::Buffer::default(),
            grad_qkv: B::Buffer::default(),
            grad_queries: B::Buffer::default(),
        }
    }
}
