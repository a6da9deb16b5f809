//! The shape of a model as the fused path walks it, and the dropouts of one pass.

use crate::core::model::{Architecture, ModelConfig, ModelLayout};
use crate::core::ops::backend::{Activation, Attention, Columns};
use crate::core::ops::{Dropout, DropoutKey, DropoutProbabilities, NetworkDropouts};

/// What does not change from step to step.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub layout: ModelLayout,
    pub heads: usize,
    pub hidden: usize,
    pub labels: usize,
    /// Whether the head's input is dropped out, too.
    pub drops_head_input: bool,
    pub head_activation: Activation,
    dropout_probabilities: DropoutProbabilities,
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
            dropout_probabilities: config.dropout_probabilities(),
        }
    }

    /// The dropouts of one forward pass; none without a key.
    pub(super) fn dropouts(&self, key: Option<DropoutKey>) -> NetworkDropouts {
        NetworkDropouts::new(&self.dropout_probabilities, self.layout.layers.len(), key)
    }

    /// A layer's attention; the last layer's is asked by first tokens only, as nothing else of it
    /// reaches the head.
    pub(super) fn attention(&self, dropout: Dropout, last: bool) -> Attention {
        let hidden = self.hidden;
        let width = hidden / self.heads;
        let columns = |stride, start| Columns { stride, start };
        let (queries, keys, values) = if last {
            (columns(hidden, 0), columns(2 * hidden, 0), columns(2 * hidden, hidden))
        } else {
            let stride = 3 * hidden;
            (columns(stride, 0), columns(stride, hidden), columns(stride, 2 * hidden))
        };
        Attention {
            heads: self.heads,
            width,
            scale: (1.0 / (width as f64).sqrt()) as f32,
            dropout,
            first_only: last,
            queries,
            keys,
            values,
        }
    }
}
