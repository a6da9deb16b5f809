//! Compares the tokenizer with transformers, and reads various sets of files.

use super::fixtures::folder_with;
use super::*;

fn decompressed(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    std::io::Read::read_to_end(&mut ruzstd::decoding::StreamingDecoder::new(bytes)?, &mut out)?;
    Ok(out)
}

/// mBERT's tokenizer from a single file.
fn mbert(name: &str, compressed: &[u8]) -> anyhow::Result<Tokenizer> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join(name), decompressed(compressed)?)?;
    Ok(Tokenizer::from_folder(folder.path())?)
}

fn mbert_from_both_files() -> anyhow::Result<[Tokenizer; 2]> {
    Ok([
        mbert("vocab.txt", include_bytes!("../../../tests/reference/mbert/vocab.txt.zst"))?,
        mbert(
            "tokenizer.json",
            include_bytes!("../../../tests/reference/mbert/tokenizer.json.zst"),
        )?,
    ])
}

#[test]
fn mbert_ids_equal_those_of_transformers() -> anyhow::Result<()> {
    let reference: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/reference/tokens.json"))?;
    let cases = reference["cases"].as_array().map_or(&[][..], Vec::as_slice);
    assert!(cases.len() > 300);
    for tokenizer in mbert_from_both_files()? {
        assert_eq!(tokenizer.vocab_size(), 119_547);
        for case in cases {
            let text = case["text"].as_str().unwrap_or_default();
            let expected: Vec<u32> = serde_json::from_value(case["ids"].clone())?;
            assert_eq!(tokenizer.encode(text, usize::MAX)?.ids, expected, "{text:?}");
            assert_eq!(tokenizer.encode_ids(&[text])?[0], expected, "{text:?}");
        }
    }
    Ok(())
}

#[test]
fn sample_statistics_equal_the_reference() -> anyhow::Result<()> {
    use crate::core::data::{
        Split, labels::Classes, nsmc, sampling::SampleLimit, source::sample, summary::summarize,
    };
    let reference: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/reference/sample_2000.json"))?;
    let [tokenizer, _] = mbert_from_both_files()?;
    for (key, split) in [("train", Split::Train), ("test", Split::Test)] {
        let table = nsmc::load(split)?;
        let classes = Classes::find(&table, None, None)?;
        let sample = sample(table.rows, &classes, SampleLimit::Count(2000), 42)?;
        let ours = serde_json::to_value(summarize(&sample, &tokenizer, true)?)?;
        for name in ["positives", "longest_in_tokens", "mean_tokens", "ids"] {
            assert_eq!(ours[name], reference[key][name], "{key} {name}");
        }
        let first = &reference[key]["first"];
        assert_eq!(ours["first"]["document"], first[1]);
        assert_eq!(ours["first"]["label"].to_string(), first[2].as_str().unwrap_or_default());
    }
    Ok(())
}

#[test]
fn truncation_keeps_the_start_and_the_separator() -> Result<(), TokenizerError> {
    let tokenizer = Tokenizer::small()?;
    let whole = tokenizer.encode("재미있는 영화 였다 정말로", usize::MAX)?;
    assert!(!whole.truncated && whole.ids.len() > 4);
    let cut = tokenizer.encode("재미있는 영화 였다 정말로", 4)?;
    assert!(cut.truncated);
    assert_eq!(cut.ids[..3], whole.ids[..3]);
    assert_eq!(cut.tokens.last().map(String::as_str), Some("[SEP]"));
    assert_eq!((cut.ids.len(), cut.offsets.len()), (4, 4));
    Ok(())
}

#[test]
fn offsets_count_characters() -> Result<(), TokenizerError> {
    let encoding = Tokenizer::small()?.encode("영화 😀", 64)?;
    let (_, end) = encoding.offsets[encoding.offsets.len() - 2];
    assert_eq!(end, 4);
    Ok(())
}

#[test]
fn hangul_is_not_decomposed() -> Result<(), TokenizerError> {
    let encoding = Tokenizer::small()?.encode("영화", 64)?;
    assert_eq!(encoding.tokens, ["[CLS]", "영화", "[SEP]"]);
    Ok(())
}

