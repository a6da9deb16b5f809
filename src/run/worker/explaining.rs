//! Answers the question which words of a text lead to its class.

use super::{PreparedRun, input_of};
use crate::core::attribution::{
    AttributionError, ExplainMethod, WordAttributions, explain_words, explain_words_by,
};
use crate::core::engine::{Engine, Logits};
use crate::core::model::ModelConfig;
use crate::core::text::sanitize_for_terminal;
use crate::core::tokenizer::Tokenizer;
use crate::run::protocol::Explanation;

/// Explains the prediction of a text or, for a model of pairs, of a pair of texts on one line, by
/// occlusion. The computation is divided into short ones, before each of which `continues` is asked;
/// `None` is returned if it says no.
///
/// # Errors
/// Why it cannot be explained.
pub(super) fn explain(
    logits: &mut Logits<'_>,
    config: &ModelConfig,
    tokenizer: &Tokenizer,
    max_length: usize,
    text: &str,
    continues: &mut dyn FnMut() -> bool,
) -> Result<Option<WordAttributions>, String> {
    let explained = input_of(config, text)
        .map_err(AttributionError::from)
        .and_then(|input| explain_words(logits, tokenizer, &input, max_length, continues));
    explained.map_err(|error| message(&error))
}

/// As [`explain`], by either method, with an engine that does nothing else.
///
/// # Errors
/// Why it cannot be explained.
pub(super) fn explain_by(
    method: ExplainMethod,
    engine: &mut dyn Engine,
    (config, tokenizer, max_length): (&ModelConfig, &Tokenizer, usize),
    text: &str,
    continues: &mut dyn FnMut() -> bool,
) -> Result<Option<WordAttributions>, String> {
    let explained = input_of(config, text).map_err(AttributionError::from).and_then(|input| {
        explain_words_by(method, engine, tokenizer, &input, max_length, continues)
    });
    explained.map_err(|error| message(&error))
}

fn message(error: &AttributionError) -> String {
    sanitize_for_terminal(&error.to_string()).into_owned()
}

impl PreparedRun {
    /// Explains the prediction of a text with the current weights, as [`explain`].
    pub(super) fn explain(
        &self,
        text: String,
        logits: &mut Logits<'_>,
        continues: &mut dyn FnMut() -> bool,
    ) -> Explanation {
        let (config, max_length) = (self.model.config(), self.arguments.max_seq_length);
        let outcome = explain(logits, config, &self.tokenizer, max_length, &text, continues);
        Explanation::new(text, outcome)
    }

    /// As [`Self::explain`], by either method, with an engine that does nothing else.
    pub(super) fn explain_by(
        &self,
        method: ExplainMethod,
        text: String,
        engine: &mut dyn Engine,
        continues: &mut dyn FnMut() -> bool,
    ) -> Explanation {
        let model = (self.model.config(), &self.tokenizer, self.arguments.max_seq_length);
        let outcome = explain_by(method, engine, model, &text, continues);
        Explanation::new(text, outcome)
    }
}
