//! Reading a tokenizer's files.

use super::files::{COMPOSE_HANGUL, CONFIG, SpecialTokens, TokenizerFiles, class_without_config};
use super::python_class::PythonClass;
use super::rebuild::{Rebuilt, rebuild};
use super::{EMBEDDED, EMBEDDED_CONFIG, SMALL, Tokenizer, TokenizerError, limits, unreadable};
use crate::core::caught_panic::catch_panic;
use crate::core::text::truncate_width;
use serde_json::{Map, Value, json};
use std::path::Path;
use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::NormalizerWrapper;

/// A text with kinds of characters that tokenizers treat differently: one that panics on it is
/// refused when it is loaded.
const PROBE: &str = "Ab1é 한글 \u{1112}\u{1161}\u{11ab} 漢 ﷺ 😀\u{200d} [MASK] ,.!?\u{7f}\n  끝";

/// The names of the files of `SentencePiece` models, of which Python makes a `tokenizer.json`.
const SENTENCEPIECE: [&str; 4] =
    ["sentencepiece.bpe.model", "spiece.model", "spm.model", "tokenizer.model"];

impl Tokenizer {
    /// The tokenizer of the embedded pretrained model.
    ///
    /// # Errors
    /// Only if the program file is damaged.
    pub fn embedded() -> Result<Self, TokenizerError> {
        let file = Path::new("embedded tokenizer.json");
        let parse =
            |text: &str| serde_json::from_str(text).map_err(|error| unreadable(file, error));
        let files = TokenizerFiles::with_config(parse(EMBEDDED_CONFIG)?);
        Self::from_json(parse(EMBEDDED)?, EMBEDDED.as_bytes().to_vec(), file, files)
    }

    /// The Korean tokenizer of the small model. It composes decomposed Hangul (NFC), because its
    /// vocabulary has syllables.
    ///
    /// # Errors
    /// Only if the program file is damaged.
    pub fn small() -> Result<Self, TokenizerError> {
        let file = Path::new("tokenizer.json of the small model");
        let inner =
            tokenizers::Tokenizer::from_bytes(SMALL).map_err(|error| unreadable(file, error))?;
        let mut tokenizer = Self::new(inner, file, TokenizerFiles::default())?;
        tokenizer.composes_hangul = true;
        Ok(tokenizer)
    }

