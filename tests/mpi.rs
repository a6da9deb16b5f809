//! Two ranks that `mpirun` starts, compared with one process.

#![expect(clippy::expect_used, reason = "a failed test stops with a message")]

#[expect(dead_code, reason = "some of it is for other test binaries")]
#[path = "support/mod.rs"]
mod support;

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use support::{SMALL_MODEL, json_lines, nsmc_tui, program, stdout};

/// A small model with dropout, 100 samples, batches of 8.
const SMALL: [&str; 16] = [
    "train",
    "--json",
    "--max-train-samples",
    "100",
    "--max-eval-samples",
    "45",
    "--num-train-epochs",
    "2",
    "--per-device-train-batch-size",
    "8",
    "--bf16",
    "false",
    "--threads",
    "1",
    "--config-overrides",
    "hidden_size=24,intermediate_size=48,num_hidden_layers=1",
];

fn of(events: &[Value], kind: &str, name: &str) -> Vec<f64> {
    let events = events.iter().filter(|event| event["event"] == kind);
    events.filter_map(|event| event[name].as_f64()).collect()
}

fn mpirun(folder: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new("mpirun");
    command
        .args(["-n", "2", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none"])
        .arg(program())
        .args(SMALL)
        .args(flags)
        .current_dir(folder)
        .env(SMALL_MODEL.0, SMALL_MODEL.1)
        .stdin(Stdio::null());
    command
}

#[test]
fn two_ranks_have_the_losses_and_the_metrics_of_one_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = mpirun(folder.path(), &["--output-dir", "two"]).output().expect("mpirun");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let two = json_lines(&String::from_utf8(output.stdout).expect("UTF-8"));
    let one = nsmc_tui(folder.path())
        .args(SMALL)
        .args(["--gradient-accumulation-steps", "2"])
        .assert()
        .success();
    let one = json_lines(&stdout(&one));
    for (kind, name) in [("step", "loss"), ("evaluated", "eval_loss")] {
        let (two, one) = (of(&two, kind, name), of(&one, kind, name));
        assert!(!one.is_empty() && two.len() == one.len(), "{two:?} {one:?}");
        assert!(two.iter().zip(&one).all(|(a, b)| (a - b).abs() < 1e-5), "{two:?} {one:?}");
    }
    for name in ["eval_accuracy", "eval_f1"] {
        assert_eq!(of(&two, "evaluated", name), of(&one, "evaluated", name));
    }
    let world_size = two[0]["settings"].as_array().expect("settings").iter();
    let world_size = world_size.clone().find(|setting| setting["name"] == "world_size");
    assert_eq!(world_size.map(|setting| &setting["why"]), Some(&Value::from("mpirun")));
}

#[test]
fn a_rank_that_fails_ends_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = mpirun(folder.path(), &["--train-file", "missing.tsv"]).output().expect("mpirun");
    assert!(!output.status.success());
    // mpirun ends all once the first has ended, so that rank 0 may not say it any more.
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("missing.tsv: No such file"), "{said}");
}
