//! The heads of pretraining, forward and backward: the language modeling head over masked tokens, and
//! the discriminator's head over all tokens.

use super::backward::LinearBuffers;
use super::forward::FusedPass;
use crate::core::ops::backend::{
    ActivateBackward, ActivateForward, ClassifyBackward, ClassifyForward, NormBackward,
    NormForward, PretrainingOps, ReplacedCrossEntropy, ReplacedLosses, TiedBackwardWeight,
    TokenCrossEntropy, TokenLosses,
};
use crate::core::ops::{Backend, Dropout};
use candle_core::Result;

/// The activations of a head, and their gradients.
pub(super) struct TokenHead<B: Backend> {
    /// The rows of the last layer that are predicted.
    gathered: B::Buffer,
    /// Values before and after the activation function.
    dense: B::Buffer,
    activated: B::Buffer,
    /// The result of the normalization.
    normed: B::Buffer,
    statistics: B::Floats,
    /// `[masked, vocabulary]`; after the loss, their gradient.
    pub logits: B::Buffer,
    /// `[rows]`: the discriminator's logits, and their gradient.
    replaced_logits: B::Floats,
    grad_logits: B::Floats,
    grad: B::Buffer,
    grad_gathered: B::Buffer,
}

impl<B: Backend> Default for TokenHead<B> {
    fn default() -> Self {
        Self {
            gathered: B::Buffer::default(),
            dense: B::Buffer::default(),
            activated: B::Buffer::default(),
            normed: B::Buffer::default(),
            statistics: B::Floats::default(),
            logits: B::Buffer::default(),
            replaced_logits: B::Floats::default(),
            grad_logits: B::Floats::default(),
            grad: B::Buffer::default(),
            grad_gathered: B::Buffer::default(),
        }
    }
}

/// The tokens of a batch that may be replaced.
#[derive(Clone, Copy)]
pub(super) struct ReplacedTokens<'a> {
    /// `[rows]`: whether each token is replaced.
    pub replaced: &'a [bool],
    /// The factors of the sum of losses in the step's loss, and in its part.
    pub scale: f32,
    pub part_scale: f32,
}

/// Where the gradients go; `None` in an evaluation.
pub(super) type Training<'a, B> = Option<&'a mut <B as crate::core::ops::Device>::Gradients>;

