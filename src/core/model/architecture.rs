//! The supported encoder architectures and their names.

use super::shown;
use crate::core::text::truncate_width;
use serde_json::{Map, Value};

/// Hugging Face's `model_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// BERT (Devlin et al., 2019), including multilingual BERT
    Bert,
    /// RoBERTa (Liu et al., 2019), such as `klue/roberta-base`
    Roberta,
    /// ELECTRA's discriminator (Clark et al., 2020), such as `monologg/koelectra-base-v3`
    Electra,
}

impl Architecture {
    const ALL: [Self; 3] = [Self::Bert, Self::Roberta, Self::Electra];

    /// The architecture that a `config.json` names: by `model_type`, else by the first of
    /// `architectures`, else BERT, as in the oldest files.
    ///
    /// # Errors
    /// If the architecture is not supported; names it.
    pub fn of(json: &Map<String, Value>) -> Result<Self, String> {
        let supported =
            |name: &str| format!("{name} is not supported; bert, roberta and electra are");
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

    /// Its name in `config.json`, which is also the prefix of its encoder's parameters.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::Electra => "electra",
        }
    }

    /// Its name in messages.
    pub fn title(self) -> &'static str {
        match self {
            Self::Bert => "BERT",
            Self::Roberta => "RoBERTa",
            Self::Electra => "ELECTRA",
        }
    }

    fn class_prefix(self) -> &'static str {
        match self {
            Self::Bert => "Bert",
            Self::Roberta => "Roberta",
            Self::Electra => "Electra",
        }
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
        for class in ["GPT2LMHeadModel", "RobertaPreLayerNormForMaskedLM", "BertGenerationEncoder"]
        {
            let other = of(&json!({"architectures": [class]}));
            assert!(other.is_err_and(|message| message.contains(class)), "{class}");
        }
        let other = of(&json!({"model_type": 5}));
        assert!(other.is_err_and(|message| message.contains("model_type 5")));
    }
}
