//! The forward pass.

use super::network::Network;
use super::relative_state::RelativeState;
use super::workspace::{HeadState, LayerState, Workspace};
use crate::core::model::Pooling;
use crate::core::ops::backend::{
    ActivateForward, Activation, AddNormForward, AttentionForward, ClassifyForward, EmbedForward,
    LinearForward, LinearLayout, PackedBatch,
};
use crate::core::ops::{Backend, Dropout, NetworkDropouts};
use candle_core::Result;

/// The activations that the forward pass saves for the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SavedActivations {
    /// All activations.
    All,
    /// The input of each layer; the backward pass recomputes the rest.
    LayerInputs,
    /// No activations, for inference.
    None,
}

/// The forward and backward pass over one batch.
pub(super) struct FusedPass<'a, B: Backend> {
    pub backend: &'a B,
    pub network: &'a Network,
    pub parameters: &'a B::Parameters,
    pub dropouts: &'a NetworkDropouts,
    pub rows: usize,
    pub sequences: usize,
    /// Whether the backward pass computes the gradients of weight matrices.
    pub trains: bool,
}

impl<'a, B: Backend> FusedPass<'a, B> {
    /// The pass over a batch that trains no weights.
    pub(super) fn evaluating(
        backend: &'a B,
        network: &'a Network,
        parameters: &'a B::Parameters,
        dropouts: &'a NetworkDropouts,
        batch: &PackedBatch,
    ) -> Self {
        let (rows, sequences) = (batch.rows(), batch.batch_size());
        Self { backend, network, parameters, dropouts, rows, sequences, trains: false }
    }
}

/// The buffers of one layer's forward pass.
pub(super) struct LayerBuffers<'a, B: Backend> {
    pub batch: &'a B::Batch,
    pub relative: &'a RelativeState<B>,
    pub input: &'a B::Buffer,
    pub state: &'a mut LayerState<B>,
    pub out: &'a mut B::Buffer,
}

/// A part of a layer's forward pass; the step can be interrupted between two parts.
#[derive(Clone, Copy, Debug)]
enum LayerPart {
    /// Queries, keys and values.
    Projections,
    /// The attention.
    Attention,
    /// The linear layer and the norm behind it.
    AttentionOutput,
    /// The linear layer of the first half of the feed-forward network.
    Intermediate,
    /// The activation behind it.
    Activation,
    /// The second half, with the norm behind it.
    Output,
}

impl LayerPart {
    /// All parts, in order.
    const ALL: [Self; 6] = [
        Self::Projections,
        Self::Attention,
        Self::AttentionOutput,
        Self::Intermediate,
        Self::Activation,
        Self::Output,
    ];
}

