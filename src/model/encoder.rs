//! One encoder layer: attention and feed-forward, each with a residual and a normalisation.

use super::attention::{Dense, SelfAttention};
use super::config::ModelConfig;
use super::embeddings::Norm;
use super::parameters::ParameterBuilder;
use crate::ops::{Dropouts, dropout_add, gelu};
use candle_core::{Result, Tensor};
use candle_transformers::models::bert::HiddenAct;
use std::sync::Arc;

pub(super) struct Layer {
    attention: SelfAttention,
    attention_output: Dense,
    attention_norm: Norm,
    intermediate: Dense,
    activation: HiddenAct,
    output: Dense,
    output_norm: Norm,
    dropout: f64,
}

impl Layer {
    pub(super) fn new(
        builder: &mut ParameterBuilder,
        index: usize,
        config: &ModelConfig,
    ) -> Result<Self> {
        let (hidden, wide) = (config.encoder.hidden_size, config.encoder.intermediate_size);
        let prefix = config.architecture.model_type();
        let name = |part: &str| format!("{prefix}.encoder.layer.{index}.{part}");
        Ok(Self {
            attention: SelfAttention::new(builder, &name("attention.self"), config)?,
            attention_output: Dense::new(builder, &name("attention.output.dense"), hidden, hidden)?,
            attention_norm: Norm::new(
                builder,
                &name("attention.output.LayerNorm"),
                hidden,
                config,
            )?,
            intermediate: Dense::new(builder, &name("intermediate.dense"), hidden, wide)?,
            activation: config.encoder.hidden_act,
            output: Dense::new(builder, &name("output.dense"), wide, hidden)?,
            output_norm: Norm::new(builder, &name("output.LayerNorm"), hidden, config)?,
            dropout: config.encoder.hidden_dropout_prob,
        })
    }

    /// `x` is `[batch, length, hidden]`, and so is the result.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        lengths: &Arc<[u32]>,
        dropouts: &Dropouts,
    ) -> Result<Tensor> {
        let attended = self.attention.forward(x, lengths, dropouts)?;
        let attended = self.attention_output.forward(&attended)?;
        let attended = dropout_add(&attended, x, dropouts.next(self.dropout))?;
        let x = self.attention_norm.forward(&attended)?;

        let wide = self.intermediate.forward(&x)?;
        let wide = match self.activation {
            HiddenAct::Gelu => gelu(&wide)?,
            HiddenAct::GeluApproximate => wide.gelu()?,
            HiddenAct::Relu => wide.relu()?,
        };
        let out = self.output.forward(&wide)?;
        let out = dropout_add(&out, &x, dropouts.next(self.dropout))?;
        self.output_norm.forward(&out)
    }
}
