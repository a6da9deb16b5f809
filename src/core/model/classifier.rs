//! An encoder with a head over its first token: its shape and its parameters. [`crate::core::engine`]
//! computes it.

use super::config::ModelConfig;
use super::layout::ModelLayout;
use super::parameters::{LoadReport, ParameterBuilder, Parameters};
use super::weights::Weights;
use candle_core::Result;

/// An encoder with a classifying head: Hugging Face's `BertForSequenceClassification`,
/// `RobertaForSequenceClassification` or `ElectraForSequenceClassification`.
#[derive(Clone, Debug)]
pub struct SequenceClassifier {
    config: ModelConfig,
    layout: ModelLayout,
    parameters: Parameters,
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
    pub fn build(config: ModelConfig, builder: ParameterBuilder) -> Result<(Self, LoadReport)> {
        let layout = ModelLayout::new(&config);
        let (parameters, report) = builder.build(&layout)?;
        Ok((Self { config, layout, parameters }, report))
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Every trainable parameter.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Where each parameter stands.
    pub fn layout(&self) -> &ModelLayout {
        &self.layout
    }
}
