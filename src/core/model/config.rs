//! `config.json`: a model's configuration, in Hugging Face's format.

mod text_pair;

use super::ModelError;
use super::architecture::Architecture;
use crate::core::ops::DropoutProbabilities;
use crate::core::text::truncate_width;
use candle_transformers::models::bert::Config;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The configuration of the small Korean model that is part of the program.
pub const EMBEDDED: &str = include_str!("../../../assets/model/config.json");

/// The most classes a model may have: the confusion matrix counts each pair of them.
pub const MAX_LABELS: usize = 1000;

/// The most parameters a model may have: training more of them in float32 needs over 64 GB.
const MAX_PARAMETERS: f64 = 4e9;

/// A model's configuration: the hyper-parameters that BERT, RoBERTa and ELECTRA share, those that
/// candle's [`Config`] lacks, and the whole file.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// The architecture.
    pub architecture: Architecture,
    /// The encoder's hyper-parameters, named as in `config.json`.
    pub encoder: Config,
    /// The width of the embeddings, which ELECTRA projects to `hidden_size`.
    pub embedding_size: usize,
    /// Dropout of attention probabilities.
    pub attention_probs_dropout_prob: f64,
    /// The name of each class, by id.
    pub labels: Vec<String>,
    /// The whole file, so that saving keeps fields that are not used here.
    json: Map<String, Value>,
}

impl ModelConfig {
    /// The configuration of the embedded model.
    ///
    /// # Errors
    /// If the program file is damaged.
    pub fn embedded() -> Result<Self, ModelError> {
        Self::parse(EMBEDDED, Path::new("embedded config.json"), &[])
    }