    /// Reads `tokenizer.json`, or else `vocab.txt`, from a model's folder, as the class does that
    /// transformers uses for the folder. [`Tokenizer::notes`] says where transformers would read
    /// the files differently: without a `tokenizer_config.json` its defaults lower-case texts and
    /// break Hangul into jamo, so `tokenizer.json` is read as it is, and a `vocab.txt` is cased if
    /// it contains upper-case letters.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let files = TokenizerFiles::read(folder)?;
        let file = folder.join("tokenizer.json");
        if file.exists() {
            let bytes = limits::read(&file, limits::MAX_FILE);
            let bytes = bytes.map_err(|error| unreadable(&file, error))?;
            let json = limits::parse(&bytes).map_err(|error| unreadable(&file, error))?;
            return Self::from_json(json, bytes, &file, files);
        }
        let file = folder.join("vocab.txt");
        if file.exists() {
            return Self::from_vocabulary(&file, files);
        }
        let mut pieces = SENTENCEPIECE.iter().map(|name| folder.join(name));
        if let Some(file) = pieces.find(|file| file.exists()) {
            return Err(TokenizerError::SentencePiece { file, folder: folder.to_path_buf() });
        }
        Err(TokenizerError::Missing { folder: folder.to_path_buf() })
    }

    /// `bytes` are the file's contents, which `json` was parsed from.
    fn from_json(
        mut json: Value,
        bytes: Vec<u8>,
        file: &Path,
        files: TokenizerFiles,
    ) -> Result<Self, TokenizerError> {
        let refused = |reason: String| unreadable(file, reason);
        limits::check_tokenizer(&json).map_err(refused)?;
        let class = files.class();
        let mut notes = Vec::new();
        let mut changed = false;
        let mut python = class;
        let named = files.class_name().map_or(class.name(), |name| name).to_owned();
        let named = truncate_width(&named, 40);
        if files.has_config() {
            match rebuild(&mut json, class, &files).map_err(refused)? {
                Rebuilt::Parts(parts) => {
                    changed |= !parts.is_empty();
                    notes.extend(note_on_parts(&parts, &named, &files));
                }
                Rebuilt::OtherModel(model) => {
                    notes.push(note_on_model(model, &named));
                    python = PythonClass::Generic;
                }
            }
            if class == PythonClass::Other {
                python = PythonClass::Generic;
                notes.push(format!(
                    "the tokenizer's class {named} is not known here: tokenizer.json is read as it \
                     says. The saved {CONFIG} names {}, with which Python does the same",
                    python.name()
                ));
            }
        } else {
            notes.extend(note_without_config(&json, class, &files));
            python = PythonClass::Generic;
        }
        let read_as = if files.has_config() { python } else { PythonClass::Generic };
        let added = Value::Array(files.added_tokens(&json, read_as));
        if added != json["added_tokens"] {
            json["added_tokens"] = added;
            limits::check_tokenizer(&json).map_err(refused)?;
            changed = true;
        }
        let left = json["truncation"]["direction"] == "Left";
        let bytes = if changed { json.to_string().into_bytes() } else { bytes };
        drop(json);
        let mut tokenizer = Self::from_bytes(&bytes, file, files)?;
        if tokenizer.files.has_config() {
            tokenizer.class = python;
        }
        let side = tokenizer.files.value("truncation_side").and_then(Value::as_str);
        tokenizer.truncates_left = side.map_or(left, |side| side == "left");
        tokenizer.notes.splice(0..0, notes);
        Ok(tokenizer)
    }

    fn from_vocabulary(file: &Path, files: TokenizerFiles) -> Result<Self, TokenizerError> {
        let refused = |reason: String| unreadable(file, reason);
        if files.class_name().is_some() && files.class() != PythonClass::Bert {
            let name = truncate_width(files.class_name().unwrap_or_default(), 40);
            return Err(refused(format!(
                "tokenizer_class {name} does not read a vocab.txt, and there is no tokenizer.json. \
                 If it is the vocabulary of a BertTokenizer, set tokenizer_class to that in {CONFIG}"
            )));
        }
        let bytes = limits::read(file, limits::MAX_FILE).map_err(refused)?;
        let text = String::from_utf8(bytes)
            .map_err(|error| refused(format!("not a vocabulary: {error}")))?;
        // As the crate reads it, also in Python: without whitespace at the end of a line.
        let lines = text.lines().map(str::trim_end).enumerate();
        let vocabulary: Map<String, Value> =
            lines.map(|(id, token)| (token.to_owned(), json!(id))).collect();
        let is_ordinary = |token: &&String| !token.starts_with('[');
        let has_upper = |token: &String| token.contains(|c: char| c.is_ascii_uppercase());
        let is_cased = vocabulary.keys().filter(is_ordinary).any(has_upper);
        let token = |role: &str, default: &str| {
            let token = files.special(role).unwrap_or_else(|| default.to_owned());
            let id = vocabulary.get(&token).cloned();
            id.map(|id| json!([token, id])).ok_or_else(|| format!("the vocabulary has no {token}"))
        };
        let sep = token("sep_token", "[SEP]").map_err(refused)?;
        let cls = token("cls_token", "[CLS]").map_err(refused)?;
        let unk = files.special("unk_token").unwrap_or_else(|| "[UNK]".to_owned());
        let normalizer = files.normalizer(files.has_config() || !is_cased);
        let mut json = json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": [],
            "normalizer": normalizer,
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": sep, "cls": cls},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {
                "type": "WordPiece",
                "unk_token": unk,
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": vocabulary,
            },
        });
        limits::check_tokenizer(&json).map_err(refused)?;
        json["added_tokens"] = files.added_tokens(&json, PythonClass::Bert).into();
        let mut notes = Vec::new();
        if !files.has_config() && is_cased {
            notes.push(format!(
                "vocab.txt has upper-case letters and there is no {CONFIG}, so texts keep their \
                 case; Python's default would lower-case them and break Hangul into jamo. The \
                 saved {CONFIG} says so"
            ));
        } else if files.class() != PythonClass::Bert {
            notes.push(format!(
                "vocab.txt is read as a BertTokenizer's; for this model transformers expects \
                 {}. The saved {CONFIG} says so",
                files.class().name()
            ));
        }
        let mut tokenizer = Self::from_bytes(json.to_string().as_bytes(), file, files)?;
        tokenizer.class = PythonClass::Bert;
        tokenizer.truncates_left =
            tokenizer.files.value("truncation_side").is_some_and(|side| side == "left");
        tokenizer.notes.splice(0..0, notes);
        Ok(tokenizer)
    }

    fn from_bytes(
        bytes: &[u8],
        file: &Path,
        files: TokenizerFiles,
    ) -> Result<Self, TokenizerError> {
        let loaded = catch_panic(|| {
            let inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| {
                unreadable(
                    file,
                    format!("not a tokenizer: {}", truncate_width(&error.to_string(), 160)),
                )
            })?;
            Self::new(inner, file, files)
        });
        let damaged = |panic: String| unreadable(file, format!("damaged, or unsupported: {panic}"));
        let tokenizer = loaded.map_err(damaged)??;
        catch_panic(|| drop(tokenizer.inner.encode_char_offsets(PROBE, true))).map_err(damaged)?;
        Ok(tokenizer)
    }

    pub(super) fn new(
        mut inner: tokenizers::Tokenizer,
        file: &Path,
        files: TokenizerFiles,
    ) -> Result<Self, TokenizerError> {
        // The file's settings for truncation and padding are ignored: the caller truncates and
        // packs.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| unreadable(file, error))?;
        inner.set_encode_special_tokens(files.flag("split_special_tokens").unwrap_or(false));
        // The token that a file defines, or else BERT's or RoBERTa's.
        let find = |role: &str, defaults: [&str; 2]| {
            let candidates = files
                .special(role)
                .map_or_else(|| defaults.map(str::to_owned).to_vec(), |token| vec![token]);
            let id = candidates
                .iter()
                .find_map(|token| Some((token.clone(), inner.token_to_id(token)?)));
            let missing = || truncate_width(&candidates[0], 40);
            id.ok_or_else(|| unreadable(file, format!("the vocabulary has no {}", missing())))
        };
        let unk = find("unk_token", ["[UNK]", "<unk>"]).ok();
        let (sep, sep_id) = find("sep_token", ["[SEP]", "</s>"])?;
        let (pad, _) = find("pad_token", ["[PAD]", "<pad>"])?;
        let (cls, cls_id) = find("cls_token", ["[CLS]", "<s>"])?;
        let empty = inner.encode_fast("", true).map_err(|error| unreadable(file, error))?;
        if empty.get_ids() != [cls_id, sep_id] {
            let reason = format!("it does not add {cls} before and {sep} after a text");
            return Err(unreadable(file, truncate_width(&reason, 160)));
        }
        let (unk, unk_id) = unk.unzip();
        let special = SpecialTokens { cls, sep, pad, unk };
        let class = class_without_config(&inner, &special);
        let composes_hangul = files.flag(COMPOSE_HANGUL).unwrap_or(false);
        let mut notes = vocabulary_notes(&inner, composes_hangul);
        if files.value("padding_side").is_some_and(|side| side == "left") {
            notes.push(format!(
                "padding_side is left in {CONFIG}, which has no effect here: texts are not padded. \
                 In Python it moves the texts of a batch to other positions"
            ));
        }
        Ok(Self {
            inner,
            file: file.to_path_buf(),
            unk_id,
            sep_id,
            special,
            files,
            class,
            truncates_left: false,
            composes_hangul,
            notes,
        })
    }
}

