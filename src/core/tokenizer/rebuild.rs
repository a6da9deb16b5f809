//! What the classes of BERT, RoBERTa, XLM-RoBERTa and `DeBERTa` make of a `tokenizer.json`: they take only the
//! vocabulary and the added tokens from it. Normalizer, pre-tokenizer, special tokens and the
//! model's options are those of the class and of `tokenizer_config.json`.

use super::files::TokenizerFiles;
use super::python_class::{PythonClass, find_id};
use serde_json::{Value, json};

/// What a class made of a `tokenizer.json`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rebuilt {
    /// It was rebuilt; these parts differ from what the file says.
    Parts(Vec<&'static str>),
    /// The class builds a model of another type than the file's, which would make the vocabulary
    /// useless; the file is unchanged.
    OtherModel(&'static str),
}

/// Replaces what the class does not take from `tokenizer.json`.
///
/// # Errors
/// If the vocabulary lacks a special token.
pub(super) fn rebuild(
    json: &mut Value,
    class: PythonClass,
    files: &TokenizerFiles,
) -> Result<Rebuilt, String> {
    let Some(expected) = class.model() else {
        return Ok(Rebuilt::Parts(Vec::new()));
    };
    if model_type(&json["model"]) != expected {
        return Ok(Rebuilt::OtherModel(model_type(&json["model"])));
    }
    let roles = match class {
        PythonClass::XlmRoberta => ["bos_token", "eos_token"],
        _ => ["cls_token", "sep_token"],
    };
    let [first, last] = roles.map(|role| token_of(class, files, role));
    let (first_id, last_id) = (id_of(json, &first)?, id_of(json, &last)?);
    let (first, last) = ((first.as_str(), first_id), (last.as_str(), last_id));
    let unk = token_of(class, files, "unk_token");
    let old = json["post_processor"].clone();
    let charsmap = precompiled(&json["normalizer"]);
    let unk_id = match class {
        PythonClass::DebertaV2 => unscored_id(&json["model"], &unk)
            .unwrap_or_else(|| files.value("unk_id").cloned().unwrap_or(json!(1))),
        _ => json!(3),
    };
    let mut changed = Vec::new();
    let mut set = |part: &'static str, value: Value| {
        if json[part] != value {
            json[part] = value;
            changed.push(part);
        }
    };
    match class {
        PythonClass::Bert => {
            set("normalizer", serde_json::to_value(files.normalizer(true)).unwrap_or_default());
            set("pre_tokenizer", json!({"type": "BertPreTokenizer"}));
            let equivalent = json!({"type": "BertProcessing", "sep": last, "cls": first});
            if old != equivalent {
                set("post_processor", template(first, last, [0, 1], false));
            }
        }
        PythonClass::Roberta => {
            let prefix = files.flag("add_prefix_space").unwrap_or(false);
            let trim = files.flag("trim_offsets").unwrap_or(true);
            set("normalizer", Value::Null);
            set(
                "pre_tokenizer",
                json!({"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true,
                       "use_regex": true}),
            );
            set(
                "post_processor",
                json!({"type": "RobertaProcessing", "sep": last, "cls": first,
                       "trim_offsets": trim, "add_prefix_space": prefix}),
            );
        }
        PythonClass::DebertaV2 => {
            let [normalizer, words] = debertas_steps(files);
            set("normalizer", normalizer);
            set("pre_tokenizer", words);
            set("post_processor", template(first, last, [0, 1], false));
        }
        _ => {
            let scheme = if truth(files, "add_prefix_space", true) { "always" } else { "never" };
            set("normalizer", charsmap);
            set(
                "pre_tokenizer",
                json!({"type": "Sequence", "pretokenizers": [
                    {"type": "WhitespaceSplit"},
                    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme,
                     "split": true},
                ]}),
            );
            set("post_processor", template(first, last, [0, 0], true));
        }
    }
    let options = match class {
        PythonClass::Bert => json!({"unk_token": unk, "continuing_subword_prefix": "##",
                                    "max_input_chars_per_word": 100}),
        PythonClass::Roberta => json!({"dropout": null, "unk_token": null,
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
            "byte_fallback": false, "ignore_merges": false}),
        _ => json!({"unk_id": unk_id, "byte_fallback": false}),
    };
    let mut model_changed = false;
    for (name, value) in options.as_object().into_iter().flatten() {
        let old = &json["model"][name];
        let is_unset = |value: &Value| value.is_null() || *value == false || *value == "";
        if old != value && !(is_unset(old) && is_unset(value)) {
            json["model"][name] = value.clone();
            model_changed = true;
        }
    }
    if model_changed {
        changed.push("model");
    }
    Ok(Rebuilt::Parts(changed))
}

