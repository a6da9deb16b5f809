//! Small tokenizers for tests.

use super::{Tokenizer, TokenizerError};
use serde_json::{Value, json};
use std::path::Path;

/// A vocabulary with upper and lower case, an accent, Hangul syllables and Hanja.
pub(super) const VOCABULARY: &str =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nAb\nab\ne\né\n영화\n영\n##화\n漢字\n漢\n字\n##字\n";

/// The texts whose ids tests compare.
pub(super) const TEXTS: [&str; 4] = ["Ab é", "영화", "漢字", "[MASK] ab"];

fn tokenizer(parts: [(&str, Value); 4]) -> Value {
    let mut json = json!({"version": "1.0", "truncation": null, "padding": null,
                          "added_tokens": [], "decoder": null});
    for (name, part) in parts {
        json[name] = part;
    }
    json
}

/// A cased WordPiece tokenizer of [`VOCABULARY`] that keeps accents.
pub(super) fn word_piece() -> Value {
    let vocabulary: serde_json::Map<String, Value> =
        VOCABULARY.lines().enumerate().map(|(id, token)| (token.to_owned(), json!(id))).collect();
    tokenizer([
        (
            "normalizer",
            json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                   "strip_accents": false, "lowercase": false}),
        ),
        ("pre_tokenizer", json!({"type": "BertPreTokenizer"})),
        (
            "post_processor",
            json!({"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                           {"Sequence": {"id": "A", "type_id": 0}},
                           {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
                "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                         {"Sequence": {"id": "A", "type_id": 0}},
                         {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
                         {"Sequence": {"id": "B", "type_id": 1}},
                         {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
                "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                                   "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}}),
        ),
        (
            "model",
            json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                   "max_input_chars_per_word": 100, "vocab": vocabulary}),
        ),
    ])
}

/// A byte-level BPE tokenizer whose options differ from those of `RobertaTokenizer`.
pub(super) fn byte_level() -> Value {
    tokenizer([
        ("normalizer", json!({"type": "Lowercase"})),
        (
            "pre_tokenizer",
            json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
                   "use_regex": true}),
        ),
        (
            "post_processor",
            json!({"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
                   "trim_offsets": true, "add_prefix_space": true}),
        ),
        (
            "model",
            json!({"type": "BPE", "dropout": null, "unk_token": "<unk>",
                "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true,
                "byte_fallback": false, "ignore_merges": false,
                "vocab": {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, "a": 5, "b": 6,
                          "Ġ": 7, "ab": 8, "Ġab": 9},
                "merges": ["a b", "Ġ ab"]}),
        ),
    ])
}

/// A Unigram tokenizer whose options differ from those of `XLMRobertaTokenizer`. Its map of
/// characters has a trie of one empty node.
pub(super) fn unigram() -> Value {
    tokenizer([
        (
            "normalizer",
            json!({"type": "Sequence", "normalizers": [
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
                {"type": "Lowercase"}]}),
        ),
        ("pre_tokenizer", json!({"type": "WhitespaceSplit"})),
        ("post_processor", byte_level()["post_processor"].clone()),
        (
            "model",
            json!({"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": [
                ["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁", -2.0],
                ["ab", -3.0], ["▁ab", -1.0], ["<mask>", 0.0]]}),
        ),
    ])
}

/// A folder with these files.
pub(super) fn folder_with(files: &[(&str, &str)]) -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text)?;
    }
    Ok(folder)
}

/// The error of reading a folder, or nothing.
pub(super) fn refusal(folder: &Path) -> String {
    Tokenizer::from_folder(folder).map_or_else(|error| error.to_string(), |_| String::new())
}

/// The ids of texts.
pub(super) fn ids(tokenizer: &Tokenizer, texts: &[&str]) -> Result<Vec<Vec<u32>>, TokenizerError> {
    texts.iter().map(|text| Ok(tokenizer.encode(text, usize::MAX)?.ids)).collect()
}
