//! Two ranks that `mpirun` starts, compared with one process.

#![expect(clippy::expect_used, reason = "a failed test stops with a message")]

#[expect(dead_code, reason = "some of it is for other test binaries")]
#[path = "support/mod.rs"]
mod support;

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use support::{RANKS, SMALL_MODEL, json_lines, nsmc_tui, program, stdout, values_of};

fn mpirun(folder: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new("mpirun");
    command
        .args(["-n", "2", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none"])
        .arg(program())
        .args(RANKS)
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
        .args(RANKS)
        .args(["--gradient-accumulation-steps", "2"])
        .assert()
        .success();
    let one = json_lines(&stdout(&one));
    for (kind, name) in [("step", "loss"), ("evaluated", "eval_loss")] {
        let (two, one) = (values_of(&two, kind, name), values_of(&one, kind, name));
        assert!(!one.is_empty() && two.len() == one.len(), "{two:?} {one:?}");
        assert!(two.iter().zip(&one).all(|(a, b)| (a - b).abs() < 1e-5), "{two:?} {one:?}");
    }
    for name in ["eval_accuracy", "eval_f1"] {
        assert_eq!(values_of(&two, "evaluated", name), values_of(&one, "evaluated", name));
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
