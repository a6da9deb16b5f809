//! Classification of texts.

use crate::core::data::batching::{Example, PackedBatch};
use crate::core::engine::logits::{class_of, softmax};
use crate::core::engine::{Engine, EngineError};
use crate::core::tokenizer::{Encoding, Tokenizer, TokenizerError, UnknownTokens};
use serde::{Deserialize, Serialize};

/// The prediction of a model for a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The classified text.
    pub text: String,
    /// The name of the most probable class.
    pub label: String,
    /// The probability of that class, from 0 to 1.
    pub score: f64,
    /// The probability of each class, indexed by class id.
    pub probabilities: Vec<f64>,
    /// The logit of each class, indexed by class id.
    pub logits: Vec<f32>,
    /// The tokens of the text, including special tokens.
    pub tokens: Vec<String>,
    /// Whether the text was truncated to `max_length` tokens.
    pub truncated: bool,
    /// The number of tokens that are not in the vocabulary; 0 in answers of earlier versions.
    #[serde(default)]
    pub unknown: usize,
}

impl Prediction {
    /// Whether so many tokens are unknown that the prediction means little.
    pub fn has_many_unknown(&self) -> bool {
        self.unknown_tokens().is_notable()
    }

    /// The unknown tokens, and all tokens but the special ones around the text.
    pub fn unknown_tokens(&self) -> UnknownTokens {
        UnknownTokens { unknown: self.unknown, tokens: self.tokens.len().saturating_sub(2) }
    }
}

/// An error in classifying a text.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The text cannot be tokenized.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A computation failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Classifies texts in one batch, each truncated to `max_length` tokens; `labels` are the names of
/// the classes.
///
/// # Errors
/// If a text cannot be tokenized, or if the computation fails, for example because the tokenizer
/// does not fit the model.
pub fn classify(
    engine: &mut dyn Engine,
    labels: &[String],
    tokenizer: &Tokenizer,
    texts: &[&str],
    max_length: usize,
) -> Result<Vec<Prediction>, PredictError> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let encodings: Vec<Encoding> =
        texts.iter().map(|text| tokenizer.encode(text, max_length)).collect::<Result<_, _>>()?;
    let examples: Vec<Example> =
        encodings.iter().map(|encoding| Example { ids: encoding.ids.clone(), label: 0 }).collect();
    let batch = PackedBatch::new(&examples, 0);
    let logits = engine.logits(&batch)?;
    Ok(texts
        .iter()
        .zip(encodings)
        .zip(logits.chunks_exact(labels.len().max(1)))
        .map(|((text, encoding), logits)| {
            let probabilities = softmax(logits);
            let best = class_of(logits) as usize;
            Prediction {
                text: (*text).to_owned(),
                label: labels.get(best).cloned().unwrap_or_default(),
                score: probabilities.get(best).copied().unwrap_or(0.0),
                probabilities,
                logits: logits.to_vec(),
                unknown: tokenizer.count_unknown([encoding.ids.as_slice()]).unknown,
                tokens: encoding.tokens,
                truncated: encoding.truncated,
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::engine::EngineOptions;
    use crate::core::model::{ModelConfig, SequenceClassifier, Weights};

    #[test]
    fn predictions_do_not_depend_on_the_batch() -> anyhow::Result<()> {
        let config = ModelConfig::embedded()?;
        let (model, _) = SequenceClassifier::new(config, Weights::none(), 7)?;
        let mut engine = crate::core::engine::build(&model, &EngineOptions::default())?;
        let (engine, labels) = (engine.as_mut(), &model.config().labels);
        let tokenizer = Tokenizer::embedded()?;
        let long = "정말 재미있는 영화 ".repeat(60);
        let texts = ["최고", "지루하고 재미없는 영화였다", "", &long];
        let together = classify(engine, labels, &tokenizer, &texts, 128)?;
        assert_eq!(together.len(), 4);
        for (text, expected) in texts.iter().zip(&together) {
            let alone = &classify(engine, labels, &tokenizer, &[text], 128)?[0];
            assert_eq!(alone.tokens, expected.tokens);
            for (a, b) in alone.logits.iter().zip(&expected.logits) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
            let sum: f64 = alone.probabilities.iter().sum();
            assert!((sum - 1.0).abs() < 1e-12);
            assert!(alone.score >= 0.5);
        }
        assert!(together[3].truncated && !together[1].truncated);
        assert!(together.iter().all(|prediction| !prediction.has_many_unknown()));
        let unknown = &classify(engine, labels, &tokenizer, &["☃ ☃ 최고"], 128)?[0];
        assert_eq!((unknown.unknown, unknown.unknown_tokens().tokens), (2, 3));
        assert!(unknown.has_many_unknown());
        assert_eq!(together[3].tokens.len(), 128);
        Ok(())
    }
}
