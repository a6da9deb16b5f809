//! Answers the question which words of a text lead to its class.

use super::{PreparedRun, input_of};
use crate::core::attribution::{AttributionError, WordAttributions, explain_words};
use crate::core::engine::Engine;
use crate::core::model::ModelConfig;
use crate::core::text::sanitize_for_terminal;
use crate::core::tokenizer::Tokenizer;
use crate::run::protocol::Explanation;

/// Explains the prediction of a text or, for a model of pairs, of a pair of texts on one line.
///
/// # Errors
/// Why it cannot be explained.
pub(super) fn explain(
    engine: &mut dyn Engine,
    config: &ModelConfig,
    tokenizer: &Tokenizer,
    max_length: usize,
    text: &str,
) -> Result<WordAttributions, String> {
    let explained = input_of(config, text)
        .map_err(AttributionError::from)
        .and_then(|input| explain_words(engine, tokenizer, &input, max_length));
    explained.map_err(|error| sanitize_for_terminal(&error.to_string()).into_owned())
}

impl PreparedRun {
    /// Explains the prediction of a text with the current weights.
    pub(super) fn explain(&self, text: String, engine: &mut dyn Engine) -> Explanation {
        let (config, max_length) = (self.model.config(), self.arguments.max_seq_length);
        let outcome = explain(engine, config, &self.tokenizer, max_length, &text);
        Explanation { text, outcome }
    }
}
