//! The shape of a model for the fused path, and the dropouts of one pass.

use crate::core::model::{Architecture, ModelConfig, ModelLayout};
use crate::core::ops::backend::{Activation, AttentionConfig, MatrixColumns};
use crate::core::ops::{Dropout, Dropouts};

/// The layout and settings of a model.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub layout: ModelLayout,
    pub heads: usize,
    pub hidden: usize,
    pub labels: usize,
    /// Whether dropout applies to the head's input, too.
    pub drops_head_input: bool,
    pub head_activation: Activation,
    hidden_dropout: f64,
    attention_dropout: f64,
    classifier_dropout: f64,
}

/// The dropouts of one layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct LayerDropouts {
    pub attention: Dropout,
    pub attended: Dropout,
    pub output: Dropout,
}

/// The dropouts of one pass, in the order in which the plain path asks for them.
#[derive(Clone, Debug)]
pub(super) struct PassDropouts {
    pub embedded: Dropout,
    pub layers: Vec<LayerDropouts>,
    pub head_input: Dropout,
    pub head: Dropout,
}

impl Network {
    pub(super) fn new(config: &ModelConfig, layout: &ModelLayout) -> Self {
        Self {
            layout: layout.clone(),
            heads: config.encoder.num_attention_heads,
            hidden: config.encoder.hidden_size,
            labels: config.labels.len(),
            drops_head_input: config.architecture != Architecture::Bert,
            head_activation: match config.architecture {
                Architecture::Bert | Architecture::Roberta => Activation::Tanh,
                Architecture::Electra => Activation::Gelu,
            },
            hidden_dropout: config.encoder.hidden_dropout_prob,
            attention_dropout: config.attention_probs_dropout_prob,
            classifier_dropout: config.classifier_dropout(),
        }
    }

    pub(super) fn dropouts(&self, dropouts: &Dropouts) -> PassDropouts {
        let embedded = dropouts.next(self.hidden_dropout);
        let layer = |_| LayerDropouts {
            attention: dropouts.next(self.attention_dropout),
            attended: dropouts.next(self.hidden_dropout),
            output: dropouts.next(self.hidden_dropout),
        };
        let layers = (0..self.layout.layers.len()).map(layer).collect();
        let head_input = if self.drops_head_input {
            dropouts.next(self.classifier_dropout)
        } else {
            Dropout::NONE
        };
        PassDropouts { embedded, layers, head_input, head: dropouts.next(self.classifier_dropout) }
    }

    /// The attention of a layer. In the last layer only first tokens are queries: the head reads
    /// nothing else.
    pub(super) fn attention(&self, dropout: Dropout, last: bool) -> AttentionConfig {
        let hidden = self.hidden;
        let head_width = hidden / self.heads;
        let columns = |stride, start| MatrixColumns { stride, start };
        let (queries, keys, values) = if last {
            (columns(hidden, 0), columns(2 * hidden, 0), columns(2 * hidden, hidden))
        } else {
            let stride = 3 * hidden;
            (columns(stride, 0), columns(stride, hidden), columns(stride, 2 * hidden))
        };
        AttentionConfig {
            heads: self.heads,
            head_width,
            scale: (1.0 / (head_width as f64).sqrt()) as f32,
            dropout,
            first_only: last,
            queries,
            keys,
            values,
        }
    }
}