    /// Reads a `config.json`, with the values of `overrides` replaced.
    ///
    /// # Errors
    /// If the file cannot be read or a value is not supported; names both.
    pub fn read(file: &Path, overrides: &[(String, Value)]) -> Result<Self, ModelError> {
        let text = std::fs::read_to_string(file).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ModelError::Config {
                file: file.to_path_buf(),
                reason: "does not exist; a model's folder needs one".to_owned(),
            },
            _ => ModelError::Io { file: file.to_path_buf(), error },
        })?;
        Self::parse(&text, file, overrides)
    }

    /// As [`Self::read`], from the file's text.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(
        text: &str,
        file: &Path,
        overrides: &[(String, Value)],
    ) -> Result<Self, ModelError> {
        Self::parse_inner(text, overrides)
            .map_err(|reason| ModelError::Config { file: file.to_path_buf(), reason })
    }

    fn parse_inner(text: &str, overrides: &[(String, Value)]) -> Result<Self, String> {
        let mut json: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| format!("not a model configuration: {error}"))?;
        for (name, value) in overrides {
            if !json.contains_key(name) {
                return Err(format!("has no value named {name} that could be overridden"));
            }
            json.insert(name.clone(), value.clone());
        }
        let architecture = Architecture::of(&json)?;
        refuse_other_tasks(&json)?;
        let encoder = encoder(&json, architecture)?;
        let number = |name: &str| match json.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                value.as_f64().map(Some).ok_or_else(|| format!("{name} is not a number"))
            }
        };
        let config = Self {
            embedding_size: match number("embedding_size")? {
                Some(size) if architecture == Architecture::Electra => size as usize,
                _ => encoder.hidden_size,
            },
            attention_probs_dropout_prob: number("attention_probs_dropout_prob")?.unwrap_or(0.1),
            labels: labels(&json)?,
            architecture,
            encoder,
            json,
        };
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), String> {
        let encoder = &self.encoder;
        for (name, value) in [
            ("vocab_size", encoder.vocab_size),
            ("hidden_size", encoder.hidden_size),
            ("embedding_size", self.embedding_size),
            ("num_hidden_layers", encoder.num_hidden_layers),
            ("num_attention_heads", encoder.num_attention_heads),
            ("intermediate_size", encoder.intermediate_size),
            ("max_position_embeddings", encoder.max_position_embeddings),
            ("type_vocab_size", encoder.type_vocab_size),
        ] {
            if !(1..=1 << 24).contains(&value) {
                return Err(format!("{name} is {value}; it must be from 1 to {}", 1 << 24));
            }
        }
        if !encoder.hidden_size.is_multiple_of(encoder.num_attention_heads) {
            return Err(format!(
                "hidden_size {} is not a multiple of num_attention_heads {}",
                encoder.hidden_size, encoder.num_attention_heads
            ));
        }
        if encoder.pad_token_id >= encoder.vocab_size || self.max_tokens() < 3 {
            return Err(format!(
                "pad_token_id {} is too large for vocab_size {} or max_position_embeddings {}",
                encoder.pad_token_id, encoder.vocab_size, encoder.max_position_embeddings
            ));
        }
        for (name, value) in [
            ("hidden_dropout_prob", encoder.hidden_dropout_prob),
            ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
            ("classifier_dropout", self.classifier_dropout()),
        ] {
            if !(0.0..1.0).contains(&value) {
                return Err(format!("{name} is {value}; it must be at least 0 and below 1"));
            }
        }
        if !(2..=MAX_LABELS).contains(&self.labels.len()) {
            return Err(format!(
                "{} classes; there must be from 2 to {MAX_LABELS}",
                self.labels.len()
            ));
        }
        let parameters = self.parameter_estimate();
        if parameters > MAX_PARAMETERS {
            return Err(format!(
                "the model would have {parameters:.1e} parameters; at most \
                 {MAX_PARAMETERS:.0e} are supported"
            ));
        }
        Ok(())
    }

    /// The approximate number of parameters, without biases and normalizations.
    fn parameter_estimate(&self) -> f64 {
        let encoder = &self.encoder;
        let hidden = encoder.hidden_size as f64;
        let rows = encoder.vocab_size + encoder.max_position_embeddings + encoder.type_vocab_size;
        let layer = hidden * (4.0 * hidden + 2.0 * encoder.intermediate_size as f64);
        rows as f64 * self.embedding_size as f64 + encoder.num_hidden_layers as f64 * layer
    }

    /// The row of the first position in the position embeddings: in RoBERTa the one after
    /// `pad_token_id` (`create_position_ids_from_input_ids`), otherwise 0.
    pub fn first_position(&self) -> usize {
        match self.architecture {
            Architecture::Roberta => self.encoder.pad_token_id + 1,
            Architecture::Bert | Architecture::Electra => 0,
        }
    }

    /// The longest sequence that the model supports, in tokens.
    pub fn max_tokens(&self) -> usize {
        self.encoder.max_position_embeddings.saturating_sub(self.first_position())
    }

    /// Dropout before the linear head: `classifier_dropout`, else `hidden_dropout_prob`.
    pub fn classifier_dropout(&self) -> f64 {
        let encoder = &self.encoder;
        encoder.classifier_dropout.unwrap_or(encoder.hidden_dropout_prob)
    }

    /// The dropout probability at each site. The heads of RoBERTa and ELECTRA also drop their
    /// input, as transformers' `RobertaClassificationHead` and `ElectraClassificationHead` do.
    pub fn dropout_probabilities(&self) -> DropoutProbabilities {
        let hidden = self.encoder.hidden_dropout_prob;
        DropoutProbabilities {
            embeddings: hidden,
            attention_probabilities: self.attention_probs_dropout_prob,
            attention_output: hidden,
            layer_output: hidden,
            head_input: match self.architecture {
                Architecture::Bert => 0.0,
                Architecture::Roberta | Architecture::Electra => self.classifier_dropout(),
            },
            head: self.classifier_dropout(),
        }
    }

    /// The classes' names, unless all are `LABEL_0`, `LABEL_1`, ….
    pub fn given_names(&self) -> Option<&[String]> {
        let given = self.labels.iter().any(|label| !label.starts_with("LABEL_"));
        given.then_some(&self.labels)
    }

    /// Sets the classes, and with them the size of the head.
    pub fn set_labels(&mut self, names: &[String]) {
        self.labels = names.to_vec();
    }

    /// The text of `config.json` for a fine-tuned classifier.
    pub fn to_json(&self) -> String {
        let mut json = self.json.clone();
        let numbered = || self.labels.iter().enumerate();
        let id2label: Map<String, Value> =
            numbered().map(|(id, label)| (id.to_string(), json!(label))).collect();
        let label2id: Map<String, Value> =
            numbered().map(|(id, label)| (label.clone(), json!(id))).collect();
        json.insert("architectures".into(), json!([self.architecture.class_name()]));
        json.insert("model_type".into(), json!(self.architecture.model_type()));
        json.insert("id2label".into(), Value::Object(id2label));
        json.insert("label2id".into(), Value::Object(label2id));
        json.insert("problem_type".into(), json!("single_label_classification"));
        // Weights are written in float32; transformers loads them in the type named here.
        json.shift_remove("torch_dtype");
        json.shift_remove("num_labels");
        json.insert("dtype".into(), json!("float32"));
        json.insert(
            "attention_probs_dropout_prob".into(),
            json!(self.attention_probs_dropout_prob),
        );
        format!("{:#}\n", Value::Object(json))
    }
}

