//! The input of the classification head.

use super::ModelConfig;
use crate::core::model::{Architecture, shown};
use crate::core::named::{named_enum, parse_name};
use serde_json::{Map, Value, json};

/// The key of `config.json`: the one that `ModernBertConfig` has for it.
const KEY: &str = "classifier_pooling";

named_enum! {
    /// What the classification head reads of the last layer.
    #[derive(Default)]
    pub enum Pooling {
        /// the first token, as in transformers
        @default Cls = "cls",
        /// the mean of all tokens, as sentence-transformers
        Mean = "mean",
    }
}

/// Where Python can replace the states that the head reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeanPoolingHook {
    /// The module's name.
    pub module: &'static str,
    /// Whether it is the encoder, whose output is replaced, instead of the head, whose input is.
    pub is_encoder: bool,
}

/// The pooling that a `config.json` names; the first token if it names none.
pub(super) fn pooling(json: &Map<String, Value>) -> Result<Pooling, String> {
    match json.get(KEY) {
        None | Some(Value::Null) => Ok(Pooling::default()),
        Some(given) => given.as_str().and_then(|name| parse_name(name).ok()).ok_or_else(|| {
            format!("{KEY} {} is not supported; \"cls\" and \"mean\" are", shown(given))
        }),
    }
}

impl ModelConfig {
    /// Sets the pooling, here and in the text of `config.json`.
    pub fn set_pooling(&mut self, pooling: Pooling) {
        self.pooling = pooling;
        match pooling {
            Pooling::Mean => drop(self.json.insert(KEY.to_owned(), json!(pooling.name()))),
            Pooling::Cls => drop(self.json.shift_remove(KEY)),
        }
    }

    /// The module of transformers' model that Python gives the mean of all tokens, if this model's
    /// head reads it.
    pub fn mean_pooling_hook(&self) -> Option<MeanPoolingHook> {
        let hook = match self.architecture {
            Architecture::Bert => MeanPoolingHook { module: "bert.pooler", is_encoder: false },
            Architecture::DebertaV2 => MeanPoolingHook { module: "pooler", is_encoder: false },
            Architecture::Roberta | Architecture::XlmRoberta | Architecture::Electra => {
                MeanPoolingHook { module: "classifier", is_encoder: false }
            }
            // Its head is given the first token alone.
            Architecture::DistilBert => MeanPoolingHook { module: "distilbert", is_encoder: true },
        };
        (self.pooling == Pooling::Mean).then_some(hook)
    }

    /// A note on a model whose head Python's transformers computes from the first token, whatever
    /// `config.json` says.
    pub(super) fn pooling_note(&self) -> Option<&'static str> {
        (self.pooling == Pooling::Mean && !self.task.is_pretraining()).then_some(
            "the head reads the mean of all tokens; transformers loads this model, but computes its \
             head from the first token: the saved README.md has the lines that compute it in Python",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn pooling_is_kept_in_the_file() -> anyhow::Result<()> {
        let mut config = ModelConfig::small()?;
        config.set_pooling(Pooling::Cls);
        let before = config.to_json();
        assert!(config.pooling_note().is_none() && !before.contains(KEY));
        config.set_pooling(Pooling::Mean);
        let mut read = ModelConfig::parse(&config.to_json(), Path::new("config.json"), &[])?;
        assert_eq!(read.pooling, Pooling::Mean);
        read.set_pooling(Pooling::Cls);
        assert_eq!(read.to_json(), before);
        let other = before.replacen('{', "{\"classifier_pooling\": \"max\",", 1);
        let other = ModelConfig::parse(&other, Path::new("config.json"), &[]);
        let message = other.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("classifier_pooling \"max\" is not supported"), "{message}");
        Ok(())
    }
}
