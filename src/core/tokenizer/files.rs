//! The files next to `tokenizer.json` or `vocab.txt` in which transformers stores a tokenizer's
//! configuration.

use super::limits;
use super::python_class::{PythonClass, find_id};
use super::{TokenizerError, unreadable};
use crate::core::text::truncate_width;
use serde_json::{Map, Value, json};
use std::path::Path;
use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::{BertNormalizer, NormalizerWrapper};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;

/// Files that are copied unchanged into the folder of the fine-tuned model.
const COPIED_FILES: [&str; 3] = ["added_tokens.json", "special_tokens_map.json", "vocab.txt"];

/// The file with the options.
pub(super) const CONFIG: &str = "tokenizer_config.json";

/// transformers writes a `model_max_length` larger than this if there is no limit.
const MAX_LENGTH_LIMIT: f64 = 1e6;

/// The roles of special tokens.
const ROLES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The option of a tokenizer that composes Hangul; Python does not know it.
pub(super) const COMPOSE_HANGUL: &str = "compose_hangul";

/// A tokenizer's files except `tokenizer.json`.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenizerFiles {
    /// `tokenizer_config.json`, if it exists.
    config: Option<Map<String, Value>>,
    /// The model's `config.json`, if it exists and can be read.
    model: Map<String, Value>,
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

/// What is saved of a tokenizer besides its `tokenizer.json`.
pub(super) struct TokenizerToSave<'t> {
    pub inner: &'t tokenizers::Tokenizer,
    pub special: &'t SpecialTokens,
    /// The class with which Python reads the saved files as this program does.
    pub class: PythonClass,
    pub truncates_left: bool,
    pub composes_hangul: bool,
    pub max_length: usize,
}

impl TokenizerFiles {
    /// Reads the files of a model's folder that exist.
    ///
    /// # Errors
    /// Names the file that cannot be read, and the option that is invalid.
    pub(super) fn read(folder: &Path) -> Result<Self, TokenizerError> {
        let object = |name: &str| {
            let file = folder.join(name);
            if !file.exists() {
                return Ok(None);
            }
            let json =
                limits::read(&file, limits::MAX_FILE).and_then(|bytes| limits::parse(&bytes));
            match json.map_err(|error| unreadable(&file, error))? {
                Value::Object(object) => Ok(Some(object)),
                _ => Err(unreadable(&file, "a JSON object is expected")),
            }
        };
        let mut copied = Vec::new();
        for name in COPIED_FILES {
            let file = folder.join(name);
            if file.exists() {
                let bytes = limits::read(&file, limits::MAX_FILE);
                copied.push((name.to_owned(), bytes.map_err(|error| unreadable(&file, error))?));
            }
        }
        let files = Self {
            config: object(CONFIG)?,
            // What is wrong with it is reported when the model is read.
            model: object("config.json").ok().flatten().unwrap_or_default(),
            special: object("special_tokens_map.json")?.unwrap_or_default(),
            added: object("added_tokens.json")?.unwrap_or_default(),
            copied,
        };
        files.check().map_err(|reason| unreadable(&folder.join(CONFIG), reason))?;
        Ok(files)
    }

    /// Files of which only a `tokenizer_config.json` exists.
    pub(super) fn with_config(config: Value) -> Self {
        let config = match config {
            Value::Object(config) => Some(config),
            _ => None,
        };
        Self { config, ..Self::default() }
    }

    /// Whether there is a `tokenizer_config.json`.
    pub(super) fn has_config(&self) -> bool {
        self.config.is_some()
    }

