//! Trainable sequence classifiers with Hugging Face's layout, names and initialisation.

pub mod architecture;
pub mod attention;
pub mod classifier;
pub mod config;
pub mod embeddings;
pub mod encoder;
pub mod folder;
pub mod head;
pub mod layout;
pub mod network;
pub mod parameters;
#[cfg(test)]
pub mod reference;
pub mod weights;

pub use architecture::Architecture;
pub use classifier::SequenceClassifier;
pub use config::ModelConfig;
pub use layout::ModelLayout;
pub use network::ReferenceNetwork;
pub use parameters::{LoadReport, ParameterBuilder, Parameters};
pub use weights::Weights;

use std::path::PathBuf;

/// What can be wrong with a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read or written.
    #[error("{}: {error}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: std::io::Error,
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
    /// A computation failed; candle's message.
    #[error("{0}")]
    Computation(String),
}

impl ModelError {
    /// The same of a file that was to be in `to` and was first written in `from`.
    #[must_use]
    pub fn meant_for(self, from: &std::path::Path, to: &std::path::Path) -> Self {
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

/// candle's own message, without the backtrace that its `Display` adds.
pub fn without_backtrace(error: &candle_core::Error) -> String {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => without_backtrace(inner),
        other => other.to_string(),
    }
}
