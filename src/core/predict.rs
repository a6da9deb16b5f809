//! Classification of texts and of pairs of texts.

use crate::core::data::batching::{Example, PackedBatch};
use crate::core::engine::logits::{class_of, softmax, softmax_at};
use crate::core::engine::{Engine, EngineError, Logits};
use crate::core::number;
use crate::core::tokenizer::{EncodedPair, Tokenizer, TokenizerError, UnknownTokens};
use serde::{Deserialize, Serialize};

/// The prediction of a model for a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The classified text, or the first of a pair.
    pub text: String,
    /// The second text of a pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// The name of the most probable class.
    pub label: String,
    /// The probability of that class, from 0 to 1.
    #[serde(with = "number")]
    pub score: f64,
    /// The probability of each class, indexed by class id.
    #[serde(with = "number::list")]
    pub probabilities: Vec<f64>,
    /// The probability of each class after calibration by a temperature, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated_probabilities: Option<Vec<f64>>,
    /// The logit of each class, indexed by class id.
    #[serde(with = "number::list")]
    pub logits: Vec<f32>,
    /// The tokens of the text, including special tokens.
    pub tokens: Vec<String>,
    /// Whether the text was truncated to `max_length` tokens.
    pub truncated: bool,
    /// The number of tokens that are not in the vocabulary; 0 in answers of earlier versions.
    #[serde(default)]
    pub unknown: usize,
    /// The prediction of another model for the same text, if one was asked, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Box<ComparedPrediction>>,
}

/// The prediction of another model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedPrediction {
    /// The name or the folder of the model.
    pub model: String,
    /// The names of its classes, indexed by class id.
    pub labels: Vec<String>,
    /// Its prediction.
    #[serde(flatten)]
    pub prediction: Prediction,
}

impl Prediction {
    /// The prediction with probabilities calibrated by a temperature, if there is a usable one. The
    /// label does not change.
    #[must_use]
    pub fn calibrated(mut self, temperature: Option<f64>) -> Self {
        let temperature = temperature.filter(|value| value.is_finite() && *value > 0.0);
        let probabilities = temperature.map(|temperature| softmax_at(&self.logits, temperature));
        self.calibrated_probabilities =
            probabilities.filter(|values| values.iter().all(|value| value.is_finite()));
        self
    }

    /// The difference between the two highest probabilities; 1 with fewer than two classes.
    pub fn margin(&self) -> f64 {
        let (mut first, mut second) = (0.0, 0.0);
        for &probability in &self.probabilities {
            if probability > first {
                (first, second) = (probability, first);
            } else if probability > second {
                second = probability;
            }
        }
        if self.probabilities.len() < 2 { 1.0 } else { first - second }
    }

    /// The calibrated probability of the predicted class, if there is a temperature.
    pub fn calibrated_score(&self) -> Option<f64> {
        self.calibrated_probabilities.as_ref()?.iter().copied().reduce(f64::max)
    }

    /// Whether too many tokens are unknown for a meaningful prediction.
    pub fn has_many_unknown(&self) -> bool {
        self.unknown_tokens().is_notable()
    }

    /// The unknown tokens, and all tokens but the special ones around the text.
    pub fn unknown_tokens(&self) -> UnknownTokens {
        UnknownTokens { unknown: self.unknown, tokens: self.tokens.len().saturating_sub(2) }
    }
}

/// What separates the two texts of a pair on one line, besides a tab.
pub const PAIR_SEPARATOR: &str = "|||";

/// A text or a pair of texts to classify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextInput<'a> {
    /// The text, or the first of a pair.
    pub text: &'a str,
    /// The second text of a pair.
    pub text_pair: Option<&'a str>,
}

impl<'a> TextInput<'a> {
    /// A single text.
    pub fn single(text: &'a str) -> Self {
        Self { text, text_pair: None }
    }

    /// The pair of texts on a line: separated by a tab or, without one, by [`PAIR_SEPARATOR`], around
    /// which spaces are removed.
    ///
    /// # Errors
    /// If there is not exactly one separator.
    pub fn pair(line: &'a str) -> Result<Self, PredictError> {
        let separator = if line.contains('\t') { "\t" } else { PAIR_SEPARATOR };
        let mut parts = line.split(separator);
        let (Some(first), Some(second), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(PredictError::NotAPair);
        };
        let is_tab = separator == "\t";
        let [text, second] =
            [first, second].map(|part| if is_tab { part } else { part.trim_matches(' ') });
        Ok(Self { text, text_pair: Some(second) })
    }
}

/// An error in classifying a text.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The text cannot be tokenized.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A line is not a pair of texts.
    #[error(
        "a pair of texts is expected: two texts on one line, separated by one tab or by one \
         {PAIR_SEPARATOR}"
    )]
    NotAPair,
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
    let inputs: Vec<TextInput> = texts.iter().map(|text| TextInput::single(text)).collect();
    classify_inputs(engine, labels, tokenizer, &inputs, max_length)
}

/// A tokenized input.
pub(in crate::core) struct Encoded {
    pub example: Example,
    tokens: Vec<String>,
    truncated: bool,
}

