//! The backward pass of a layer, in parts between which a step can be interrupted.

use super::LinearBuffers;
use crate::core::engine::fused::forward::FusedPass;
use crate::core::engine::fused::workspace::Workspace;
use crate::core::ops::backend::{ActivateBackward, AddNormBackward, AttentionBackward};
use crate::core::ops::{Backend, Dropout};
use candle_core::Result;

/// A part of a layer's backward pass; the step can be interrupted between two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LayerPart {
    /// The norm at the end, and the weight of the second half of the feed-forward network.
    OutputWeight,
    /// The input of the second half.
    OutputInput,
    /// The activation, and the weight of the first half.
    IntermediateWeight,
    /// The input of the first half.
    IntermediateInput,
    /// The norm and the linear layer behind the attention.
    AttentionOutput,
    /// The attention.
    Attention,
    /// The weights of queries, keys and values.
    ProjectionWeights,
    /// The input of queries, keys and values.
    ProjectionInput,
}

impl LayerPart {
    /// All parts, in order.
    pub const ALL: [Self; 8] = [
        Self::OutputWeight,
        Self::OutputInput,
        Self::IntermediateWeight,
        Self::IntermediateInput,
        Self::AttentionOutput,
        Self::Attention,
        Self::ProjectionWeights,
        Self::ProjectionInput,
    ];
}

