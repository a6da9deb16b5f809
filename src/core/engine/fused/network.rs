//! The architecture of a model for the fused engine, and its dropout masks.

use crate::core::model::{ModelConfig, ModelLayout, Pooling, RelativePositions, Task};
use crate::core::ops::backend::{Activation, AttentionConfig, MatrixColumns, PackedBatch};
use crate::core::ops::{Dropout, DropoutKey, DropoutProbabilities, NetworkDropouts};
use std::borrow::Cow;

/// The layout and settings of a model.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub layout: ModelLayout,
    pub heads: usize,
    pub hidden: usize,
    pub labels: usize,
    /// What the head reads of the last layer.
    pub pooling: Pooling,
    /// Whether dropout also applies to the head's input.
    pub drops_head_input: bool,
    pub head_activation: Activation,
    /// How attention uses relative positions, if it does.
    pub relative: Option<RelativePositions>,
    /// The factor of attention scores.
    score_scale: f64,
    dropout_probabilities: DropoutProbabilities,
}

impl Network {
    pub(super) fn new(config: &ModelConfig, layout: &ModelLayout) -> Self {
        Self {
            layout: layout.clone(),
            heads: config.encoder.num_attention_heads,
            hidden: config.encoder.hidden_size,
            labels: config.labels.len(),
            // The heads of pretraining read every token.
            pooling: if config.task.is_pretraining() { Pooling::Mean } else { config.pooling },
            drops_head_input: config.architecture.drops_head_input(),
            head_activation: config.head_activation(),
            relative: config.relative,
            score_scale: config.score_scale(),
            dropout_probabilities: config.dropout_probabilities(),
        }
    }

    /// The generator of replaced tokens, if the model has one.
    pub(super) fn generator(config: &ModelConfig, layout: &ModelLayout) -> Option<Self> {
        let (Task::ReplacedTokens(shape), Some(generator)) = (config.task, &layout.generator)
        else {
            return None;
        };
        Some(Self {
            layout: (**generator).clone(),
            heads: shape.heads,
            hidden: shape.hidden,
            // As `ElectraGeneratorPredictions`.
            head_activation: Activation::Gelu,
            ..Self::new(config, layout)
        })
    }

    /// The batch with its position ids, where they do not follow from the starts of its sequences:
    /// in RoBERTa, if a text contains the padding token. Such a token has the padding's position
    /// and is not counted (`create_position_ids_from_input_ids`).
    pub(super) fn with_positions<'a>(&self, batch: &'a PackedBatch) -> Cow<'a, PackedBatch> {
        let tables = &self.layout.tables;
        let (Some(token), Some(position)) = (tables.padding_token, tables.padding_position) else {
            return Cow::Borrowed(batch);
        };
        if !batch.ids.contains(&token) {
            return Cow::Borrowed(batch);
        }
        let mut batch = batch.clone();
        let mut positions = Vec::with_capacity(batch.rows());
        for sequence in batch.sequences() {
            let mut next = tables.first_position as u32;
            positions.extend(sequence.iter().map(|&id| {
                let counted = u32::from(id != token);
                next += counted;
                if counted == 0 { position } else { next - counted }
            }));
        }
        batch.position_ids = positions;
        Cow::Owned(batch)
    }

    /// The dropouts of one forward pass; without a key, dropout is disabled.
    pub(super) fn dropouts(&self, key: Option<DropoutKey>) -> NetworkDropouts {
        NetworkDropouts::new(&self.dropout_probabilities, self.layout.layers.len(), key)
    }

    /// Whether a layer computes only the first token of each sequence, because nothing reads its
    /// other outputs: the last layer, if the head reads the first token.
    pub(super) fn is_first_only(&self, layer: usize) -> bool {
        self.pooling == Pooling::Cls && layer + 1 == self.layout.layers.len()
    }

    /// The attention configuration of a layer; with `first_only`, only first tokens are queries.
    pub(super) fn attention(&self, dropout: Dropout, first_only: bool) -> AttentionConfig {
        let hidden = self.hidden;
        let head_width = hidden / self.heads;
        let columns = |stride, start| MatrixColumns { stride, start };
        let (queries, keys, values) = if first_only {
            (columns(hidden, 0), columns(2 * hidden, 0), columns(2 * hidden, hidden))
        } else {
            let stride = 3 * hidden;
            (columns(stride, 0), columns(stride, hidden), columns(stride, 2 * hidden))
        };
        AttentionConfig {
            heads: self.heads,
            head_width,
            scale: self.score_scale as f32,
            dropout,
            first_only,
            queries,
            keys,
            values,
        }
    }
}
