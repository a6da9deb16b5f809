//! Sweeps: killed and resumed, stopped, refused, and with trials that fail.

use crate::support::{SMALL_MODEL, json_lines, nsmc_tui, program, stderr, stdout};
use nsmc_tui::run::options::{TrainOptions, run_toml};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The flags of runs of 30 steps with a tiny model, and a checkpoint every fifth step.
const TRAIN: [&str; 12] = [
    "--max-train-samples",
    "96",
    "--max-eval-samples",
    "32",
    "--per-device-train-batch-size",
    "16",
    "--max-steps",
    "30",
    "--save-steps",
    "5",
    "--config-overrides",
    "hidden_size=24,intermediate_size=48,num_hidden_layers=1",
];

/// Six trials: two rates with three seeds each.
const SWEEP: [&str; 6] =
    ["sweep", "--json", "--set", "learning_rate=1e-3,5e-3", "--set", "seed=42,1,2"];

/// Starts a sweep. Its own trials are in process groups of their own.
fn start(folder: &Path) -> Child {
    Command::new(program())
        .env(SMALL_MODEL.0, SMALL_MODEL.1)
        .current_dir(folder)
        .args([&SWEEP[..], &["--"], &TRAIN].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

/// Waits until the trial of this number has done as many steps.
fn wait_for_step(folder: &Path, trial: u32, step: u64) {
    let journal = folder.join(format!("sweeps/trial-{trial:03}/events.jsonl"));
    let expected = format!("\"event\":\"step\",\"step\":{step},");
    let began = Instant::now();
    while !std::fs::read_to_string(&journal).is_ok_and(|text| text.contains(&expected)) {
        assert!(
            began.elapsed() < Duration::from_mins(2),
            "no step {step} in {}",
            journal.display()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The process that holds the lock on the folder of a trial.
fn process_of(folder: &Path, trial: u32) -> String {
    let lock = folder.join(format!("sweeps/trial-{trial:03}/.nsmc-tui.lock"));
    let text = std::fs::read_to_string(lock).expect("a lock");
    text.split_whitespace().next().expect("a process").to_owned()
}

fn signal(name: &str, process: &str) {
    let sent = Command::new("kill").args([name, process]).status();
    assert!(sent.expect("kill runs").success());
}

/// Runs the whole sweep, and returns its table.
fn finish(folder: &Path, flags: &[&str]) -> Vec<Value> {
    let call = nsmc_tui(folder).args(flags).assert().success();
    json_lines(&stdout(&call))
}

fn weights(folder: &Path, trial: u32) -> Vec<u8> {
    let file = folder.join(format!("sweeps/trial-{trial:03}/model.safetensors"));
    std::fs::read(file).expect("weights")
}

#[test]
fn a_sweep_that_is_killed_and_resumed_ends_like_an_undisturbed_one() {
    let (whole, cut) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let (whole, cut) = (whole.path(), cut.path());
    let expected = finish(whole, &[&SWEEP[..], &["--jobs", "2", "--"], &TRAIN].concat());

    // The sweep and its trial are killed.
    let mut sweep = start(cut);
    wait_for_step(cut, 2, 8);
    sweep.kill().expect("it runs");
    signal("-KILL", &process_of(cut, 2));
    sweep.wait().expect("an end");
    // The sweep alone is killed: its trial goes to its end by itself.
    let mut sweep = start(cut);
    wait_for_step(cut, 4, 3);
    sweep.kill().expect("it runs");
    sweep.wait().expect("an end");
    // A sweep is resumed by its folder alone.
    let table = finish(cut, &["sweep", "--json", "--output-dir", "sweeps"]);
    assert_eq!(table, expected);
    assert_eq!(table.len(), 2);
    for row in &table {
        assert_eq!((&row["trials"], &row["running"]), (&3.into(), &0.into()));
        assert_eq!(row["finished"].as_array().map(Vec::len), Some(3), "{row}");
        assert!(row["mean"].as_f64() > Some(0.3) && row["half_width"].is_number());
    }
    for trial in 1..=6 {
        assert!(weights(whole, trial) == weights(cut, trial), "the weights of {trial} differ");
    }
    let journal = std::fs::read_to_string(cut.join("sweeps/trial-002/events.jsonl"));
    let resumed_at = |event: &Value| event["resumed_at"].as_u64().filter(|step| *step > 0);
    let resumed = json_lines(&journal.expect("a journal")).iter().find_map(resumed_at);
    assert_eq!(resumed, Some(5), "trial 2 continued from its checkpoint");

    // The best arguments are those of the best trial, without its folder.
    let best = run_toml::read::<TrainOptions>(&cut.join("sweeps/best.toml")).expect("best.toml");
    let rate = table[0]["settings"]["learning_rate"].as_str().expect("a rate");
    assert_eq!(best.trainer.learning_rate.map(|given| given.value), rate.parse().ok());
    assert_eq!(best.output.output_dir, None);
    // Its folder is one of ordinary runs.
    let runs = nsmc_tui(cut).args(["runs", "sweeps", "--json"]).assert().success();
    let runs = json_lines(&stdout(&runs));
    assert_eq!(runs.len(), 6);
    assert!(runs.iter().all(|run| run["status"] == "finished"));
}

#[test]
fn a_signal_stops_the_trials_with_checkpoints_and_says_how_to_continue() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let flags = [&SWEEP[..], &["--"], &TRAIN].concat();
    let sweep = Command::new(program())
        .env(SMALL_MODEL.0, SMALL_MODEL.1)
        .current_dir(folder)
        .args(&flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    wait_for_step(folder, 1, 7);
    // A second sweep of the same folder is refused.
    let second = nsmc_tui(folder).args(&flags).assert().code(2);
    assert!(
        stderr(&second).contains("sweeps: another process runs this sweep"),
        "{}",
        stderr(&second)
    );
    signal("-TERM", &sweep.id().to_string());
    let output = sweep.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(128 + 15));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("0 of 6 trials are done. Resume the sweep with:"), "{text}");
    assert!(text.trim_end().ends_with("sweep --output-dir sweeps"), "{text}");
    let trial = folder.join("sweeps/trial-001");
    let last = nsmc_tui::core::train::checkpoint::list(&trial).pop().expect("a checkpoint");
    let step = nsmc_tui::core::train::checkpoint::step_of(&last);
    assert!(step >= Some(7), "the checkpoint is of the end: {last:?}");
    assert!(!folder.join("sweeps/trial-002").exists());

    // Another plan is refused, and what differs is named.
    let other = [&SWEEP[..5], &["seed=42,1", "--", "--weight-decay", "0.1"], &TRAIN].concat();
    let refused = nsmc_tui(folder).args(other).assert().code(2);
    let text = stderr(&refused);
    assert!(text.contains("--set seed is 42,1,2 there, 42,1 now"), "{text}");
    assert!(text.contains("weight_decay is not given there, 0.1 now"), "{text}");
}

#[test]
fn a_trial_that_fails_is_named_and_does_not_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let flags = ["sweep", "--plain", "--set", "learning_rate=1e30,1e-3", "--jobs", "2", "--"];
    let train = [&TRAIN[..6], &["--max-steps", "4"], &TRAIN[10..]].concat();
    let call = nsmc_tui(folder).args(flags).args(&train).assert().success();
    let (text, notes) = (stdout(&call), stderr(&call));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "learning_rate  DONE  FAILED  EVAL_ACCURACY", "{text}");
    assert!(lines[1].starts_with("1e-3            1/1       0  0."), "{text}");
    assert_eq!(lines[2], "1e30            0/1       1  -", "{text}");
    assert!(text.contains("\nThe best: learning_rate=1e-3: eval_accuracy 0."), "{text}");
    assert!(text.contains("sweeps/best.toml") && text.contains("sweeps/trial-002"), "{text}");
    assert!(notes.contains("trial-001: learning_rate=1e30\n"), "{notes}");
    assert!(notes.contains("trial-001 failed: "), "{notes}");
    assert!(notes.contains("trial-002: eval_accuracy 0."), "{notes}");
    // The best arguments can be used.
    let again = ["train", "--config", "sweeps/best.toml", "--print-config"];
    let printed = stdout(&nsmc_tui(folder).args(again).assert().success());
    assert!(printed.contains("learning_rate = 0.001") && printed.contains("max_steps = 4"));
}

#[test]
fn what_is_invalid_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for (flags, expected) in [
        (
            &["--set", "learning_rte=1"][..],
            "unknown option learning_rte; did you mean learning_rate",
        ),
        (
            &["--set", "learning_rate=0"],
            "invalid value '0' for learning_rate: expected a number above 0",
        ),
        (&["--set", "seed=1", "--", "--learning-rte", "1"], "unexpected argument '--learning-rte'"),
        (&["--set", "seed=1", "--", "--learning-rate", "0"], "expected a number above 0"),
        (
            &["--set", "seed=1", "--", "--seed", "2"],
            "seed is given for all runs, but --set varies it",
        ),
        (
            &["--set", "seed=1", "--", "--output-dir", "x"],
            "output_dir is given for all runs, but each",
        ),
        (&["--set", "seed=1", "--", "--plain"], "--plain has no use for the runs of a sweep"),
        (&[], "there is nothing to vary"),
        (
            &["--set", "seed=1,2", "--devices", "0", "--jobs", "2"],
            "--jobs 2 needs as many --devices",
        ),
    ] {
        let call = nsmc_tui(folder).arg("sweep").args(flags).assert().code(2);
        assert!(stderr(&call).contains(expected), "{flags:?}: {}", stderr(&call));
    }
    // Arguments that contradict each other are found without starting a run.
    let flags = ["--set", "label_smoothing_factor=0,0.1", "--", "--class-weights", "balanced"];
    let call = nsmc_tui(folder).arg("sweep").args(flags).assert().failure();
    let text = stderr(&call);
    assert!(text.contains("label_smoothing_factor=0.1: --class-weights and"), "{text}");
    assert_eq!(std::fs::read_dir(folder).expect("a folder").count(), 0, "nothing was written");
    // A folder with runs is not taken for that of a new sweep.
    std::fs::create_dir_all(folder.join("sweeps/trial-001")).expect("a folder");
    let call = nsmc_tui(folder).args(["sweep", "--set", "seed=1"]).assert().code(2);
    assert!(stderr(&call).contains("has trial-001, but no sweep.toml"), "{}", stderr(&call));
}
