//! Runs that look after themselves: they go back after a value that is not finite, save when a signal
//! asks for it, and continue where a job was stopped.

use crate::support::terminal::Terminal;
use crate::support::{TINY, json_lines, nsmc_tui, spawn, stderr, stdout};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// A run of 12 steps, with a checkpoint every second one, whose folder is `outputs`.
const JOB: [&str; 16] = [
    "train",
    "--json",
    "--max-train-samples",
    "96",
    "--max-eval-samples",
    "32",
    "--per-device-train-batch-size",
    "16",
    "--max-steps",
    "12",
    "--save-steps",
    "2",
    "--config-overrides",
    "hidden_size=24,intermediate_size=48,num_hidden_layers=1",
    "--resume-from-checkpoint",
    "auto",
];

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

/// The events of a run; after the first step of this number, it is sent a signal.
fn events_with_signal(child: &mut Child, at: u64, name: &str) -> Vec<Value> {
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut events: Vec<Value> = Vec::new();
    for line in lines {
        let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        if event["event"] == "step" && event["step"].as_u64() == Some(at) {
            signal(child, name);
        }
        events.push(event);
    }
    events
}

fn checkpoints(folder: &Path) -> Vec<PathBuf> {
    nsmc_tui::core::train::checkpoint::list(&folder.join("outputs"))
}

fn weights(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("outputs/model.safetensors")).expect("weights")
}

#[test]
fn a_run_whose_loss_is_nan_goes_back_with_half_the_rate_and_can_be_replayed_and_resumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = [
        ["--learning-rate", "1e15"],
        ["--lr-scheduler-type", "constant_with_warmup"],
        ["--warmup-steps", "2"],
        ["--max-grad-norm", "0"],
        ["--save-steps", "1"],
        ["--save-total-limit", "0"],
        ["--nan-policy", "rollback"],
        ["--nan-rollbacks", "30"],
    ];
    let run = nsmc_tui(folder.path())
        .args(["train", "--json"])
        .args(TINY)
        .args(flags.as_flattened())
        .assert();
    let events = json_lines(&stdout(&run));
    let back: Vec<&Value> = events.iter().filter(|event| event["event"] == "rolled_back").collect();
    assert!(!back.is_empty(), "{}", stderr(&run));
    for back in &back {
        assert!(back["step"].as_u64() < back["failed_step"].as_u64());
    }
    // Its journal is that of a run without a failed step, but for the rollbacks that remain.
    let journal = std::fs::read_to_string(folder.path().join("outputs/events.jsonl"));
    let journal = json_lines(&journal.expect("a journal"));
    let steps: Vec<u64> = journal
        .iter()
        .filter(|event| event["event"] == "step")
        .filter_map(|event| event["step"].as_u64())
        .collect();
    assert_eq!(steps, (1..=steps.len() as u64).collect::<Vec<_>>());
    assert!(journal.iter().any(|event| event["event"] == "rolled_back"));
    // What each rollback has set aside ends with the failure.
    let runs = nsmc_tui(folder.path()).args(["runs", "--json", "outputs"]).assert().success();
    let earlier: Vec<Value> = json_lines(&stdout(&runs))
        .into_iter()
        .filter(|run| run["run"].as_str().is_some_and(|name| name.starts_with("earlier-")))
        .collect();
    assert!(!earlier.is_empty());
    for run in earlier {
        assert_eq!(run["status"], "failed", "{run}");
        let failure = run["failure"].as_str().unwrap_or_default();
        assert!(failure.contains("was not finite: the run went back to step"), "{failure}");
    }
    let starts = |event: &Value| event["event"] == "started";
    assert!(starts(&journal[0]) && !journal[1..].iter().any(starts));
    assert_eq!(journal[0]["max_steps"], 6);
    let replay = |name: &str| {
        nsmc_tui(folder.path())
            .args(["replay", "--plain", "--speed", "max", name])
            .assert()
            .success()
    };
    assert!(stderr(&replay("outputs")).contains("was not finite: continued from the checkpoint"));
    // The output of train --json has the failed steps, too, and can be replayed nevertheless.
    std::fs::write(folder.path().join("run.jsonl"), stdout(&run)).expect("a file");
    assert!(stdout(&replay("run.jsonl")).contains("NaN"));
}

