//! The first room of BERT: ids to vectors.

use super::config::ModelConfig;
use super::parameters::{Init, ParameterBuilder};
use crate::ops::{Dropouts, dropout, embed, layer_norm};
use candle_core::{Result, Tensor};
use std::sync::Arc;

/// A layer normalisation's scale and shift.
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl Norm {
    pub(super) fn new(
        builder: &mut ParameterBuilder,
        name: &str,
        config: &ModelConfig,
    ) -> Result<Self> {
        let shape = [config.bert.hidden_size];
        Ok(Self {
            weight: builder.get(&format!("{name}.weight"), &shape, Init::Ones)?,
            bias: builder.get(&format!("{name}.bias"), &shape, Init::Zeros)?,
            epsilon: config.bert.layer_norm_eps,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.weight, &self.bias, self.epsilon)
    }
}

/// Word, position and token-type embeddings, normalised.
pub(super) struct Embeddings {
    words: Tensor,
    positions: Tensor,
    types: Tensor,
    norm: Norm,
    dropout: f64,
}

impl Embeddings {
    pub(super) fn new(builder: &mut ParameterBuilder, config: &ModelConfig) -> Result<Self> {
        let bert = &config.bert;
        let mut table = |name: &str, rows, init| {
            let name = format!("bert.embeddings.{name}_embeddings.weight");
            builder.get(&name, &[rows, bert.hidden_size], init)
        };
        Ok(Self {
            words: table("word", bert.vocab_size, Init::NormalExceptRow(bert.pad_token_id))?,
            positions: table("position", bert.max_position_embeddings, Init::Normal)?,
            types: table("token_type", bert.type_vocab_size, Init::Normal)?,
            norm: Norm::new(builder, "bert.embeddings.LayerNorm", config)?,
            dropout: bert.hidden_dropout_prob,
        })
    }

    /// `ids` is `[batch, length]` row-major; the result is `[batch, length, hidden]`.
    pub(super) fn forward(
        &self,
        ids: &Arc<[u32]>,
        length: usize,
        dropouts: &Dropouts,
    ) -> Result<Tensor> {
        let x = embed(ids, length, &self.words, &self.positions, &self.types)?;
        dropout(&self.norm.forward(&x)?, dropouts.next(self.dropout))
    }
}
