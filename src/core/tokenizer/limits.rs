//! Limits on a `tokenizer.json` before it is handed to the `tokenizers` crate, which allocates what
//! the file says, and whose time and memory for a text can be any multiple of its length.

use super::charsmap;
use crate::core::bounded_file;
use crate::core::text::truncate_width;
use serde_json::{Map, Value};
use std::path::Path;

/// The largest file in bytes; XLM-RoBERTa's has 17 MB.
pub(super) const MAX_FILE: u64 = 64 << 20;

/// The largest number of values in the JSON; XLM-RoBERTa's has 750,000.
const MAX_VALUES: usize = 3_000_000;

/// The deepest nesting of the JSON; real files have less than ten levels.
const MAX_DEPTH: usize = 32;

/// The highest token id; the largest vocabularies have 300,000 tokens. Saving takes time in
/// proportion to it.
const MAX_ID: u64 = 1 << 24;

/// The longest token in bytes: a token of a Unigram vocabulary is a path of nodes, which are
/// dropped recursively.
const MAX_TOKEN: usize = 1024;

/// The largest number of nodes of a Unigram vocabulary's trie, each of some 400 bytes.
const MAX_TRIE_NODES: usize = 2_000_000;

/// The largest number of added tokens, and of their bytes together.
const MAX_ADDED: (usize, usize) = (200_000, 4 << 20);

/// The longest word of `WordPiece` in characters, which takes its square in steps; BERT's is 100.
const MAX_WORD: u64 = 1000;

/// The largest number of normalizers, pre-tokenizers, post-processors or decoders in sequence.
const MAX_STEPS: usize = 64;

/// The longest pattern, and the longest prefix, suffix or replacement in bytes.
const MAX_PATTERN: usize = 4096;
const MAX_AFFIX: usize = 64;

/// How many times longer a text may become by its normalizers.
const MAX_GROWTH: usize = 64;

/// The largest number of special tokens of a template.
const MAX_TEMPLATE: usize = 64;

/// Reads at most `limit` bytes of a file.
///
/// # Errors
/// If the file is longer or cannot be read.
pub(super) fn read(file: &Path, limit: u64) -> Result<Vec<u8>, String> {
    bounded_file::read(file, limit).map_err(|error| error.to_string())
}

/// Parses JSON with a bounded number of values and levels.
///
/// # Errors
/// If it is not JSON, or exceeds a limit.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let (mut depth, mut deepest, mut values) = (0usize, 0usize, 0usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
                values += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
    }
    check(values, MAX_VALUES, "values")?;
    check(deepest, MAX_DEPTH, "levels of nesting")?;
    serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))
}

/// Checks all that the crate would take literally.
///
/// # Errors
/// Names the field and the limit.
pub(super) fn check_tokenizer(json: &Value) -> Result<(), String> {
    let json = json.as_object().ok_or("not a tokenizer: no JSON object")?;
    let model = json.get("model").and_then(Value::as_object).ok_or("has no model")?;
    check_vocabulary(model)?;
    check_model(model)?;
    check_added(json.get("added_tokens"))?;
    for part in ["normalizer", "pre_tokenizer", "post_processor", "decoder"] {
        let mut steps = Vec::new();
        json.get(part).into_iter().for_each(|value| flatten(value, &mut steps));
        check(steps.len(), MAX_STEPS, &format!("steps in its {part}"))?;
        let mut growth = 1usize;
        for step in steps {
            check_step(part, step)?;
            growth = growth.saturating_mul(growth_of(step));
        }
        if part == "normalizer" && growth > MAX_GROWTH {
            return Err(format!(
                "its normalizer can make a text {growth} times as long; at most {MAX_GROWTH} is \
                 supported"
            ));
        }
    }
    Ok(())
}

fn check(count: usize, limit: usize, what: &str) -> Result<(), String> {
    if count > limit {
        return Err(format!("has {count} {what}; at most {limit} are supported"));
    }
    Ok(())
}

fn text<'j>(object: &'j Map<String, Value>, name: &str) -> &'j str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn check_vocabulary(model: &Map<String, Value>) -> Result<(), String> {
    let vocabulary = model.get("vocab").ok_or("its model has no vocab")?;
    let mut tokens: Vec<&str> = Vec::new();
    match vocabulary {
        Value::Object(vocabulary) => {
            for (token, id) in vocabulary {
                if id.as_u64().is_none_or(|id| id > MAX_ID) {
                    let token = truncate_width(token, 40);
                    return Err(format!(
                        "its token \"{token}\" has the id {id}; ids are whole numbers up to {MAX_ID}"
                    ));
                }
                tokens.push(token);
            }
        }
        Value::Array(vocabulary) => {
            for pair in vocabulary {
                tokens.extend(pair.get(0).and_then(Value::as_str));
                let score = pair.get(1).and_then(Value::as_f64);
                if score.is_some_and(|score| !score.is_finite()) {
                    return Err("its vocab has a score that is not finite".to_owned());
                }
            }
        }
        _ => return Err("its model's vocab is neither an object nor an array".to_owned()),
    }
    if let Some(long) = tokens.iter().find(|token| token.len() > MAX_TOKEN) {
        return Err(format!(
            "has a token of {} bytes; at most {MAX_TOKEN} are supported",
            long.len()
        ));
    }
    if vocabulary.is_array() {
        tokens.sort_unstable();
        let mut before: &str = "";
        let mut nodes = 0;
        for token in tokens {
            let both = token.bytes().zip(before.bytes());
            nodes += token.len() - both.take_while(|(a, b)| a == b).count();
            before = token;
        }
        check(nodes, MAX_TRIE_NODES, "different beginnings of tokens")?;
    }
    Ok(())
}

