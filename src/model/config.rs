//! `config.json`: the shape of a model, as Hugging Face writes it.

use super::ModelError;
use candle_transformers::models::bert::Config;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The configuration of the small Korean model that ships with the program.
pub const EMBEDDED: &str = include_str!("../../assets/model/config.json");

/// The most classes a model may have: figures are kept for each pair of them.
const MOST_LABELS: usize = 1000;

/// The most parameters a model may have; beyond it no machine of today trains it in float32.
const MOST_PARAMETERS: f64 = 4e9;

/// A model's shape: BERT's hyper-parameters, what candle's own [`Config`] leaves out, and the
/// file they came from.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// BERT's hyper-parameters.
    pub bert: Config,
    /// Dropout of attention probabilities.
    pub attention_probs_dropout_prob: f64,
    /// The name of each class, by its number.
    pub labels: Vec<String>,
    /// The whole file, kept so that saving loses nothing.
    json: Map<String, Value>,
}

impl ModelConfig {
    /// The embedded small model.
    ///
    /// # Errors
    /// Only if the program file itself is damaged.
    pub fn embedded() -> Result<Self, ModelError> {
        Self::parse(EMBEDDED, Path::new("embedded config.json"), &[])
    }

    /// Reads a `config.json`, with some values replaced by `overrides`.
    ///
    /// # Errors
    /// Names the file and the value that cannot be used.
    pub fn read(file: &Path, overrides: &[(String, Value)]) -> Result<Self, ModelError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| ModelError::Io { file: file.to_path_buf(), error })?;
        Self::parse(&text, file, overrides)
    }

    /// As [`Self::read`], from the text of the file.
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
        let mut json: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| format!("not a model's config: {error}"))?;
        for (name, value) in overrides {
            if !json.contains_key(name) {
                return Err(format!("has no value named {name} to override"));
            }
            json.insert(name.clone(), value.clone());
        }
        let model_type = json.get("model_type").and_then(Value::as_str);
        if let Some(other) = model_type.filter(|kind| *kind != "bert") {
            return Err(format!(
                "model_type \"{}\" is not supported; \"bert\" is",
                crate::text::excerpt(other, 40)
            ));
        }
        let bert: Config = serde_json::from_value(Value::Object(json.clone()))
            .map_err(|error| format!("not a BERT config: {error}"))?;
        let attention_probs_dropout_prob = match json.get("attention_probs_dropout_prob") {
            Some(value) => value.as_f64().ok_or("attention_probs_dropout_prob is not a number")?,
            None => 0.1,
        };
        let labels = labels(&json)?;
        let config = Self { bert, attention_probs_dropout_prob, labels, json };
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), String> {
        let bert = &self.bert;
        for (name, value) in [
            ("vocab_size", bert.vocab_size),
            ("hidden_size", bert.hidden_size),
            ("num_hidden_layers", bert.num_hidden_layers),
            ("num_attention_heads", bert.num_attention_heads),
            ("intermediate_size", bert.intermediate_size),
            ("max_position_embeddings", bert.max_position_embeddings),
            ("type_vocab_size", bert.type_vocab_size),
        ] {
            if !(1..=1 << 24).contains(&value) {
                return Err(format!("{name} is {value}; it has to be from 1 to {}", 1 << 24));
            }
        }
        if !bert.hidden_size.is_multiple_of(bert.num_attention_heads) {
            return Err(format!(
                "hidden_size {} does not divide into num_attention_heads {}",
                bert.hidden_size, bert.num_attention_heads
            ));
        }
        for (name, value) in [
            ("hidden_dropout_prob", bert.hidden_dropout_prob),
            ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
            ("classifier_dropout", self.classifier_dropout()),
        ] {
            if !(0.0..1.0).contains(&value) {
                return Err(format!("{name} is {value}; it has to be at least 0 and below 1"));
            }
        }
        if !(2..=MOST_LABELS).contains(&self.labels.len()) {
            return Err(format!(
                "{} classes; there have to be from 2 to {MOST_LABELS}",
                self.labels.len()
            ));
        }
        let parameters = self.parameter_estimate();
        if parameters > MOST_PARAMETERS {
            return Err(format!(
                "its sizes make a model of {parameters:.1e} parameters; at most \
                 {MOST_PARAMETERS:.0e} are supported"
            ));
        }
        Ok(())
    }

    /// How many parameters there are but for biases and normalisations.
    fn parameter_estimate(&self) -> f64 {
        let bert = &self.bert;
        let hidden = bert.hidden_size as f64;
        let rows = bert.vocab_size + bert.max_position_embeddings + bert.type_vocab_size;
        let layer = hidden * (4.0 * hidden + 2.0 * bert.intermediate_size as f64);
        rows as f64 * hidden + bert.num_hidden_layers as f64 * layer
    }

    /// Dropout before the linear head: `classifier_dropout`, else `hidden_dropout_prob`.
    pub fn classifier_dropout(&self) -> f64 {
        let bert = &self.bert;
        bert.classifier_dropout.unwrap_or(bert.hidden_dropout_prob)
    }

    /// Gives the classes names, where the file had none of its own.
    pub fn name_labels(&mut self, names: &[&str]) {
        let unnamed = self.labels.iter().all(|label| label.starts_with("LABEL_"));
        if unnamed && self.labels.len() == names.len() {
            self.labels = names.iter().map(|&name| name.to_owned()).collect();
        }
    }

    /// The text of `config.json` for a fine-tuned classifier.
    pub fn to_json(&self) -> String {
        let mut json = self.json.clone();
        let numbered = || self.labels.iter().enumerate();
        let id2label: Map<String, Value> =
            numbered().map(|(id, label)| (id.to_string(), json!(label))).collect();
        let label2id: Map<String, Value> =
            numbered().map(|(id, label)| (label.clone(), json!(id))).collect();
        json.insert("architectures".into(), json!(["BertForSequenceClassification"]));
        json.insert("model_type".into(), json!("bert"));
        json.insert("id2label".into(), Value::Object(id2label));
        json.insert("label2id".into(), Value::Object(label2id));
        json.insert("problem_type".into(), json!("single_label_classification"));
        json.insert(
            "attention_probs_dropout_prob".into(),
            json!(self.attention_probs_dropout_prob),
        );
        format!("{:#}\n", Value::Object(json))
    }
}

