//! Pretraining on texts without labels: runs, resumed runs, and fine-tuning of their models.

use crate::support::{json_lines, nsmc_tui, stderr, stdout};
use serde_json::Value;
use std::path::Path;

const SMALL: [&str; 22] = [
    "pretrain",
    "--json",
    "--train-file",
    "texts.txt",
    "--validation-split",
    "0.2",
    "--max-steps",
    "8",
    "--per-device-train-batch-size",
    "8",
    "--max-tokens-per-batch",
    "60",
    "--save-steps",
    "4",
    "--logging-steps",
    "2",
    "--threads",
    "2",
    "--model-name-or-path",
    "random",
    "--config-overrides",
    "hidden_size=48,intermediate_size=96,num_hidden_layers=2,num_attention_heads=4",
];

fn write_texts(folder: &Path) {
    let lines =
        (0..120).map(|n| format!("정말 재미있는 영화 {n}번, 배우들의 연기가 {} 좋았다\n", n % 7));
    std::fs::write(folder.join("texts.txt"), lines.collect::<String>() + "\n\n").expect("texts");
}

fn run(folder: &Path, flags: &[&str]) -> Vec<Value> {
    let assert = nsmc_tui(folder).args(SMALL).args(flags).assert().success();
    json_lines(&stdout(&assert))
}

/// Copies the checkpoint of step 4 into another output folder.
fn copy_checkpoint(folder: &Path, from: &str, to: &str) {
    let [from, to] = [from, to].map(|name| folder.join(name).join("checkpoint-4"));
    std::fs::create_dir_all(&to).expect("a folder");
    for file in std::fs::read_dir(from).expect("a checkpoint") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
    }
}

fn losses(events: &[Value]) -> Vec<String> {
    let steps = events.iter().filter(|event| event["event"] == "step");
    steps.map(|step| format!("{} {} {}", step["step"], step["loss"], step["grad_norm"])).collect()
}

fn last<'a>(events: &'a [Value], kind: &str) -> &'a Value {
    events.iter().rfind(|event| event["event"] == kind).expect("an event")
}

#[test]
fn both_objectives_train_save_and_resume_bit_for_bit() {
    for (objective, class) in [("mlm", "BertForMaskedLM"), ("rtd", "BertModel")] {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        write_texts(folder);
        let events = run(folder, &["--objective", objective, "--output-dir", "whole"]);
        assert_eq!(losses(&events).len(), 8, "{events:?}");
        let evaluated = last(&events, "evaluated");
        assert!(evaluated["perplexity"].as_f64().is_some_and(|value| value > 1.0), "{evaluated}");
        let parts = last(&events, "step")["generator_loss"].as_f64();
        assert_eq!(parts.is_some(), objective == "rtd");
        assert_eq!(evaluated["eval_generator_loss"].is_number(), objective == "rtd");
        let config = std::fs::read_to_string(folder.join("whole/config.json")).expect("a config");
        assert!(config.contains(class) && !config.contains("id2label"), "{config}");
        let card = std::fs::read_to_string(folder.join("whole/README.md")).expect("a card");
        assert!(card.contains(class) && card.contains("Perplexity"), "{card}");

        copy_checkpoint(folder, "whole", "again");
        let resumed = run(folder, &["--output-dir", "again", "--resume-from-checkpoint"]);
        assert_eq!(losses(&resumed), losses(&events)[4..]);
        let weights = |name: &str| std::fs::read(folder.join(name).join("model.safetensors"));
        assert_eq!(weights("again").expect("weights"), weights("whole").expect("weights"));

        let train = [
            "train",
            "--plain",
            "--model-name-or-path",
            "whole",
            "--max-train-samples",
            "32",
            "--max-eval-samples",
            "16",
            "--max-steps",
            "2",
            "--output-dir",
            "tuned",
        ];
        let assert = nsmc_tui(folder).args(train).assert().success();
        let text = stdout(&assert) + &stderr(&assert);
        let note = text.lines().find(|line| line.contains("not in the weights")).expect("a note");
        assert!(!note.contains("encoder"), "{note}");
        assert!(!text.contains("generator."), "{text}");
    }
}

