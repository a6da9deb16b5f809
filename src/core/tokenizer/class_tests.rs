//! Tokenizers as the classes of transformers 5.24 read them: the expected ids are Python's.

use super::fixtures::{
    TEXTS, VOCABULARY, byte_level, folder_with, ids, refusal, unigram, word_piece,
};
use super::*;
use serde_json::{Value, json};

/// A folder's tokenizer with this `tokenizer_config.json`, from either file.
fn bert(config: &Value, is_json: bool) -> std::io::Result<tempfile::TempDir> {
    let (json, config) = (word_piece().to_string(), config.to_string());
    let model = r#"{"model_type": "bert"}"#;
    let vocabulary =
        if is_json { ("tokenizer.json", json.as_str()) } else { ("vocab.txt", VOCABULARY) };
    folder_with(&[vocabulary, ("config.json", model), ("tokenizer_config.json", &config)])
}

#[test]
fn absent_options_have_the_defaults_of_the_class() -> anyhow::Result<()> {
    let default = json!([[2, 6, 7, 3], [2, 1, 3], [2, 13, 14, 3], [2, 4, 6, 3]]);
    let cased = json!([[2, 5, 8, 3], [2, 9, 3], [2, 13, 14, 3], [2, 4, 6, 3]]);
    let accents = json!([[2, 6, 8, 3], [2, 9, 3], [2, 13, 14, 3], [2, 4, 6, 3]]);
    let split = json!([[2, 6, 7, 3], [2, 1, 3], [2, 13, 14, 3], [2, 1, 1, 1, 6, 3]]);
    let first = json!([[6, 6, 7, 3], [6, 1, 3], [6, 13, 14, 3], [6, 4, 6, 3]]);
    let named = "tokenizer_class";
    for (config, expected) in [
        (json!({}), &default),
        (json!({named: "BertTokenizer"}), &default),
        (json!({named: "ElectraTokenizerFast"}), &default),
        (json!({named: "DistilBertTokenizer"}), &default),
        (json!({named: null, "strip_accents": null}), &default),
        (json!({"do_lower_case": false}), &cased),
        (json!({"strip_accents": false}), &accents),
        (json!({"split_special_tokens": true}), &split),
        (json!({"cls_token": "ab"}), &first),
    ] {
        for is_json in [false, true] {
            let folder = bert(&config, is_json)?;
            let tokenizer = Tokenizer::from_folder(folder.path())?;
            assert_eq!(json!(ids(&tokenizer, &TEXTS)?), *expected, "{config} {is_json}");
            // The saved folder is read alike, also without the model's config.json.
            let saved = tempfile::tempdir()?;
            for (name, bytes) in tokenizer.files(30)? {
                std::fs::write(saved.path().join(name), bytes)?;
            }
            let again = Tokenizer::from_folder(saved.path())?;
            assert_eq!(json!(ids(&again, &TEXTS)?), *expected, "{config} {is_json}, saved");
        }
    }
    // The generic class takes tokenizer.json as it is.
    let folder = bert(&json!({named: "PreTrainedTokenizerFast", "do_lower_case": true}), true)?;
    let tokenizer = Tokenizer::from_folder(folder.path())?;
    assert_eq!(
        json!(ids(&tokenizer, &TEXTS[..3])?),
        json!([[2, 5, 8, 3], [2, 9, 3], [2, 13, 14, 3]])
    );
    assert!(tokenizer.notes().is_empty(), "{:?}", tokenizer.notes());
    let folder = bert(&json!({named: "PreTrainedTokenizerFast"}), false)?;
    assert!(refusal(folder.path()).contains("does not read a vocab.txt"));
    Ok(())
}