/// A note on what the class replaces in `tokenizer.json`, unless options of the config asked for it.
fn note_on_parts(parts: &[&str], class: &str, files: &TokenizerFiles) -> Option<String> {
    let options: &[&str] = match files.class() {
        PythonClass::Bert => &["do_lower_case", "strip_accents", "tokenize_chinese_chars"],
        PythonClass::DebertaV2 => &["do_lower_case", "split_by_punct", "add_prefix_space"],
        _ => &["add_prefix_space"],
    };
    let missing: Vec<&str> =
        options.iter().copied().filter(|option| files.value(option).is_none()).collect();
    if parts.is_empty() || (parts == ["normalizer"] && missing.is_empty()) {
        return None;
    }
    let replaced = format!(
        "as in transformers, {class} replaces the {} of tokenizer.json",
        parts.join(", ").replace('_', "-")
    );
    if missing.is_empty() {
        return Some(replaced);
    }
    Some(format!(
        "{replaced}, with its defaults for {}. Set them in {CONFIG}, or set tokenizer_class to \
         PreTrainedTokenizerFast",
        missing.join(", ")
    ))
}

fn note_on_model(model: &str, class: &str) -> String {
    format!(
        "transformers would read this {model} tokenizer.json as a {class}, for which almost every \
         word is unknown: it is read as it says. The saved {CONFIG} names {}, with which Python \
         does the same",
        PythonClass::Generic.name()
    )
}

