//! Small models for tests.

use super::config::SMALL;
use super::{ModelConfig, SequenceClassifier, Weights};
use serde_json::Value;
use std::path::Path;

/// The configuration of the small model with other values.
pub fn small_config<V: Into<Value>>(
    values: impl IntoIterator<Item = (&'static str, V)>,
) -> anyhow::Result<ModelConfig> {
    let values = values.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
    let values: Vec<(String, Value)> = values.collect();
    Ok(ModelConfig::parse(SMALL, Path::new("config.json"), &values)?)
}

/// A small model with random weights of this seed, and other values in its configuration.
pub fn small_model<V: Into<Value>>(
    values: impl IntoIterator<Item = (&'static str, V)>,
    seed: u64,
) -> anyhow::Result<SequenceClassifier> {
    Ok(SequenceClassifier::new(small_config(values)?, Weights::none(), seed)?.0)
}
