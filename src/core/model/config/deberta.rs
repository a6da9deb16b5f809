//! The values of `config.json` that `DeBERTa`'s version 2 has and BERT has not: relative positions, and
//! the pooler of its head.

use super::ModelConfig;
use crate::core::model::architecture::Architecture;
use crate::core::model::config_values::Values;
use crate::core::model::relative::RelativePositions;
use crate::core::model::shown;
use crate::core::ops::backend::Activation;
use serde_json::{Map, Value, json};

/// The values of a `DeBERTa` model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DebertaValues {
    /// Whether absolute positions are added to the embeddings.
    pub position_biased_input: bool,
    /// The number of terms of a score: one, and one for each of `pos_att_type`, which transformers
    /// counts even without `relative_attention`.
    pub score_terms: usize,
    /// Dropout of the head's input.
    pub pooler_dropout: f64,
    /// The activation of the head's first layer.
    pub pooler_activation: Activation,
}

/// The largest table of relative positions.
const MAX_SPAN: usize = 1 << 20;

/// The values that the configuration class has a default for: transformers'.
pub(in crate::core::model) fn default(key: &str) -> Option<Value> {
    Some(match key {
        "vocab_size" => json!(128_100),
        "hidden_size" => json!(1536),
        "num_hidden_layers" | "num_attention_heads" => json!(24),
        "intermediate_size" => json!(6144),
        "hidden_act" | "pooler_hidden_act" => json!("gelu"),
        "hidden_dropout_prob" | "attention_probs_dropout_prob" => json!(0.1),
        "max_position_embeddings" => json!(512),
        "type_vocab_size" | "pad_token_id" => json!(0),
        "initializer_range" => json!(0.02),
        "layer_norm_eps" => json!(1e-7),
        "relative_attention" | "share_att_key" => json!(false),
        "max_relative_positions" | "position_buckets" => json!(-1),
        "position_biased_input" => json!(true),
        "pos_att_type" | "cls_dropout" => Value::Null,
        "pooler_dropout" => json!(0.0),
        "norm_rel_ebd" => json!("none"),
        _ => return None,
    })
}

/// Refuses what changes the computation of `DeBERTa` and is not computed here.
pub(in crate::core::model) fn refuse_other_computations(
    json: &Map<String, Value>,
) -> Result<(), String> {
    let values = Values { json, architecture: Architecture::DebertaV2 };
    let hidden = values.count("hidden_size")?;
    let heads = values.count("num_attention_heads")?.max(1);
    for (name, same, supported) in [
        ("conv_kernel_size", 0, "0"),
        ("embedding_size", hidden, "hidden_size"),
        ("pooler_hidden_size", hidden, "hidden_size"),
        ("attention_head_size", hidden / heads, "hidden_size / num_attention_heads"),
    ] {
        let given = json.get(name).unwrap_or(&Value::Null);
        let is_none = name == "conv_kernel_size" && given.as_i64().is_some_and(|size| size < 0);
        if !given.is_null() && !is_none && *given != json!(same) {
            return Err(format!("{name} {} is not supported; {supported} is", shown(given)));
        }
    }
    Ok(())
}