/// A note if transformers would read a `tokenizer.json` without a `tokenizer_config.json`
/// differently.
fn note_without_config(json: &Value, class: PythonClass, files: &TokenizerFiles) -> Option<String> {
    let mut copy = json.clone();
    match rebuild(&mut copy, class, files) {
        Ok(Rebuilt::Parts(parts)) if parts.is_empty() => None,
        Ok(Rebuilt::OtherModel(model)) => Some(note_on_model(model, class.name())),
        _ => Some(format!(
            "there is no {CONFIG}, so tokenizer.json is read as it says; transformers would use {}'s \
             defaults{}. The saved {CONFIG} says so, and Python reads it alike",
            class.name(),
            if class == PythonClass::Bert {
                ", which lower-case texts and break Hangul into jamo"
            } else {
                ""
            }
        )),
    }
}

/// Notes on a vocabulary that does not fit how texts are split.
fn vocabulary_notes(inner: &tokenizers::Tokenizer, composes_hangul: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let ModelWrapper::WordPiece(_) = inner.get_model() else {
        return notes;
    };
    let (mut marked, mut syllables, mut jamo) = (0, 0, 0);
    let vocabulary = inner.get_vocab(false);
    for token in vocabulary.keys() {
        marked += usize::from(token.starts_with('▁'));
        syllables += usize::from(token.contains(|c| matches!(c, '가'..='힣')));
        jamo += usize::from(token.contains(|c| matches!(c, '\u{1100}'..='\u{11ff}')));
    }
    if marked * 4 > vocabulary.len() {
        notes.push(format!(
            "{marked} of the {} tokens begin with ▁, as SentencePiece writes them, but BERT's \
             tokenizer looks words up without it: most words will be unknown. Make a \
             tokenizer.json from the SentencePiece model with Python",
            vocabulary.len()
        ));
    }
    if let Some(NormalizerWrapper::BertNormalizer(normalizer)) = inner.get_normalizer()
        && normalizer.strip_accents.unwrap_or(normalizer.lowercase)
        && !composes_hangul
        && syllables > jamo
    {
        notes.push(format!(
            "as in transformers, accents are stripped, which breaks Hangul into jamo, but the \
             vocabulary has syllables: Korean words will be unknown. Set strip_accents to false in \
             {CONFIG}"
        ));
    }
    notes
}