impl<B: Backend> FusedPass<'_, B> {
    /// Computes the backward pass of a part of layer `index`, whose activations are in the layer state
    /// `state`. The first part reads the gradient of the layer's output from `grad_first` for a layer that
    /// computes only first tokens, else from `grad`, where that of the residual is then; the last part
    /// writes the gradient of the layer's input to `grad`.
    pub(super) fn part_backward(
        &self,
        part: LayerPart,
        at: (usize, usize),
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        match part {
            LayerPart::OutputWeight => self.output_weight_backward(at, work, gradients),
            LayerPart::OutputInput => self.output_input_backward(at, work),
            LayerPart::IntermediateWeight => self.intermediate_weight_backward(at, work, gradients),
            LayerPart::IntermediateInput => self.intermediate_input_backward(at, work),
            LayerPart::AttentionOutput => self.attention_output_backward(at, work, gradients),
            LayerPart::Attention => self.attention_backward(at, work),
            LayerPart::ProjectionWeights => self.projection_weights_backward(at, work, gradients),
            LayerPart::ProjectionInput => self.projection_input_backward(at, work, gradients),
        }
    }

    fn output_weight_backward(
        &self,
        (index, state): (usize, usize),
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let (backend, parameters, layout) = (self.backend, self.parameters, &self.network.layout);
        let (layer, dropouts) = (&layout.layers[index], &self.dropouts.layers[index]);
        let first_only = self.network.is_first_only(index);
        let (state, batch) = (&work.layers[state], &work.batch);
        let grad = if first_only { &mut work.grad_first } else { &mut work.grad };
        backend.add_norm_backward(AddNormBackward {
            parameters,
            bias: layer.output.bias,
            norm: &layer.output_norm,
            dropout: dropouts.layer_output,
            batch,
            first_only,
            x: &state.output,
            statistics: &state.output_statistics,
            grad,
            dx: &mut work.grad_narrow,
            gradients,
        })?;
        let rows = (self.rows_of(index), &state.activated, &work.grad_narrow);
        self.linear_backward_weight(&layer.output, false, rows, gradients)
    }

    fn output_input_backward(
        &self,
        (index, state): (usize, usize),
        work: &mut Workspace<B>,
    ) -> Result<()> {
        let (rows, layer) = (self.rows_of(index), &self.network.layout.layers[index]);
        let (x, dx) = (&work.layers[state].activated, &mut work.grad_wide);
        let buffers = LinearBuffers { rows, x, grad: &work.grad_narrow, dx, accumulate: false };
        self.linear_backward_input(&layer.output, buffers)
    }

    fn intermediate_weight_backward(
        &self,
        (index, state): (usize, usize),
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let (rows, layout) = (self.rows_of(index), &self.network.layout);
        let (layer, state) = (&layout.layers[index], &work.layers[state]);
        self.backend.activate_backward(ActivateBackward {
            bias: Some(layer.intermediate.bias),
            activation: layout.activation,
            dropout: Dropout::NONE,
            rows,
            width: layer.intermediate.outputs,
            x: &state.wide,
            grad: &mut work.grad_wide,
            gradients,
        })?;
        let rows = (rows, &state.middle, &work.grad_wide);
        self.linear_backward_weight(&layer.intermediate, false, rows, gradients)
    }

    fn intermediate_input_backward(
        &self,
        (index, state): (usize, usize),
        work: &mut Workspace<B>,
    ) -> Result<()> {
        let (rows, layer) = (self.rows_of(index), &self.network.layout.layers[index]);
        let (x, grad) = (&work.layers[state].middle, &work.grad_wide);
        let first_only = self.network.is_first_only(index);
        let dx = if first_only { &mut work.grad_first } else { &mut work.grad };
        let buffers = LinearBuffers { rows, x, grad, dx, accumulate: true };
        self.linear_backward_input(&layer.intermediate, buffers)
    }

    /// Computes the backward pass of the norm and of the linear layer behind a layer's attention.
    fn attention_output_backward(
        &self,
        (index, state): (usize, usize),
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let (backend, parameters, layout) = (self.backend, self.parameters, &self.network.layout);
        let (layer, dropouts) = (&layout.layers[index], &self.dropouts.layers[index]);
        let first_only = self.network.is_first_only(index);
        let rows = self.rows_of(index);
        let (state, batch) = (&work.layers[state], &work.batch);
        let grad = if first_only { &mut work.grad_first } else { &mut work.grad };
        backend.add_norm_backward(AddNormBackward {
            parameters,
            bias: layer.attention_output.bias,
            norm: &layer.attention_norm,
            dropout: dropouts.attention_output,
            batch,
            first_only,
            x: &state.attended,
            statistics: &state.attended_statistics,
            grad,
            dx: &mut work.grad_narrow,
            gradients,
        })?;
        let (x, dx) = (&state.context, &mut work.grad_context);
        let buffers = LinearBuffers { rows, x, grad: &work.grad_narrow, dx, accumulate: false };
        self.linear_backward(&layer.attention_output, false, buffers, gradients)
    }

    fn attention_backward(
        &self,
        (index, state): (usize, usize),
        work: &mut Workspace<B>,
    ) -> Result<()> {
        let dropouts = &self.dropouts.layers[index];
        let first_only = self.network.is_first_only(index);
        let (state, batch) = (&work.layers[state], &work.batch);
        let relative = &mut work.relative;
        let mut drelative = std::mem::take(&mut relative.grad_matrix);
        self.backend.attention_backward(AttentionBackward {
            config: &self.network.attention(dropouts.attention_probabilities, first_only),
            batch,
            queries: if first_only { &state.queries } else { &state.qkv },
            keys_values: &state.qkv,
            relative: self.relative(relative, &state.relative),
            statistics: &state.attention_statistics,
            grad: &work.grad_context,
            dqueries: first_only.then_some(&mut work.grad_queries),
            dkeys_values: &mut work.grad_qkv,
            drelative: self.trains.then_some(&mut drelative),
        })?;
        relative.grad_matrix = drelative;
        Ok(())
    }

    /// Computes the gradients of the weights of a layer's queries, keys and values.
    fn projection_weights_backward(
        &self,
        (index, state): (usize, usize),
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let layer = &self.network.layout.layers[index];
        let (input, qkv) = (&work.hidden[index], &work.grad_qkv);
        if !self.network.is_first_only(index) {
            let rows = (self.rows, input, qkv);
            return self.linear_backward_weight(&layer.query_key_value(), true, rows, gradients);
        }
        let rows = (self.sequences, &work.layers[state].first, &work.grad_queries);
        self.linear_backward_weight(&layer.query, true, rows, gradients)?;
        self.linear_backward_weight(&layer.key_value(), true, (self.rows, input, qkv), gradients)
    }

    /// Computes the gradient of the input of a layer's queries, keys and values.
    fn projection_input_backward(
        &self,
        (index, state): (usize, usize),
        work: &mut Workspace<B>,
        gradients: &mut B::Gradients,
    ) -> Result<()> {
        let (backend, layer) = (self.backend, &self.network.layout.layers[index]);
        let (state, batch, relative) = (&work.layers[state], &work.batch, &mut work.relative);
        let (rows, x, grad) = (self.rows, &work.hidden[index], &work.grad_qkv);
        let below = &mut work.grad;
        if !self.network.is_first_only(index) {
            let buffers = LinearBuffers { rows, x, grad, dx: below, accumulate: true };
            self.linear_backward_input(&layer.query_key_value(), buffers)?;
            return self.layer_relative_backward(index, &state.relative, relative, gradients);
        }
        let (queries, dx) = (&work.grad_queries, &mut work.grad_first);
        let (first, x_first) = (self.sequences, &state.first);
        let buffers =
            LinearBuffers { rows: first, x: x_first, grad: queries, dx, accumulate: true };
        self.linear_backward_input(&layer.query, buffers)?;
        let buffers = LinearBuffers { rows, x, grad, dx: &mut *below, accumulate: false };
        self.linear_backward_input(&layer.key_value(), buffers)?;
        self.layer_relative_backward(index, &state.relative, relative, gradients)?;
        backend.scatter_add_first(batch, self.network.hidden, &work.grad_first, below)
    }
}
