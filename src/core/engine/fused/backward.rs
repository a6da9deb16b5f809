//! The backward pass, the forward pass's blocks in reverse.

use super::forward::Pass;
use super::memory::Workspace;
use crate::core::ops::Backend;
use crate::core::ops::Dropout;
use crate::core::ops::backend::Activation;
use candle_core::Result;

/// How the loss is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    pub smoothing: f32,
    /// What the sum of losses is multiplied by: one over the examples of the whole step.
    pub scale: f32,
}

impl<B: Backend> Pass<'_, B> {
    /// From logits to the gradient of every parameter. With `made_again`, layers left nothing but
    /// their inputs.
    pub(super) fn backward(
        &self,
        loss: Loss,
        made_again: bool,
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        self.head_backward(loss, work, gradients)?;
        for index in (0..self.network.layout.layers.len()).rev() {
            if made_again {
                self.make_again(index, work)?;
            }
            self.layer_backward(index, if made_again { 0 } else { index }, work, gradients)?;
        }
        self.embed_backward(work, gradients)
    }

    fn head_backward(
        &self,
        loss: Loss,
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let (backend, parameters, network) = (self.backend, self.parameters, self.network);
        let (dense, classifier) = (&network.layout.head, &network.layout.classifier);
        let (rows, state) = (self.sequences, &work.head);
        backend.cross_entropy(
            network.labels,
            loss.smoothing,
            loss.scale,
            &work.batch,
            &state.logits,
            &mut work.grad_logits,
            gradients,
        )?;
        let (activated, logits) = (&state.activated, &work.grad_logits);
        let narrow = &mut work.grad_narrow;
        backend.classify_backward(
            parameters, classifier, rows, activated, logits, narrow, gradients,
        )?;
        backend.activate_backward(
            Some(dense.bias),
            network.head_activation,
            self.dropouts.head,
            rows,
            dense.outputs,
            &state.dense,
            narrow,
            gradients,
        )?;
        let last = network.layout.layers.len();
        let first = &work.hidden[last];
        let input = if network.drops_head_input { &state.first } else { first };
        backend.linear_backward_weight(dense, false, rows, input, narrow, gradients)?;
        let grad = &mut work.grad_first;
        backend.linear_backward_input(parameters, dense, false, rows, narrow, grad)?;
        if network.drops_head_input {
            backend.activate_backward(
                None,
                Activation::Identity,
                self.dropouts.head_input,
                rows,
                dense.inputs,
                first,
                grad,
                gradients,
            )?;
        }
        Ok(())
    }

    /// Fills the one state that is kept with what layer `index` would have left.
    fn make_again(&self, index: usize, work: &mut Workspace<B>) -> Result<()> {
        let layers = &self.network.layout.layers;
        let (input, output) = work.hidden[index..].split_at_mut(1);
        let last = index + 1 == layers.len();
        self.layer(
            &layers[index],
            &self.dropouts.layers[index],
            last,
            &work.batch,
            &input[0],
            &mut work.layers[0],
            &mut output[0],
        )
    }

    /// The gradient of a layer's output is in `grad_first` for the last layer, else in `grad`; that
    /// of its input is left in `grad`.
    fn layer_backward(
        &self,
        index: usize,
        state: usize,
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let (backend, parameters, network) = (self.backend, self.parameters, self.network);
        let layer = &network.layout.layers[index];
        let dropouts = &self.dropouts.layers[index];
        let last = index + 1 == network.layout.layers.len();
        let rows = if last { self.sequences } else { self.rows };
        let (state, input, batch) = (&work.layers[state], &work.hidden[index], &work.batch);
        let grad = if last { &mut work.grad_first } else { &mut work.grad };
        let (narrow, wide) = (&mut work.grad_narrow, &mut work.grad_wide);

        backend.add_norm_backward(
            parameters,
            layer.output.bias,
            &layer.output_norm,
            dropouts.layer_output,
            batch,
            last,
            &state.output,
            &state.output_statistics,
            grad,
            narrow,
            gradients,
        )?;
        let (dense, x) = (&layer.output, &state.activated);
        backend.linear_backward_weight(dense, false, rows, x, narrow, gradients)?;
        backend.linear_backward_input(parameters, dense, false, rows, narrow, wide)?;
        backend.activate_backward(
            Some(layer.intermediate.bias),
            network.layout.activation,
            Dropout::NONE,
            rows,
            layer.intermediate.outputs,
            &state.wide,
            wide,
            gradients,
        )?;
        let (dense, x) = (&layer.intermediate, &state.middle);
        backend.linear_backward_weight(dense, false, rows, x, wide, gradients)?;
        backend.linear_backward_input(parameters, dense, true, rows, wide, grad)?;
        backend.add_norm_backward(
            parameters,
            layer.attention_output.bias,
            &layer.attention_norm,
            dropouts.attention_output,
            batch,
            last,
            &state.attended,
            &state.attended_statistics,
            grad,
            narrow,
            gradients,
        )?;
        let (dense, context) = (&layer.attention_output, &mut work.grad_context);
        backend.linear_backward_weight(dense, false, rows, &state.context, narrow, gradients)?;
        backend.linear_backward_input(parameters, dense, false, rows, narrow, context)?;

        let attention = network.attention(dropouts.attention_probabilities, last);
        let (statistics, qkv) = (&state.attention_statistics, &mut work.grad_qkv);
        let (keys, out) = (&state.qkv, &state.context);
        if last {
            let (queries, dq) = (&state.queries, &mut work.grad_queries);
            backend.attention_backward(
                &attention,
                batch,
                queries,
                keys,
                out,
                statistics,
                context,
                Some(dq),
                qkv,
            )?;
            let dense = &layer.query;
            backend.linear_backward_weight(dense, true, rows, &state.first, dq, gradients)?;
            backend.linear_backward_input(parameters, dense, true, rows, dq, grad)?;
            let dense = layer.key_value();
            backend.linear_backward_weight(&dense, true, self.rows, input, qkv, gradients)?;
            let below = &mut work.grad;
            backend.linear_backward_input(parameters, &dense, false, self.rows, qkv, below)?;
            backend.add_first(batch, network.hidden, &work.grad_first, below)
        } else {
            backend.attention_backward(
                &attention, batch, keys, keys, out, statistics, context, None, qkv,
            )?;
            let dense = layer.query_key_value();
            backend.linear_backward_weight(&dense, true, rows, input, qkv, gradients)?;
            backend.linear_backward_input(parameters, &dense, true, rows, qkv, grad)
        }
    }

    fn embed_backward(&self, work: &mut Workspace<B>, gradients: &mut B::Gradients) -> Result<()> {
        let (backend, layout) = (self.backend, &self.network.layout);
        let mut grad = &mut work.grad;
        if let Some(project) = &layout.project {
            let (rows, x, below) = (self.rows, &work.embedded, &mut work.grad_narrow);
            backend.linear_backward_weight(project, true, rows, x, grad, gradients)?;
            backend.linear_backward_input(self.parameters, project, false, rows, grad, below)?;
            grad = below;
        }
        backend.embed_backward(
            self.parameters,
            &layout.tables,
            &layout.embedding_norm,
            self.dropouts.embeddings,
            &work.batch,
            &work.embedded_sum,
            &work.embedded_statistics,
            grad,
            gradients,
        )
    }
}
