//! Multi-head self-attention (Vaswani et al., 2017), in plain operations.

use super::config::ModelConfig;
use super::layout::LayerLayout;
use super::network::{Pass, Variables};
use crate::core::ops::backend;
use crate::core::ops::reference::{attention_probabilities, linear};
use candle_core::{Result, Tensor};

/// A fully connected layer's weight and bias.
pub(super) struct Dense {
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    pub(super) fn new(variables: &Variables, dense: backend::LinearLayout) -> Result<Self> {
        Ok(Self { weight: variables.at(dense.weight)?, bias: variables.at(dense.bias)? })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight, &self.bias)
    }
}

/// Queries, keys and values, and what the heads make of them.
pub(super) struct SelfAttention {
    query: Dense,
    key: Dense,
    value: Dense,
    heads: usize,
    dropout: f64,
}

impl SelfAttention {
    pub(super) fn new(
        variables: &Variables,
        layout: &LayerLayout,
        config: &ModelConfig,
    ) -> Result<Self> {
        Ok(Self {
            query: Dense::new(variables, layout.query)?,
            key: Dense::new(variables, layout.key)?,
            value: Dense::new(variables, layout.value)?,
            heads: config.encoder.num_attention_heads,
            dropout: config.attention_probs_dropout_prob,
        })
    }

    /// `x` is `[batch, length, hidden]`, and so is the result.
    pub(super) fn forward(&self, x: &Tensor, pass: &Pass<'_>) -> Result<Tensor> {
        let (batch, length, hidden) = x.dims3()?;
        let width = hidden / self.heads;
        let split = |part: &Dense| {
            part.forward(x)?
                .reshape((batch, length, self.heads, width))?
                .transpose(1, 2)?
                .contiguous()
        };
        let (query, key, value) = (split(&self.query)?, split(&self.key)?, split(&self.value)?);
        let scores = query.matmul(&key.t()?)?;
        let scale = 1.0 / (width as f64).sqrt();
        let dropout = pass.dropouts.next(self.dropout);
        let probabilities =
            attention_probabilities(&scores, pass.lengths, scale, dropout, &pass.rows)?;
        probabilities.matmul(&value)?.transpose(1, 2)?.reshape((batch, length, hidden))
    }
}
