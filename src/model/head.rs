//! The classifying heads, each as transformers' `…ForSequenceClassification` has it.

use super::architecture::Architecture;
use super::attention::Dense;
use super::config::ModelConfig;
use super::parameters::ParameterBuilder;
use crate::ops::{Dropouts, dropout, gelu};
use candle_core::{Result, Tensor};

/// From the first token of the last layer to logits.
pub(super) struct Head {
    architecture: Architecture,
    dense: Dense,
    out: Dense,
    dropout: f64,
}

impl Head {
    pub(super) fn new(builder: &mut ParameterBuilder, config: &ModelConfig) -> Result<Self> {
        let (hidden, labels) = (config.encoder.hidden_size, config.labels.len());
        let (dense, out) = match config.architecture {
            Architecture::Bert => ("bert.pooler.dense", "classifier"),
            Architecture::Roberta | Architecture::Electra => {
                ("classifier.dense", "classifier.out_proj")
            }
        };
        Ok(Self {
            architecture: config.architecture,
            dense: Dense::new(builder, dense, hidden, hidden)?,
            out: Dense::new(builder, out, hidden, labels)?,
            dropout: config.classifier_dropout(),
        })
    }

    /// `first` is `[batch, hidden]`; the result is `[batch, labels]`.
    pub(super) fn forward(&self, first: &Tensor, dropouts: &Dropouts) -> Result<Tensor> {
        let drop = |x: &Tensor| dropout(x, dropouts.next(self.dropout));
        let x = match self.architecture {
            // BertPooler, then dropout.
            Architecture::Bert => self.dense.forward(first)?.tanh()?,
            // RobertaClassificationHead and ElectraClassificationHead.
            Architecture::Roberta => self.dense.forward(&drop(first)?)?.tanh()?,
            Architecture::Electra => gelu(&self.dense.forward(&drop(first)?)?)?,
        };
        self.out.forward(&drop(&x)?)
    }
}
