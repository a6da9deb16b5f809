//! The values of `config.json`: transformers' defaults, their types, and the values that are
//! refused because they change the computation.

use super::architecture::Architecture;
use super::config::deberta;
use super::shown;
use super::weights::WEIGHTS;
use candle_transformers::models::bert::{Config, HiddenAct, PositionEmbeddingType};
use serde_json::{Map, Value, json};

/// The default of a value in the architecture's configuration class in transformers 5; `None` if it
/// has no such value, or none that is used here.
pub(super) fn default(architecture: Architecture, name: &str) -> Option<Value> {
    let is_electra = architecture == Architecture::Electra;
    match architecture {
        Architecture::DistilBert => return distilbert_default(name),
        Architecture::DebertaV2 => return deberta::default(name),
        _ => {}
    }
    Some(match name {
        "vocab_size" if architecture == Architecture::Roberta => json!(50265),
        "vocab_size" => json!(30522),
        "embedding_size" if is_electra => json!(128),
        "hidden_size" => json!(if is_electra { 256 } else { 768 }),
        "num_hidden_layers" => json!(12),
        "num_attention_heads" => json!(if is_electra { 4 } else { 12 }),
        "intermediate_size" => json!(if is_electra { 1024 } else { 3072 }),
        "hidden_act" => json!("gelu"),
        "hidden_dropout_prob" | "attention_probs_dropout_prob" => json!(0.1),
        "max_position_embeddings" => json!(512),
        "type_vocab_size" => json!(2),
        "initializer_range" => json!(0.02),
        "layer_norm_eps" => json!(1e-12),
        "pad_token_id" => json!(u32::from(architecture.is_roberta())),
        "classifier_dropout" => Value::Null,
        _ => return None,
    })
}

/// The defaults of `DistilBertConfig`.
fn distilbert_default(key: &str) -> Option<Value> {
    Some(match key {
        "vocab_size" => json!(30522),
        "max_position_embeddings" => json!(512),
        "sinusoidal_pos_embds" => json!(false),
        "n_layers" => json!(6),
        "n_heads" => json!(12),
        "dim" => json!(768),
        "hidden_dim" => json!(3072),
        "dropout" | "attention_dropout" => json!(0.1),
        "activation" => json!("gelu"),
        "initializer_range" => json!(0.02),
        "seq_classif_dropout" => json!(0.2),
        "pad_token_id" => json!(0),
        _ => return None,
    })
}

/// Gives values that are named by an alias of their key that key, as the configuration class does.
pub(super) fn rename_aliases(json: &mut Map<String, Value>) {
    let Ok(architecture) = Architecture::of(json) else { return };
    for (alias, key) in architecture.aliases() {
        if let Some(value) = json.shift_remove(*alias) {
            json.insert((*key).to_owned(), value);
        }
    }
}

/// The values of a `config.json`, or else their defaults.
pub(super) struct Values<'a> {
    pub json: &'a Map<String, Value>,
    pub architecture: Architecture,
}

