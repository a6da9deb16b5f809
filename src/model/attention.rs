//! Multi-head self-attention (Vaswani et al., 2017).

use super::config::ModelConfig;
use super::parameters::{Init, ParameterBuilder};
use crate::ops::{Dropouts, attention_probabilities, linear};
use candle_core::{Result, Tensor};
use std::sync::Arc;

/// A fully connected layer's weight and bias.
pub(super) struct Dense {
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    pub(super) fn new(
        builder: &mut ParameterBuilder,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self> {
        Ok(Self {
            weight: builder.get(&format!("{name}.weight"), &[outputs, inputs], Init::Normal)?,
            bias: builder.get(&format!("{name}.bias"), &[outputs], Init::Zeros)?,
        })
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
        builder: &mut ParameterBuilder,
        name: &str,
        config: &ModelConfig,
    ) -> Result<Self> {
        let hidden = config.encoder.hidden_size;
        let mut dense = |part: &str| Dense::new(builder, &format!("{name}.{part}"), hidden, hidden);
        Ok(Self {
            query: dense("query")?,
            key: dense("key")?,
            value: dense("value")?,
            heads: config.encoder.num_attention_heads,
            dropout: config.attention_probs_dropout_prob,
        })
    }

    /// `x` is `[batch, length, hidden]`, and so is the result.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        lengths: &Arc<[u32]>,
        dropouts: &Dropouts,
    ) -> Result<Tensor> {
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
        let dropout = dropouts.next(self.dropout);
        let probabilities = attention_probabilities(&scores, lengths, scale, dropout)?;
        probabilities.matmul(&value)?.transpose(1, 2)?.reshape((batch, length, hidden))
    }
}
