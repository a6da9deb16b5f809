//! The pretrained Korean model that is part of the program; `assets/model/README.md` describes it.

use super::config::ModelConfig;
use super::folder::LoadOptions;
use super::parameters::{LoadReport, ParameterBuilder};
use super::weights::Weights;
use super::{Architecture, ModelError, SequenceClassifier, without_backtrace};
use serde_json::Value;
use std::path::Path;

/// The name of this model in `--model-name-or-path`.
pub const EMBEDDED_MODEL: &str = "embedded";

/// The name of the small model that starts from random weights, [`super::config::SMALL`].
pub const SMALL_MODEL: &str = "random";

const CONFIG: &str = include_str!("../../../assets/model/config.json");

/// Its weights in 8 bits; see [`super::quantized`].
static WEIGHTS: &[u8] = include_bytes!("../../../assets/model/model.q8.safetensors");

/// What messages call the file of weights.
const FILE: &str = "embedded model.q8.safetensors";

/// The configuration, with the values of `overrides` replaced.
///
/// # Errors
/// If a value is not supported.
pub fn config(overrides: &[(String, Value)]) -> Result<ModelConfig, ModelError> {
    ModelConfig::parse(CONFIG, Path::new("embedded config.json"), overrides)
}

/// The model; its head is initialized with `seed`, and so is what `options` name.
///
/// # Errors
/// If the weights do not fit the configuration.
pub fn load(
    config: ModelConfig,
    options: LoadOptions,
    seed: u64,
) -> Result<(SequenceClassifier, LoadReport), ModelError> {
    let file = Path::new(FILE);
    let weights = Weights::open_quantized(WEIGHTS, file, Architecture::Bert)?;
    let builder = ParameterBuilder::new(weights, seed, config.encoder.initializer_range)
        .ignore_mismatched_sizes(options.ignore_mismatched_sizes)
        .reinit_top_layers(options.reinit_top_layers);
    SequenceClassifier::build(config, builder).map_err(|error| ModelError::Weights {
        file: file.to_path_buf(),
        reason: without_backtrace(&error),
    })
}
