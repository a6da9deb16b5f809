//! The backward pass.

mod layer;

use super::forward::{FusedPass, LayerBuffers};
use super::workspace::Workspace;
use crate::core::model::Pooling;
use crate::core::ops::Backend;
use crate::core::ops::backend::{
    ActivateBackward, Activation, ClassifyBackward, CrossEntropy, Divergence, EmbedBackward,
    LinearBackwardInput, LinearBackwardWeight, LinearLayout,
};
use candle_core::Result;
use layer::LayerPart;

/// The settings of the loss.
#[derive(Clone, Copy, Debug)]
pub(super) struct LossOptions {
    pub smoothing: f32,
    /// The factor of the weighted sum of losses: `1 / total weight` of the step.
    pub scale: f32,
    /// The factor of R-Drop's divergences, if the batch has each example twice.
    pub divergence: Option<f32>,
}

/// The buffers for the backward pass of one linear layer.
pub(super) struct LinearBuffers<'a, B: Backend> {
    pub rows: usize,
    pub x: &'a B::Buffer,
    pub grad: &'a B::Buffer,
    pub dx: &'a mut B::Buffer,
    /// Whether to add to `dx` instead of overwriting it.
    pub accumulate: bool,
}

impl<B: Backend> FusedPass<'_, B> {
    /// Computes the gradients of the encoder from that of its output, which is in `grad`, or in
    /// `grad_first` if the last layer computes only first tokens.
    pub(super) fn encoder_backward(
        &self,
        recompute: bool,
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        self.layers_backward(recompute, work, gradients)?;
        self.embed_backward(work, gradients)
    }

    /// As [`Self::encoder_backward`], down to the gradient of the first layer's input, which is then in
    /// `grad`.
    pub(super) fn layers_backward(
        &self,
        recompute: bool,
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        self.interruptible_layers_backward(recompute, work, gradients, |_, _| Ok(()))
    }

    /// As [`Self::layers_backward`]; `between` is called with the index of each layer after it, and
    /// without an index within it.
    pub(super) fn interruptible_layers_backward(
        &self,
        recompute: bool,
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
        mut between: impl FnMut(Option<usize>, &mut B::Gradients) -> Result<()>,
    ) -> Result<()> {
        let backend = self.backend;
        for index in (0..self.network.layout.layers.len()).rev() {
            let state = if recompute { 0 } else { index };
            if recompute {
                backend.install(|| self.recompute(index, work))?;
                between(None, gradients)?;
            }
            for part in LayerPart::ALL {
                backend.install(|| self.part_backward(part, (index, state), work, gradients))?;
                if part != LayerPart::ProjectionInput {
                    between(None, gradients)?;
                }
            }
            between(Some(index), gradients)?;
        }
        Ok(())
    }

    /// Computes the gradient of a linear layer's input and, in training, those of its weight and with
    /// `biased` of its bias.
    pub(super) fn linear_backward(
        &self,
        layer: &LinearLayout,
        biased: bool,
        buffers: LinearBuffers<'_, B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let LinearBuffers { rows, x, grad, .. } = buffers;
        self.linear_backward_weight(layer, biased, (rows, x, grad), gradients)?;
        self.linear_backward_input(layer, buffers)
    }

    /// Computes, in training, the gradients of a linear layer's weight and with `biased` of its bias, from
    /// its input and the gradient of its output.
    pub(super) fn linear_backward_weight(
        &self,
        layer: &LinearLayout,
        biased: bool,
        (rows, x, grad): (usize, &B::Buffer, &B::Buffer),
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        if !self.trains {
            return Ok(());
        }
        let weight = LinearBackwardWeight { layer, biased, again: false, rows, x, grad, gradients };
        self.backend.linear_backward_weight(weight)
    }

    /// Computes the gradient of a linear layer's input.
    pub(super) fn linear_backward_input(
        &self,
        layer: &LinearLayout,
        buffers: LinearBuffers<'_, B>,
    ) -> Result<()> {
        let LinearBuffers { rows, grad, dx, accumulate, .. } = buffers;
        let parameters = self.parameters;
        self.backend.linear_backward_input(LinearBackwardInput {
            parameters,
            layer,
            accumulate,
            rows,
            grad,
            dx,
        })
    }

    pub(super) fn head_backward(
        &self,
        loss: LossOptions,
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let (backend, parameters, network) = (self.backend, self.parameters, self.network);
        let (dense, rows, state) = (&network.layout.head, self.sequences, &work.head);
        backend.cross_entropy(CrossEntropy {
            classes: network.labels,
            smoothing: loss.smoothing,
            scale: loss.scale,
            batch: &work.batch,
            logits: &state.logits,
            grad: &mut work.grad_logits,
            gradients,
        })?;
        if let Some(scale) = loss.divergence {
            backend.divergence(Divergence {
                classes: network.labels,
                scale,
                batch: &work.batch,
                logits: &state.logits,
                grad: &mut work.grad_logits,
                gradients,
            })?;
        }
        backend.classify_backward(ClassifyBackward {
            parameters,
            layer: &network.layout.classifier,
            rows,
            x: &state.activated,
            grad: &work.grad_logits,
            dx: &mut work.grad_narrow,
            gradients,
        })?;
        backend.activate_backward(ActivateBackward {
            bias: Some(dense.bias),
            activation: network.head_activation,
            dropout: self.dropouts.head,
            rows,
            width: dense.outputs,
            x: &state.dense,
            grad: &mut work.grad_narrow,
            gradients,
        })?;
        let pooled = match network.pooling {
            Pooling::Cls => &work.hidden[network.layout.layers.len()],
            Pooling::Mean => &work.pooled,
        };
        let buffers = LinearBuffers {
            rows,
            x: if network.drops_head_input { &state.input } else { pooled },
            grad: &work.grad_narrow,
            dx: &mut work.grad_first,
            accumulate: false,
        };
        self.linear_backward(dense, false, buffers, gradients)?;
        if network.drops_head_input {
            backend.activate_backward(ActivateBackward {
                bias: None,
                activation: Activation::Identity,
                dropout: self.dropouts.head_input,
                rows,
                width: dense.inputs,
                x: pooled,
                grad: &mut work.grad_first,
                gradients,
            })?;
        }
        if network.pooling == Pooling::Mean {
            let (grad, dx) = (&work.grad_first, &mut work.grad);
            backend.mean_rows_backward(&work.batch, network.hidden, grad, dx)?;
        }
        Ok(())
    }

    /// Recomputes the activations of layer `index` into the first layer state.
    fn recompute(&self, index: usize, work: &mut Workspace<B>) -> Result<()> {
        let (input, out) = work.hidden[index..].split_at_mut(1);
        let (batch, state) = (&work.batch, &mut work.layers[0]);
        let (relative, input, out) = (&work.relative, &input[0], &mut out[0]);
        self.layer(index, LayerBuffers { batch, relative, input, state, out })
    }

    /// From the gradient of the first layer's input to that of the embeddings, in a model that
    /// projects them to the width of its layers.
    pub(super) fn project_backward(
        &self,
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let Some(project) = &self.network.layout.project else { return Ok(()) };
        let (grad, dx) = (&work.grad, &mut work.grad_narrow);
        let buffers =
            LinearBuffers { rows: self.rows, x: &work.embedded, grad, dx, accumulate: false };
        self.linear_backward(project, true, buffers, gradients)
    }

    pub(super) fn embed_backward(
        &self,
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let layout = &self.network.layout;
        self.relative_backward(work, gradients)?;
        self.project_backward(work, gradients)?;
        let grad = match layout.project {
            Some(_) => &mut work.grad_narrow,
            None => &mut work.grad,
        };
        self.backend.embed_backward(EmbedBackward {
            parameters: self.parameters,
            tables: &layout.tables,
            norm: &layout.embedding_norm,
            dropout: self.dropouts.embeddings,
            batch: &work.batch,
            sum: &work.embedded_sum,
            statistics: &work.embedded_statistics,
            grad,
            gradients,
        })
    }
}