impl<B: Backend + PretrainingOps> FusedPass<'_, B> {
    /// Computes the logits of the tokens at `rows` of the last layer's output.
    pub(super) fn token_logits(
        &self,
        rows: &[u32],
        hidden: &B::Buffer,
        state: &mut TokenHead<B>,
    ) -> Result<()> {
        let (backend, parameters, network) = (self.backend, self.parameters, self.network);
        let (layout, count) = (&network.layout, rows.len());
        let Some(norm) = &layout.head_norm else {
            candle_core::bail!("the model has no language modeling head");
        };
        backend.gather_rows(rows, network.hidden, hidden, &mut state.gathered)?;
        self.product(&layout.head, count, &state.gathered, &mut state.dense)?;
        backend.activate(ActivateForward {
            parameters,
            bias: Some(layout.head.bias),
            activation: network.head_activation,
            dropout: Dropout::NONE,
            rows: count,
            width: layout.head.outputs,
            x: &mut state.dense,
            out: &mut state.activated,
        })?;
        backend.norm(NormForward {
            parameters,
            norm,
            rows: count,
            x: &state.activated,
            statistics: &mut state.statistics,
            out: &mut state.normed,
        })?;
        self.linear(&layout.classifier, count, &state.normed, &mut state.logits)
    }

    /// The losses of the tokens whose logits were computed. In training, it leaves the logits'
    /// gradient in their place, times `scale`, and returns none.
    pub(super) fn token_losses(
        &self,
        labels: &[u32],
        scale: f32,
        state: &mut TokenHead<B>,
        gradients: Training<'_, B>,
    ) -> Result<Option<TokenLosses>> {
        self.backend.token_cross_entropy(TokenCrossEntropy {
            vocabulary: self.network.layout.classifier.outputs,
            scale,
            labels,
            logits: &mut state.logits,
            gradients,
        })
    }

    /// Computes the gradients of the head, and that of the last layer's output: `grad`.
    pub(super) fn token_head_backward(
        &self,
        rows: &[u32],
        state: &mut TokenHead<B>,
        grad: &mut B::Buffer,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let (backend, parameters, network) = (self.backend, self.parameters, self.network);
        let (layout, count) = (&network.layout, rows.len());
        let Some(norm) = &layout.head_norm else {
            candle_core::bail!("the model has no language modeling head");
        };
        backend.tied_backward_weight(TiedBackwardWeight {
            layer: &layout.classifier,
            rows: count,
            x: &state.normed,
            grad: &state.logits,
            gradients,
        })?;
        backend.linear_backward_input(crate::core::ops::backend::LinearBackwardInput {
            parameters,
            layer: &layout.classifier,
            accumulate: false,
            rows: count,
            grad: &state.logits,
            dx: &mut state.grad,
        })?;
        backend.norm_backward(NormBackward {
            parameters,
            norm,
            x: &state.activated,
            statistics: &state.statistics,
            grad: &mut state.grad,
            gradients,
        })?;
        self.dense_backward(count, &state.dense, &mut state.grad, gradients)?;
        let buffers = LinearBuffers {
            rows: count,
            x: &state.gathered,
            grad: &state.grad,
            dx: &mut state.grad_gathered,
            accumulate: false,
        };
        self.linear_backward(&layout.head, false, buffers, gradients)?;
        backend.scatter_rows(rows, self.rows, network.hidden, &state.grad_gathered, grad)
    }

    /// Backward of the head's bias and activation function.
    fn dense_backward(
        &self,
        rows: usize,
        x: &B::Buffer,
        grad: &mut B::Buffer,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let dense = &self.network.layout.head;
        self.backend.activate_backward(ActivateBackward {
            bias: Some(dense.bias),
            activation: self.network.head_activation,
            dropout: Dropout::NONE,
            rows,
            width: dense.outputs,
            x,
            grad,
            gradients,
        })
    }

    /// Whether each token was replaced: the losses of the discriminator's head over all rows; none
    /// in training.
    pub(super) fn replaced_losses(
        &self,
        tokens: ReplacedTokens<'_>,
        hidden: &B::Buffer,
        state: &mut TokenHead<B>,
        gradients: Training<'_, B>,
    ) -> Result<Option<ReplacedLosses>> {
        let ReplacedTokens { replaced, scale, part_scale } = tokens;
        let (backend, parameters, network) = (self.backend, self.parameters, self.network);
        let dense = &network.layout.head;
        self.product(dense, self.rows, hidden, &mut state.dense)?;
        backend.activate(ActivateForward {
            parameters,
            bias: Some(dense.bias),
            activation: network.head_activation,
            dropout: Dropout::NONE,
            rows: self.rows,
            width: dense.outputs,
            x: &mut state.dense,
            out: &mut state.activated,
        })?;
        backend.classify(ClassifyForward {
            parameters,
            layer: &network.layout.classifier,
            rows: self.rows,
            x: &state.activated,
            logits: &mut state.replaced_logits,
        })?;
        backend.replaced_cross_entropy(ReplacedCrossEntropy {
            scale,
            part_scale,
            replaced,
            logits: &state.replaced_logits,
            grad: &mut state.grad_logits,
            gradients,
        })
    }

    /// Computes the gradients of the discriminator's head, and that of the last layer's output:
    /// `grad`. `hidden` is that output.
    pub(super) fn replaced_head_backward(
        &self,
        hidden: &B::Buffer,
        state: &mut TokenHead<B>,
        grad: &mut B::Buffer,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let (rows, layout) = (self.rows, &self.network.layout);
        self.backend.classify_backward(ClassifyBackward {
            parameters: self.parameters,
            layer: &layout.classifier,
            rows,
            x: &state.activated,
            grad: &state.grad_logits,
            dx: &mut state.grad,
            gradients,
        })?;
        self.dense_backward(rows, &state.dense, &mut state.grad, gradients)?;
        let buffers =
            LinearBuffers { rows, x: hidden, grad: &state.grad, dx: grad, accumulate: false };
        self.linear_backward(&layout.head, false, buffers, gradients)
    }
}
