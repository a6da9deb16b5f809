//! A sequence classifier: its configuration, layout and parameters.

use super::config::ModelConfig;
use super::layout::ModelLayout;
use super::parameters::{LoadReport, ModelParameters, ParameterBuilder};
use super::weights::Weights;
use candle_core::Result;

/// An encoder with a classification head: Hugging Face's `BertForSequenceClassification`, or that
/// class of another [`Architecture`](super::Architecture).
#[derive(Clone, Debug)]
pub struct SequenceClassifier {
    config: ModelConfig,
    layout: ModelLayout,
    parameters: ModelParameters,
}

impl SequenceClassifier {
    /// Builds the model from weights; missing parameters are initialized with `seed`.
    ///
    /// # Errors
    /// If a tensor's shape does not fit the configuration, or the number of classes is not supported.
    pub fn new(config: ModelConfig, weights: Weights, seed: u64) -> Result<(Self, LoadReport)> {
        let builder = ParameterBuilder::new(weights, seed, config.encoder.initializer_range);
        Self::build(config, builder)
    }

    /// As [`Self::new`], with the parameters of `builder`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn build(config: ModelConfig, builder: ParameterBuilder) -> Result<(Self, LoadReport)> {
        config.check_classes().map_err(candle_core::Error::msg)?;
        let layout = ModelLayout::new(&config);
        let (parameters, report) = builder.build(&layout)?;
        Ok((Self { config, layout, parameters }, report))
    }

    /// The configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The trainable parameters.
    pub fn parameters(&self) -> &ModelParameters {
        &self.parameters
    }

    /// The description of each parameter, and its offset in the flat tensor.
    pub fn layout(&self) -> &ModelLayout {
        &self.layout
    }
}
