//! From a sentence to a label.

use crate::data::batching::{Batch, Example};
use crate::model::{Input, ModelError, SequenceClassifier};
use crate::ops::Dropouts;
use crate::tokenizer::{Encoding, Tokenizer, TokenizerError};
use serde::Serialize;

/// What the model says of a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The text asked about.
    pub text: String,
    /// The name of the most probable class.
    pub label: String,
    /// Its probability.
    pub score: f64,
    /// The probability of each class.
    pub probabilities: Vec<f64>,
    /// The model's raw outputs.
    pub logits: Vec<f32>,
    /// The pieces the model saw, special ones included.
    pub tokens: Vec<String>,
    /// Whether the text was too long and lost its end.
    pub truncated: bool,
}

/// Why a text could not be classified.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The tokenizer refused it.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The computation failed.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Classifies texts together, each cut to `max_length` tokens.
///
/// # Errors
/// If a text cannot be tokenized or the tokenizer does not fit the model.
pub fn classify(
    model: &SequenceClassifier,
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
    let batch = Batch::new(&examples, tokenizer.pad_id(), 0);
    let logits = model
        .forward(&Input::from(&batch), &Dropouts::off())
        .and_then(|logits| logits.to_vec2::<f32>())
        .map_err(ModelError::from)?;
    let labels = &model.config().labels;
    Ok(texts
        .iter()
        .zip(encodings)
        .zip(logits)
        .map(|((text, encoding), logits)| {
            let probabilities = softmax(&logits);
            let best = (0..probabilities.len())
                .reduce(|a, b| if probabilities[b] > probabilities[a] { b } else { a })
                .unwrap_or(0);
            Prediction {
                text: (*text).to_owned(),
                label: labels.get(best).cloned().unwrap_or_default(),
                score: probabilities.get(best).copied().unwrap_or(0.0),
                probabilities,
                logits,
                tokens: encoding.tokens,
                truncated: encoding.truncated,
            }
        })
        .collect())
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> =
        logits.iter().map(|&logit| f64::from(logit - highest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|e| e / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelConfig, Weights};

    #[test]
    fn together_and_alone_agree() -> anyhow::Result<()> {
        let config = ModelConfig::embedded()?;
        let (model, _) = SequenceClassifier::new(config, Weights::none(), 7)?;
        let tokenizer = Tokenizer::embedded()?;
        let long = "정말 재미있는 영화 ".repeat(60);
        let texts = ["최고", "지루하고 재미없는 영화였다", "", &long];
        let together = classify(&model, &tokenizer, &texts, 128)?;
        assert_eq!(together.len(), 4);
        for (text, expected) in texts.iter().zip(&together) {
            let alone = &classify(&model, &tokenizer, &[text], 128)?[0];
            assert_eq!(alone.tokens, expected.tokens);
            for (a, b) in alone.logits.iter().zip(&expected.logits) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
            let sum: f64 = alone.probabilities.iter().sum();
            assert!((sum - 1.0).abs() < 1e-12);
            assert!(alone.score >= 0.5);
        }
        assert!(together[3].truncated && !together[1].truncated);
        assert_eq!(together[3].tokens.len(), 128);
        Ok(())
    }
}
