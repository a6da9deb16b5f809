//! The vocabulary of the embedded model: nothing is unknown that is written on a phone.

use super::fixtures::folder_with;
use super::{Tokenizer, TokenizerError};
use serde_json::Value;

/// The note on a text, or nothing.
fn note(tokenizer: &Tokenizer, texts: &[&str]) -> Result<String, TokenizerError> {
    let ids = tokenizer.encode_ids(texts)?;
    let counts = tokenizer.count_unknown(ids.iter().map(Vec::as_slice));
    Ok(tokenizer.note_on_input(counts, texts).unwrap_or_default())
}

/// The embedded tokenizer, and the same as it is saved and read again.
fn embedded_and_saved() -> anyhow::Result<[Tokenizer; 2]> {
    let embedded = Tokenizer::embedded()?;
    let files = embedded.files(64)?;
    let files = files.iter().map(|(name, bytes)| Ok((&name[..], std::str::from_utf8(bytes)?)));
    let folder = folder_with(&files.collect::<anyhow::Result<Vec<_>>>()?)?;
    let saved = Tokenizer::from_folder(folder.path())?;
    Ok([embedded, saved])
}

#[test]
fn ids_and_offsets_equal_those_of_transformers() -> anyhow::Result<()> {
    let reference: Value =
        serde_json::from_str(include_str!("../../../tests/reference/embedded_tokens.json"))?;
    let cases = reference["cases"].as_array().map_or(&[][..], Vec::as_slice);
    assert!(cases.len() > 20);
    for tokenizer in embedded_and_saved()? {
        for case in cases {
            let text = case["text"].as_str().unwrap_or_default();
            let encoding = tokenizer.encode(text, usize::MAX)?;
            assert_eq!(serde_json::to_value(&encoding.ids)?, case["ids"], "{text:?}");
            assert_eq!(serde_json::to_value(&encoding.offsets)?, case["offsets"], "{text:?}");
            assert_eq!(tokenizer.encode_ids(&[text])?, [encoding.ids], "{text:?}");
        }
    }
    Ok(())
}

#[test]
fn syllables_jamo_and_emoji_are_known() -> anyhow::Result<()> {
    let tokenizer = Tokenizer::embedded()?;
    assert_eq!(tokenizer.vocab_size(), 15_537);
    assert_eq!(tokenizer.encode("<mask>", 8)?.ids, [0, 13_013, 2]);
    let jamo = '\u{3131}'..='\u{3163}';
    let faces = '\u{1f600}'..='\u{1f64f}';
    let letters: Vec<String> = jamo.chain(faces).map(String::from).collect();
    let letters = letters.join(" ");
    let rare = "텄뵀팼짹삵퀭븍슁돋튐쒀냘밞봔";
    for text in [&letters[..], rare, "❤️ ♥︎ ☺️", "👨\u{200d}👩\u{200d}👧", "🌤️🏳️\u{200d}🌈", "🇰🇷"]
    {
        let ids = tokenizer.encode_ids(&[text])?;
        assert_eq!(tokenizer.count_unknown([&ids[0][..]]).unknown, 0, "{text}");
    }
    let ids = |text: &str| tokenizer.encode(text, 64).map(|encoding| encoding.ids);
    assert_eq!(ids("❤️")?, ids("❤")?);
    assert_eq!(ids("👨\u{200d}👩\u{200d}👧")?, ids("👨👩👧")?);
    Ok(())
}

#[test]
fn unknown_words_of_a_text_are_named() -> anyhow::Result<()> {
    let embedded = Tokenizer::embedded()?;
    assert_eq!(note(&embedded, &["삵 텄다 ❤️"])?, "");
    let rest = "; the model cannot tell them apart from other unknown words";
    for (texts, words) in [
        (&["펲시 ʘ"][..], "\"펲\", \"ʘ\""),
        (&["펲 펲 펲"], "\"펲\""),
        (&["펲", "ʘ"], "\"펲\", \"ʘ\""),
        (&["펲 ʘ 韊 ⴰ ꙮ ᚠ ᚢ"], "\"펲\", \"ʘ\", \"韊\", \"ⴰ\", \"ꙮ\", …"),
        (&["\u{1b}[31m\u{7}"], "\"\u{fffd}\""),
    ] {
        let note = note(&embedded, texts)?;
        assert_eq!(note, format!("not in the vocabulary: {words}{rest}"));
    }
    // In a word of WordPiece, the whole word.
    assert_eq!(
        note(&Tokenizer::small()?, &["☃ 최고"])?,
        format!("not in the vocabulary: \"☃\"{rest}")
    );
    // Decomposed Hangul is composed by NFKC.
    assert_eq!(note(&embedded, &["\u{1110}\u{1165}\u{11bb}"])?, "");
    Ok(())
}
