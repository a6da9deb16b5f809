//! What a machine must be able to do for the fused path: every operation of an encoder's forward
//! and backward pass, and the optimizer's.
//!
//! A batch is *packed*: its sequences stand one after another without padding, so that matrices
//! have one row a token (`rows` in all). Buffers are row-major. Backward operations are told what
//! the forward operation saw and left behind; nothing else is remembered between them.

#![expect(clippy::missing_errors_doc, reason = "a machine fails where it has no room or is lost")]

mod device;
mod shapes;

pub use device::Device;
pub use shapes::{
    Activation, Arrangement, Attention, Columns, Dense, Moments, Norm, StepMetrics, Tables, Update,
};

pub use crate::core::data::batching::PackedBatch;

use crate::core::ops::dropout::Dropout;
use candle_core::Result;

/// The operations of an encoder, forward and backward.
pub trait Backend: Device {
    /// `x = words[id] + positions[place] + types[0]`, kept in `sum`; `out = dropout(LN(x))`.
    /// `statistics` is `[rows, 2]`: mean and reciprocal deviation of each row.
    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    fn embed(
        &self,
        parameters: &Self::Parameters,
        tables: &Tables,
        norm: &Norm,
        dropout: Dropout,
        batch: &Self::Batch,
        sum: &mut Self::Buffer,
        statistics: &mut Self::Floats,
        out: &mut Self::Buffer,
    ) -> Result<()>;

    /// Backward of [`Self::embed`]; `grad` is the gradient of `out` and is overwritten.
    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    fn embed_backward(
        &self,
        parameters: &Self::Parameters,
        tables: &Tables,
        norm: &Norm,
        dropout: Dropout,
        batch: &Self::Batch,
        sum: &Self::Buffer,
        statistics: &Self::Floats,
        grad: &mut Self::Buffer,
        gradients: &mut Self::Gradients,
    ) -> Result<()>;

    /// `out = x Wᵀ`, `x` being `[rows, inputs]`; with `b` added if `biased`.
    fn linear(
        &self,
        parameters: &Self::Parameters,
        dense: &Dense,
        biased: bool,
        rows: usize,
        x: &Self::Buffer,
        out: &mut Self::Buffer,
    ) -> Result<()>;

    /// `dx = grad W`, or `dx += grad W` if `add`; `grad` is `[rows, outputs]`.
    fn linear_backward_input(
        &self,
        parameters: &Self::Parameters,
        dense: &Dense,
        add: bool,
        rows: usize,
        grad: &Self::Buffer,
        dx: &mut Self::Buffer,
    ) -> Result<()>;

    /// `dW = gradᵀ x`, and `db` = the column sums of `grad` if `biased`.
    fn linear_backward_weight(
        &self,
        dense: &Dense,
        biased: bool,
        rows: usize,
        x: &Self::Buffer,
        grad: &Self::Buffer,
        gradients: &mut Self::Gradients,
    ) -> Result<()>;

    /// `out = dropout(softmax(scale × q kᵀ)) v`, `[query rows, heads × width]`. `statistics` is
    /// `[query rows, heads]`: the logarithm of each row's sum of exponentials.
    ///
    /// `q` and `kv` may be one buffer.
    fn attention(
        &self,
        attention: &Attention,
        batch: &Self::Batch,
        q: &Self::Buffer,
        kv: &Self::Buffer,
        out: &mut Self::Buffer,
        statistics: &mut Self::Floats,
    ) -> Result<()>;

    /// Backward of [`Self::attention`]; `grad` is the gradient of `out`. Without `dq`, queries
    /// are columns of the keys' matrix, and their gradient goes into those of `dkv`.
    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    fn attention_backward(
        &self,
        attention: &Attention,
        batch: &Self::Batch,
        q: &Self::Buffer,
        kv: &Self::Buffer,
        out: &Self::Buffer,
        statistics: &Self::Floats,
        grad: &Self::Buffer,
        dq: Option<&mut Self::Buffer>,
        dkv: &mut Self::Buffer,
    ) -> Result<()>;

