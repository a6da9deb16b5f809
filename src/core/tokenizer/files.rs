//! The files next to `tokenizer.json` or `vocab.txt` in which transformers stores a tokenizer's
//! configuration.

use super::{TokenizerError, unreadable};
use crate::core::bounded_file;
use serde_json::{Map, Value, json};
use std::path::Path;
use tokenizers::AddedToken;
use tokenizers::normalizers::{BertNormalizer, NormalizerWrapper};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;

/// Files that are copied unchanged into the folder of the fine-tuned model.
const COPIED_FILES: [&str; 3] = ["added_tokens.json", "special_tokens_map.json", "vocab.txt"];

/// The longest file of a tokenizer in bytes. The largest vocabularies need half of it.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// transformers writes a `model_max_length` larger than this if there is no limit.
const MAX_LENGTH_LIMIT: f64 = 1e6;

/// A tokenizer's files except `tokenizer.json`.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenizerFiles {
    /// `tokenizer_config.json`, if it exists.
    config: Option<Map<String, Value>>,
    /// `special_tokens_map.json`.
    special: Map<String, Value>,
    /// `added_tokens.json`: ids by token.
    added: Map<String, Value>,
    /// The names and contents of the [`COPIED_FILES`].
    copied: Vec<(String, Vec<u8>)>,
}

/// The special tokens of a tokenizer.
#[derive(Clone, Debug)]
pub(super) struct SpecialTokens {
    pub cls: String,
    pub sep: String,
    pub pad: String,
    pub unk: Option<String>,
}

impl TokenizerFiles {
    /// Reads the files of a model's folder that exist.
    pub(super) fn read(folder: &Path) -> Result<Self, TokenizerError> {
        let object = |name: &str| {
            let file = folder.join(name);
            if !file.is_file() {
                return Ok(None);
            }
            let text = bounded_file::read_text(&file, MAX_BYTES)
                .map_err(|error| unreadable(&file, error))?;
            serde_json::from_str(&text).map(Some).map_err(|error| unreadable(&file, error))
        };
        let mut copied = Vec::new();
        for name in COPIED_FILES {
            let file = folder.join(name);
            if file.is_file() {
                let bytes = bounded_file::read(&file, MAX_BYTES)
                    .map_err(|error| unreadable(&file, error))?;
                copied.push((name.to_owned(), bytes));
            }
        }
        Ok(Self {
            config: object("tokenizer_config.json")?,
            special: object("special_tokens_map.json")?.unwrap_or_default(),
            added: object("added_tokens.json")?.unwrap_or_default(),
            copied,
        })
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.config.as_ref()?.get(name)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.value(name).and_then(Value::as_bool)
    }

    /// The special token of a role such as `cls_token`: a string, or an object with `content`.
    /// `None` if no file defines it.
    pub(super) fn special(&self, role: &str) -> Option<String> {
        let token = self.value(role).or_else(|| self.special.get(role))?;
        let token = token.as_str().or_else(|| token.get("content")?.as_str());
        token.map(str::to_owned)
    }

    /// BERT's normalizer as `tokenizer_config.json` configures it, with transformers' defaults.
    /// Without that file, a vocabulary with upper-case letters is cased.
    pub(super) fn normalizer(&self, is_cased: bool) -> BertNormalizer {
        let lowercase = self.config.as_ref().map_or(!is_cased, |_| true);
        let mut normalizer = BertNormalizer::new(true, true, None, lowercase);
        self.configure(&mut normalizer);
        normalizer
    }

    /// Whether `tokenizer_config.json` overrides the normalizer of `tokenizer.json`, as in
    /// transformers for all classes but the generic ones.
    pub(super) fn overrides_normalizer(&self) -> bool {
        let class = self.value("tokenizer_class").and_then(Value::as_str).unwrap_or_default();
        self.config.is_some() && !["PreTrainedTokenizerFast", "TokenizersBackend"].contains(&class)
    }

    /// Applies the options that `tokenizer_config.json` sets to a normalizer.
    pub(super) fn configure(&self, normalizer: &mut BertNormalizer) {
        if let Some(lowercase) = self.flag("do_lower_case") {
            normalizer.lowercase = lowercase;
        }
        if let Some(chinese) = self.flag("tokenize_chinese_chars") {
            normalizer.handle_chinese_chars = chinese;
        }
        if let Some(strip) = self.flag("strip_accents") {
            normalizer.strip_accents = Some(strip);
        }
    }

