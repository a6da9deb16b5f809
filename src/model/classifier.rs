//! An encoder with a head over its first token.

use super::config::ModelConfig;
use super::embeddings::Embeddings;
use super::encoder::Layer;
use super::head::Head;
use super::parameters::{LoadReport, ParameterBuilder, Parameters};
use super::weights::Weights;
use crate::data::batching::Batch;
use crate::ops::Dropouts;
use candle_core::{Result, Tensor};
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

/// An encoder with a classifying head: Hugging Face's `BertForSequenceClassification`,
/// `RobertaForSequenceClassification` or `ElectraForSequenceClassification`.
pub struct SequenceClassifier {
    config: ModelConfig,
    parameters: Parameters,
    embeddings: Embeddings,
    layers: Vec<Layer>,
    head: Head,
}

impl SequenceClassifier {
    /// Builds the model from weights; what they do not hold is initialised from `seed`.
    ///
    /// # Errors
    /// If a tensor has a shape other than the configuration asks for.
    pub fn new(config: ModelConfig, weights: Weights, seed: u64) -> Result<(Self, LoadReport)> {
        let builder = ParameterBuilder::new(weights, seed, config.encoder.initializer_range);
        Self::build(config, builder)
    }

    /// As [`Self::new`], with the parameters that `builder` makes.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn build(config: ModelConfig, mut builder: ParameterBuilder) -> Result<(Self, LoadReport)> {
        let embeddings = Embeddings::new(&mut builder, &config)?;
        let layers = (0..config.encoder.num_hidden_layers)
            .map(|index| Layer::new(&mut builder, index, &config))
            .collect::<Result<_>>()?;
        let head = Head::new(&mut builder, &config)?;
        let (parameters, report) = builder.finish();
        Ok((Self { config, parameters, embeddings, layers, head }, report))
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
        self.head.forward(&x.narrow(1, 0, 1)?.squeeze(1)?, dropouts)
    }
}

#[cfg(test)]
#[path = "classifier_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "family_tests.rs"]
mod family_tests;
