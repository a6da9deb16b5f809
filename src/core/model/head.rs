//! The classifying heads, each as transformers' `…ForSequenceClassification` has it, in plain
//! operations.

use super::architecture::Architecture;
use super::attention::Dense;
use super::config::ModelConfig;
use super::layout::ModelLayout;
use super::network::{Pass, Variables};
use crate::core::ops::reference::dropout;
use candle_core::{Result, Tensor};

/// From the first token of the last layer to logits.
pub(super) struct Head {
    architecture: Architecture,
    dense: Dense,
    out: Dense,
    dropout: f64,
}

impl Head {
    pub(super) fn new(
        variables: &Variables,
        layout: &ModelLayout,
        config: &ModelConfig,
    ) -> Result<Self> {
        Ok(Self {
            architecture: config.architecture,
            dense: Dense::new(variables, layout.head)?,
            out: Dense::new(variables, layout.classifier)?,
            dropout: config.classifier_dropout(),
        })
    }

    /// `first` is `[batch, hidden]`; the result is `[batch, labels]`.
    pub(super) fn forward(&self, first: &Tensor, pass: &Pass<'_>) -> Result<Tensor> {
        let drop = |x: &Tensor| dropout(x, pass.dropouts.next(self.dropout), &pass.rows);
        let x = match self.architecture {
            // BertPooler, then dropout.
            Architecture::Bert => self.dense.forward(first)?.tanh()?,
            // RobertaClassificationHead and ElectraClassificationHead.
            Architecture::Roberta => self.dense.forward(&drop(first)?)?.tanh()?,
            Architecture::Electra => self.dense.forward(&drop(first)?)?.gelu_erf()?,
        };
        self.out.forward(&drop(&x)?)
    }
}