#[test]
fn runs_in_bfloat16_resume_bit_for_bit() {
    for objective in ["mlm", "rtd"] {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        write_texts(folder);
        // A processor without the instructions computes in float32.
        let flags = ["--objective", objective, "--bf16", "--device", "cpu"];
        let whole = losses(&run(folder, &[&flags[..], &["--output-dir", "whole"]].concat()));
        copy_checkpoint(folder, "whole", "again");
        let resumed = ["--output-dir", "again", "--resume-from-checkpoint"];
        let resumed = losses(&run(folder, &[&flags[..], &resumed].concat()));
        assert_eq!(resumed, whole[4..]);
        let weights = |name: &str| std::fs::read(folder.join(name).join("model.safetensors"));
        assert!(weights("again").expect("weights") == weights("whole").expect("weights"));
    }
}

#[test]
fn the_settings_of_a_generator_and_the_pooling_are_printed_and_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write_texts(folder);
    let shape = &SMALL[18..];
    let printed = |objective: &str| {
        let flags = ["pretrain", "--print-config", "--train-file", "texts.txt"];
        let mut command = nsmc_tui(folder);
        command.args(flags).args(shape).args(["--objective", objective]);
        stdout(&command.assert().success())
    };
    let text = printed("rtd");
    assert!(text.contains("generator_layers = 1"), "{text}");
    assert!(text.contains("generator_size = 12"), "{text}");
    assert!(!printed("mlm").contains("generator_size"));
    assert!(!text.contains("pooling"), "{text}");

    let train = ["train", "--plain", "--max-train-samples", "16", "--max-eval-samples", "8"];
    let rest = ["--max-steps", "2", "--save-steps", "1", "--save-strategy", "steps"];
    let train = |flags: &[&str]| {
        let mut command = nsmc_tui(folder);
        command.args(train).args(rest).args(shape).args(flags);
        command.assert()
    };
    train(&[]).success();
    std::fs::remove_dir_all(folder.join("outputs/checkpoint-2")).expect("a checkpoint");
    let resume = &["--resume-from-checkpoint", "--pooling"][..];
    let refused = stderr(&train(&[resume, &["mean"]].concat()).failure());
    assert!(refused.contains("--pooling mean: the run has cls"), "{refused}");
    train(&[resume, &["cls"]].concat()).success();
}

#[test]
fn texts_of_tables_are_read_without_labels_and_bad_input_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write_texts(folder);
    let rows: Vec<String> = (0..60).map(|n| format!("{n},\"영화 {n}, 좋다\"")).collect();
    let rows = rows.join("\n");
    std::fs::write(folder.join("t.csv"), format!("number,comment\n{rows}\n")).expect("a file");
    let table = ["--train-file", "t.csv", "--text-column-name", "comment", "--max-steps", "1"];
    let rest = &SMALL[4..];
    let command = |flags: &[&str]| {
        let mut command = nsmc_tui(folder);
        command.args(["pretrain", "--plain"]).args(rest.iter().skip(4)).args(flags);
        command
    };
    let assert = command(&table[..4]).assert().success();
    assert!(
        stdout(&assert).contains("57 training and 3 evaluation samples"),
        "{}",
        stdout(&assert)
    );

    std::fs::write(folder.join("bad.txt"), b"gut\nschlecht \xff\n").expect("a file");
    for (flags, expected) in [
        (&["--train-file", "bad.txt"][..], "bad.txt:2: invalid UTF-8"),
        (&["--train-file", "texts.txt", "--ops", "reference"], "leave out --ops reference"),
        (&["--train-file", "texts.txt", "--label-smoothing-factor", "0.1"], "is for classifiers"),
        (
            &["--train-file", "texts.txt", "--objective", "rtd", "--generator-size", "13"],
            "--generator-size",
        ),
    ] {
        let message = stderr(&command(flags).assert().failure());
        assert!(message.contains(expected), "{message}");
    }
    let stray = nsmc_tui(folder).arg("train").env("NSMC_TUI_MLM_PROBABILITY", "0.2").assert();
    assert!(stderr(&stray.code(2)).contains("mlm_probability is an option of nsmc-tui pretrain"));
}
