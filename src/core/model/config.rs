//! `config.json`: a model's configuration, in Hugging Face's format.

pub(super) mod deberta;
mod pooling;
pub mod task;
mod text_pair;

use super::architecture::Architecture;
use super::class_names::class_names;
use super::config_values::{Values, default, refuse_other_computations, rename_aliases};
use super::relative::RelativePositions;
use super::{ModelError, adapter, shown};
use crate::core::bounded_file;
use crate::core::ops::DropoutProbabilities;
use candle_transformers::models::bert::Config;
use deberta::DebertaValues;
use pooling::pooling;
use serde_json::{Map, Value, json};
use std::path::Path;
use task::Task;

pub use super::class_names::MAX_LABELS;
pub use pooling::{MeanPoolingHook, Pooling};

/// The configuration of a small Korean BERT, which is trained from random weights.
pub const SMALL: &str = include_str!("../../../assets/random/config.json");

/// The longest `config.json` in bytes: room for the names of 20,000 classes.
const MAX_BYTES: u64 = 2 << 20;

/// The most layers of a model. Each has 16 parameters, which have a name even if they are small.
const MAX_LAYERS: usize = 1000;

/// The most parameters a model may have: training more of them in float32 needs over 64 GB.
const MAX_PARAMETERS: f64 = 4e9;

/// A model's configuration: the hyper-parameters that the architectures share, those that candle's
/// [`Config`] lacks, and the whole file.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// The architecture.
    pub architecture: Architecture,
    /// The encoder's hyper-parameters, named as in BERT's `config.json`.
    pub encoder: Config,
    /// The width of the embeddings, which ELECTRA projects to `hidden_size`.
    pub embedding_size: usize,
    /// Whether the position embeddings are initialized with sines and cosines, as `DistilBERT`'s may
    /// be.
    pub sinusoidal_positions: bool,
    /// Dropout of attention probabilities.
    pub attention_probs_dropout_prob: f64,
    /// The input of the head: the first token or the mean of all tokens.
    pub pooling: Pooling,
    /// The name of each class, by id.
    pub labels: Vec<String>,
    /// What the model is trained for.
    pub task: Task,
    /// The values of a `DeBERTa` model.
    pub deberta: Option<DebertaValues>,
    /// How attention uses relative positions, if it does.
    pub relative: Option<RelativePositions>,
    /// The whole file, so that saving keeps fields that are not used here.
    json: Map<String, Value>,
}

impl ModelConfig {
    /// The configuration of the small model, [`SMALL`].
    ///
    /// # Errors
    /// If the program file is damaged.
    pub fn small() -> Result<Self, ModelError> {
        Self::small_with(&[])
    }

    /// As [`Self::small`], with the values of `overrides` replaced.
    ///
    /// # Errors
    /// If a value is not supported.
    pub fn small_with(overrides: &[(String, Value)]) -> Result<Self, ModelError> {
        Self::parse(SMALL, Path::new("config.json of the small model"), overrides)
    }