/// The classes named by `id2label`, else as many as `num_labels` says, else two.
fn labels(json: &Map<String, Value>) -> Result<Vec<String>, String> {
    let default = |id: usize| format!("LABEL_{id}");
    let Some(names) = json.get("id2label").and_then(Value::as_object) else {
        let count = json.get("num_labels").and_then(Value::as_u64).unwrap_or(2);
        return Ok((0..count.min(MOST_LABELS as u64 + 1) as usize).map(default).collect());
    };
    (0..names.len())
        .map(|id| {
            let name = names.get(&id.to_string()).and_then(Value::as_str);
            name.map(|name| crate::text::printable(name).into_owned())
                .ok_or_else(|| format!("id2label has no name for class {id}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_with(name: &str, value: Value) -> String {
        let overrides = [(name.to_owned(), value)];
        ModelConfig::parse(EMBEDDED, Path::new("config.json"), &overrides)
            .map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn what_cannot_be_built_is_refused_by_name() {
        assert!(error_with("hidden_size", json!(190)).contains("does not divide"));
        assert!(error_with("hidden_size", json!(0)).contains("hidden_size is 0"));
        assert!(error_with("hidden_act", json!("swish")).contains("swish"));
        assert!(error_with("model_type", json!("gpt2")).contains("\"gpt2\" is not supported"));
        assert!(error_with("hidden_dropout_prob", json!(1.0)).contains("below 1"));
        assert!(error_with("hidden_size", json!(3 << 20)).contains("parameters"));
        assert!(error_with("vocab_size", json!(1 << 30)).contains("vocab_size is"));
        assert!(error_with("no_such", json!(1)).contains("no value named no_such"));
    }

    #[test]
    fn the_number_of_classes_is_bounded() {
        for (count, fits) in
            [(1_u64, false), (2, true), (1000, true), (1001, false), (1 << 40, false)]
        {
            let text = EMBEDDED.replacen('{', &format!("{{\"num_labels\": {count},"), 1);
            let text = text.replace("id2label", "unused");
            let config = ModelConfig::parse(&text, Path::new("config.json"), &[]);
            assert_eq!(config.is_ok(), fits, "{count}");
        }
    }

    #[test]
    fn saving_and_reading_keeps_everything() -> Result<(), ModelError> {
        let config = ModelConfig::embedded()?;
        let again = ModelConfig::parse(&config.to_json(), Path::new("config.json"), &[])?;
        assert_eq!(again.bert, config.bert);
        assert_eq!(again.labels, ["negative", "positive"]);
        Ok(())
    }

    #[test]
    fn mberts_config_has_two_classes_that_can_be_named() -> Result<(), ModelError> {
        let text = r#"{"vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 16, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1, "max_position_embeddings": 16, "type_vocab_size": 2,
            "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0}"#;
        let mut config = ModelConfig::parse(text, Path::new("config.json"), &[])?;
        assert_eq!(config.labels, ["LABEL_0", "LABEL_1"]);
        config.name_labels(&["negative", "positive"]);
        assert_eq!(config.labels, ["negative", "positive"]);
        assert!((config.attention_probs_dropout_prob - 0.1).abs() < 1e-12);
        Ok(())
    }
}
