//! BERT with a linear head over its pooled first token.

use super::attention::Dense;
use super::config::ModelConfig;
use super::embeddings::Embeddings;
use super::encoder::Layer;
use super::parameters::{ParameterBuilder, Parameters};
use crate::data::batching::Batch;
use crate::ops::{Dropouts, dropout};
use candle_core::{Result, Tensor};
use std::collections::HashMap;
use std::sync::Arc;

/// A padded batch as the model reads it.
#[derive(Clone, Debug)]
pub struct Input {
    /// `[batch, length]`, row-major.
    pub ids: Arc<[u32]>,
    /// `[batch]`: how many tokens of each row are real.
    pub lengths: Arc<[u32]>,
    /// The length all rows are padded to.
    pub length: usize,
}

impl From<&Batch> for Input {
    fn from(batch: &Batch) -> Self {
        Self {
            ids: batch.input_ids.as_slice().into(),
            lengths: batch.lengths.as_slice().into(),
            length: batch.length,
        }
    }
}

/// Hugging Face's `BertForSequenceClassification`.
pub struct BertForSequenceClassification {
    config: ModelConfig,
    parameters: Parameters,
    embeddings: Embeddings,
    layers: Vec<Layer>,
    pooler: Dense,
    classifier: Dense,
}

/// What loading found, for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Parameters that no file held and that were initialised.
    pub missing: Vec<String>,
    /// Tensors in the file that the model has no place for.
    pub unexpected: Vec<String>,
}

impl BertForSequenceClassification {
    /// Builds the model from loaded tensors; what they do not hold is initialised from `seed`.
    ///
    /// # Errors
    /// If a tensor has a shape other than the configuration asks for.
    pub fn new(
        config: ModelConfig,
        loaded: HashMap<String, Tensor>,
        seed: u64,
    ) -> Result<(Self, LoadReport)> {
        let mut builder = ParameterBuilder::new(loaded, seed, config.bert.initializer_range);
        let hidden = config.bert.hidden_size;
        let embeddings = Embeddings::new(&mut builder, &config)?;
        let layers = (0..config.bert.num_hidden_layers)
            .map(|index| Layer::new(&mut builder, index, &config))
            .collect::<Result<_>>()?;
        let pooler = Dense::new(&mut builder, "bert.pooler.dense", hidden, hidden)?;
        let classifier = Dense::new(&mut builder, "classifier", hidden, config.labels.len())?;
        let (parameters, missing, unexpected) = builder.finish();
        let model = Self { config, parameters, embeddings, layers, pooler, classifier };
        Ok((model, LoadReport { missing, unexpected }))
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Every trainable parameter.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The embeddings' output and each layer's, `[batch, length, hidden]` each, as
    /// `output_hidden_states` gives them.
    ///
    /// # Errors
    /// If an id lies outside the vocabulary or the rows are longer than there are positions.
    pub fn hidden_states(&self, input: &Input, dropouts: &Dropouts) -> Result<Vec<Tensor>> {
        let first = self.embeddings.forward(&input.ids, input.length, dropouts)?;
        let mut states = vec![first];
        for layer in &self.layers {
            let next = layer.forward(&states[states.len() - 1], &input.lengths, dropouts)?;
            states.push(next);
        }
        Ok(states)
    }

    /// The logits, `[batch, labels]`.
    ///
    /// # Errors
    /// As [`Self::hidden_states`].
    pub fn forward(&self, input: &Input, dropouts: &Dropouts) -> Result<Tensor> {
        let mut x = self.embeddings.forward(&input.ids, input.length, dropouts)?;
        for layer in &self.layers {
            x = layer.forward(&x, &input.lengths, dropouts)?;
        }
        self.head(&x, dropouts)
    }

    /// Pools the first token of the last layer and classifies it.
    fn head(&self, last: &Tensor, dropouts: &Dropouts) -> Result<Tensor> {
        let first = last.narrow(1, 0, 1)?.squeeze(1)?;
        let pooled = self.pooler.forward(&first)?.tanh()?;
        let pooled = dropout(&pooled, dropouts.next(self.config.classifier_dropout()))?;
        self.classifier.forward(&pooled)
    }
}

#[cfg(test)]
#[path = "classifier_tests.rs"]
mod tests;
