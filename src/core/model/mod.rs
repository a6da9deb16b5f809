//! Sequence classifiers with Hugging Face's configuration, parameter names, initialization and
//! files. [`crate::core::engine`] runs them.

mod adapter;
pub mod architecture;
mod class_names;
pub mod classifier;
pub mod config;
mod config_values;
pub mod embedded;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod folder;
pub mod layout;
pub mod parameters;
mod quantized;
pub mod relative;
mod tensor_names;
pub mod weights;

pub use architecture::Architecture;
pub use classifier::SequenceClassifier;
pub use config::task::{GeneratorShape, Objective, Task};
pub use config::{MeanPoolingHook, ModelConfig, Pooling};
pub use layout::ModelLayout;
pub use parameters::{LoadReport, ModelParameters, ParameterBuilder};
pub use relative::RelativePositions;
pub use weights::Weights;

use std::path::PathBuf;

/// Why a model cannot be read, built or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read or written.
    #[error("{}: {error}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// The model that `config.json` describes cannot be built.
    #[error("{}: {reason}", file.display())]
    Config {
        /// The file.
        file: PathBuf,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// The weights do not fit the configuration, or the file is damaged.
    #[error("{}: {reason}", file.display())]
    Weights {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A failed computation, with candle's message.
    #[error("{0}")]
    Computation(String),
}

impl ModelError {
    /// The error with files in folder `from` replaced by those in `to`, for files that are first
    /// written in a staging folder.
    #[must_use]
    pub fn relocated(self, from: &std::path::Path, to: &std::path::Path) -> Self {
        let moved = |file: PathBuf| match file.strip_prefix(from) {
            Ok(name) => to.join(name),
            Err(_) => file,
        };
        match self {
            Self::Io { file, error } => Self::Io { file: moved(file), error },
            Self::Weights { file, reason } => Self::Weights { file: moved(file), reason },
            other => other,
        }
    }
}

impl From<candle_core::Error> for ModelError {
    fn from(error: candle_core::Error) -> Self {
        Self::Computation(without_backtrace(&error))
    }
}

/// A value of `config.json` in a message.
fn shown(value: &serde_json::Value) -> String {
    crate::core::text::truncate_width(&value.to_string(), 40)
}

/// candle's own message, without the backtrace that its `Display` adds.
pub fn without_backtrace(error: &candle_core::Error) -> String {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => without_backtrace(inner),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "mutation_tests.rs"]
mod mutation_tests;
#[cfg(test)]
#[path = "two_names_tests.rs"]
mod two_names_tests;