#[test]
fn a_folder_without_a_tokenizer_is_an_error() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let message = Tokenizer::from_folder(folder.path())
        .map_or_else(|error| error.to_string(), |_| String::new());
    assert!(message.contains("no tokenizer.json and no vocab.txt"), "{message}");
    std::fs::write(folder.path().join("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n")?;
    let message = Tokenizer::from_folder(folder.path())
        .map_or_else(|error| error.to_string(), |_| String::new());
    assert!(message.contains("no [SEP]"), "{message}");
    Ok(())
}

/// The `tokenizer_config.json` that would be saved.
fn saved_config(tokenizer: &Tokenizer) -> anyhow::Result<serde_json::Value> {
    let files = tokenizer.files(40)?;
    let config = files.iter().find(|(name, _)| name == "tokenizer_config.json");
    let (_, bytes) = config.ok_or_else(|| anyhow::anyhow!("no tokenizer_config.json"))?;
    Ok(serde_json::from_slice(bytes)?)
}

const CASED: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nAb\nab\n";
const UNCASED: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nab\n";

#[test]
fn a_vocabulary_with_upper_case_letters_is_cased() -> anyhow::Result<()> {
    for (vocabulary, expected, lower) in [(CASED, 5, false), (UNCASED, 5, true)] {
        let folder = folder_with(&[("vocab.txt", vocabulary)])?;
        let tokenizer = Tokenizer::from_folder(folder.path())?;
        assert_eq!(tokenizer.encode("Ab", 9)?.ids, [2, expected, 3]);
        assert_eq!(saved_config(&tokenizer)?["do_lower_case"], lower);
    }
    Ok(())
}

#[test]
fn the_config_applies_to_vocab_txt_and_tokenizer_json() -> anyhow::Result<()> {
    let lower = r#"{"tokenizer_class": "BertTokenizer", "do_lower_case": true}"#;
    let folder = folder_with(&[("vocab.txt", CASED), ("tokenizer_config.json", lower)])?;
    let tokenizer = Tokenizer::from_folder(folder.path())?;
    assert_eq!(tokenizer.encode("Ab", 9)?.ids, [2, 6, 3]);
    let cased = r#"{"tokenizer_class": "BertTokenizer", "do_lower_case": false}"#;
    let json = tokenizer.to_json()?;
    let folder = folder_with(&[("tokenizer.json", &json), ("tokenizer_config.json", cased)])?;
    assert_eq!(Tokenizer::from_folder(folder.path())?.encode("Ab", 9)?.ids, [2, 5, 3]);
    // An empty config changes nothing.
    let folder = folder_with(&[("tokenizer.json", &json), ("tokenizer_config.json", "{}")])?;
    assert_eq!(Tokenizer::from_folder(folder.path())?.encode("Ab", 9)?.ids, [2, 6, 3]);
    Ok(())
}

#[test]
fn added_tokens_extend_a_vocabulary() -> anyhow::Result<()> {
    let decoder = r#"{"added_tokens_decoder": {"7": {"content": "<URL>", "special": true}}}"#;
    for (name, text) in
        [("tokenizer_config.json", decoder), ("added_tokens.json", r#"{"<URL>": 7}"#)]
    {
        let folder = folder_with(&[("vocab.txt", CASED), (name, text)])?;
        let tokenizer = Tokenizer::from_folder(folder.path())?;
        assert_eq!(tokenizer.encode("<URL>", 9)?.ids, [2, 7, 3], "{name}");
    }
    Ok(())
}

#[test]
fn a_tokenizer_without_a_config_gets_a_matching_one() -> anyhow::Result<()> {
    let config = saved_config(&Tokenizer::small()?)?;
    assert_eq!(config["tokenizer_class"], "BertTokenizer");
    assert_eq!((&config["do_lower_case"], &config["strip_accents"]), (&true.into(), &false.into()));
    // RoBERTa's special tokens.
    let json = Tokenizer::small()?.to_json()?;
    let json = json.replace("[CLS]", "<s>").replace("[SEP]", "</s>").replace("[PAD]", "<pad>");
    let folder = folder_with(&[("tokenizer.json", &json)])?;
    let roberta = Tokenizer::from_folder(folder.path())?;
    assert_eq!(roberta.encode("영화", 9)?.tokens, ["<s>", "영화", "</s>"]);
    let config = saved_config(&roberta)?;
    assert_eq!(config["tokenizer_class"], "PreTrainedTokenizerFast");
    assert_eq!((&config["cls_token"], &config["sep_token"]), (&"<s>".into(), &"</s>".into()));
    Ok(())
}
