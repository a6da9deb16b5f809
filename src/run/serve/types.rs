//! The JSON of requests and answers, as in `router/src/http/types.rs` of Text Embeddings Inference.

use crate::core::predict::{Prediction, TextInput};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A text or a pair of texts of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub text: String,
    pub text_pair: Option<String>,
}

impl Input {
    pub fn borrowed(&self) -> TextInput<'_> {
        TextInput { text: &self.text, text_pair: self.text_pair.as_deref() }
    }

    /// Whether there is nothing to classify.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.text_pair.as_ref().is_none_or(String::is_empty)
    }

    fn of(texts: Vec<String>) -> Result<Self, String> {
        let mut texts = texts.into_iter();
        match (texts.next(), texts.next(), texts.next()) {
            (Some(text), text_pair, None) => Ok(Self { text, text_pair }),
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

const EXPECTED: &str = "\"inputs\" is a text, a pair [\"first\", \"second\"], or a batch of both \
                        [[\"text\"], [\"first\", \"second\"], …]";

/// `"inputs"` as it is sent.
#[derive(Deserialize)]
#[serde(untagged)]
enum Inputs {
    Text(String),
    Texts(Vec<String>),
    Batch(Vec<Vec<String>>),
}

#[derive(Deserialize)]
struct Body {
    inputs: Value,
    truncate: Option<bool>,
    #[serde(default)]
    raw_scores: bool,
}

/// The body of `POST /predict`.
#[derive(Debug, PartialEq)]
pub(super) struct PredictRequest {
    /// The texts, at least one.
    pub inputs: Vec<Input>,
    /// Whether they are a batch, whose answer is a list of lists.
    pub is_batch: bool,
    /// Whether longer texts are cut; `None` for the server's default.
    pub truncate: Option<bool>,
    /// Whether the scores are logits instead of probabilities.
    pub raw_scores: bool,
}

impl PredictRequest {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// What is wrong with it, for the client.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let body: Body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let inputs = serde_json::from_value(body.inputs).map_err(|_| EXPECTED.to_owned())?;
        let (inputs, is_batch) = match inputs {
            Inputs::Text(text) => (vec![Input { text, text_pair: None }], false),
            Inputs::Texts(texts) => (vec![Input::of(texts)?], false),
            Inputs::Batch(batch) => {
                (batch.into_iter().map(Input::of).collect::<Result<_, _>>()?, true)
            }
        };
        Ok(Self { inputs, is_batch, truncate: body.truncate, raw_scores: body.raw_scores })
    }
}

/// The score of a class.
#[derive(Debug, PartialEq, Serialize)]
struct ClassScore<'a> {
    score: f64,
    label: &'a str,
}

/// The answer to `POST /predict`: for each text the classes, the highest score first.
///
/// # Errors
/// If a score is not a number.
pub(super) fn answer(
    request: &PredictRequest,
    predictions: &[Prediction],
    labels: &[String],
) -> Result<Value, String> {
    let answers = predictions.iter().map(|prediction| {
        let scores: Vec<f64> = if request.raw_scores {
            prediction.logits.iter().map(|&logit| f64::from(logit)).collect()
        } else {
            prediction.probabilities.clone()
        };
        if !scores.iter().all(|score| score.is_finite()) {
            return Err("score is NaN".to_owned());
        }
        let mut classes: Vec<ClassScore> = scores
            .into_iter()
            .zip(labels)
            .map(|(score, label)| ClassScore { score, label })
            .collect();
        classes.sort_by(|one, other| other.score.total_cmp(&one.score));
        Ok(json!(classes))
    });
    let mut answers = answers.collect::<Result<Vec<Value>, String>>()?;
    Ok(if request.is_batch { Value::Array(answers) } else { answers.pop().unwrap_or(Value::Null) })
}

/// The kind of an error: Text Embeddings Inference's `ErrorType` (its `router/src/lib.rs`), and two
/// for requests without permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorType {
    Unauthenticated,
    Unauthorized,
    Backend,
    Overloaded,
    Validation,
    Tokenizer,
    Empty,
}