    /// Reads a `config.json`, with the values of `overrides` replaced.
    ///
    /// # Errors
    /// If the file cannot be read or a value is not supported; names both.
    pub fn read(file: &Path, overrides: &[(String, Value)]) -> Result<Self, ModelError> {
        let text = match bounded_file::read_text(file, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                file.parent().map_or(Ok(()), adapter::refuse)?;
                let reason = "does not exist; a model's folder needs one".to_owned();
                return Err(ModelError::Config { file: file.to_path_buf(), reason });
            }
            Err(error) => return Err(ModelError::Io { file: file.to_path_buf(), error }),
        };
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
        rename_aliases(&mut json);
        for (name, value) in overrides {
            let has_default = || {
                let architecture = Architecture::of(&json);
                architecture.is_ok_and(|architecture| {
                    let mut aliases = architecture.aliases().iter();
                    default(architecture, name).is_some() || aliases.any(|alias| alias.0 == name)
                })
            };
            if !json.contains_key(name) && !has_default() {
                return Err(format!("has no value named {name} that could be overridden"));
            }
            json.insert(name.clone(), value.clone());
            rename_aliases(&mut json);
        }
        let architecture = Architecture::of(&json)?;
        refuse_other_computations(&json)?;
        let values = Values { json: &json, architecture };
        let encoder = values.encoder()?;
        let is_deberta = architecture == Architecture::DebertaV2;
        let relative = if is_deberta { values.relative_positions()? } else { None };
        let config = Self {
            deberta: is_deberta.then(|| values.deberta()).transpose()?,
            relative,
            embedding_size: match architecture {
                Architecture::Electra => values.count("embedding_size")?,
                _ => encoder.hidden_size,
            },
            sinusoidal_positions: architecture == Architecture::DistilBert
                && values.flag("sinusoidal_pos_embds")?,
            attention_probs_dropout_prob: values.number("attention_probs_dropout_prob")?,
            pooling: pooling(&json)?,
            labels: class_names(&json)?,
            task: Task::default(),
            architecture,
            encoder,
            json,
        };
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), String> {
        let encoder = &self.encoder;
        let key = |name| self.architecture.key(name);
        for (name, value) in [
            ("vocab_size", encoder.vocab_size),
            ("hidden_size", encoder.hidden_size),
            ("embedding_size", self.embedding_size),
            ("num_attention_heads", encoder.num_attention_heads),
            ("intermediate_size", encoder.intermediate_size),
            ("max_position_embeddings", encoder.max_position_embeddings),
            ("type_vocab_size", encoder.type_vocab_size),
        ] {
            let may_be_0 = name == "type_vocab_size" && !self.architecture.has_token_types();
            if !(usize::from(!may_be_0)..=1 << 24).contains(&value) {
                let name = key(name);
                return Err(format!("{name} is {value}; it must be from 1 to {}", 1 << 24));
            }
        }
        if !(1..=MAX_LAYERS).contains(&encoder.num_hidden_layers) {
            return Err(format!(
                "{} is {}; it must be from 1 to {MAX_LAYERS}",
                key("num_hidden_layers"),
                encoder.num_hidden_layers
            ));
        }
        if !encoder.hidden_size.is_multiple_of(encoder.num_attention_heads) {
            return Err(format!(
                "{} {} is not a multiple of {} {}",
                key("hidden_size"),
                encoder.hidden_size,
                key("num_attention_heads"),
                encoder.num_attention_heads
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
            ("pooler_dropout", self.deberta.map_or(0.0, |deberta| deberta.pooler_dropout)),
        ] {
            if !(0.0..1.0).contains(&value) {
                let name = key(name);
                return Err(format!("{name} is {value}; it must be at least 0 and below 1"));
            }
        }
        for (name, value) in [
            ("initializer_range", encoder.initializer_range),
            ("layer_norm_eps", encoder.layer_norm_eps),
        ] {
            if value < 0.0 {
                return Err(format!("{name} is {value}; it must be at least 0"));
            }
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

    /// Checks the number of classes. That of a model whose head is replaced does not count, so this
    /// is not checked on reading.
    ///
    /// # Errors
    /// If there are fewer than 2 or more than [`MAX_LABELS`].
    pub(super) fn check_classes(&self) -> Result<(), String> {
        match self.labels.len() {
            _ if self.task.is_pretraining() => Ok(()),
            2..=MAX_LABELS => Ok(()),
            1 => Err(format!(
                "describes a model of 1 class, for which transformers computes a regression; from \
                 2 to {MAX_LABELS} classes are supported"
            )),
            _ if self.labels.len() > MAX_LABELS => Err(format!(
                "describes more than {MAX_LABELS} classes; from 2 to that are supported"
            )),
            _ => Err(format!("describes no classes; from 2 to {MAX_LABELS} are supported")),
        }
    }

    /// Checks that the head, which the weights contain, is one for single-label classification.
    /// Another head may be replaced.
    ///
    /// # Errors
    /// If `problem_type` is another one.
    pub(super) fn check_problem_type(&self) -> Result<(), String> {
        let supported = "single_label_classification";
        match self.json.get("problem_type") {
            _ if self.task.is_pretraining() => Ok(()),
            None | Some(Value::Null) => Ok(()),
            Some(given) if given == supported => Ok(()),
            Some(other) => Err(format!(
                "problem_type {} is not supported; \"{supported}\" is. To train from such a head \
                 all the same, write that into this file",
                shown(other)
            )),
        }
    }

    /// The row of the token embeddings that is the padding's: `pad_token_id`, unless it is null.
    pub(super) fn padding_row(&self) -> Option<usize> {
        let is_null = self.json.get("pad_token_id").is_some_and(Value::is_null);
        (!is_null).then_some(self.encoder.pad_token_id)
    }

    /// The approximate number of parameters, without biases and normalizations.
    fn parameter_estimate(&self) -> f64 {
        let encoder = &self.encoder;
        let hidden = encoder.hidden_size as f64;
        let rows = encoder.vocab_size + encoder.max_position_embeddings + encoder.type_vocab_size;
        let relative = self.relative.as_ref();
        let projections = relative.filter(|relative| !relative.shared);
        let projections = 4 + projections.map_or(0, RelativePositions::projections);
        let layer = hidden * (projections as f64 * hidden + 2.0 * encoder.intermediate_size as f64);
        let rows = rows + relative.map_or(0, RelativePositions::table_rows);
        rows as f64 * self.embedding_size as f64 + encoder.num_hidden_layers as f64 * layer
    }

    /// The row of the first position in the position embeddings: in RoBERTa the one after
    /// `pad_token_id` (`create_position_ids_from_input_ids`), otherwise 0.
    pub fn first_position(&self) -> usize {
        if self.architecture.is_roberta() { self.encoder.pad_token_id + 1 } else { 0 }
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
            relative: if self.relative.is_some() { hidden } else { 0.0 },
            attention_probabilities: self.attention_probs_dropout_prob,
            // DistilBERT has no dropout here.
            attention_output: match self.architecture {
                Architecture::DistilBert => 0.0,
                _ => hidden,
            },
            layer_output: hidden,
            head_input: self.head_input_dropout(),
            head: self.classifier_dropout(),
        }
    }

    /// The architecture in a line: its kind, layers, width, heads and vocabulary.
    pub fn description(&self) -> String {
        let encoder = &self.encoder;
        format!(
            "{} {} layers × {}, {} heads, {} pieces",
            self.architecture.title(),
            encoder.num_hidden_layers,
            encoder.hidden_size,
            encoder.num_attention_heads,
            encoder.vocab_size
        )
    }

    /// Notes on where transformers computes otherwise.
    pub fn notes(&self) -> Vec<String> {
        let pooling = self.pooling_note().map(str::to_owned);
        self.precision_note().into_iter().chain(pooling).collect()
    }

    /// A note on a model of half precision, in which transformers computes it.
    pub fn precision_note(&self) -> Option<String> {
        let dtype = self.json.get("dtype").or_else(|| self.json.get("torch_dtype"))?.as_str()?;
        ["float16", "bfloat16"].contains(&dtype).then(|| {
            format!(
                "config.json says {dtype}, in which Python computes; the weights are float32 here"
            )
        })
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
        json.insert("architectures".into(), json!([self.saved_class()]));
        json.insert("model_type".into(), json!(self.architecture.model_type()));
        json.insert("id2label".into(), Value::Object(id2label));
        json.insert("label2id".into(), Value::Object(label2id));
        json.insert("problem_type".into(), json!("single_label_classification"));
        // Weights are written in float32; transformers loads them in the type named here.
        json.shift_remove("torch_dtype");
        json.shift_remove("num_labels");
        if self.task.is_pretraining() {
            Self::pretrained_values(&mut json);
        }
        json.insert("dtype".into(), json!("float32"));
        json.insert(
            self.architecture.key("attention_probs_dropout_prob").to_owned(),
            json!(self.attention_probs_dropout_prob),
        );
        format!("{:#}\n", Value::Object(json))
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
