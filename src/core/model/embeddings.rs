//! The first room of an encoder, ids to vectors, in plain operations.

use super::attention::Dense;
use super::config::ModelConfig;
use super::layout::ModelLayout;
use super::network::{Pass, Variables};
use crate::core::ops::backend;
use crate::core::ops::reference::{dropout, embed, layer_norm};
use candle_core::{Result, Tensor};

/// A layer normalisation's scale and shift.
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl Norm {
    pub(super) fn new(
        variables: &Variables,
        norm: &backend::LayerNormLayout,
        config: &ModelConfig,
    ) -> Result<Self> {
        Ok(Self {
            weight: variables.at(norm.weight)?,
            bias: variables.at(norm.bias)?,
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
    pub(super) fn new(
        variables: &Variables,
        layout: &ModelLayout,
        config: &ModelConfig,
    ) -> Result<Self> {
        Ok(Self {
            words: variables.at(layout.tables.tokens)?,
            positions: variables.at(layout.tables.positions)?,
            first_position: layout.tables.first_position,
            types: variables.at(layout.tables.token_types)?,
            norm: Norm::new(variables, &layout.embedding_norm, config)?,
            dropout: config.encoder.hidden_dropout_prob,
            project: layout.project.map(|dense| Dense::new(variables, dense)).transpose()?,
        })
    }

    /// `ids` is `[batch, length]` row-major; the result is `[batch, length, hidden]`.
    pub(super) fn forward(&self, ids: &[u32], pass: &Pass<'_>) -> Result<Tensor> {
        let (length, first) = (pass.rows.length, self.first_position);
        let x = embed(ids, length, first, &self.words, &self.positions, &self.types)?;
        let x = dropout(&self.norm.forward(&x)?, pass.dropouts.next(self.dropout), &pass.rows)?;
        match &self.project {
            Some(project) => project.forward(&x),
            None => Ok(x),
        }
    }
}
