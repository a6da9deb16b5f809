//! What lies beside `tokenizer.json` or `vocab.txt`: transformers' settings of a tokenizer.

use super::{TokenizerError, unreadable};
use serde_json::{Map, Value, json};
use std::path::Path;
use tokenizers::AddedToken;
use tokenizers::normalizers::{BertNormalizer, NormalizerWrapper};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;

/// Files that are handed on as they are, so that Python finds in a trained model's folder what it
/// had in the first one's.
const HANDED_ON: [&str; 3] = ["added_tokens.json", "special_tokens_map.json", "vocab.txt"];

/// Above this, `model_max_length` is transformers' way to say that there is none.
const NO_LENGTH: f64 = 1e6;

/// A tokenizer's files but for `tokenizer.json`.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenizerFiles {
    /// `tokenizer_config.json`, if it is there.
    config: Option<Map<String, Value>>,
    /// `special_tokens_map.json`.
    special: Map<String, Value>,
    /// `added_tokens.json`: numbers by token.
    added: Map<String, Value>,
    /// Those that are handed on, by name.
    others: Vec<(String, Vec<u8>)>,
}

/// The tokens that play a role in a tokenizer.
#[derive(Clone, Debug)]
pub(super) struct Roles {
    pub cls: String,
    pub sep: String,
    pub pad: String,
    pub unk: Option<String>,
}

impl TokenizerFiles {
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
        let mut others = Vec::new();
        for name in HANDED_ON {
            let file = folder.join(name);
            if file.is_file() {
                let bytes = std::fs::read(&file).map_err(|error| unreadable(&file, error))?;
                others.push((name.to_owned(), bytes));
            }
        }
        Ok(Self {
            config: object("tokenizer_config.json")?,
            special: object("special_tokens_map.json")?.unwrap_or_default(),
            added: object("added_tokens.json")?.unwrap_or_default(),
            others,
        })
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.config.as_ref()?.get(name)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.value(name).and_then(Value::as_bool)
    }

    /// The token that plays a role, such as `cls_token`: a string, or an object with `content`.
    /// `None` if no file names it.
    pub(super) fn special(&self, role: &str) -> Option<String> {
        let token = self.value(role).or_else(|| self.special.get(role))?;
        let token = token.as_str().or_else(|| token.get("content")?.as_str());
        token.map(str::to_owned)
    }

    /// BERT's normalizer for a vocabulary, as `tokenizer_config.json` describes it, with
    /// transformers' defaults. Without that file, a vocabulary with upper-case letters is a cased
    /// one.
    pub(super) fn normalizer(&self, is_cased: bool) -> BertNormalizer {
        let lowercase = self.config.as_ref().map_or(!is_cased, |_| true);
        let mut normalizer = BertNormalizer::new(true, true, None, lowercase);
        self.adjust(&mut normalizer);
        normalizer
    }

    /// Whether the normalizer of a `tokenizer.json` is to do as `tokenizer_config.json` says, as
    /// transformers has it for the tokenizers that it builds anew.
    pub(super) fn overrules(&self) -> bool {
        let class = self.value("tokenizer_class").and_then(Value::as_str).unwrap_or_default();
        self.config.is_some() && !["PreTrainedTokenizerFast", "TokenizersBackend"].contains(&class)
    }

    /// Makes a normalizer do as `tokenizer_config.json` says, as far as it says anything.
    pub(super) fn adjust(&self, normalizer: &mut BertNormalizer) {
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

    /// Tokens beside a `vocab.txt`, in the order of their numbers.
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
        (3.0..NO_LENGTH).contains(&length).then_some(length as usize)
    }

    /// The files to write, `tokenizer.json` left out.
    pub(super) fn written(
        &self,
        tokenizer: &tokenizers::Tokenizer,
        roles: &Roles,
        max_length: usize,
    ) -> Vec<(String, Vec<u8>)> {
        let mut config = self.config.clone().unwrap_or_else(|| described(tokenizer, roles));
        // What really holds, where transformers would have defaults of its own.
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
        let mut files = self.others.clone();
        files.push(("tokenizer_config.json".to_owned(), config));
        files
    }
}

/// A `tokenizer_config.json` for a tokenizer that came without one: BERT's where it does as BERT's
/// does, else that of any tokenizer in one file.
fn described(tokenizer: &tokenizers::Tokenizer, roles: &Roles) -> Map<String, Value> {
    let mut config = Map::new();
    let mut set = |name: &str, value: Value| {
        config.insert(name.to_owned(), value);
    };
    set("backend", json!("tokenizers"));
    set("cls_token", json!(roles.cls));
    let normalizer = match tokenizer.get_normalizer() {
        Some(NormalizerWrapper::BertNormalizer(normalizer)) => Some(normalizer),
        _ => None,
    };
    let words =
        matches!(tokenizer.get_pre_tokenizer(), Some(PreTokenizerWrapper::BertPreTokenizer(_)));
    if tokenizer.token_to_id("[MASK]").is_some() {
        set("mask_token", json!("[MASK]"));
    }
    set("pad_token", json!(roles.pad));
    set("sep_token", json!(roles.sep));
    match normalizer.filter(|_| words && roles.cls == "[CLS]" && roles.sep == "[SEP]") {
        Some(normalizer) => {
            set("do_lower_case", json!(normalizer.lowercase));
            set("strip_accents", json!(normalizer.strip_accents));
            set("tokenize_chinese_chars", json!(normalizer.handle_chinese_chars));
            set("tokenizer_class", json!("BertTokenizer"));
        }
        None => set("tokenizer_class", json!("PreTrainedTokenizerFast")),
    }
    if let Some(unk) = &roles.unk {
        set("unk_token", json!(unk));
    }
    config
}
