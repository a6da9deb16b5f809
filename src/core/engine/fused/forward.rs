//! The forward pass, block by block.

use super::memory::{HeadState, LayerState, Workspace};
use super::network::Network;
use crate::core::model::layout::LayerLayout;
use crate::core::ops::backend::{Activation, PackedBatch};
use crate::core::ops::{Backend, LayerDropouts, NetworkDropouts};
use candle_core::Result;

/// What the forward pass keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Everything.
    All,
    /// The input of each layer; the rest is made again.
    Inputs,
    /// Nothing but the logits.
    Nothing,
}

/// One pass over one batch.
pub(super) struct Pass<'a, B: Backend> {
    pub backend: &'a B,
    pub network: &'a Network,
    pub parameters: &'a B::Parameters,
    pub dropouts: &'a NetworkDropouts,
    pub rows: usize,
    pub sequences: usize,
}

impl<B: Backend> Pass<'_, B> {
    /// From ids to logits, which are left in the workspace.
    pub(super) fn forward(
        &self,
        packed: &PackedBatch,
        keep: Keep,
        work: &mut Workspace<B>,
    ) -> Result<()> {
        let layers = &self.network.layout.layers;
        let states = if keep == Keep::All { layers.len() } else { 1 };
        work.layers.resize_with(work.layers.len().max(states), LayerState::default);
        let inputs = if keep == Keep::Nothing { 2 } else { layers.len() + 1 };
        work.hidden.resize_with(work.hidden.len().max(inputs), B::Buffer::default);

        self.backend.send(packed, &mut work.batch)?;
        self.embed(work)?;
        for (index, layer) in layers.iter().enumerate() {
            let at = if keep == Keep::Nothing { 0 } else { index };
            let (input, output) = work.hidden[at..].split_at_mut(1);
            let state = &mut work.layers[if keep == Keep::All { index } else { 0 }];
            let dropouts = &self.dropouts.layers[index];
            let last = index + 1 == layers.len();
            let (input, output) = (&input[0], &mut output[0]);
            self.layer(layer, dropouts, last, &work.batch, input, state, output)?;
            if keep == Keep::Nothing {
                work.hidden.swap(0, 1);
            }
        }
        let last = if keep == Keep::Nothing { 0 } else { layers.len() };
        self.head(&mut work.hidden[last], &mut work.head)
    }

    fn embed(&self, work: &mut Workspace<B>) -> Result<()> {
        let layout = &self.network.layout;
        let out = match layout.project {
            Some(_) => &mut work.embedded,
            None => &mut work.hidden[0],
        };
        self.backend.embed(
            self.parameters,
            &layout.tables,
            &layout.embedding_norm,
            self.dropouts.embeddings,
            &work.batch,
            &mut work.embedded_sum,
            &mut work.embedded_statistics,
            out,
        )?;
        if let Some(project) = &layout.project {
            let (x, out) = (&work.embedded, &mut work.hidden[0]);
            self.backend.linear(self.parameters, project, true, self.rows, x, out)?;
        }
        Ok(())
    }

    /// One encoder layer. Of the last, only the first tokens' rows are computed beyond keys and
    /// values: the head sees nothing else.
    #[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
    pub(super) fn layer(
        &self,
        layer: &LayerLayout,
        dropouts: &LayerDropouts,
        last: bool,
        batch: &B::Batch,
        input: &B::Buffer,
        state: &mut LayerState<B>,
        out: &mut B::Buffer,
    ) -> Result<()> {
        let (backend, parameters) = (self.backend, self.parameters);
        let attention = self.network.attention(dropouts.attention_probabilities, last);
        let (context, statistics) = (&mut state.context, &mut state.attention_statistics);
        let rows = if last { self.sequences } else { self.rows };
        if last {
            backend.take_first(batch, self.network.hidden, input, &mut state.first)?;
            let queries = &mut state.queries;
            backend.linear(parameters, &layer.query, true, rows, &state.first, queries)?;
            let keys = &mut state.qkv;
            backend.linear(parameters, &layer.key_value(), true, self.rows, input, keys)?;
            backend.attention(&attention, batch, queries, keys, context, statistics)?;
        } else {
            let qkv = &mut state.qkv;
            backend.linear(parameters, &layer.query_key_value(), true, rows, input, qkv)?;
            backend.attention(&attention, batch, qkv, qkv, context, statistics)?;
        }
        let residual = if last { &state.first } else { input };
        let attended = &mut state.attended;
        backend.linear(parameters, &layer.attention_output, false, rows, context, attended)?;
        backend.add_norm(
            parameters,
            layer.attention_output.bias,
            &layer.attention_norm,
            dropouts.attention_output,
            batch,
            last,
            attended,
            residual,
            &mut state.attended_statistics,
            &mut state.middle,
        )?;
        let (middle, wide) = (&state.middle, &mut state.wide);
        backend.linear(parameters, &layer.intermediate, false, rows, middle, wide)?;
        backend.activate(
            parameters,
            Some(layer.intermediate.bias),
            self.network.layout.activation,
            crate::core::ops::Dropout::NONE,
            rows,
            layer.intermediate.outputs,
            wide,
            &mut state.activated,
        )?;
        let output = &mut state.output;
        backend.linear(parameters, &layer.output, false, rows, &state.activated, output)?;
        backend.add_norm(
            parameters,
            layer.output.bias,
            &layer.output_norm,
            dropouts.layer_output,
            batch,
            last,
            output,
            middle,
            &mut state.output_statistics,
            out,
        )
    }

    /// From the first tokens of the last layer to logits.
    fn head(&self, first: &mut B::Buffer, state: &mut HeadState<B>) -> Result<()> {
        let (backend, parameters, network) = (self.backend, self.parameters, self.network);
        let (dense, rows) = (&network.layout.head, self.sequences);
        let input = if network.drops_head_input {
            backend.activate(
                parameters,
                None,
                Activation::Identity,
                self.dropouts.head_input,
                rows,
                dense.inputs,
                first,
                &mut state.first,
            )?;
            &state.first
        } else {
            first
        };
        backend.linear(parameters, dense, false, rows, input, &mut state.dense)?;
        backend.activate(
            parameters,
            Some(dense.bias),
            network.head_activation,
            self.dropouts.head,
            rows,
            dense.outputs,
            &mut state.dense,
            &mut state.activated,
        )?;
        let classifier = &network.layout.classifier;
        backend.classify(parameters, classifier, rows, &state.activated, &mut state.logits)
    }
}
