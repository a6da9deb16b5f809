//! A trainable BERT sequence classifier with Hugging Face's layout, names and initialisation.

pub mod attention;
pub mod classifier;
pub mod config;
pub mod embeddings;
pub mod encoder;
pub mod folder;
pub mod parameters;

pub use classifier::{BertForSequenceClassification, Input};
pub use config::ModelConfig;
pub use parameters::{ParameterBuilder, Parameters};

use std::path::PathBuf;

/// What can be wrong with a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read or written.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// `config.json` describes no model that can be built.
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
    /// A computation failed.
    #[error("{}", without_backtrace(.0))]
    Candle(#[from] candle_core::Error),
}

/// candle's own message, without the backtrace that its `Display` adds.
pub fn without_backtrace(error: &candle_core::Error) -> String {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => without_backtrace(inner),
        other => other.to_string(),
    }
}