    /// `x = residual + dropout(x + b)`, kept in `x`; `out = LN(x)`; `b` starts at `bias`. With
    /// `first_only` there is one row a sequence, numbered for dropout as its first token's.
    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    fn add_norm(
        &self,
        parameters: &Self::Parameters,
        bias: usize,
        norm: &Norm,
        dropout: Dropout,
        batch: &Self::Batch,
        first_only: bool,
        x: &mut Self::Buffer,
        residual: &Self::Buffer,
        statistics: &mut Self::Floats,
        out: &mut Self::Buffer,
    ) -> Result<()>;

    /// Backward of [`Self::add_norm`]. `grad` comes as the gradient of `out` and leaves as that of
    /// `residual`; `dx` is the gradient of what `x` was before.
    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    fn add_norm_backward(
        &self,
        parameters: &Self::Parameters,
        bias: usize,
        norm: &Norm,
        dropout: Dropout,
        batch: &Self::Batch,
        first_only: bool,
        x: &Self::Buffer,
        statistics: &Self::Floats,
        grad: &mut Self::Buffer,
        dx: &mut Self::Buffer,
        gradients: &mut Self::Gradients,
    ) -> Result<()>;

    /// `x += b`, kept in `x`; `out = dropout(activation(x))`, `[rows, width]`; `b` starts at
    /// `bias`, and there is none if that is `None`.
    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    fn activate(
        &self,
        parameters: &Self::Parameters,
        bias: Option<usize>,
        activation: Activation,
        dropout: Dropout,
        rows: usize,
        width: usize,
        x: &mut Self::Buffer,
        out: &mut Self::Buffer,
    ) -> Result<()>;

    /// Backward of [`Self::activate`]; `grad` comes as the gradient of `out` and leaves as that of
    /// `x`.
    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    fn activate_backward(
        &self,
        bias: Option<usize>,
        activation: Activation,
        dropout: Dropout,
        rows: usize,
        width: usize,
        x: &Self::Buffer,
        grad: &mut Self::Buffer,
        gradients: &mut Self::Gradients,
    ) -> Result<()>;

    /// `out[b]` = the row of `x` of sequence `b`'s first token, `[batch, width]`.
    fn take_first(
        &self,
        batch: &Self::Batch,
        width: usize,
        x: &Self::Buffer,
        out: &mut Self::Buffer,
    ) -> Result<()>;

    /// Backward of [`Self::take_first`]: adds row `b` of `grad` to the row of `dx` of sequence
    /// `b`'s first token.
    fn add_first(
        &self,
        batch: &Self::Batch,
        width: usize,
        grad: &Self::Buffer,
        dx: &mut Self::Buffer,
    ) -> Result<()>;

    /// The last layer, in full precision: `logits = x Wᵀ + b`, `[rows, outputs]`.
    fn classify(
        &self,
        parameters: &Self::Parameters,
        dense: &Dense,
        rows: usize,
        x: &Self::Buffer,
        logits: &mut Self::Floats,
    ) -> Result<()>;

    /// Backward of [`Self::classify`].
    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    fn classify_backward(
        &self,
        parameters: &Self::Parameters,
        dense: &Dense,
        rows: usize,
        x: &Self::Buffer,
        grad: &Self::Floats,
        dx: &mut Self::Buffer,
        gradients: &mut Self::Gradients,
    ) -> Result<()>;

    /// Cross-entropy of `[batch, classes]` logits with label smoothing `s`:
    /// `(1 - s) × loss of the label + s × mean loss of all labels`, as transformers'
    /// `LabelSmoother`. Adds `scale` × the sum of losses to the step's loss, notes the predicted
    /// classes, and gives `grad = scale × d(sum of losses)/d(logits)`.
    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    fn cross_entropy(
        &self,
        classes: usize,
        smoothing: f32,
        scale: f32,
        batch: &Self::Batch,
        logits: &Self::Floats,
        grad: &mut Self::Floats,
        gradients: &mut Self::Gradients,
    ) -> Result<()>;
}