fn check_model(model: &Map<String, Value>) -> Result<(), String> {
    let word = model.get("max_input_chars_per_word");
    if let Some(length) = word.filter(|word| word.as_u64().is_some_and(|word| word > MAX_WORD)) {
        return Err(format!(
            "max_input_chars_per_word is {length}; at most {MAX_WORD} is supported (BERT has 100)"
        ));
    }
    for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
        check(text(model, name).len(), MAX_AFFIX, &format!("bytes in its {name}"))?;
    }
    if model.get("dropout").and_then(Value::as_f64).is_some_and(|dropout| dropout > 0.0) {
        return Err("its model has a dropout, which makes tokens random. Set it to null".to_owned());
    }
    // The crate cuts this prefix off the second token of each merge, whatever it is.
    let prefix = text(model, "continuing_subword_prefix");
    let merges = model.get("merges").and_then(Value::as_array);
    for merge in merges.into_iter().flatten().filter(|_| !prefix.is_empty()) {
        let second = match merge {
            Value::String(merge) => merge.split(' ').nth(1),
            other => other.get(1).and_then(Value::as_str),
        };
        if second.is_none_or(|second| !second.starts_with(prefix)) {
            let prefix = truncate_width(prefix, 20);
            return Err(format!("a merge has a second token without its prefix \"{prefix}\""));
        }
    }
    Ok(())
}

fn check_added(added: Option<&Value>) -> Result<(), String> {
    let added = added.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    check(added.len(), MAX_ADDED.0, "added tokens")?;
    let length = |token: &Value| token.get("content").and_then(Value::as_str).map_or(0, str::len);
    check(added.iter().map(length).sum(), MAX_ADDED.1, "bytes of added tokens")
}

/// The steps of a normalizer, pre-tokenizer, post-processor or decoder, without its sequences.
fn flatten<'j>(value: &'j Value, steps: &mut Vec<&'j Map<String, Value>>) {
    let lists = ["normalizers", "pretokenizers", "processors", "decoders"];
    let mut nested = lists.iter().filter_map(|name| value.get(name)?.as_array()).peekable();
    if nested.peek().is_some() {
        nested.flatten().for_each(|value| flatten(value, steps));
    } else {
        steps.extend(value.as_object());
    }
}

fn check_step(part: &str, step: &Map<String, Value>) -> Result<(), String> {
    if let Some(map) = step.get("precompiled_charsmap") {
        let map = map.as_str().ok_or("its precompiled_charsmap is no string")?;
        charsmap::check(map).map_err(|reason| format!("its precompiled_charsmap {reason}"))?;
    }
    let pattern = step.get("pattern").and_then(|pattern| pattern.as_object()?.values().next());
    let pattern = pattern.and_then(Value::as_str).unwrap_or_default();
    check(pattern.len(), MAX_PATTERN, &format!("bytes in a pattern of its {part}"))?;
    for name in ["prepend", "content"] {
        check(text(step, name).len(), MAX_AFFIX, &format!("bytes in a {name} of its {part}"))?;
    }
    if step.get("length").is_some_and(|length| length.as_u64() == Some(0)) {
        return Err(format!("a length in its {part} is 0"));
    }
    for name in ["single", "pair"] {
        let template = step.get(name).and_then(Value::as_array);
        let pieces = template.map_or(&[][..], Vec::as_slice);
        let known = step.get("special_tokens").and_then(Value::as_object);
        let mut ids = 0;
        for special in pieces.iter().filter_map(|piece| piece.get("SpecialToken")) {
            let id = special.get("id").and_then(Value::as_str).unwrap_or_default();
            let Some(token) = known.and_then(|known| known.get(id)) else {
                let id = truncate_width(id, 40);
                return Err(format!(
                    "the template {name} of its {part} has {id}, which is not in its special_tokens"
                ));
            };
            ids += token.get("ids").and_then(Value::as_array).map_or(0, Vec::len);
        }
        check(pieces.len().max(ids), MAX_TEMPLATE, &format!("tokens in a template of its {part}"))?;
    }
    Ok(())
}

/// The factor by which a normalizer can make a text longer, in bytes.
fn growth_of(step: &Map<String, Value>) -> usize {
    let content = text(step, "content").len();
    let literal = step.get("pattern").and_then(|pattern| pattern.get("String")?.as_str());
    match (step.get("pattern"), literal.map(str::len)) {
        (Some(_), Some(length)) if length > 0 => content.div_ceil(length).max(1),
        // A regular expression can match nothing before each character.
        (Some(_), _) => content + 1,
        (None, _) => 1,
    }
}