#[test]
fn options_that_transformers_refuses_are_refused_by_name() -> anyhow::Result<()> {
    for (name, value) in [
        ("do_lower_case", json!(null)),
        ("do_lower_case", json!("false")),
        ("do_lower_case", json!(0)),
        ("strip_accents", json!("no")),
        ("tokenize_chinese_chars", json!(null)),
        ("truncation_side", json!(null)),
        ("truncation_side", json!("middle")),
        ("padding_side", json!(null)),
        ("model_max_length", json!("8")),
        ("model_max_length", json!(-1)),
    ] {
        for is_json in [false, true] {
            let folder = bert(&json!({name: value}), is_json)?;
            let message = refusal(folder.path());
            let expected = format!("tokenizer_config.json: {name} is {value}; ");
            assert!(message.contains(&expected), "{message}");
        }
    }
    Ok(())
}

#[test]
fn stripping_accents_from_syllables_is_said() -> anyhow::Result<()> {
    let stripped = "as in transformers, accents are stripped, which breaks Hangul into jamo";
    let folder = bert(&json!({"do_lower_case": true}), false)?;
    let notes = Tokenizer::from_folder(folder.path())?.notes().join("\n");
    assert!(notes.contains(stripped), "{notes}");
    let replaced = "BertTokenizer replaces the normalizer of tokenizer.json, with its defaults for \
                    do_lower_case, strip_accents, tokenize_chinese_chars";
    let notes = Tokenizer::from_folder(bert(&json!({}), true)?.path())?.notes().join("\n");
    assert!(notes.contains(replaced) && notes.contains(stripped), "{notes}");
    let folder = bert(&json!({"do_lower_case": true, "strip_accents": false}), false)?;
    assert!(Tokenizer::from_folder(folder.path())?.notes().is_empty());
    Ok(())
}

#[test]
fn without_a_tokenizer_config_the_file_counts_and_the_difference_is_said() -> anyhow::Result<()> {
    let json = word_piece().to_string();
    let model = r#"{"model_type": "bert"}"#;
    for vocabulary in [("tokenizer.json", json.as_str()), ("vocab.txt", VOCABULARY)] {
        let tokenizer =
            Tokenizer::from_folder(folder_with(&[vocabulary, ("config.json", model)])?.path())?;
        assert_eq!(ids(&tokenizer, &TEXTS[..2])?, [vec![2, 5, 8, 3], vec![2, 9, 3]]);
        let notes = tokenizer.notes().join("\n");
        assert!(notes.contains("there is no tokenizer_config.json"), "{notes}");
        assert!(notes.contains("break Hangul into jamo"), "{notes}");
        // What is saved says it, so that Python reads it alike.
        let files = tokenizer.files(30)?;
        let config = files.iter().find(|(name, _)| name == "tokenizer_config.json");
        let config: Value = serde_json::from_slice(config.map_or(&[][..], |(_, bytes)| bytes))?;
        assert_eq!(config["tokenizer_class"], "BertTokenizer");
        assert_eq!(config["do_lower_case"], false);
    }
    Ok(())
}

