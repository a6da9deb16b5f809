//! Compares pairs with those of transformers and of the crate.

use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use tokenizers::utils::truncation::{TruncationParams, truncate_encodings};

/// Both texts, the maximum length, the ids and the types.
type Answer = (String, String, usize, Vec<u32>, Vec<u32>);

/// A tokenizer and transformers' answers, which `tests/python/pair_fixtures.py` writes.
#[derive(Deserialize)]
struct Case {
    tokenizer: String,
    model_type: String,
    config: Value,
    pairs: Vec<Answer>,
}

fn cases() -> anyhow::Result<Vec<Case>> {
    let text = include_str!("../../../tests/reference/pairs/pairs.json");
    let json: Value = serde_json::from_str(text)?;
    Ok(serde_json::from_value(json["cases"].clone())?)
}

fn tokenizer(json: &str, model_type: &str, config: &Value) -> anyhow::Result<Tokenizer> {
    let folder = tempfile::tempdir()?;
    let model = serde_json::json!({ "model_type": model_type });
    for (name, text) in [
        ("tokenizer.json", json.to_owned()),
        ("config.json", model.to_string()),
        ("tokenizer_config.json", config.to_string()),
    ] {
        std::fs::write(folder.path().join(name), text)?;
    }
    Ok(Tokenizer::from_folder(folder.path())?)
}

#[test]
fn pairs_equal_those_of_transformers() -> anyhow::Result<()> {
    let roberta = include_str!("../../../tests/reference/pairs/roberta.json");
    let cases = cases()?;
    assert_eq!(cases.len(), 9);
    for (number, case) in cases.iter().enumerate() {
        let json = match case.tokenizer.as_str() {
            "roberta" => roberta,
            _ => super::super::SMALL,
        };
        let tokenizer = tokenizer(json, &case.model_type, &case.config)?;
        let highest = case.pairs.iter().flat_map(|pair| &pair.4).max().copied();
        assert_eq!(Some(tokenizer.highest_type()?), highest, "case {number}");
        for (first, second, length, ids, types) in &case.pairs {
            let ours = tokenizer.encode_pair((first, second), *length)?;
            let what = format!("case {number}, {first:?}, {second:?}, {length}");
            assert_eq!(&ours.ids, ids, "{what}");
            let type_ids = if types.iter().any(|&kind| kind > 0) { types.clone() } else { vec![] };
            assert_eq!(ours.type_ids, type_ids, "{what}");
            let whole = tokenizer.encode_pair((first, second), usize::MAX)?;
            assert_eq!(ours.truncated, whole.ids.len() > *length, "{what}");
            let all = tokenizer.encode_pairs(&[(first, second)], *length)?;
            assert_eq!(all, [ours], "{what}");
        }
    }
    Ok(())
}

#[test]
fn the_embedded_tokenizer_has_two_types() -> anyhow::Result<()> {
    let tokenizer = Tokenizer::small()?;
    let pair = tokenizer.encode_pair(("영화", "영화"), 9)?;
    assert_eq!(tokenizer.tokens(&pair.ids), ["[CLS]", "영화", "[SEP]", "영화", "[SEP]"]);
    assert_eq!(pair.type_ids, [0, 0, 0, 1, 1]);
    Ok(())
}

#[test]
fn xlm_robertas_and_distilberts_pairs_have_no_types() -> anyhow::Result<()> {
    // transformers 5.24: <s> A </s></s> B </s>.
    let unigram = super::super::fixtures::unigram().to_string();
    for config in
        [serde_json::json!({}), serde_json::json!({"tokenizer_class": "XLMRobertaTokenizer"})]
    {
        let tokenizer = tokenizer(&unigram, "xlm-roberta", &config)?;
        let pair = tokenizer.encode_pair(("ab", "ab ab"), 9)?;
        assert_eq!((&pair.ids[..], pair.type_ids.len()), (&[0, 6, 2, 2, 6, 6, 2][..], 0));
        assert_eq!(tokenizer.highest_type()?, 0);
    }
    // Its model ignores the types that BERT's class returns.
    for class in ["BertTokenizer", "DistilBertTokenizer"] {
        let config = serde_json::json!({"tokenizer_class": class, "do_lower_case": false});
        let tokenizer = tokenizer(super::super::SMALL, "distilbert", &config)?;
        let pair = tokenizer.encode_pair(("영화", "영화"), 9)?;
        assert_eq!(tokenizer.tokens(&pair.ids), ["[CLS]", "영화", "[SEP]", "영화", "[SEP]"]);
        assert!(pair.type_ids.is_empty() && tokenizer.highest_type()? == 0, "{class}");
    }
    Ok(())
}

#[test]
fn pairs_that_cannot_be_encoded_are_errors() -> anyhow::Result<()> {
    let error = Tokenizer::small()?.encode_pair(("a", "b"), 2).map_err(|error| error.to_string());
    assert!(error.is_err_and(|error| error.contains("3 special tokens, but at most 2")));
    // A template that lacks the second text, and one with an unknown special token.
    let mut json: Value = serde_json::from_str(super::super::SMALL)?;
    let part = |name: &str| serde_json::json!({"SpecialToken": {"id": name, "type_id": 0}});
    let first = serde_json::json!({"Sequence": {"id": "A", "type_id": 0}});
    for pair in [vec![part("[CLS]"), first.clone(), part("[SEP]")], vec![part("[NONE]"), first]] {
        let id =
            |name: &str, id: u32| serde_json::json!({"id": name, "ids": [id], "tokens": [name]});
        json["post_processor"] = serde_json::json!({
            "type": "TemplateProcessing",
            "single": [part("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, part("[SEP]")],
            "pair": pair,
            "special_tokens": {"[CLS]": id("[CLS]", 2), "[SEP]": id("[SEP]", 3)},
        });
        let config = serde_json::json!({"tokenizer_class": "PreTrainedTokenizerFast"});
        let tokenizer = tokenizer(&json.to_string(), "bert", &config);
        let error = tokenizer.map(|tokenizer| tokenizer.highest_type().map_err(|e| e.to_string()));
        // A damaged template may already be refused when the file is read.
        if let Ok(outcome) = error {
            assert!(outcome.is_err_and(|error| error.contains("does not put two texts together")));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn truncation_is_that_of_the_crate(first in 0usize..40, second in 0usize..40, room in 0usize..90) {
        let text = |len: usize| {
            let token = |id| Token::new(id, String::new(), (0, 0));
            CrateEncoding::from_tokens((0..len as u32).map(token).collect(), 0)
        };
        let params = TruncationParams { max_length: room, ..TruncationParams::default() };
        let (a, b) = truncate_encodings(text(first), Some(text(second)), &params)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let expected = [a.len(), b.map_or(0, |b| b.len())];
        prop_assert_eq!(longest_first([first, second], room), expected);
    }
}