/// The token of a role: that of the files, or else the class's.
fn token_of(class: PythonClass, files: &TokenizerFiles, role: &str) -> String {
    let default = || class.default_tokens().iter().find(|(name, _)| *name == role);
    let token = files.special(role).or_else(|| default().map(|(_, token)| (*token).to_owned()));
    token.unwrap_or_default()
}

/// The type of a model; the oldest files do not name it.
fn model_type(model: &Value) -> &'static str {
    match model["type"].as_str() {
        Some("WordPiece") => "WordPiece",
        Some("BPE") => "BPE",
        Some("Unigram") => "Unigram",
        Some(_) => "WordLevel",
        None if model.get("merges").is_some() => "BPE",
        None if model["vocab"].is_array() => "Unigram",
        None => "WordPiece",
    }
}

fn id_of(json: &Value, token: &str) -> Result<u64, String> {
    find_id(json, token).ok_or_else(|| format!("the vocabulary has no {token}"))
}

/// The normalizer and the pre-tokenizer of `DebertaV2Tokenizer`.
fn debertas_steps(files: &TokenizerFiles) -> [Value; 2] {
    let mut steps = vec![
        json!({"type": "Replace", "pattern": {"Regex": r"\s{2,}|[\n\r\t]"}, "content": " "}),
        json!({"type": "NFC"}),
        json!({"type": "Strip", "strip_left": false, "strip_right": true}),
    ];
    if truth(files, "do_lower_case", false) {
        steps.insert(0, json!({"type": "Lowercase"}));
    }
    let scheme = if truth(files, "add_prefix_space", true) { "always" } else { "first" };
    let mut words = vec![json!({"type": "Metaspace", "replacement": "▁",
                                "prepend_scheme": scheme, "split": true})];
    if truth(files, "split_by_punct", false) {
        words.insert(0, json!({"type": "Punctuation", "behavior": "Isolated"}));
    }
    [
        json!({"type": "Sequence", "normalizers": steps}),
        json!({"type": "Sequence", "pretokenizers": words}),
    ]
}

/// An option by Python's truth of its value.
fn truth(files: &TokenizerFiles, name: &str, default: bool) -> bool {
    match files.value(name) {
        None => default,
        Some(Value::Null) => false,
        Some(Value::Bool(value)) => *value,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(values)) => !values.is_empty(),
        Some(Value::Object(values)) => !values.is_empty(),
    }
}

/// The id of a token with the score 0, as `DebertaV2Tokenizer` looks for the unknown token.
fn unscored_id(model: &Value, token: &str) -> Option<Value> {
    let is_it = |pair: &Value| pair[0] == token && pair[1].as_f64() == Some(0.0);
    Some(json!(model["vocab"].as_array()?.iter().position(is_it)?))
}

/// The first precompiled map of a normalizer, or null.
fn precompiled(normalizer: &Value) -> Value {
    let list = normalizer["normalizers"].as_array();
    let steps = list.map_or_else(|| std::slice::from_ref(normalizer), Vec::as_slice);
    steps.iter().find(|step| step["type"] == "Precompiled").cloned().unwrap_or_default()
}

/// A template with a token before and after each text. `types` are the type ids of the first and
/// the second text; `doubled` repeats the last token between them.
fn template(
    (first, first_id): (&str, u64),
    (last, last_id): (&str, u64),
    [a, b]: [u32; 2],
    doubled: bool,
) -> Value {
    let special = |token: &str, kind: u32| json!({"SpecialToken": {"id": token, "type_id": kind}});
    let text = |name: &str, kind: u32| json!({"Sequence": {"id": name, "type_id": kind}});
    let token = |token: &str, id: u64| json!({"id": token, "ids": [id], "tokens": [token]});
    let single = vec![special(first, a), text("A", a), special(last, a)];
    let mut pair = single.clone();
    pair.extend(doubled.then(|| special(last, b)));
    pair.extend([text("B", b), special(last, b)]);
    json!({"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": {
        first: token(first, first_id), last: token(last, last_id),
    }})
}