#[test]
fn other_classes_replace_the_options_of_tokenizer_json() -> anyhow::Result<()> {
    let texts = ["ab ab", "AB x<mask>"];
    let generic = json!({"tokenizer_class": "PreTrainedTokenizerFast", "cls_token": "<s>",
                         "sep_token": "</s>", "pad_token": "<pad>", "mask_token": "<mask>"});
    let (roberta, xlm) = ("RobertaTokenizer", "XLMRobertaTokenizer");
    for (json, config, model, expected) in [
        (
            byte_level(),
            json!({"tokenizer_class": roberta}),
            "roberta",
            json!([[0, 8, 9, 2], [0, 7, 4, 2]]),
        ),
        (byte_level(), json!({}), "roberta", json!([[0, 8, 9, 2], [0, 7, 4, 2]])),
        (
            byte_level(),
            json!({"tokenizer_class": "RobertaTokenizerFast", "add_prefix_space": true}),
            "roberta",
            json!([[0, 9, 9, 2], [0, 7, 7, 4, 2]]),
        ),
        (byte_level(), generic, "roberta", json!([[0, 9, 9, 2], [0, 9, 7, 3, 4, 2]])),
        (
            unigram(),
            json!({"tokenizer_class": xlm}),
            "bert",
            json!([[0, 6, 6, 2], [0, 4, 3, 4, 3, 7, 2]]),
        ),
        (unigram(), json!({}), "xlm-roberta", json!([[0, 6, 6, 2], [0, 4, 3, 4, 3, 7, 2]])),
        (
            unigram(),
            json!({"tokenizer_class": "XLMRobertaTokenizerFast", "add_prefix_space": false}),
            "bert",
            json!([[0, 5, 5, 2], [0, 3, 3, 7, 2]]),
        ),
        (
            unigram(),
            json!({"tokenizer_class": xlm, "add_prefix_space": null}),
            "bert",
            json!([[0, 5, 5, 2], [0, 3, 3, 7, 2]]),
        ),
        (
            unigram(),
            json!({"tokenizer_class": xlm, "add_prefix_space": 0}),
            "bert",
            json!([[0, 5, 5, 2], [0, 3, 3, 7, 2]]),
        ),
    ] {
        let folder = folder_with(&[
            ("tokenizer.json", &json.to_string()),
            ("config.json", &json!({"model_type": model}).to_string()),
            ("tokenizer_config.json", &config.to_string()),
        ])?;
        let tokenizer = Tokenizer::from_folder(folder.path())?;
        assert_eq!(json!(ids(&tokenizer, &texts)?), expected, "{config}");
    }
    let config = r#"{"tokenizer_class": "RobertaTokenizer", "add_prefix_space": null}"#;
    let json = byte_level().to_string();
    let folder = folder_with(&[("tokenizer.json", &json), ("tokenizer_config.json", config)])?;
    assert!(refusal(folder.path()).contains("add_prefix_space is null"));
    Ok(())
}

#[test]
fn debertas_class_replaces_the_options_of_tokenizer_json() -> anyhow::Result<()> {
    // Python: AutoTokenizer(...)(text)["input_ids"], with transformers 5.24.
    let texts = ["ab ab", "AB x[MASK]", "ab,ab", "뷁", "ab  \n ab  ", " ab"];
    let plain = [
        vec![1, 6, 6, 2],
        vec![1, 9, 4, 3, 7, 2],
        vec![1, 6, 8, 5, 2],
        vec![1, 4, 3, 2],
        vec![1, 6, 6, 2],
        vec![1, 6, 2],
    ];
    let mut split = plain.clone();
    (split[1], split[2]) = (vec![1, 6, 4, 3, 7, 2], vec![1, 6, 4, 8, 6, 2]);
    let mut scored = plain.clone();
    (scored[1], scored[3]) = (vec![1, 9, 4, 1, 7, 2], vec![1, 4, 1, 2]);
    let class = "DebertaV2Tokenizer";
    for (unknown, config, expected) in [
        (0.0, json!({"tokenizer_class": class}), &plain),
        (0.0, json!({}), &plain),
        (
            0.0,
            json!({"tokenizer_class": "DebertaV2TokenizerFast", "do_lower_case": true,
                   "split_by_punct": 1}),
            &split,
        ),
        (0.0, json!({"tokenizer_class": class, "add_prefix_space": false}), &plain),
        (0.0, json!({"tokenizer_class": class, "do_lower_case": null}), &plain),
        (-5.0, json!({"tokenizer_class": class}), &scored),
        (-5.0, json!({"tokenizer_class": class, "unk_id": 3}), &plain),
    ] {
        let mut json = unigram();
        json["post_processor"]["sep"] = json!(["[SEP]", 2]);
        json["post_processor"]["cls"] = json!(["[CLS]", 1]);
        json["model"]["vocab"] = json!([
            ["[PAD]", 0.0],
            ["[CLS]", 0.0],
            ["[SEP]", 0.0],
            ["[UNK]", unknown],
            ["▁", -2.0],
            ["ab", -3.0],
            ["▁ab", -1.0],
            ["[MASK]", 0.0],
            [",", -3.0],
            ["▁AB", -1.5]
        ]);
        for types in [0, 2] {
            let model = json!({"model_type": "deberta-v2", "type_vocab_size": types});
            let folder = folder_with(&[
                ("tokenizer.json", &json.to_string()),
                ("config.json", &model.to_string()),
                ("tokenizer_config.json", &config.to_string()),
            ])?;
            let tokenizer = Tokenizer::from_folder(folder.path())?;
            assert_eq!(ids(&tokenizer, &texts)?, *expected, "{config}");
            let pair = tokenizer.encode_pair(("ab", "ab"), 9)?;
            let kinds = if types == 0 { vec![] } else { vec![0, 0, 0, 1, 1] };
            assert_eq!((pair.ids, pair.type_ids), (vec![1, 6, 2, 6, 2], kinds), "{config}");
        }
    }
    Ok(())
}

