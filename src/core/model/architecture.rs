//! The supported encoder architectures and their names.

use super::shown;
use crate::core::ops::backend::Activation;
use crate::core::text::truncate_width;
use serde_json::{Map, Value};

/// Hugging Face's `model_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// BERT (Devlin et al., 2019), including multilingual BERT
    Bert,
    /// RoBERTa (Liu et al., 2019), such as `klue/roberta-base`
    Roberta,
    /// XLM-RoBERTa (Conneau et al., 2020), such as `FacebookAI/xlm-roberta-base`: RoBERTa's
    /// computation with other defaults
    XlmRoberta,
    /// ELECTRA's discriminator (Clark et al., 2020), such as `monologg/koelectra-base-v3`
    Electra,
    /// `DistilBERT` (Sanh et al., 2019), such as `distilbert/distilbert-base-multilingual-cased`: no
    /// token types
    DistilBert,
    /// `DeBERTa`'s versions 2 and 3 (He et al., 2021), such as `kakaobank/kf-deberta-base`: relative
    /// positions in attention
    DebertaV2,
}

/// The names of a layer's modules, below the name of the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LayerNames {
    /// The projections of queries, keys and values.
    pub attention: [&'static str; 3],
    pub attention_output: &'static str,
    pub attention_norm: &'static str,
    pub intermediate: &'static str,
    pub output: &'static str,
    pub output_norm: &'static str,
}

const BERT_LAYER: LayerNames = LayerNames {
    attention: ["attention.self.query", "attention.self.key", "attention.self.value"],
    attention_output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    intermediate: "intermediate.dense",
    output: "output.dense",
    output_norm: "output.LayerNorm",
};

const DEBERTA_LAYER: LayerNames = LayerNames {
    attention: [
        "attention.self.query_proj",
        "attention.self.key_proj",
        "attention.self.value_proj",
    ],
    ..BERT_LAYER
};

const DISTILBERT_LAYER: LayerNames = LayerNames {
    attention: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    attention_output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    intermediate: "ffn.lin1",
    output: "ffn.lin2",
    output_norm: "output_layer_norm",
};

/// The keys of `DistilBERT`'s `config.json` for values that BERT has, too.
const DISTILBERT_KEYS: [(&str, &str); 8] = [
    ("hidden_size", "dim"),
    ("num_hidden_layers", "n_layers"),
    ("num_attention_heads", "n_heads"),
    ("intermediate_size", "hidden_dim"),
    ("hidden_act", "activation"),
    ("hidden_dropout_prob", "dropout"),
    ("attention_probs_dropout_prob", "attention_dropout"),
    ("classifier_dropout", "seq_classif_dropout"),
];

impl Architecture {
    const ALL: [Self; 6] = [
        Self::Bert,
        Self::Roberta,
        Self::XlmRoberta,
        Self::Electra,
        Self::DistilBert,
        Self::DebertaV2,
    ];

    /// The architecture that a `config.json` names: by `model_type`, else by the first of
    /// `architectures`, else BERT, as in the oldest files.
    ///
    /// # Errors
    /// If the architecture is not supported; names it.
    pub fn of(json: &Map<String, Value>) -> Result<Self, String> {
        let supported = |name: &str| {
            let known = Self::ALL.map(Self::model_type).join(", ");
            format!("{name} is not supported; these are: {known}")
        };
        if let Some(model_type) = json.get("model_type").filter(|value| !value.is_null()) {
            let Some(model_type) = model_type.as_str() else {
                return Err(supported(&format!("model_type {}", shown(model_type))));
            };
            let found = Self::ALL.into_iter().find(|known| known.model_type() == model_type);
            let name = format!("model_type \"{}\"", truncate_width(model_type, 40));
            return found.ok_or_else(|| supported(&name));
        }
        let class = json.get("architectures").and_then(|classes| classes.get(0)?.as_str());
        let Some(class) = class else {
            return Ok(Self::Bert);
        };
        // Other architectures' names may begin alike, as RobertaPreLayerNormModel's does.
        let is_of = |known: &Self| {
            let task = class.strip_prefix(known.class_prefix());
            task.is_some_and(|task| {
                task.starts_with("For") || ["Model", "LMHeadModel"].contains(&task)
            })
        };
        let found = Self::ALL.into_iter().find(is_of);
        found.ok_or_else(|| supported(&format!("architecture \"{}\"", truncate_width(class, 40))))
    }