/// The words of a value that is a list, or a text with the words between bars; `None` for others.
fn words(value: &Value) -> Option<Vec<String>> {
    let words: Vec<&str> = match value {
        Value::Null => Vec::new(),
        Value::String(text) => text.split('|').collect(),
        Value::Array(list) => list.iter().map(Value::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    Some(words.into_iter().map(|word| word.trim().to_lowercase()).collect())
}

impl Values<'_> {
    /// The values of a `DeBERTa` model.
    pub fn deberta(&self) -> Result<DebertaValues, String> {
        Ok(DebertaValues {
            position_biased_input: self.flag("position_biased_input")?,
            score_terms: 1 + self.attended()?.into_iter().map(usize::from).sum::<usize>(),
            pooler_dropout: self.number("pooler_dropout")?,
            pooler_activation: match self.get("pooler_hidden_act").as_str() {
                Some("gelu") => Activation::Gelu,
                Some("gelu_new" | "gelu_pytorch_tanh") => Activation::GeluTanh,
                Some("relu") => Activation::Relu,
                Some("tanh") => Activation::Tanh,
                _ => {
                    return Err(format!(
                        "pooler_hidden_act {} is not supported; gelu, gelu_new, gelu_pytorch_tanh, \
                         relu and tanh are",
                        shown(&self.get("pooler_hidden_act"))
                    ));
                }
            },
        })
    }

    /// Whether `c2p` and `p2c` are in `pos_att_type`.
    fn attended(&self) -> Result<[bool; 2], String> {
        let given = self.get("pos_att_type");
        let known = ["c2p", "p2c"];
        let words = words(&given)
            .filter(|words| words.iter().all(|word| known.contains(&word.as_str())))
            .ok_or_else(|| {
                format!("pos_att_type {} is not supported; c2p, p2c or both are", shown(&given))
            })?;
        Ok(known.map(|name| words.iter().any(|word| word == name)))
    }

    /// How a `DeBERTa` model uses relative positions, if it does.
    pub fn relative_positions(&self) -> Result<Option<RelativePositions>, String> {
        if !self.flag("relative_attention")? {
            return Ok(None);
        }
        let [keys, queries] = self.attended()?;
        if !keys && !queries {
            return Err("relative_attention is true, but pos_att_type names nothing; c2p, p2c or \
                        both are expected"
                .to_owned());
        }
        // Negative numbers stand for none.
        let count = |name: &str| -> Result<Option<usize>, String> {
            match self.get(name).as_i64() {
                Some(..1) => Ok(None),
                _ => self.count(name).map(Some),
            }
        };
        let max_distance = match count("max_relative_positions")? {
            Some(distance) => distance,
            None => self.count("max_position_embeddings")?,
        };
        let buckets = count("position_buckets")?;
        // Beyond these the logarithms of transformers' buckets are not defined.
        if let Some(buckets) =
            buckets.filter(|buckets| *buckets < 2 || max_distance.saturating_sub(1) <= buckets / 2)
        {
            return Err(format!(
                "position_buckets is {buckets}; from 2 to less than twice max_relative_positions \
                 {max_distance} are expected"
            ));
        }
        let span = buckets.unwrap_or(max_distance);
        if span > MAX_SPAN {
            let name =
                if buckets.is_some() { "position_buckets" } else { "max_relative_positions" };
            return Err(format!("{name} is {span}; at most {MAX_SPAN} is supported"));
        }
        let norm = self.get("norm_rel_ebd");
        let norms = norm.as_str().and_then(|_| words(&norm)).filter(|norms| {
            norms.iter().all(|norm| ["none", "layer_norm", ""].contains(&norm.as_str()))
        });
        let norms = norms.ok_or_else(|| {
            format!("norm_rel_ebd {} is not supported; none and layer_norm are", shown(&norm))
        })?;
        Ok(Some(RelativePositions {
            span,
            buckets,
            max_distance,
            keys,
            queries,
            shared: self.flag("share_att_key")?,
            normed: norms.iter().any(|norm| norm == "layer_norm"),
        }))
    }
}

impl ModelConfig {
    /// Whether absolute positions are added to the embeddings.
    pub fn has_positions(&self) -> bool {
        self.deberta.is_none_or(|deberta| deberta.position_biased_input)
    }

    /// The factor of attention scores: `1 / √(head width × terms of a score)`.
    pub fn score_scale(&self) -> f64 {
        let encoder = &self.encoder;
        let width = encoder.hidden_size / encoder.num_attention_heads;
        let terms = self.deberta.map_or(1, |deberta| deberta.score_terms);
        1.0 / ((width * terms) as f64).sqrt()
    }

    /// Dropout of the head's input.
    pub(super) fn head_input_dropout(&self) -> f64 {
        match self.deberta {
            Some(deberta) => deberta.pooler_dropout,
            None if self.architecture.drops_head_input() => self.classifier_dropout(),
            None => 0.0,
        }
    }
}

#[cfg(test)]
#[path = "deberta_tests.rs"]
mod tests;