impl Values<'_> {
    /// The value with this key in BERT's `config.json`.
    pub fn get(&self, name: &str) -> Value {
        let key = self.architecture.key(name);
        let given = self.json.get(key).cloned();
        given.or_else(|| default(self.architecture, key)).unwrap_or_default()
    }

    fn refusal(&self, name: &str, expected: &str) -> String {
        let given = shown(&self.get(name));
        let name = self.architecture.key(name);
        match default(self.architecture, name) {
            Some(default) if !default.is_null() => format!(
                "{name} is {given}; {expected} is expected, or no {name} for transformers' default \
                 {default}"
            ),
            _ => format!("{name} is {given}; {expected} is expected"),
        }
    }

    /// A whole number from 0.
    pub fn count(&self, name: &str) -> Result<usize, String> {
        let count = self.get(name).as_u64().and_then(|value| usize::try_from(value).ok());
        count.ok_or_else(|| self.refusal(name, "a whole number"))
    }

    /// A finite number.
    pub fn number(&self, name: &str) -> Result<f64, String> {
        let number = self.get(name).as_f64().filter(|value| value.is_finite());
        number.ok_or_else(|| self.refusal(name, "a number"))
    }

    /// A finite number, or `None` for null.
    pub fn number_or_null(&self, name: &str) -> Result<Option<f64>, String> {
        if self.get(name).is_null() { Ok(None) } else { self.number(name).map(Some) }
    }

    /// True or false.
    pub fn flag(&self, name: &str) -> Result<bool, String> {
        self.get(name).as_bool().ok_or_else(|| self.refusal(name, "true or false"))
    }

    /// The padding token's id. Without one, the model is as transformers': no row of its token
    /// table is treated in another way. RoBERTa's positions depend on it.
    fn padding_id(&self) -> Result<usize, String> {
        let is_null = self.get("pad_token_id").is_null();
        if is_null && !self.architecture.is_roberta() {
            return Ok(0);
        }
        self.count("pad_token_id")
    }

    fn activation(&self) -> Result<HiddenAct, String> {
        Ok(match self.get("hidden_act").as_str() {
            Some("gelu") => HiddenAct::Gelu,
            Some("gelu_new" | "gelu_pytorch_tanh") => HiddenAct::GeluApproximate,
            Some("relu") => HiddenAct::Relu,
            _ => {
                return Err(format!(
                    "{} {} is not supported; gelu, gelu_new, gelu_pytorch_tanh and relu are",
                    self.architecture.key("hidden_act"),
                    shown(&self.get("hidden_act"))
                ));
            }
        })
    }

    /// The encoder's hyper-parameters. `DistilBERT` has no token types, and the normalizations of
    /// transformers' `DistilBERT` have a constant epsilon.
    pub fn encoder(&self) -> Result<Config, String> {
        let is_distilbert = self.architecture == Architecture::DistilBert;
        Ok(Config {
            vocab_size: self.count("vocab_size")?,
            hidden_size: self.count("hidden_size")?,
            num_hidden_layers: self.count("num_hidden_layers")?,
            num_attention_heads: self.count("num_attention_heads")?,
            intermediate_size: self.count("intermediate_size")?,
            hidden_act: self.activation()?,
            hidden_dropout_prob: self.number("hidden_dropout_prob")?,
            max_position_embeddings: self.count("max_position_embeddings")?,
            type_vocab_size: if is_distilbert { 0 } else { self.count("type_vocab_size")? },
            initializer_range: self.number("initializer_range")?,
            layer_norm_eps: if is_distilbert { 1e-12 } else { self.number("layer_norm_eps")? },
            pad_token_id: self.padding_id()?,
            position_embedding_type: PositionEmbeddingType::Absolute,
            use_cache: false,
            classifier_dropout: if is_distilbert {
                Some(self.number("classifier_dropout")?)
            } else {
                self.number_or_null("classifier_dropout")?
            },
            model_type: Some(self.architecture.model_type().to_owned()),
        })
    }
}

/// Refuses values that change what transformers computes, or which files it reads, and that this
/// program does not follow. Values that change the memory or the speed alone are not refused:
/// `chunk_size_feed_forward`, `attn_implementation`, `use_cache`; nor are those that concern other
/// heads, as ELECTRA's `summary_type`, `tie_word_embeddings` and `is_encoder_decoder` do.
pub(super) fn refuse_other_computations(json: &Map<String, Value>) -> Result<(), String> {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        _ => false,
    };
    let names_other_file = |value: &Value| {
        let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut others = names.filter(|name| *name != "config.json");
        others.any(|name| name.starts_with("config."))
    };
    for (name, value) in json {
        let supported = match name.as_str() {
            // Attention would look backward only, or at another sequence.
            "is_decoder" | "add_cross_attention" if *value != json!(false) => "false",
            "position_embedding_type" if !value.is_null() && value != "absolute" => "\"absolute\"",
            "per_layer_config" | "pruned_heads" if !is_empty(value) => "none",
            "quantization_config" | "fusion_config" if !value.is_null() => "none",
            // Other files than those that are read here.
            "transformers_weights" if !value.is_null() && value != WEIGHTS => "model.safetensors",
            "configuration_files" if names_other_file(value) => "config.json",
            _ => continue,
        };
        return Err(format!("{name} {} is not supported; {supported} is", shown(value)));
    }
    if Architecture::of(json) == Ok(Architecture::DebertaV2) {
        deberta::refuse_other_computations(json)?;
    }
    Ok(())
}