    /// Its name in `config.json`.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::XlmRoberta => "xlm-roberta",
            Self::Electra => "electra",
            Self::DistilBert => "distilbert",
            Self::DebertaV2 => "deberta-v2",
        }
    }

    /// The prefix of its encoder's parameters: transformers' `base_model_prefix`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::XlmRoberta => "roberta",
            Self::DebertaV2 => "deberta",
            other => other.model_type(),
        }
    }

    /// Its name in messages.
    pub fn title(self) -> &'static str {
        match self {
            Self::Bert => "BERT",
            Self::Roberta => "RoBERTa",
            Self::XlmRoberta => "XLM-RoBERTa",
            Self::Electra => "ELECTRA",
            Self::DistilBert => "DistilBERT",
            Self::DebertaV2 => "DeBERTa-v2",
        }
    }

    fn class_prefix(self) -> &'static str {
        match self {
            Self::Bert => "Bert",
            Self::Roberta => "Roberta",
            Self::XlmRoberta => "XLMRoberta",
            Self::Electra => "Electra",
            Self::DistilBert => "DistilBert",
            Self::DebertaV2 => "DebertaV2",
        }
    }

    /// Whether it computes as RoBERTa does: positions start after the padding token's, and the head
    /// is `RobertaClassificationHead`.
    pub fn is_roberta(self) -> bool {
        matches!(self, Self::Roberta | Self::XlmRoberta)
    }

    /// Whether its models have embeddings of token types; `DeBERTa`'s may have none.
    pub fn has_token_types(self) -> bool {
        !matches!(self, Self::DistilBert | Self::DebertaV2)
    }

    /// Whether its encoder can be pretrained here.
    pub fn is_pretrained_here(self) -> bool {
        self != Self::DebertaV2
    }

    /// The key in its `config.json` of a value with this key in BERT's.
    pub(super) fn key(self, name: &str) -> &str {
        let keys: &[(&str, &str)] = match self {
            Self::DistilBert => &DISTILBERT_KEYS,
            Self::DebertaV2 => &[("classifier_dropout", "cls_dropout")],
            _ => &[],
        };
        keys.iter().find(|(common, _)| *common == name).map_or(name, |(_, own)| own)
    }

    /// The other names that its configuration class has for keys, and these keys: transformers'
    /// `attribute_map`. Where a file has both, the other name's value is taken.
    pub(super) fn aliases(self) -> &'static [(&'static str, &'static str)] {
        if self == Self::DistilBert { &DISTILBERT_KEYS[..3] } else { &[] }
    }

    /// The names of its encoder's layers, without the layer's number, and of a layer's modules.
    pub(super) fn layer_names(self) -> (String, LayerNames) {
        match self {
            Self::DistilBert => ("distilbert.transformer.layer".to_owned(), DISTILBERT_LAYER),
            Self::DebertaV2 => ("deberta.encoder.layer".to_owned(), DEBERTA_LAYER),
            other => (format!("{}.encoder.layer", other.prefix()), BERT_LAYER),
        }
    }

    /// The names of the head's first and last layer.
    pub(super) fn head_names(self) -> [&'static str; 2] {
        match self {
            Self::Bert => ["bert.pooler.dense", "classifier"],
            Self::Roberta | Self::XlmRoberta | Self::Electra => {
                ["classifier.dense", "classifier.out_proj"]
            }
            Self::DistilBert => ["pre_classifier", "classifier"],
            Self::DebertaV2 => ["pooler.dense", "classifier"],
        }
    }

    /// The activation of the head's first layer, as `BertPooler`, `RobertaClassificationHead`,
    /// `ElectraClassificationHead` and `DistilBertForSequenceClassification` have it; that of
    /// `DeBERTa`'s `ContextPooler` is in its `config.json`, and this is the default.
    pub(super) fn head_activation(self) -> Activation {
        match self {
            Self::Bert | Self::Roberta | Self::XlmRoberta => Activation::Tanh,
            Self::Electra | Self::DebertaV2 => Activation::Gelu,
            Self::DistilBert => Activation::Relu,
        }
    }

    /// Whether dropout also applies to the head's input, as in the heads of RoBERTa, ELECTRA and
    /// `DeBERTa`.
    pub fn drops_head_input(self) -> bool {
        self.is_roberta() || matches!(self, Self::Electra | Self::DebertaV2)
    }

    /// The name of the class in transformers.
    pub fn class_name(self) -> String {
        self.class_name_for("ForSequenceClassification")
    }

    /// The name of another class of this architecture in transformers.
    pub(super) fn class_name_for(self, task: &str) -> String {
        format!("{}{task}", self.class_prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(json: &Value) -> Result<Architecture, String> {
        Architecture::of(json.as_object().unwrap_or(&Map::new()))
    }

    #[test]
    fn a_config_names_its_architecture() {
        assert_eq!(of(&json!({"model_type": "electra"})), Ok(Architecture::Electra));
        let old = json!({"architectures": ["RobertaForMaskedLM"]});
        assert_eq!(of(&old), Ok(Architecture::Roberta));
        assert_eq!(of(&json!({})), Ok(Architecture::Bert));
        for architecture in Architecture::ALL {
            let named = json!({"model_type": architecture.model_type()});
            assert_eq!(of(&named), Ok(architecture));
            let class = json!({"architectures": [architecture.class_name()]});
            assert_eq!(of(&class), Ok(architecture));
        }
        for class in ["GPT2LMHeadModel", "RobertaPreLayerNormForMaskedLM", "BertGenerationEncoder"]
        {
            let other = of(&json!({"architectures": [class]}));
            assert!(other.is_err_and(|message| message.contains(class)), "{class}");
        }
        let other = of(&json!({"model_type": 5}));
        assert_eq!(
            other,
            Err("model_type 5 is not supported; these are: bert, roberta, xlm-roberta, electra, \
                 distilbert, deberta-v2"
                .to_owned())
        );
    }
}
