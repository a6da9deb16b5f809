//! Which tokens and which words of a text lead to its predicted class.

mod integrated_gradients;
mod occlusion;
mod words;

pub use words::{TextPart, TokenIntegrals, WordAttributions, explain_words, explain_words_by};

use crate::core::data::batching::Example;
use crate::core::engine::Engine;
use crate::core::named::named_enum;
use crate::core::number;
use crate::core::predict::{PredictError, TextInput, encode};
use crate::core::tokenizer::{ReplacementToken, Tokenizer};
use serde::{Deserialize, Serialize};

named_enum! {
    /// How the attributions of tokens are computed.
    #[derive(Default, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum ExplainMethod {
        /// The probability minus that with the mask token in place of the token
        @default Occlusion = "occlusion",
        /// Integrated gradients (Sundararajan et al., 2017) from the text of mask tokens
        IntegratedGradients = "integrated_gradients",
    }
}

/// An error in explaining a prediction.
#[derive(Debug, thiserror::Error)]
pub enum AttributionError {
    /// The text cannot be tokenized, or a computation failed.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// No token can replace others.
    #[error(
        "the tokenizer has neither a mask token nor an unknown token to put in place of others. Set \
         mask_token in its tokenizer_config.json"
    )]
    NoReplacement,
}

/// The attributions of a text's tokens to the probability of the predicted class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// One a token, in the order of the prediction's tokens: above 0 towards the predicted class,
    /// below 0 against it. Special tokens around texts have 0.
    #[serde(rename = "attributions", with = "number::list")]
    pub values: Vec<f64>,
    /// The token that was put in place of others: the mask token or, where the tokenizer has none, the
    /// unknown token. Integrated gradients begin at the text in which every token but the special ones
    /// around texts has its embedding.
    pub baseline: String,
    /// How much the sum of integrated gradients exceeds what it approximates, the probability of the
    /// text minus that of the baseline. `None` for occlusion, whose attributions have no such sum.
    pub attribution_gap: Option<f64>,
}

/// An encoded text whose tokens can be replaced.
struct Occludable {
    example: Example,
    replacement: ReplacementToken,
    /// Whether each token is part of a text, not a special one around it.
    is_content: Vec<bool>,
}

impl Occludable {
    fn new(
        tokenizer: &Tokenizer,
        input: &TextInput<'_>,
        max_length: usize,
    ) -> Result<Self, AttributionError> {
        let replacement = tokenizer.replacement().ok_or(AttributionError::NoReplacement)?;
        let example = encode(tokenizer, input, max_length).map_err(PredictError::from)?.example;
        let delimiters = tokenizer.delimiters();
        let is_content = example.ids.iter().map(|id| !delimiters.contains(id)).collect();
        Ok(Self { example, replacement, is_content })
    }
}

/// Computes the attributions of the tokens of a text or of a pair of texts, encoded as by
/// [`classify_inputs`](crate::core::predict::classify_inputs), to the probability of `class`.
///
/// # Errors
/// If the text cannot be tokenized, no token can replace others, or the computation fails; for
/// integrated gradients also if the engine does not compute them.
pub fn attribute(
    engine: &mut dyn Engine,
    tokenizer: &Tokenizer,
    input: &TextInput<'_>,
    max_length: usize,
    class: u32,
    method: ExplainMethod,
) -> Result<Attribution, AttributionError> {
    let text = Occludable::new(tokenizer, input, max_length)?;
    let (values, attribution_gap) = match method {
        ExplainMethod::Occlusion => (occlusion::of_tokens(engine, &text, class)?, None),
        ExplainMethod::IntegratedGradients => {
            let [rows, _] = integrated_gradients::MAX_ROWS;
            let found = integrated_gradients::of_tokens(engine, &text, class, rows, &mut || true)?;
            found.map_or_else(Default::default, |found| (found.values, Some(found.gap)))
        }
    };
    Ok(Attribution { values, baseline: text.replacement.token, attribution_gap })
}

#[cfg(test)]
mod tests;
