//! Pairs of texts: a model is trained on them, evaluated, and predicts.

use crate::support::{TINY, json_lines, nsmc_tui, stderr, stdout};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// Rows in which only the second text tells the classes apart.
fn write_rows(file: &Path, columns: [&str; 2]) {
    let mut text = format!("{}\t{}\tlabel\n", columns[0], columns[1]);
    for row in 0..60 {
        let (second, label) = [("영화 최고", "good"), ("별로 지루", "bad")][row % 2];
        // Writing to a string cannot fail.
        let _ = writeln!(text, "남자가 잔다\t{second}\t{label}");
    }
    std::fs::write(file, text).expect("a file");
}

#[test]
fn a_model_of_pairs_is_trained_and_knows_that_it_reads_pairs() {
    let folder = tempfile::tempdir().expect("a folder");
    write_rows(&folder.path().join("nli.tsv"), ["premise", "hypothesis"]);
    let train = ["train", "--train-file", "nli.tsv", "--num-train-epochs", "6"];
    let rate = ["--learning-rate", "1e-2", "--per-device-train-batch-size", "8"];
    let run = nsmc_tui(folder.path()).args(train).args(rate).args(&TINY[6..]).assert().success();
    let text = stdout(&run);
    let note = "columns: premise and hypothesis as pairs of texts, label as labels";
    assert!(text.contains(note), "{text}");
    // Only the second text tells the classes apart.
    assert!(text.contains("'eval_accuracy': 1.0"), "{text}");

    let outputs = folder.path().join("outputs");
    let read = |name: &str| std::fs::read_to_string(outputs.join(name)).expect("a file");
    let config: Value = serde_json::from_str(&read("config.json")).expect("JSON");
    assert_eq!(config["text_columns"], serde_json::json!(["premise", "hypothesis"]));
    assert!(read("run.toml").contains("text_pair_column_name = \"hypothesis\""));
    assert!(read("README.md").contains("\"text_pair\": \""));

    let predict = |arguments: &[&str]| {
        let mut command = nsmc_tui(folder.path());
        command.args(["predict", "--json"]).args(arguments).assert()
    };
    let pairs = ["남자가 잔다 ||| 별로 지루", "남자가 잔다\t영화 최고"];
    let predictions = json_lines(&stdout(&predict(&pairs).success()));
    let labels: Vec<&Value> = predictions.iter().map(|prediction| &prediction["label"]).collect();
    assert_eq!(labels, ["bad", "good"]);
    assert_eq!(predictions[0]["text_pair"], "별로 지루");
    let single = stderr(&predict(&["남자가 잔다"]).failure());
    assert!(single.contains("\"남자가 잔다\": a pair of texts is expected"), "{single}");
    let second = predict(&["남자가 잔다 ||| 영화 최고", "남자가 잔다"]).failure();
    assert_eq!(json_lines(&stdout(&second)).len(), 1, "the pair before it is classified");
    predict(&["--text-pair=false", "남자가 잔다"]).success();

    let evaluate = |arguments: &[&str]| {
        nsmc_tui(folder.path()).args(["evaluate", "--json"]).args(arguments).assert()
    };
    let good = evaluate(&["--validation-file", "nli.tsv"]).success();
    assert!(stderr(&good).contains(note), "{}", stderr(&good));
    assert_eq!(json_lines(&stdout(&good))[0]["eval_accuracy"], 1.0);
    let single = ["--validation-file", "nli.tsv", "--text-column-name", "premise"];
    for arguments in [&[][..], &single] {
        let error = stderr(&evaluate(arguments).failure());
        let expected =
            "trained on pairs of texts (premise and hypothesis), but the evaluation rows";
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn pairs_and_single_texts_are_not_mixed() {
    let folder = tempfile::tempdir().expect("a folder");
    write_rows(&folder.path().join("pairs.tsv"), ["sentence1", "sentence2"]);
    write_rows(&folder.path().join("single.tsv"), ["text", "other"]);
    let train = |arguments: &[&str]| {
        nsmc_tui(folder.path()).arg("train").args(arguments).args(&TINY[4..]).assert()
    };
    let files = ["--train-file", "pairs.tsv", "--validation-file", "single.tsv"];
    let error = stderr(&train(&files).failure());
    assert!(error.contains("sentence1 and sentence2, but those of the evaluation rows in text."));
    // On request, one column is read alone, and the run says so.
    let alone = ["--train-file", "pairs.tsv", "--text-column-name", "sentence1"];
    let text = stdout(&train(&alone).success());
    assert!(text.contains("sentence2 is not read. For pairs of texts pass"), "{text}");
    let named = ["--train-file", "single.tsv", "--text-pair-column-name", "other"];
    let text = stdout(&train(&named).success());
    assert!(text.contains("columns: text and other as pairs of texts"), "{text}");
    // A model whose tokenizer gives token types that the model lacks, as in transformers.
    let lacks = ["--config-overrides", "type_vocab_size=1"];
    let error = stderr(&train(&[&files[..2], &lacks].concat()).failure());
    assert!(
        error.contains("type_vocab_size of 1") && error.contains("model_input_names"),
        "{error}"
    );
}
