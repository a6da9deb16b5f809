//! Data files and their labels, from the command line.

use crate::support::{TINY, json_lines, nsmc_tui, stderr, stdout};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn reference(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/data");
    folder.join(name).display().to_string()
}

/// Writes a file in the folder.
fn write(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, content).expect("a file");
    file
}

/// Class names in another order in the validation file, and a loss with label smoothing.
#[test]
fn training_and_evaluate_give_one_accuracy_and_one_loss() {
    let folder = tempfile::tempdir().expect("a folder");
    let (train, valid) =
        (reference("class_order_train.parquet"), reference("class_order_valid.parquet"));
    let learnt = ["--num-train-epochs", "20", "--learning-rate", "1e-2", "--recipe", "native"];
    let batch = ["--per-device-train-batch-size", "8", "--label-smoothing-factor", "0.2"];
    let files = ["--train-file", &*train, "--validation-file", &*valid];
    let flags = [&["train"], &learnt[..], &batch, &TINY[6..], &files].concat();
    nsmc_tui(folder.path()).args(flags).assert().success();
    let state = std::fs::read(folder.path().join("outputs/trainer_state.json")).expect("a file");
    let state: Value = serde_json::from_slice(&state).expect("JSON");
    let entries = state["log_history"].as_array().expect("a list");
    let last = entries.iter().rev().find(|entry| entry["eval_loss"].is_number());
    let last = last.expect("an evaluation");
    let evaluate = |more: &[&str]| {
        let flags = ["evaluate", "--json", "--validation-file", &*valid];
        let done = nsmc_tui(folder.path()).args(flags).args(more).assert().success();
        (json_lines(&stdout(&done)).remove(0), stderr(&done))
    };
    let loss = |metrics: &Value| metrics["eval_loss"].as_f64().expect("a number");
    let (metrics, notes) = evaluate(&[]);
    assert_eq!(metrics["eval_accuracy"], last["eval_accuracy"]);
    assert_eq!(metrics["eval_accuracy"], 1.0);
    assert!((loss(&metrics) - loss(last)).abs() < 1e-6, "{metrics} {last}");
    assert!(notes.contains("label smoothing of the training, 0.2"), "{notes}");
    let (plain, notes) = evaluate(&["--label-smoothing-factor", "0"]);
    assert!((loss(&plain) - loss(last)).abs() > 1e-3 && !notes.contains("smoothing"), "{notes}");
}

#[test]
fn an_unknown_label_is_an_error_and_not_a_synonym() {
    let folder = tempfile::tempdir().expect("a folder");
    let train = "text,label\n좋다,최고\n그냥,보통\n싫다,별로\n와,최고\n음,보통\n윽,별로\n";
    let valid = "text,label\n좋다,최고\n싫다,나쁨\n윽,부정\n";
    write(folder.path(), "train.csv", train.as_bytes());
    write(folder.path(), "valid.csv", valid.as_bytes());
    let files = ["train", "--train-file", "train.csv", "--validation-file", "valid.csv"];
    let message = stderr(&nsmc_tui(folder.path()).args(files).args(TINY).assert().code(1));
    let expected =
        "valid.csv:3: the row has the label \"나쁨\", but the classes are 별로, 보통, 최고";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn how_files_were_read_and_what_was_left_out_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = "text\tlabel\n\"그는 \"\"최고\"\"라고\"\t1\n별로\t0\n음\tNaN\n윽\t-0\n와\t+1\n";
    write(folder.path(), "rows.tsv", rows.as_bytes());
    let ask = |more: &[&str]| {
        let flags = ["data", "--train-file", "rows.tsv", "--validation-split", "0.5"];
        nsmc_tui(folder.path()).args(flags).args(more).assert()
    };
    let message = stderr(&ask(&[]).code(1));
    assert!(message.contains("rows.tsv:4: the label is missing (pandas reads NaN"), "{message}");
    let told = ask(&["--skip-bad-rows"]).success();
    let notes = stderr(&told);
    assert!(notes.contains("note: rows.tsv: read with quoted fields"), "{notes}");
    assert!(notes.contains("note: left out: rows.tsv:4: the label is missing"), "{notes}");
    assert!(notes.contains("bad rows left out: 1"), "{notes}");
    let text = stdout(&told);
    assert!(text.contains("그는 \"최고\"라고") && text.contains("LABEL_1"), "{text}");
    let raw = ask(&["--skip-bad-rows", "--quoting", "none"]).success();
    assert!(stdout(&raw).contains("\"그는 \"\"최고\"\"라고\""), "{}", stdout(&raw));
    assert!(stderr(&raw).contains("rows.tsv: read without quoting"), "{}", stderr(&raw));
    // The choice is kept in run.toml.
    let flags = ["train", "--train-file", "rows.tsv", "--quoting", "all", "--print-config"];
    let config = stdout(&nsmc_tui(folder.path()).args(flags).assert().success());
    assert!(config.contains("quoting = \"all\""), "{config}");
}

#[test]
fn a_damaged_parquet_file_prints_one_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let panic = reference("panic.parquet");
    let flags = ["data", "--train-file", &*panic];
    let message = stderr(&nsmc_tui(folder.path()).args(flags).assert().code(1));
    assert!(message.starts_with("error: ") && message.lines().count() == 1, "{message}");
    assert!(message.contains("panic.parquet: a damaged Parquet file ("), "{message}");
}

#[test]
fn a_long_line_of_standard_input_is_not_called_invalid_utf8() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = nsmc_tui(folder.path());
    let long = "가".repeat(500_000);
    let message = stderr(&command.arg("tokenize").write_stdin(long).assert().code(1));
    assert!(message.contains("standard input:1: a line longer than 1048576 bytes"), "{message}");
}