/// Tokenizes a text or a pair of texts.
pub(in crate::core) fn encode(
    tokenizer: &Tokenizer,
    input: &TextInput<'_>,
    max_length: usize,
) -> Result<Encoded, TokenizerError> {
    let Some(second) = input.text_pair else {
        let encoding = tokenizer.encode(input.text, max_length)?;
        let example = Example::new(encoding.ids, 0);
        return Ok(Encoded { example, tokens: encoding.tokens, truncated: encoding.truncated });
    };
    let EncodedPair { ids, type_ids, truncated } =
        tokenizer.encode_pair((input.text, second), max_length)?;
    let tokens = tokenizer.tokens(&ids);
    Ok(Encoded { example: Example { ids, type_ids, label: 0 }, tokens, truncated })
}

/// As [`classify`], of texts and of pairs of texts.
///
/// # Errors
/// As [`classify`].
pub fn classify_inputs(
    engine: &mut dyn Engine,
    labels: &[String],
    tokenizer: &Tokenizer,
    inputs: &[TextInput<'_>],
    max_length: usize,
) -> Result<Vec<Prediction>, PredictError> {
    classify_with(&mut |batch| engine.logits(batch), labels, tokenizer, inputs, max_length)
}

/// As [`classify_inputs`], with the logits that `logits` computes.
///
/// # Errors
/// As [`classify`].
pub fn classify_with(
    logits: &mut Logits<'_>,
    labels: &[String],
    tokenizer: &Tokenizer,
    inputs: &[TextInput<'_>],
    max_length: usize,
) -> Result<Vec<Prediction>, PredictError> {
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    let encoded = inputs.iter().map(|input| encode(tokenizer, input, max_length));
    let encoded: Vec<Encoded> = encoded.collect::<Result<_, _>>()?;
    let examples = encoded.iter().map(|encoded| &encoded.example);
    let batch = PackedBatch::new(examples, 0);
    let logits = logits(&batch)?;
    Ok(inputs
        .iter()
        .zip(encoded)
        .zip(logits.chunks_exact(labels.len().max(1)))
        .map(|((input, encoded), logits)| {
            let probabilities = softmax(logits);
            let best = class_of(logits) as usize;
            Prediction {
                text: input.text.to_owned(),
                text_pair: input.text_pair.map(str::to_owned),
                label: labels.get(best).cloned().unwrap_or_default(),
                score: probabilities.get(best).copied().unwrap_or(0.0),
                probabilities,
                calibrated_probabilities: None,
                compared: None,
                logits: logits.to_vec(),
                unknown: tokenizer.count_unknown([encoded.example.ids.as_slice()]).unknown,
                tokens: encoded.tokens,
                truncated: encoded.truncated,
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
        let config = ModelConfig::small()?;
        let (model, _) = SequenceClassifier::new(config, Weights::none(), 7)?;
        let mut engine = crate::core::engine::build(&model, &EngineOptions::default())?;
        let (engine, labels) = (engine.as_mut(), &model.config().labels);
        let tokenizer = Tokenizer::small()?;
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
    #[test]
    fn a_line_has_two_texts() {
        let pair = |line| TextInput::pair(line).map_err(|error| error.to_string());
        let expected = |text, second| Ok(TextInput { text, text_pair: Some(second) });
        assert_eq!(pair("a \t b"), expected("a ", " b"));
        assert_eq!(pair("a ||| b"), expected("a", "b"));
        assert_eq!(pair("a|||"), expected("a", ""));
        assert_eq!(pair("a ||| b\tc"), expected("a ||| b", "c"));
        for line in ["", "a", "a || b", "a\tb\tc", "a ||| b ||| c"] {
            assert!(
                pair(line).is_err_and(|error| error.contains("one tab or by one |||")),
                "{line}"
            );
        }
    }

    #[test]
    fn the_second_text_of_a_pair_counts() -> anyhow::Result<()> {
        let config = ModelConfig::small()?;
        let (model, _) = SequenceClassifier::new(config, Weights::none(), 7)?;
        let mut engine = crate::core::engine::build(&model, &EngineOptions::default())?;
        let (engine, labels) = (engine.as_mut(), &model.config().labels);
        let tokenizer = Tokenizer::small()?;
        let inputs = [
            TextInput::pair("최고 ||| 지루하다")?,
            TextInput::pair("최고 ||| 재미있다")?,
            TextInput::single("최고"),
        ];
        let predictions = classify_inputs(engine, labels, &tokenizer, &inputs, 128)?;
        assert_eq!(predictions[0].text_pair.as_deref(), Some("지루하다"));
        assert_ne!(predictions[0].logits, predictions[1].logits);
        let tokens = &predictions[0].tokens;
        assert_eq!(tokens.iter().filter(|token| *token == "[SEP]").count(), 2);
        let single = classify(engine, labels, &tokenizer, &["최고"], 128)?;
        assert_eq!((&predictions[2].tokens, &predictions[2].text_pair), (&single[0].tokens, &None));
        Ok(())
    }
}
