//! What lies beside `tokenizer.json` or `vocab.txt`: transformers' settings of a tokenizer.

use super::{TokenizerError, unreadable};
use serde_json::{Map, Value, json};
use std::path::Path;
use tokenizers::normalizers::BertNormalizer;

/// Files that are handed on as they are, so that Python finds in a trained model's folder what it
/// had in the first one's.
const HANDED_ON: [&str; 2] = ["special_tokens_map.json", "vocab.txt"];

/// Above this, `model_max_length` is transformers' way to say that there is none.
const NO_LENGTH: f64 = 1e6;

/// A tokenizer's files but for `tokenizer.json`.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenizerFiles {
    /// `tokenizer_config.json`.
    config: Map<String, Value>,
    /// `special_tokens_map.json`.
    special: Map<String, Value>,
    /// Those that are handed on, by name.
    others: Vec<(String, Vec<u8>)>,
    /// Whether a `tokenizer_config.json` was there.
    found: bool,
}

impl TokenizerFiles {
    /// Those of the embedded vocabulary, which lower-cases but leaves accents: taking them off
    /// would take Hangul syllables apart.
    pub(super) fn embedded() -> Self {
        let mut files = Self { config: bert_defaults(), ..Self::default() };
        files.config.insert("do_lower_case".to_owned(), json!(true));
        files.config.insert("strip_accents".to_owned(), json!(false));
        files
    }

    /// Those of a model's folder, as far as they are there.
    pub(super) fn read(folder: &Path) -> Result<Self, TokenizerError> {
        let object = |name: &str| {
            let file = folder.join(name);
            if !file.is_file() {
                return Ok(None);
            }
            let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, error))?;
            serde_json::from_str(&text).map(Some).map_err(|error| unreadable(&file, error))
        };
        let config: Option<Map<String, Value>> = object("tokenizer_config.json")?;
        let mut others = Vec::new();
        for name in HANDED_ON {
            let file = folder.join(name);
            if file.is_file() {
                let bytes = std::fs::read(&file).map_err(|error| unreadable(&file, error))?;
                others.push((name.to_owned(), bytes));
            }
        }
        Ok(Self {
            found: config.is_some(),
            config: config.unwrap_or_else(bert_defaults),
            special: object("special_tokens_map.json")?.unwrap_or_default(),
            others,
        })
    }

    /// The token that plays a role, such as `cls_token`: a string, or an object with `content`.
    /// `None` if no file names it.
    pub(super) fn special(&self, role: &str) -> Option<String> {
        let places = [(&self.config, self.found), (&self.special, true)];
        places.into_iter().filter(|(_, counts)| *counts).find_map(|(place, _)| {
            let token = place.get(role)?;
            let token = token.as_str().or_else(|| token.get("content")?.as_str());
            token.map(str::to_owned)
        })
    }

    /// BERT's normalizer as `tokenizer_config.json` describes it; cased if there is no such file.
    pub(super) fn normalizer(&self) -> BertNormalizer {
        let flag = |name: &str| self.config.get(name).and_then(Value::as_bool);
        BertNormalizer::new(
            true,
            flag("tokenize_chinese_chars").unwrap_or(true),
            flag("strip_accents"),
            flag("do_lower_case").unwrap_or(true),
        )
    }

    pub(super) fn model_max_length(&self) -> Option<usize> {
        let length = self.config.get("model_max_length")?.as_f64()?;
        (self.found && (3.0..NO_LENGTH).contains(&length)).then_some(length as usize)
    }

    /// The files to write, `tokenizer.json` left out.
    pub(super) fn written(&self, max_length: usize) -> Vec<(String, Vec<u8>)> {
        let mut config = self.config.clone();
        config.insert("model_max_length".to_owned(), json!(max_length));
        let config = format!("{:#}\n", Value::Object(config)).into_bytes();
        let mut files = self.others.clone();
        files.push(("tokenizer_config.json".to_owned(), config));
        files
    }
}

/// What transformers' `BertTokenizer` writes for a cased vocabulary.
fn bert_defaults() -> Map<String, Value> {
    let config = json!({
        "backend": "tokenizers",
        "cls_token": "[CLS]",
        "do_lower_case": false,
        "mask_token": "[MASK]",
        "pad_token": "[PAD]",
        "sep_token": "[SEP]",
        "strip_accents": null,
        "tokenize_chinese_chars": true,
        "tokenizer_class": "BertTokenizer",
        "unk_token": "[UNK]",
    });
    if let Value::Object(config) = config { config } else { Map::new() }
}