impl ErrorType {
    /// Its name in an answer.
    fn name(self) -> &'static str {
        match self {
            Self::Unauthenticated => "Unauthenticated",
            Self::Unauthorized => "Unauthorized",
            Self::Backend => "Backend",
            Self::Overloaded => "Overloaded",
            Self::Validation => "Validation",
            Self::Tokenizer => "Tokenizer",
            Self::Empty => "Empty",
        }
    }

    /// Its name in the metrics.
    pub fn metric_name(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Unauthorized => "unauthorized",
            Self::Backend => "backend",
            Self::Overloaded => "overloaded",
            Self::Validation => "validation",
            Self::Tokenizer => "tokenizer",
            Self::Empty => "empty",
        }
    }
}

/// An error as it is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub status: u16,
    pub error_type: ErrorType,
    pub message: String,
}

impl Failure {
    pub fn new(status: u16, error_type: ErrorType, message: impl Into<String>) -> Self {
        Self { status, error_type, message: message.into() }
    }

    pub fn validation(status: u16, message: impl Into<String>) -> Self {
        Self::new(status, ErrorType::Validation, message)
    }

    pub fn overloaded() -> Self {
        Self::new(429, ErrorType::Overloaded, "the model is overloaded; try again later")
    }

    /// There is no text to classify.
    pub fn empty() -> Self {
        Self::new(400, ErrorType::Empty, "`inputs` cannot be empty")
    }

    pub fn to_json(&self) -> Value {
        json!({ "error": self.message, "error_type": self.error_type.name() })
    }
}

/// What `/info` says of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// The name or folder of the model.
    pub model_id: String,
    /// The names of the classes, by class id.
    pub labels: Vec<String>,
    /// The most tokens of a text.
    pub max_input_length: usize,
    /// Whether longer texts are cut unless a request says otherwise.
    pub auto_truncate: bool,
    /// The device, such as `cpu` or `cuda:0`.
    pub device: String,
}

impl ModelInfo {
    pub(super) fn to_json(&self, limits: &super::ServeLimits) -> Value {
        let ids = self.labels.iter().enumerate();
        let id2label: Map<String, Value> =
            ids.clone().map(|(id, label)| (id.to_string(), json!(label))).collect();
        let label2id: Map<String, Value> =
            ids.map(|(id, label)| (label.clone(), json!(id))).collect();
        json!({
            "model_id": self.model_id,
            "model_sha": null,
            "model_dtype": "float32",
            "model_type": { "classifier": { "id2label": id2label, "label2id": label2id } },
            "max_concurrent_requests": limits.max_concurrent_requests,
            "max_input_length": self.max_input_length,
            "max_client_batch_size": limits.max_client_batch_size,
            "auto_truncate": self.auto_truncate,
            "device": self.device,
            "version": env!("CARGO_PKG_VERSION"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(text: &str, text_pair: Option<&str>) -> Input {
        Input { text: text.to_owned(), text_pair: text_pair.map(str::to_owned) }
    }

    #[test]
    fn inputs_are_a_text_a_pair_or_a_batch() {
        let parse = |body: &str| PredictRequest::parse(body.as_bytes());
        let of = |inputs: &[Input], is_batch| {
            Ok(PredictRequest {
                inputs: inputs.to_vec(),
                is_batch,
                truncate: None,
                raw_scores: false,
            })
        };
        let (one, pair) = (input("최고", None), input("a", Some("b")));
        assert_eq!(parse(r#"{"inputs": "최고"}"#), of(std::slice::from_ref(&one), false));
        assert_eq!(parse(r#"{"inputs": ["최고"]}"#), of(std::slice::from_ref(&one), false));
        assert_eq!(parse(r#"{"inputs": ["a", "b"]}"#), of(std::slice::from_ref(&pair), false));
        assert_eq!(parse(r#"{"inputs": [["최고"], ["a", "b"]]}"#), of(&[one, pair], true));
        let options = parse(r#"{"inputs": "a", "truncate": true, "raw_scores": true, "x": 1}"#);
        assert!(options.is_ok_and(|found| found.truncate == Some(true) && found.raw_scores));
        for body in [
            "",
            "{}",
            "[]",
            r#"{"inputs": 1}"#,
            r#"{"inputs": []}"#,
            r#"{"inputs": [[]]}"#,
            r#"{"inputs": ["a", "b", "c"]}"#,
            r#"{"inputs": [["a"], "b"]}"#,
            r#"{"inputs": "a", "truncate": "yes"}"#,
        ] {
            assert!(parse(body).is_err(), "{body}");
        }
    }
}