#[test]
fn a_sentencepiece_model_alone_is_refused_with_the_line_that_converts_it() -> anyhow::Result<()> {
    let folder = folder_with(&[
        ("sentencepiece.bpe.model", "\n\u{e}"),
        ("config.json", r#"{"model_type": "xlm-roberta"}"#),
    ])?;
    let message = refusal(folder.path());
    let path = folder.path().display();
    let line = format!("T.from_pretrained('{path}').save_pretrained('{path}')");
    assert!(message.contains("sentencepiece.bpe.model: is a SentencePiece model"), "{message}");
    assert!(message.contains(&line), "{message}");
    Ok(())
}

#[test]
fn unknown_pieces_of_unigram_are_shown_as_unknown() -> anyhow::Result<()> {
    let folder = folder_with(&[
        ("tokenizer.json", &unigram().to_string()),
        ("tokenizer_config.json", r#"{"tokenizer_class": "XLMRobertaTokenizer"}"#),
    ])?;
    let encoding = Tokenizer::from_folder(folder.path())?.encode("ab 뷁", 9)?;
    // Python: convert_ids_to_tokens
    assert_eq!(encoding.tokens, ["<s>", "▁ab", "▁", "<unk>", "</s>"]);
    Ok(())
}

#[test]
fn a_class_for_another_model_is_not_used_and_this_is_said() -> anyhow::Result<()> {
    let config = json!({"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>"}).to_string();
    let folder = folder_with(&[
        ("tokenizer.json", &unigram().to_string()),
        ("config.json", r#"{"model_type": "bert"}"#),
        ("tokenizer_config.json", &config),
    ])?;
    let tokenizer = Tokenizer::from_folder(folder.path())?;
    assert_eq!(tokenizer.encode("ab", 9)?.ids, [0, 5, 2]);
    let notes = tokenizer.notes().join("\n");
    assert!(notes.contains("would read this Unigram tokenizer.json as a BertTokenizer"), "{notes}");
    let files = tokenizer.files(30)?;
    let config = files.iter().find(|(name, _)| name == "tokenizer_config.json");
    let config: Value = serde_json::from_slice(config.map_or(&[][..], |(_, bytes)| bytes))?;
    assert_eq!(config["tokenizer_class"], "PreTrainedTokenizerFast");
    Ok(())
}

#[test]
fn a_vocabulary_of_another_tokenizer_is_said() -> anyhow::Result<()> {
    let vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n▁영화\n▁최고\n▁가\n▁나\n";
    let folder = folder_with(&[("vocab.txt", vocabulary), ("tokenizer_config.json", "{}")])?;
    let tokenizer = Tokenizer::from_folder(folder.path())?;
    let notes = tokenizer.notes().join("\n");
    assert!(notes.contains("4 of the 8 tokens begin with ▁"), "{notes}");
    let ids = tokenizer.encode_ids(&["영화 최고"])?;
    let counts = tokenizer.count_unknown(ids.iter().map(Vec::as_slice));
    assert_eq!((counts.unknown, counts.tokens), (2, 2));
    let note = tokenizer.note_on_texts("the data", counts, ["영화 최고"]).unwrap_or_default();
    assert!(note.starts_with("100% of the tokens of the data are unknown ([UNK])"), "{note}");
    Ok(())
}

#[test]
fn truncation_and_length_are_those_of_the_files() -> anyhow::Result<()> {
    // Python: AutoTokenizer(...)("ab e ab Ab é", truncation=True, max_length=4)
    let text = "ab e ab Ab é";
    let side = |side: &str| json!({"do_lower_case": false, "truncation_side": side});
    for (config, expected) in [(side("right"), [2, 6, 7, 3]), (side("left"), [2, 5, 8, 3])] {
        let tokenizer = Tokenizer::from_folder(bert(&config, true)?.path())?;
        let encoding = tokenizer.encode(text, 4)?;
        assert_eq!((encoding.ids.as_slice(), encoding.tokens.len()), (&expected[..], 4));
        assert_eq!(encoding.offsets.len(), 4);
        let mut ids = tokenizer.encode_ids(&[text])?.remove(0);
        tokenizer.truncate_ids(&mut ids, 4);
        assert_eq!(ids, expected);
    }
    // The side is also in tokenizer.json.
    let mut json = word_piece();
    json["truncation"] = json!({"direction": "Left", "max_length": 4, "strategy": "LongestFirst",
                                "stride": 0});
    let folder = folder_with(&[("tokenizer.json", &json.to_string())])?;
    let tokenizer = Tokenizer::from_folder(folder.path())?;
    assert_eq!(tokenizer.encode(text, 4)?.ids, [2, 5, 8, 3]);
    for (config, expected) in [
        (json!({"model_max_length": 9}), Some(9)),
        (json!({"max_len": 9}), Some(9)),
        (json!({"model_max_length": null, "max_len": 9}), None),
        (json!({"model_max_length": 1e30}), None),
        (json!({}), None),
    ] {
        let tokenizer = Tokenizer::from_folder(bert(&config, false)?.path())?;
        assert_eq!(tokenizer.model_max_length(), expected, "{config}");
    }
    let padded = Tokenizer::from_folder(bert(&json!({"padding_side": "left"}), true)?.path())?;
    assert!(padded.notes().iter().any(|note| note.contains("padding_side is left")));
    Ok(())
}

#[test]
fn decomposed_hangul_is_composed_for_the_embedded_vocabulary_alone() -> anyhow::Result<()> {
    let composed = "최고의 영화 😀";
    let decomposed: String = unicode_normalization::UnicodeNormalization::nfd(composed).collect();
    let embedded = Tokenizer::small()?;
    let expected = embedded.encode(composed, 64)?;
    let encoding = embedded.encode(&decomposed, 64)?;
    assert_eq!(encoding.ids, expected.ids);
    assert_eq!(embedded.encode_ids(&[&decomposed])?, [expected.ids]);
    // The offsets are those of the text as it came: 최 and 고 are two jamo each, 의 too.
    assert_eq!(encoding.offsets[1], (0, 6));
    // A saved tokenizer still does it.
    let saved = tempfile::tempdir()?;
    for (name, bytes) in embedded.files(30)? {
        std::fs::write(saved.path().join(name), bytes)?;
    }
    let saved = Tokenizer::from_folder(saved.path())?;
    assert_eq!(saved.encode(&decomposed, 64)?.ids, encoding.ids);
    assert!(saved.notes().is_empty(), "{:?}", saved.notes());
    let none = UnknownTokens { unknown: 0, tokens: 4 };
    let note = saved.note_on_texts("the data", none, [&decomposed[..]]).unwrap_or_default();
    assert!(note.contains("but not by Python's tokenizer"), "{note}");
    assert_eq!(saved.note_on_texts("the data", none, [composed]), None);
    // Another one gives [UNK], as transformers does, and says so.
    let other = Tokenizer::from_folder(bert(&json!({"do_lower_case": false}), false)?.path())?;
    let text = &decomposed[..];
    let ids = other.encode_ids(&[text])?;
    let counts = other.count_unknown(ids.iter().map(Vec::as_slice));
    let note = other.note_on_texts("the data", counts, [text]).unwrap_or_default();
    assert!(note.contains("convert it to NFC"), "{note}");
    Ok(())
}