    /// The tokens that are added to a `vocab.txt`, by id.
    pub(super) fn added_tokens(&self) -> Vec<AddedToken> {
        let mut tokens: Vec<(u64, AddedToken)> = self
            .added
            .iter()
            .filter_map(|(token, id)| Some((id.as_u64()?, AddedToken::from(token.clone(), false))))
            .collect();
        let decoder = self.value("added_tokens_decoder").and_then(Value::as_object);
        for (id, token) in decoder.into_iter().flatten() {
            let flag = |name: &str| token.get(name).and_then(Value::as_bool).unwrap_or(false);
            let content = token.get("content").and_then(Value::as_str);
            if let (Ok(id), Some(content)) = (id.parse(), content) {
                let added = AddedToken::from(content, flag("special"))
                    .single_word(flag("single_word"))
                    .lstrip(flag("lstrip"))
                    .rstrip(flag("rstrip"))
                    .normalized(flag("normalized"));
                tokens.push((id, added));
            }
        }
        tokens.sort_by_key(|(id, _)| *id);
        tokens.into_iter().map(|(_, token)| token).collect()
    }

    pub(super) fn model_max_length(&self) -> Option<usize> {
        let length = self.value("model_max_length")?.as_f64()?;
        (3.0..MAX_LENGTH_LIMIT).contains(&length).then_some(length as usize)
    }

    /// The names and contents of the files to save, `tokenizer.json` excluded.
    pub(super) fn to_save(
        &self,
        tokenizer: &tokenizers::Tokenizer,
        special: &SpecialTokens,
        max_length: usize,
    ) -> Vec<(String, Vec<u8>)> {
        let mut config = self.config.clone().unwrap_or_else(|| default_config(tokenizer, special));
        // The effective options, where transformers would use its defaults.
        if let Some(NormalizerWrapper::BertNormalizer(normalizer)) = tokenizer.get_normalizer() {
            let flags = [
                ("do_lower_case", json!(normalizer.lowercase)),
                ("strip_accents", json!(normalizer.strip_accents)),
                ("tokenize_chinese_chars", json!(normalizer.handle_chinese_chars)),
            ];
            config.extend(flags.map(|(name, value)| (name.to_owned(), value)));
        }
        config.insert("model_max_length".to_owned(), json!(max_length));
        let config = format!("{:#}\n", Value::Object(config)).into_bytes();
        let mut files = self.copied.clone();
        files.push(("tokenizer_config.json".to_owned(), config));
        files
    }
}

/// The `tokenizer_config.json` of a tokenizer without one: that of `BertTokenizer` if it behaves
/// like it, or else that of a generic `PreTrainedTokenizerFast`.
fn default_config(
    tokenizer: &tokenizers::Tokenizer,
    special: &SpecialTokens,
) -> Map<String, Value> {
    let mut config = Map::new();
    let mut set = |name: &str, value: Value| {
        config.insert(name.to_owned(), value);
    };
    set("backend", json!("tokenizers"));
    set("cls_token", json!(special.cls));
    let normalizer = match tokenizer.get_normalizer() {
        Some(NormalizerWrapper::BertNormalizer(normalizer)) => Some(normalizer),
        _ => None,
    };
    let has_bert_pre_tokenizer =
        matches!(tokenizer.get_pre_tokenizer(), Some(PreTokenizerWrapper::BertPreTokenizer(_)));
    if tokenizer.token_to_id("[MASK]").is_some() {
        set("mask_token", json!("[MASK]"));
    }
    set("pad_token", json!(special.pad));
    set("sep_token", json!(special.sep));
    match normalizer
        .filter(|_| has_bert_pre_tokenizer && special.cls == "[CLS]" && special.sep == "[SEP]")
    {
        Some(normalizer) => {
            set("do_lower_case", json!(normalizer.lowercase));
            set("strip_accents", json!(normalizer.strip_accents));
            set("tokenize_chinese_chars", json!(normalizer.handle_chinese_chars));
            set("tokenizer_class", json!("BertTokenizer"));
        }
        None => set("tokenizer_class", json!("PreTrainedTokenizerFast")),
    }
    if let Some(unk) = &special.unk {
        set("unk_token", json!(unk));
    }
    config
}
