//! Runs with class weights, R-Drop and pseudo-labels of unlabelled texts.

use crate::support::{TINY, json_lines, nsmc_tui, stderr, stdout};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// 4 epochs of 6 steps, a checkpoint every 6 steps.
const RUN: [&str; 18] = [
    "train",
    "--json",
    "--train-file",
    "train.tsv",
    "--validation-file",
    "valid.tsv",
    "--num-train-epochs",
    "4",
    "--per-device-train-batch-size",
    "8",
    "--learning-rate",
    "1e-2",
    "--logging-steps",
    "4",
    "--save-steps",
    "6",
    "--save-total-limit",
    "0",
];

const UNLABELLED: [&str; 8] = [
    "--unlabelled",
    "texts.txt",
    "--unlabelled-batch-size",
    "5",
    "--pseudo-label-warmup",
    "0.5",
    "--pseudo-label-threshold",
    "0.6",
];

const WORDS: [&str; 2] = ["최고 재미", "별로 지루"];

/// 48 training and 10 evaluation rows, three quarters of them of one class, and 40 texts: 30 of
/// their own, 5 that are training texts, 3 that are evaluation texts, and empty ones.
fn write_data(folder: &Path) {
    let files = [("train.tsv", 48), ("valid.tsv", 10)].map(|(name, rows)| {
        let mut text = "text\tlabel\n".to_owned();
        for row in 0..rows {
            let class = usize::from(row % 4 == 0);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} {row} {}\t{}", WORDS[class], ["good", "bad"][class]);
        }
        (name, text)
    });
    let mut texts = String::new();
    for row in 0..30 {
        let _ = writeln!(texts, "영화 {row} {}", WORDS[row % 2]);
    }
    for (name, rows) in [("train.tsv", 5), ("valid.tsv", 3)] {
        for row in 0..rows {
            let _ = writeln!(texts, "  {name} {row} {} ", WORDS[usize::from(row % 4 == 0)]);
        }
    }
    texts.push_str("\n\n");
    for (name, text) in &files {
        std::fs::write(folder.join(*name), text).expect("a file");
    }
    std::fs::write(folder.join("texts.txt"), texts).expect("a file");
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

#[test]
fn unlabelled_texts_are_labelled_within_the_run_and_a_resumed_run_ends_with_the_same_model() {
    let folder = tempfile::tempdir().expect("a folder");
    write_data(folder.path());
    let call = |flags: &[&str]| {
        let mut command = nsmc_tui(folder.path());
        command.args(RUN).args(&TINY[6..]).args(UNLABELLED).args(flags).assert()
    };
    let events = json_lines(&stdout(&call(&["--rdrop-alpha", "0.5"]).success()));
    let notes = of_kind(&events, "started")[0]["notes"].to_string();
    let note = "unlabelled texts: 30 of texts.txt; 8 left out that are also training or evaluation";
    assert!(notes.contains(note), "{notes}");
    assert!(notes.contains("texts.txt: read as one text per line"), "{notes}");
    let steps = of_kind(&events, "step");
    assert_eq!(steps.len(), 24);
    for step in &steps {
        assert_eq!(step["samples"], 8, "{step}");
        assert_eq!(step["pseudo_labelled"].is_f64(), step["step"].as_u64() > Some(12), "{step}");
    }
    assert!(steps.iter().any(|step| step["pseudo_labelled"].as_f64() > Some(0.0)));
    let outputs = folder.path().join("outputs");
    let read = |name: &str| std::fs::read(outputs.join(name)).expect("a file");
    let run_toml = String::from_utf8(read("run.toml")).expect("UTF-8");
    for line in ["unlabelled = \"texts.txt\"", "rdrop_alpha = 0.5", "pseudo_label_weight = 1"] {
        assert!(run_toml.contains(line), "{run_toml}");
    }
    let state = std::fs::read_to_string(outputs.join("checkpoint-24/trainer_state.json"));
    let state: Value = serde_json::from_str(&state.expect("a file")).expect("JSON");
    let logged = state["log_history"].as_array().expect("a list").iter();
    let logged: Vec<bool> = logged
        .filter(|entry| entry["loss"].is_f64())
        .map(|entry| entry["pseudo_labelled"].is_f64())
        .collect();
    assert_eq!(logged, [false, false, false, true, true, true]);

    // Steps after 18 are computed again.
    let whole = read("model.safetensors");
    let checkpoint = "outputs/checkpoint-18";
    let resume = ["--resume-from-checkpoint", checkpoint];
    let resumed = nsmc_tui(folder.path()).args(["train", "--json"]).args(resume).assert().success();
    let resumed = json_lines(&stdout(&resumed));
    assert_eq!(of_kind(&resumed, "step").len(), 6);
    assert!(read("model.safetensors") == whole, "the resumed run ends with another model");

    // Other unlabelled texts are refused.
    std::fs::write(folder.path().join("texts.txt"), "다른 문장\n").expect("a file");
    let refused = nsmc_tui(folder.path()).args(["train", "--json"]).args(resume).assert().failure();
    let message = stderr(&refused) + &stdout(&refused);
    assert!(message.contains("the unlabelled data is not that of the checkpoint"), "{message}");
}

#[test]
fn class_weights_are_noted_and_exclude_label_smoothing() {
    let folder = tempfile::tempdir().expect("a folder");
    write_data(folder.path());
    let call = |flags: &[&str]| {
        let mut command = nsmc_tui(folder.path());
        command.args(RUN).args(&TINY[6..]).args(["--class-weights", "balanced"]);
        command.args(flags).assert()
    };
    let events = json_lines(&stdout(&call(&["--max-steps", "3"]).success()));
    let notes = of_kind(&events, "started")[0]["notes"].to_string();
    // 48 / (2 × 12) and 48 / (2 × 36).
    assert!(notes.contains("class weights: bad 2.000, good 0.667"), "{notes}");
    let card = std::fs::read_to_string(folder.path().join("outputs/README.md")).expect("a file");
    assert!(card.contains("class_weights: balanced"), "{card}");
    let refused = call(&["--label-smoothing-factor", "0.1"]).failure();
    let message = stderr(&refused) + &stdout(&refused);
    assert!(message.contains("exclude each other"), "{message}");
}
