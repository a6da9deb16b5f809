//! The first room of an encoder: ids to vectors.

use super::architecture::Architecture;
use super::attention::Dense;
use super::config::ModelConfig;
use super::parameters::{Init, ParameterBuilder};
use crate::ops::embedding::Place;
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
        width: usize,
        config: &ModelConfig,
    ) -> Result<Self> {
        let shape = [width];
        Ok(Self {
            weight: builder.get(&format!("{name}.weight"), &shape, Init::Ones)?,
            bias: builder.get(&format!("{name}.bias"), &shape, Init::Zeros)?,
            epsilon: config.encoder.layer_norm_eps,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.weight, &self.bias, self.epsilon)
    }
}

/// Word, position and token-type embeddings, normalised; in ELECTRA projected to the encoder's
/// width where that is another.
pub(super) struct Embeddings {
    words: Tensor,
    positions: Tensor,
    first_position: usize,
    types: Tensor,
    norm: Norm,
    dropout: f64,
    project: Option<Dense>,
}

impl Embeddings {
    pub(super) fn new(builder: &mut ParameterBuilder, config: &ModelConfig) -> Result<Self> {
        let (encoder, width) = (&config.encoder, config.embedding_size);
        let prefix = config.architecture.model_type();
        let mut table = |name: &str, rows, init| {
            let name = format!("{prefix}.embeddings.{name}_embeddings.weight");
            builder.get(&name, &[rows, width], init)
        };
        let without_padding = Init::NormalExceptRow(encoder.pad_token_id);
        let positions = match config.architecture {
            Architecture::Roberta => without_padding,
            Architecture::Bert | Architecture::Electra => Init::Normal,
        };
        let hidden = encoder.hidden_size;
        Ok(Self {
            words: table("word", encoder.vocab_size, without_padding)?,
            positions: table("position", encoder.max_position_embeddings, positions)?,
            first_position: config.first_position(),
            types: table("token_type", encoder.type_vocab_size, Init::Normal)?,
            norm: Norm::new(builder, &format!("{prefix}.embeddings.LayerNorm"), width, config)?,
            dropout: encoder.hidden_dropout_prob,
            project: (width != hidden)
                .then(|| {
                    Dense::new(builder, &format!("{prefix}.embeddings_project"), width, hidden)
                })
                .transpose()?,
        })
    }

    /// `ids` is `[batch, length]` row-major; the result is `[batch, length, hidden]`.
    pub(super) fn forward(
        &self,
        ids: &Arc<[u32]>,
        length: usize,
        dropouts: &Dropouts,
    ) -> Result<Tensor> {
        let place = Place { length, first_position: self.first_position };
        let x = embed(ids, place, &self.words, &self.positions, &self.types)?;
        let x = dropout(&self.norm.forward(&x)?, dropouts.next(self.dropout))?;
        match &self.project {
            Some(project) => project.forward(&x),
            None => Ok(x),
        }
    }
}