impl<B: Backend> FusedPass<'_, B> {
    /// Computes the logits from the token ids and writes them to the workspace.
    pub(super) fn forward(
        &self,
        packed: &PackedBatch,
        saved: SavedActivations,
        work: &mut Workspace<B>,
    ) -> Result<()> {
        let last = self.encode(packed, saved, work)?;
        self.classify(last, work)
    }

    /// Computes the logits from the last layer's output, which has this index.
    pub(super) fn classify(&self, last: usize, work: &mut Workspace<B>) -> Result<()> {
        let Workspace { batch, hidden, pooled, head, .. } = work;
        match self.network.pooling {
            Pooling::Cls => self.head(&mut hidden[last], head),
            Pooling::Mean => {
                self.backend.mean_rows(batch, self.network.hidden, &hidden[last], pooled)?;
                self.head(pooled, head)
            }
        }
    }

    /// Computes the encoder from the token ids. Returns the index of the last layer's output among
    /// the workspace's hidden states.
    pub(super) fn encode(
        &self,
        packed: &PackedBatch,
        saved: SavedActivations,
        work: &mut Workspace<B>,
    ) -> Result<usize> {
        self.begin(packed, saved, work)?;
        self.layers(saved, work)
    }

    /// Computes the embeddings from the token ids.
    pub(super) fn begin(
        &self,
        packed: &PackedBatch,
        saved: SavedActivations,
        work: &mut Workspace<B>,
    ) -> Result<()> {
        self.prepare(saved, work);
        self.backend.send(&self.network.with_positions(packed), &mut work.batch)?;
        self.begin_relative(packed.longest(), work)?;
        self.embed(work)
    }

    /// Makes room for the activations of each layer.
    pub(super) fn prepare(&self, saved: SavedActivations, work: &mut Workspace<B>) {
        let layers = self.network.layout.layers.len();
        let states = if saved == SavedActivations::All { layers } else { 1 };
        work.layers.resize_with(work.layers.len().max(states), LayerState::default);
        let inputs = if saved == SavedActivations::None { 2 } else { layers + 1 };
        work.hidden.resize_with(work.hidden.len().max(inputs), B::Buffer::default);
    }

    /// Computes all layers from the embeddings. Returns the index of the last one's output among
    /// the workspace's hidden states.
    pub(super) fn layers(&self, saved: SavedActivations, work: &mut Workspace<B>) -> Result<usize> {
        self.interruptible_layers(saved, work, || {})
    }

    /// As [`Self::layers`]; `between` is called within each layer and after it.
    pub(super) fn interruptible_layers(
        &self,
        saved: SavedActivations,
        work: &mut Workspace<B>,
        mut between: impl FnMut(),
    ) -> Result<usize> {
        let layers = self.network.layout.layers.len();
        for index in 0..layers {
            let at = if saved == SavedActivations::None { 0 } else { index };
            let (input, out) = work.hidden[at..].split_at_mut(1);
            let state = &mut work.layers[if saved == SavedActivations::All { index } else { 0 }];
            let (input, out) = (&input[0], &mut out[0]);
            let (batch, relative) = (&work.batch, &work.relative);
            let mut buffers = LayerBuffers { batch, relative, input, state, out };
            for part in LayerPart::ALL {
                self.backend.install(|| self.layer_part(part, index, &mut buffers))?;
                between();
            }
            if saved == SavedActivations::None {
                work.hidden.swap(0, 1);
            }
        }
        Ok(if saved == SavedActivations::None { 0 } else { layers })
    }

    fn embed(&self, work: &mut Workspace<B>) -> Result<()> {
        let layout = &self.network.layout;
        let out = match layout.project {
            Some(_) => &mut work.embedded,
            None => &mut work.hidden[0],
        };
        self.backend.embed(EmbedForward {
            parameters: self.parameters,
            tables: &layout.tables,
            norm: &layout.embedding_norm,
            dropout: self.dropouts.embeddings,
            batch: &work.batch,
            sum: &mut work.embedded_sum,
            statistics: &mut work.embedded_statistics,
            out,
        })?;
        if let Some(project) = &layout.project {
            self.linear(project, self.rows, &work.embedded, &mut work.hidden[0])?;
        }
        Ok(())
    }

    /// `out = x Wᵀ + b`.
    pub(super) fn linear(
        &self,
        layer: &LinearLayout,
        rows: usize,
        x: &B::Buffer,
        out: &mut B::Buffer,
    ) -> Result<()> {
        let parameters = self.parameters;
        self.backend.linear(LinearForward { parameters, layer, biased: true, rows, x, out })
    }

    /// `out = x Wᵀ`; the next operation adds the bias.
    pub(super) fn product(
        &self,
        layer: &LinearLayout,
        rows: usize,
        x: &B::Buffer,
        out: &mut B::Buffer,
    ) -> Result<()> {
        let parameters = self.parameters;
        self.backend.linear(LinearForward { parameters, layer, biased: false, rows, x, out })
    }

    /// Computes one encoder layer. If the head reads only first tokens, the last layer
    /// computes keys and values for all rows, and the rest for first tokens.
    pub(super) fn layer(&self, index: usize, mut buffers: LayerBuffers<'_, B>) -> Result<()> {
        LayerPart::ALL.into_iter().try_for_each(|part| self.layer_part(part, index, &mut buffers))
    }

    /// The rows that a layer computes behind its attention.
    pub(super) fn rows_of(&self, index: usize) -> usize {
        if self.network.is_first_only(index) { self.sequences } else { self.rows }
    }

    fn layer_part(
        &self,
        part: LayerPart,
        index: usize,
        buffers: &mut LayerBuffers<'_, B>,
    ) -> Result<()> {
        match part {
            LayerPart::Projections => self.layer_projections(index, buffers),
            LayerPart::Attention => self.layer_attention(index, buffers),
            LayerPart::AttentionOutput => self.layer_attention_output(index, buffers),
            LayerPart::Intermediate => {
                let (rows, state) = (self.rows_of(index), &mut *buffers.state);
                let layer = &self.network.layout.layers[index];
                self.product(&layer.intermediate, rows, &state.middle, &mut state.wide)
            }
            LayerPart::Activation => self.layer_activation(index, buffers),
            LayerPart::Output => self.layer_output(index, buffers),
        }
    }

    fn layer_projections(&self, index: usize, buffers: &mut LayerBuffers<'_, B>) -> Result<()> {
        let LayerBuffers { batch, relative, input, state, .. } = buffers;
        let (backend, layer) = (self.backend, &self.network.layout.layers[index]);
        let first_only = self.network.is_first_only(index);
        let rows = self.rows_of(index);
        if first_only {
            backend.gather_first(batch, self.network.hidden, input, &mut state.first)?;
            self.linear(&layer.query, rows, &state.first, &mut state.queries)?;
            self.linear(&layer.key_value(), self.rows, input, &mut state.qkv)?;
        } else {
            self.linear(&layer.query_key_value(), rows, input, &mut state.qkv)?;
        }
        self.layer_relative(index, relative, &mut state.relative)
    }

    fn layer_attention(&self, index: usize, buffers: &mut LayerBuffers<'_, B>) -> Result<()> {
        let LayerBuffers { batch, relative, state, .. } = buffers;
        let dropouts = &self.dropouts.layers[index];
        let first_only = self.network.is_first_only(index);
        self.backend.attention(AttentionForward {
            config: &self.network.attention(dropouts.attention_probabilities, first_only),
            batch,
            queries: if first_only { &state.queries } else { &state.qkv },
            keys_values: &state.qkv,
            relative: self.relative(relative, &state.relative),
            out: &mut state.context,
            statistics: &mut state.attention_statistics,
        })
    }

    fn layer_attention_output(
        &self,
        index: usize,
        buffers: &mut LayerBuffers<'_, B>,
    ) -> Result<()> {
        let LayerBuffers { batch, input, state, .. } = buffers;
        let (backend, parameters, layout) = (self.backend, self.parameters, &self.network.layout);
        let (layer, dropouts) = (&layout.layers[index], &self.dropouts.layers[index]);
        let first_only = self.network.is_first_only(index);
        let rows = self.rows_of(index);
        self.product(&layer.attention_output, rows, &state.context, &mut state.attended)?;
        backend.add_norm(AddNormForward {
            parameters,
            bias: layer.attention_output.bias,
            norm: &layer.attention_norm,
            dropout: dropouts.attention_output,
            batch,
            first_only,
            x: &mut state.attended,
            residual: if first_only { &state.first } else { input },
            statistics: &mut state.attended_statistics,
            out: &mut state.middle,
        })
    }

    fn layer_activation(&self, index: usize, buffers: &mut LayerBuffers<'_, B>) -> Result<()> {
        let (state, layout) = (&mut *buffers.state, &self.network.layout);
        let (backend, parameters, layer) = (self.backend, self.parameters, &layout.layers[index]);
        let rows = self.rows_of(index);
        backend.activate(ActivateForward {
            parameters,
            bias: Some(layer.intermediate.bias),
            activation: layout.activation,
            dropout: Dropout::NONE,
            rows,
            width: layer.intermediate.outputs,
            x: &mut state.wide,
            out: &mut state.activated,
        })
    }

    fn layer_output(&self, index: usize, buffers: &mut LayerBuffers<'_, B>) -> Result<()> {
        let LayerBuffers { batch, state, out, .. } = buffers;
        let (backend, parameters, layout) = (self.backend, self.parameters, &self.network.layout);
        let (layer, dropouts) = (&layout.layers[index], &self.dropouts.layers[index]);
        let first_only = self.network.is_first_only(index);
        let rows = self.rows_of(index);
        self.product(&layer.output, rows, &state.activated, &mut state.output)?;
        backend.add_norm(AddNormForward {
            parameters,
            bias: layer.output.bias,
            norm: &layer.output_norm,
            dropout: dropouts.layer_output,
            batch,
            first_only,
            x: &mut state.output,
            residual: &state.middle,
            statistics: &mut state.output_statistics,
            out,
        })
    }

    /// Computes the logits from one row for each sequence.
    fn head(&self, pooled: &mut B::Buffer, state: &mut HeadState<B>) -> Result<()> {
        let (backend, parameters, network) = (self.backend, self.parameters, self.network);
        let (dense, rows) = (&network.layout.head, self.sequences);
        let input = if network.drops_head_input {
            backend.activate(ActivateForward {
                parameters,
                bias: None,
                activation: Activation::Identity,
                dropout: self.dropouts.head_input,
                rows,
                width: dense.inputs,
                x: pooled,
                out: &mut state.input,
            })?;
            &state.input
        } else {
            pooled
        };
        self.product(dense, rows, input, &mut state.dense)?;
        backend.activate(ActivateForward {
            parameters,
            bias: Some(dense.bias),
            activation: network.head_activation,
            dropout: self.dropouts.head,
            rows,
            width: dense.outputs,
            x: &mut state.dense,
            out: &mut state.activated,
        })?;
        backend.classify(ClassifyForward {
            parameters,
            layer: &network.layout.classifier,
            rows,
            x: &state.activated,
            logits: &mut state.logits,
        })
    }
}
