//! Damaged and hostile tokenizers: an error that names the file, in bounded time and memory.

use super::fixtures::{byte_level, folder_with, refusal, unigram, word_piece};
use super::*;
use serde_json::{Value, json};

/// Checks that a changed tokenizer is refused with the file's name and this reason.
fn assert_refused(mut json: Value, pointer: &str, value: Value, reason: &str) {
    *json.pointer_mut(pointer).expect("a value") = value;
    let folder = folder_with(&[("tokenizer.json", &json.to_string())]).expect("a folder");
    let message = refusal(folder.path());
    assert!(message.contains("tokenizer.json: ") && message.contains(reason), "{message}");
}

#[test]
fn damaged_tokenizers_are_refused_by_name() {
    let precompiled = |map: &str| json!({"type": "Precompiled", "precompiled_charsmap": map});
    for (json, pointer, value, reason) in [
        (
            word_piece(),
            "/post_processor/special_tokens",
            json!({}),
            "[CLS], which is not in its special_tokens",
        ),
        (
            word_piece(),
            "/normalizer",
            precompiled("/////wAAAAAAAAAAAAAAAA=="),
            "a trie of 4294967295",
        ),
        (word_piece(), "/normalizer", precompiled("가"), "not base64"),
        // A trie whose only node leads nowhere: a panic with the first character.
        (word_piece(), "/normalizer", precompiled("BAAAAP///38A"), "damaged, or unsupported"),
        (word_piece(), "/pre_tokenizer", json!({"type": "FixedLength", "length": 0}), "is 0"),
        (word_piece(), "/model/max_input_chars_per_word", json!(1_000_000), "at most 1000"),
        (word_piece(), "/model/continuing_subword_prefix", json!("#".repeat(99)), "99 bytes"),
        (word_piece(), "/model/vocab/ab", json!(4_294_967_295u32), "has the id 4294967295"),
        (word_piece(), "/model/vocab/ab", json!(-1), "has the id -1"),
        (byte_level(), "/model/dropout", json!(0.1), "dropout"),
        (byte_level(), "/model/continuing_subword_prefix", json!("##"), "without its prefix"),
        (unigram(), "/model/vocab/5/0", json!("a".repeat(2000)), "a token of 2000 bytes"),
        (
            unigram(),
            "/normalizer/normalizers",
            vec![json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}); 30]
                .into(),
            "times as long",
        ),
        (unigram(), "/normalizer/normalizers", vec![json!({"type": "NFC"}); 99].into(), "99 steps"),
        (unigram(), "/model", json!(null), "no model"),
    ] {
        assert_refused(json, pointer, value, reason);
    }
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let folder = folder_with(&[("tokenizer.json", &deep)]).expect("a folder");
    assert!(refusal(folder.path()).contains("100 levels"));
    let many = format!("[{}0]", "0,".repeat(3_000_001));
    let folder = folder_with(&[("tokenizer.json", &many)]).expect("a folder");
    assert!(refusal(folder.path()).contains("at most 3000000"));
    let flipped = include_bytes!("../../../tests/reference/hostile/tokenizer_flip.json");
    let folder = folder_with(&[]).expect("a folder");
    std::fs::write(folder.path().join("tokenizer.json"), flipped).expect("a file");
    assert!(refusal(folder.path()).contains("tokenizer.json: not JSON"));
}

#[test]
fn a_panic_while_encoding_is_an_error_that_names_the_file() -> anyhow::Result<()> {
    // The trie's node of the byte 0xf3 leads beyond its end; the probe at loading has no such byte.
    let mut trie = [0u32; 256];
    trie[0xf3] = 0xf3 | 1 << 30;
    let mut bytes = (trie.len() as u32 * 4).to_le_bytes().to_vec();
    bytes.extend(trie.iter().flat_map(|unit| unit.to_le_bytes()));
    let mut json = word_piece();
    json["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": base64(&bytes)});
    let folder = folder_with(&[("tokenizer.json", &json.to_string())])?;
    let tokenizer = Tokenizer::from_folder(folder.path())?;
    assert_eq!(tokenizer.encode("ab", 9)?.ids, [2, 6, 3]);
    let text = "a\u{e0061}";
    let one = tokenizer.encode(text, 9).map(drop);
    let many = tokenizer.encode_ids(&["ab", text]).map(drop);
    for result in [one, many] {
        let message = result.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("tokenizer.json: cannot tokenize: index out of"), "{message}");
    }
    Ok(())
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut padded = [0; 4];
        padded[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(padded);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() { digit as char } else { '=' });
        }
    }
    text
}

/// A generator of numbers that are the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Replaces one value somewhere in the JSON.
fn replace_one(json: &mut Value, draw: &mut Draw) {
    let count = match &*json {
        Value::Object(object) => object.len(),
        Value::Array(list) => list.len(),
        _ => 0,
    };
    if count == 0 || draw.below(8) == 0 {
        let values = [
            json!(null),
            json!(0),
            json!(-1),
            json!(u64::MAX),
            json!(1e300),
            json!(true),
            json!(""),
            json!("가"),
            json!("[UNK]"),
            json!("(a+)+$"),
            json!("x".repeat(300)),
            json!([]),
            json!({}),
            json!([["a", 1]]),
            json!({"type": "Sequence"}),
            json!({"Regex": "a*|"}),
            json!({"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAABhAA=="}),
            json!({"type": "Digits", "individual_digits": true}),
            json!({"type": "ByteLevel"}),
        ];
        *json = values[draw.below(values.len())].clone();
        return;
    }
    let index = draw.below(count);
    match json {
        Value::Object(object) => {
            object.values_mut().nth(index).into_iter().for_each(|value| replace_one(value, draw));
        }
        Value::Array(list) => replace_one(&mut list[index], draw),
        _ => {}
    }
}

#[test]
fn mutated_tokenizers_are_read_or_refused() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tokenizer.json");
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
    let (mut read, mut refused) = (0, 0);
    let began = std::time::Instant::now();
    for round in 0..900 {
        let mut json = [word_piece, byte_level, unigram][round % 3]();
        for _ in 0..=draw.below(3) {
            replace_one(&mut json, &mut draw);
        }
        let mut bytes = json.to_string().into_bytes();
        if round % 4 == 0 {
            let position = draw.below(bytes.len());
            bytes[position] ^= 1 << draw.below(8);
        }
        std::fs::write(&file, &bytes)?;
        match Tokenizer::from_folder(folder.path()) {
            Ok(tokenizer) => {
                read += 1;
                for text in ["최고의 영화 [MASK] aab", "\u{0}é漢\u{1112}\u{1161}"] {
                    match tokenizer.encode(text, 16) {
                        Ok(encoding) => assert!(encoding.ids.len() <= 16),
                        Err(error) => assert!(error.to_string().contains("tokenizer.json: ")),
                    }
                }
                tokenizer.files(16)?;
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("tokenizer.json: "), "{error}");
            }
        }
    }
    assert!(read > 50 && refused > 200, "{read} read, {refused} refused");
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    Ok(())
}