    /// An option of `tokenizer_config.json`.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.config.as_ref()?.get(name)
    }

    /// The type of the model, if a file names it.
    pub(super) fn model_type(&self) -> Option<&str> {
        self.model.get("model_type")?.as_str()
    }

    /// An option that is true or false; `None` if it is neither.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.value(name).and_then(Value::as_bool)
    }

    /// Whether the model has embeddings of token types, as far as its `config.json` is known.
    pub(super) fn model_has_types(&self) -> bool {
        match self.model_type() {
            Some("distilbert") => false,
            Some("deberta-v2") => {
                self.model.get("type_vocab_size").and_then(Value::as_u64).is_some_and(|n| n > 0)
            }
            _ => true,
        }
    }

    /// The name of the tokenizer's class, if a file names it.
    pub(super) fn class_name(&self) -> Option<&str> {
        let name = self.value("tokenizer_class").and_then(Value::as_str);
        name.or_else(|| self.model.get("tokenizer_class")?.as_str())
    }

    /// The class that transformers uses.
    pub(super) fn class(&self) -> PythonClass {
        let model_type = self.model_type().unwrap_or_default();
        self.class_name().map_or_else(|| PythonClass::of_model_type(model_type), PythonClass::named)
    }

    /// Refuses options that transformers refuses, when it loads the tokenizer or when it uses it.
    fn check(&self) -> Result<(), String> {
        let (flags, nullable): (&[&str], &[&str]) = match self.class() {
            PythonClass::Bert => (&["do_lower_case", "tokenize_chinese_chars"], &["strip_accents"]),
            PythonClass::Roberta => (&["add_prefix_space", "trim_offsets"], &[]),
            // These take any value for true or false.
            PythonClass::XlmRoberta
            | PythonClass::DebertaV2
            | PythonClass::Generic
            | PythonClass::Other => (&[], &[]),
        };
        let wrong = |name: &str, value: &Value, expected: &str| {
            let value = truncate_width(&value.to_string(), 40);
            Err(format!("{name} is {value}; {expected} is expected"))
        };
        for name in flags.iter().chain(nullable).chain(&["split_special_tokens"]) {
            match self.value(name) {
                None | Some(Value::Bool(_)) => {}
                Some(Value::Null) if nullable.contains(name) => {}
                Some(value) => return wrong(name, value, "true or false"),
            }
        }
        for name in ["truncation_side", "padding_side"] {
            if let Some(value) = self.value(name).filter(|side| *side != "left" && *side != "right")
            {
                return wrong(name, value, "\"left\" or \"right\"");
            }
        }
        let length = self.max_length_value().filter(|length| !length.is_null());
        let is_length = |length: &Value| length.as_f64().is_some_and(|length| length >= 3.0);
        match length.filter(|length| !is_length(length)) {
            Some(length) => wrong("model_max_length", length, "a number of at least 3, or null"),
            None => Ok(()),
        }
    }

    /// The entry of a role such as `cls_token`. As in transformers, `special_tokens_map.json`
    /// counts unless the config lists all added tokens, and then before it.
    fn role(&self, role: &str) -> Option<&Value> {
        let legacy =
            self.special.get(role).filter(|_| self.value("added_tokens_decoder").is_none());
        legacy.or_else(|| self.value(role)).filter(|token| !token.is_null())
    }

    /// The special token of a role: a string, or an object with `content`. `None` if no file
    /// defines it.
    pub(super) fn special(&self, role: &str) -> Option<String> {
        self.role(role).and_then(content).map(str::to_owned)
    }

    /// BERT's normalizer as `tokenizer_config.json` configures it, with transformers' defaults
    /// except that of `do_lower_case`.
    pub(super) fn normalizer(&self, lowercase: bool) -> BertNormalizer {
        let lowercase = self.flag("do_lower_case").unwrap_or(lowercase);
        let chinese = self.flag("tokenize_chinese_chars").unwrap_or(true);
        BertNormalizer::new(true, chinese, self.flag("strip_accents"), lowercase)
    }

    /// The `added_tokens` of a `tokenizer.json` after those of the other files and the named
    /// special tokens are added, as in transformers. A default of the class that is not in the
    /// vocabulary is left out: its id would be one that the model does not have.
    pub(super) fn added_tokens(&self, json: &Value, class: PythonClass) -> Vec<Value> {
        let listed = json["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
        let is_whole = matches!(class, PythonClass::Generic | PythonClass::Other);
        let mut tokens: Vec<Value> = Vec::new();
        if let Some(decoder) = self.value("added_tokens_decoder").and_then(Value::as_object) {
            tokens.extend(listed.iter().filter(|_| is_whole).cloned());
            let mut stated: Vec<(u64, Value)> = decoder
                .iter()
                .filter_map(|(id, token)| Some((id.parse().ok()?, token)))
                .filter_map(|(id, token)| Some((id, added_token(id, token, false)?)))
                .collect();
            stated.sort_by_key(|(id, _)| *id);
            tokens.extend(stated.into_iter().map(|(_, token)| token));
        } else {
            tokens.extend(listed.iter().cloned());
            let mut legacy: Vec<(u64, &String)> =
                self.added.iter().filter_map(|(token, id)| Some((id.as_u64()?, token))).collect();
            legacy.sort_unstable();
            for (id, token) in legacy {
                if !contains(&tokens, token) {
                    let special =
                        ROLES.iter().any(|role| self.special(role).as_ref() == Some(token));
                    tokens.extend(added_token(id, &json!(token), special));
                }
            }
        }
        let mut named: Vec<(Value, bool)> = Vec::new();
        for role in ROLES {
            let default = class.default_tokens().iter().find(|(name, _)| *name == role);
            let default = default.map(|(_, token)| (json!(token), false));
            named.extend(self.role(role).cloned().map(|token| (token, true)).or(default));
        }
        for list in ["extra_special_tokens", "additional_special_tokens"] {
            let stated = self.value(list).and_then(Value::as_array).into_iter().flatten();
            named.extend(stated.map(|token| (token.clone(), true)));
        }
        for (token, is_stated) in named {
            let name = content(&token).unwrap_or_default();
            let id = find_id(json, name);
            if !contains(&tokens, name) && (id.is_some() || is_stated) {
                // The crate numbers a new token itself.
                tokens.extend(added_token(id.unwrap_or_default(), &token, true));
            }
        }
        tokens
    }

    /// `model_max_length`, or `max_len` in files of earlier versions.
    fn max_length_value(&self) -> Option<&Value> {
        self.value("model_max_length").or_else(|| self.value("max_len"))
    }

    /// The maximum length in tokens, if there is a limit.
    pub(super) fn model_max_length(&self) -> Option<usize> {
        let length = self.max_length_value()?.as_f64()?;
        (3.0..MAX_LENGTH_LIMIT).contains(&length).then_some(length as usize)
    }

    /// The names and contents of the files to save, `tokenizer.json` excluded.
    pub(super) fn to_save(&self, saved: &TokenizerToSave<'_>) -> Vec<(String, Vec<u8>)> {
        let mut config = self
            .config
            .clone()
            .unwrap_or_else(|| default_config(saved.inner, saved.special, saved.class));
        let mut set = |name: &str, value: Value| {
            config.insert(name.to_owned(), value);
        };
        let named = self.value("tokenizer_class").and_then(Value::as_str).map(PythonClass::named);
        if self.has_config() && named != Some(saved.class) {
            set("tokenizer_class", json!(saved.class.name()));
        }
        // The effective options, where transformers would use its defaults.
        if let Some(NormalizerWrapper::BertNormalizer(normalizer)) = saved.inner.get_normalizer() {
            set("do_lower_case", json!(normalizer.lowercase));
            set("strip_accents", json!(normalizer.strip_accents));
            set("tokenize_chinese_chars", json!(normalizer.handle_chinese_chars));
        }
        if saved.truncates_left {
            set("truncation_side", json!("left"));
        }
        if saved.composes_hangul {
            set(COMPOSE_HANGUL, json!(true));
        }
        set("model_max_length", json!(saved.max_length));
        let special = saved.special;
        let roles = [
            ("cls_token", Some(&special.cls)),
            ("sep_token", Some(&special.sep)),
            ("pad_token", Some(&special.pad)),
            ("unk_token", special.unk.as_ref()),
        ];
        for (role, token) in roles {
            if let Some(token) = token.filter(|_| self.role(role).is_none()) {
                config.insert(role.to_owned(), json!(token));
            }
        }
        let config = format!("{:#}\n", Value::Object(config)).into_bytes();
        let mut files = self.copied.clone();
        files.push((CONFIG.to_owned(), config));
        files
    }
}