/// Rejects everything but single-label classification with absolute positions.
fn refuse_other_tasks(json: &Map<String, Value>) -> Result<(), String> {
    for (name, supported) in
        [("problem_type", "single_label_classification"), ("position_embedding_type", "absolute")]
    {
        let value = json.get(name).and_then(Value::as_str);
        if let Some(other) = value.filter(|value| *value != supported) {
            let other = truncate_width(other, 40);
            return Err(format!("{name} \"{other}\" is not supported; \"{supported}\" is"));
        }
    }
    Ok(())
}

/// The encoder's hyper-parameters, with transformers' defaults for those that older files lack.
fn encoder(json: &Map<String, Value>, architecture: Architecture) -> Result<Config, String> {
    let mut known = json.clone();
    for (name, default) in [
        ("hidden_act", json!("gelu")),
        ("hidden_dropout_prob", json!(0.1)),
        ("initializer_range", json!(0.02)),
        ("layer_norm_eps", json!(1e-12)),
        ("max_position_embeddings", json!(512)),
        ("pad_token_id", json!(architecture.default_pad_token_id())),
        ("type_vocab_size", json!(2)),
    ] {
        if known.get(name).is_none_or(Value::is_null) {
            known.insert(name.to_owned(), default);
        }
    }
    let activation = known.get("hidden_act").and_then(Value::as_str).unwrap_or_default();
    let activation = match activation {
        "gelu" | "relu" => activation,
        "gelu_new" | "gelu_pytorch_tanh" => "gelu_approximate",
        other => {
            return Err(format!(
                "hidden_act \"{}\" is not supported; gelu, gelu_new, gelu_pytorch_tanh and relu \
                 are",
                truncate_width(other, 40)
            ));
        }
    };
    // candle's names have no underscores.
    known.insert("hidden_act".to_owned(), json!(activation.replace('_', "")));
    let kind = architecture.title();
    serde_json::from_value(Value::Object(known))
        .map_err(|error| format!("not a {kind} configuration: {error}"))
}

/// The classes of `id2label`, else `num_labels` unnamed ones, else two.
fn labels(json: &Map<String, Value>) -> Result<Vec<String>, String> {
    let default = |id: usize| format!("LABEL_{id}");
    let Some(names) = json.get("id2label").and_then(Value::as_object) else {
        let count = json.get("num_labels").and_then(Value::as_u64).unwrap_or(2);
        return Ok((0..count.min(MAX_LABELS as u64 + 1) as usize).map(default).collect());
    };
    (0..names.len())
        .map(|id| {
            let name = names.get(&id.to_string()).and_then(Value::as_str);
            name.map(|name| crate::core::text::sanitize_for_terminal(name).into_owned())
                .ok_or_else(|| format!("id2label has no name for class {id}"))
        })
        .collect()
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