#[test]
fn sigterm_leaves_a_checkpoint_and_auto_continues_the_job_to_the_same_end() {
    let (whole, cut) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let mut child = spawn(whole.path(), &JOB);
    let expected = events_with_signal(&mut child, 0, "");
    assert!(child.wait().expect("an end").success());
    assert_eq!(expected[0]["resumed_at"], 0, "there is no checkpoint: it starts anew");

    let mut child = spawn(cut.path(), &JOB);
    let first = events_with_signal(&mut child, 5, "-TERM");
    assert_eq!(child.wait().expect("an end").code(), Some(128 + 15));
    let end = first.last().expect("an end");
    assert_eq!((&end["event"], &end["stopped"]), (&"finished".into(), &true.into()));
    let at = end["global_step"].as_u64().expect("a step");
    assert!((5..12).contains(&at), "it ends after the step under way: {at}");
    let last = checkpoints(cut.path()).pop().expect("a checkpoint");
    assert!(last.ends_with(format!("checkpoint-{at}")), "{last:?}");

    let mut child = spawn(cut.path(), &JOB);
    let second = events_with_signal(&mut child, 0, "");
    assert!(child.wait().expect("an end").success());
    assert_eq!(second[0]["resumed_at"].as_u64(), Some(at));
    assert!(weights(cut.path()) == weights(whole.path()), "the parameters differ");

    // A finished job stays as it is.
    let mut child = spawn(cut.path(), &JOB);
    let third = events_with_signal(&mut child, 0, "");
    assert!(child.wait().expect("an end").success());
    assert!(third[0]["notes"].to_string().contains("the run is finished"), "{}", third[0]);
}

#[test]
fn auto_skips_damaged_checkpoints_and_starts_anew_without_a_whole_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = spawn(folder.path(), &JOB);
    let first = events_with_signal(&mut child, 7, "-TERM");
    assert!(!first.is_empty() && child.wait().expect("an end").code() == Some(143));
    let damage = |checkpoint: &Path| {
        let file = checkpoint.join("optimizer.safetensors");
        let bytes = std::fs::read(&file).expect("moments");
        std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("a damaged file");
    };
    let [earlier, last] = &checkpoints(folder.path())[..] else { panic!("not two checkpoints") };
    damage(last);
    let step = nsmc_tui::core::train::checkpoint::step_of(earlier);
    let resumed = nsmc_tui(folder.path()).args(JOB).assert().success();
    let started = &json_lines(&stdout(&resumed))[0];
    assert_eq!(started["resumed_at"].as_u64(), step);
    let notes = started["notes"].to_string();
    assert!(notes.contains("is skipped by --resume-from-checkpoint auto"), "{notes}");

    for checkpoint in checkpoints(folder.path()) {
        damage(&checkpoint);
    }
    let anew = nsmc_tui(folder.path()).args(JOB).assert().success();
    let started = &json_lines(&stdout(&anew))[0];
    assert_eq!(started["resumed_at"], 0);
    assert!(started["notes"].to_string().contains("no checkpoint is whole"), "{started}");
}

#[test]
fn sigusr1_saves_a_checkpoint_and_the_run_continues() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags =
        [&JOB[..8], &JOB[12..14], &["--max-steps", "2000", "--save-steps", "100000"]].concat();
    let mut child = spawn(folder.path(), &flags);
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let (mut saved_at, mut last) = (None, 0);
    for line in lines {
        let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        match event["event"].as_str() {
            Some("step") => {
                last = event["step"].as_u64().expect("a step");
                if last == 3 {
                    signal(&child, "-USR1");
                }
                if saved_at.is_some_and(|at| last > at + 3) {
                    signal(&child, "-TERM");
                    saved_at = None;
                }
            }
            Some("checkpoint") if last < 2000 => saved_at = event["step"].as_u64(),
            _ => {}
        }
    }
    assert_eq!(child.wait().expect("an end").code(), Some(143));
    assert!(last > 6, "{last}");
    assert!(checkpoints(folder.path()).len() >= 2, "one of each signal");
}

#[test]
fn sigusr1_saves_a_checkpoint_from_the_dashboard() {
    let endless = ["--num-train-epochs", "100000", "--save-strategy", "no"];
    let flags = [&TINY[..4], &TINY[6..], &endless].concat();
    let mut terminal = Terminal::start(120, 40, &flags, &[]);
    terminal.wait_for("steps/s");
    terminal.signal("-USR1");
    terminal.wait_screen("a checkpoint", |_| !checkpoints(terminal.folder.path()).is_empty());
    let events = terminal.events();
    terminal.wait_for_events(events + 20);
    terminal.signal("-TERM");
    terminal.end(128 + 15);
}
