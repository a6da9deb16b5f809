//! One encoder layer, attention and feed-forward, each with a residual and a normalisation, in
//! plain operations.

use super::attention::{Dense, SelfAttention};
use super::config::ModelConfig;
use super::embeddings::Norm;
use super::layout::LayerLayout;
use super::network::{Pass, Variables};
use crate::core::ops::reference::dropout;
use candle_core::{Result, Tensor};
use candle_transformers::models::bert::HiddenAct;

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
        variables: &Variables,
        layout: &LayerLayout,
        config: &ModelConfig,
    ) -> Result<Self> {
        Ok(Self {
            attention: SelfAttention::new(variables, layout, config)?,
            attention_output: Dense::new(variables, layout.attention_output)?,
            attention_norm: Norm::new(variables, &layout.attention_norm, config)?,
            intermediate: Dense::new(variables, layout.intermediate)?,
            activation: config.encoder.hidden_act,
            output: Dense::new(variables, layout.output)?,
            output_norm: Norm::new(variables, &layout.output_norm, config)?,
            dropout: config.encoder.hidden_dropout_prob,
        })
    }

    /// `x` is `[batch, length, hidden]`, and so is the result.
    pub(super) fn forward(&self, x: &Tensor, pass: &Pass<'_>) -> Result<Tensor> {
        let drop = |x: &Tensor| dropout(x, pass.dropouts.next(self.dropout), &pass.rows);
        let attended = self.attention.forward(x, pass)?;
        let attended = self.attention_output.forward(&attended)?;
        let x = self.attention_norm.forward(&(x + drop(&attended)?)?)?;

        let wide = self.intermediate.forward(&x)?;
        let wide = match self.activation {
            HiddenAct::Gelu => wide.gelu_erf()?,
            HiddenAct::GeluApproximate => wide.gelu()?,
            HiddenAct::Relu => wide.relu()?,
        };
        let out = self.output.forward(&wide)?;
        self.output_norm.forward(&(x + drop(&out)?)?)
    }
}
