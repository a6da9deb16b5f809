//! The pretrained Korean model that is part of the program; `assets/model/README.md` describes it.

use super::config::ModelConfig;
use super::weights::Weights;
use super::{Architecture, ModelError};
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

/// The weights of the encoder.
///
/// # Errors
/// If the program file is damaged.
pub fn weights() -> Result<Weights, ModelError> {
    Weights::open_quantized(WEIGHTS, Path::new(FILE), Architecture::Bert)
}