/// The text of a token: a string, or an object with `content`.
fn content(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str())
}

fn contains(tokens: &[Value], name: &str) -> bool {
    tokens.iter().any(|token| token["content"] == name)
}

/// A token as `tokenizer.json` lists it, with the defaults of Python's `AddedToken`.
fn added_token(id: u64, token: &Value, special: bool) -> Option<Value> {
    let flag = |name: &str| token.get(name).and_then(Value::as_bool);
    let special = special || flag("special").unwrap_or(false);
    Some(json!({
        "id": id,
        "content": content(token)?,
        "single_word": flag("single_word").unwrap_or(false),
        "lstrip": flag("lstrip").unwrap_or(false),
        "rstrip": flag("rstrip").unwrap_or(false),
        "normalized": flag("normalized").unwrap_or(!special),
        "special": special,
    }))
}

/// The `tokenizer_config.json` of a tokenizer without one.
fn default_config(
    tokenizer: &tokenizers::Tokenizer,
    special: &SpecialTokens,
    class: PythonClass,
) -> Map<String, Value> {
    let mut config = Map::new();
    let mut set = |name: &str, value: Value| {
        config.insert(name.to_owned(), value);
    };
    set("backend", json!("tokenizers"));
    set("cls_token", json!(special.cls));
    if tokenizer.token_to_id("[MASK]").is_some() {
        set("mask_token", json!("[MASK]"));
    }
    set("pad_token", json!(special.pad));
    set("sep_token", json!(special.sep));
    if let (PythonClass::Bert, Some(NormalizerWrapper::BertNormalizer(normalizer))) =
        (class, tokenizer.get_normalizer())
    {
        set("do_lower_case", json!(normalizer.lowercase));
        set("strip_accents", json!(normalizer.strip_accents));
        set("tokenize_chinese_chars", json!(normalizer.handle_chinese_chars));
    }
    set("tokenizer_class", json!(class.name()));
    if let Some(unk) = &special.unk {
        set("unk_token", json!(unk));
    }
    config
}

/// The class with which Python reads a tokenizer without a `tokenizer_config.json` as its
/// `tokenizer.json` says: BERT's if it behaves like it.
pub(super) fn class_without_config(
    tokenizer: &tokenizers::Tokenizer,
    special: &SpecialTokens,
) -> PythonClass {
    let has_model = match tokenizer.get_model() {
        ModelWrapper::WordPiece(model) => {
            model.continuing_subword_prefix == "##" && model.max_input_chars_per_word == 100
        }
        _ => false,
    };
    let has_normalizer = match tokenizer.get_normalizer() {
        Some(NormalizerWrapper::BertNormalizer(normalizer)) => normalizer.clean_text,
        _ => false,
    };
    let has_pre_tokenizer =
        matches!(tokenizer.get_pre_tokenizer(), Some(PreTokenizerWrapper::BertPreTokenizer(_)));
    let has_tokens = special.cls == "[CLS]" && special.sep == "[SEP]";
    if has_model && has_normalizer && has_pre_tokenizer && has_tokens {
        PythonClass::Bert
    } else {
        PythonClass::Generic
    }
}
