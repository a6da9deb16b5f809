//! Runs that are killed at any moment and resumed from their checkpoints.

use crate::support::{SMALL_MODEL, nsmc_tui, program, spawn, stderr};
use nsmc_tui::core::data::sampling::Generator;
use nsmc_tui::core::engine::EngineOptions;
use nsmc_tui::core::model::{ModelConfig, folder};
use nsmc_tui::core::train::Checkpoint;
use nsmc_tui::core::train::checkpoint::{list, step_of};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A small model on 96 samples: 6 steps an epoch.
const SMALL: [&str; 14] = [
    "train",
    "--json",
    "--max-train-samples",
    "96",
    "--max-eval-samples",
    "32",
    "--num-train-epochs",
    "3",
    "--per-device-train-batch-size",
    "16",
    "--logging-steps",
    "4",
    "--config-overrides",
    "hidden_size=48,intermediate_size=96,num_hidden_layers=1",
];

fn start(folder: &Path, flags: &[&str]) -> Child {
    spawn(folder, &[&SMALL, flags].concat())
}

fn events(child: &mut Child) -> impl Iterator<Item = Value> + use<> {
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    lines.map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok())
}

/// Runs to the end and returns the events.
fn run(folder: &Path, flags: &[&str]) -> Vec<Value> {
    let mut child = start(folder, flags);
    let events: Vec<Value> = events(&mut child).collect();
    assert!(child.wait().expect("an end").success(), "{events:?}");
    events
}

/// Steps, epochs and evaluations, without times.
fn metrics(events: &[Value]) -> Vec<Value> {
    let kinds = ["step", "epoch", "evaluated"];
    let mut metrics: Vec<Value> = events
        .iter()
        .filter(|event| kinds.contains(&event["event"].as_str().unwrap_or_default()))
        .cloned()
        .collect();
    for event in metrics.iter_mut().filter_map(Value::as_object_mut) {
        for time in ["elapsed", "eval_runtime", "eval_samples_per_second"] {
            event.remove(time);
        }
    }
    metrics
}

fn journal(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("outputs/events.jsonl")).expect("a journal");
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn weights(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("outputs/model.safetensors")).expect("weights")
}

/// Loads all parts of a checkpoint, as resuming does.
fn load(checkpoint: &Path) {
    let config = ModelConfig::read(&checkpoint.join("config.json"), &[]).expect("a config");
    let (model, report) = folder::load(checkpoint, config, false, 1).expect("a model");
    assert!(report.missing.is_empty() && report.unexpected.is_empty(), "{report:?}");
    let state = Checkpoint::read(checkpoint).expect("a state");
    let settings = nsmc_tui::core::ops::AdamWSettings {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
    };
    let mut engine =
        nsmc_tui::core::engine::build(&model, &EngineOptions::default()).expect("an engine");
    engine.begin_training(settings, true).expect("enough memory");
    state.restore(&model, engine.as_mut()).expect("moments");
    assert_eq!(engine.moments().expect("moments").steps, state.run.progress.step);
}

#[test]
fn a_killed_and_resumed_run_equals_an_uninterrupted_one() {
    let (whole, cut) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let saving = ["--save-steps", "4", "--save-total-limit", "3", "--learning-rate", "1e-3"];
    let expected = run(whole.path(), &saving);

    // Killed twice: in the first epoch, and again after it was resumed.
    let mut child = start(cut.path(), &saving);
    for event in events(&mut child) {
        if event["event"] == "step" && event["step"] == 6 {
            child.kill().expect("a kill");
        }
    }
    assert!(!child.wait().expect("an end").success());
    // All other settings are in the run's run.toml.
    let resume = |kill_at: Option<u64>| {
        let mut child = Command::new(program())
            .env(SMALL_MODEL.0, SMALL_MODEL.1)
            .current_dir(cut.path())
            .args(["train", "--json", "--resume-from-checkpoint"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut reported = Vec::new();
        for event in events(&mut child) {
            if event["event"] == "step" && event["step"].as_u64() == kill_at {
                child.kill().expect("a kill");
            }
            reported.push(event);
        }
        child.wait().expect("an end");
        reported
    };
    let second = resume(Some(11));
    assert_eq!(second[0]["resumed_at"], 4);
    assert_eq!(second[1]["step"], 5, "it resumes in the middle of an epoch");
    let third = resume(None);
    assert_eq!(third[0]["resumed_at"], 8);
    assert_eq!(third.last().expect("an end")["event"], "finished");

    assert!(weights(cut.path()) == weights(whole.path()), "the parameters differ");
    let journal = metrics(&journal(cut.path()));
    assert_eq!(journal, metrics(&expected), "the journal has no gap and no overlap");
    let state = |folder: &Path| -> Value {
        let text = std::fs::read_to_string(folder.join("outputs/trainer_state.json"));
        serde_json::from_str(&text.expect("a state")).expect("JSON")
    };
    let steps = |state: &Value| -> Vec<Value> {
        let history = state["log_history"].as_array().cloned().unwrap_or_default();
        history.iter().map(|entry| serde_json::json!([entry["step"], entry["loss"]])).collect()
    };
    assert_eq!(steps(&state(cut.path())), steps(&state(whole.path())));
}

#[test]
fn a_run_killed_at_any_moment_leaves_complete_checkpoints_only() {
    let mut random = Generator::new(20_261_123);
    let mut resumed = 0;
    for round in 0..24 {
        let folder = tempfile::tempdir().expect("a folder");
        // A checkpoint after every step, so that most of the time is spent saving.
        let mut child = start(folder.path(), &["--save-steps", "1", "--max-steps", "1000"]);
        let announced = {
            let stdout = events(&mut child);
            std::thread::spawn(move || {
                let saved = stdout.filter(|event| event["event"] == "checkpoint");
                saved.filter_map(|event| event["step"].as_u64()).last()
            })
        };
        let outputs = folder.path().join("outputs");
        while list(&outputs).is_empty() {
            assert!(child.try_wait().expect("a status").is_none(), "the run ended by itself");
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_micros(u64::from(random.next_u32() % 150_000)));
        child.kill().expect("a kill");
        child.wait().expect("an end");
        let announced = announced.join().expect("a count");

        let left = list(&outputs);
        assert!(!left.is_empty() && left.len() <= 3, "round {round}: {left:?}");
        for checkpoint in &left {
            load(checkpoint);
        }
        if let Some(step) = announced {
            let last = left.last().expect("the last");
            assert!(step_of(last) >= Some(step), "round {round}: {last:?} after {step}");
        }
        if round % 6 == 0 {
            // Resumed from the last checkpoint, a few steps before the new end.
            let last = left.last().and_then(|last| step_of(last)).expect("a step");
            let end = (last + 2).to_string();
            let events = run(folder.path(), &["--resume-from-checkpoint", "--max-steps", &end]);
            assert!(events[0]["resumed_at"].as_u64() > Some(0));
            resumed += 1;
            let unfinished = std::fs::read_dir(&outputs).expect("a folder").flatten();
            let names = unfinished.map(|entry| entry.file_name().to_string_lossy().into_owned());
            let names: Vec<String> = names.filter(|name| name.starts_with(".unfinished")).collect();
            assert_eq!(names, [""; 0], "unfinished checkpoints are removed");
        }
    }
    assert_eq!(resumed, 4);
}

#[test]
fn a_new_run_moves_the_checkpoints_of_the_previous_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let short = ["--max-steps", "2", "--save-steps", "2"];
    run(folder.path(), &short);
    let events = run(folder.path(), &short);
    let notes = events[0]["notes"].to_string();
    assert!(notes.contains("moved to outputs/earlier"), "{notes}");
    assert_eq!(list(&folder.path().join("outputs")).len(), 1);
    let earlier = folder.path().join("outputs/earlier-1");
    load(&list(&earlier)[0]);
    let resume = ["train", "--plain", "--output-dir", "empty", "--resume-from-checkpoint"];
    let error = stderr(&nsmc_tui(folder.path()).args(resume).assert().code(1));
    assert!(error.contains("empty: no checkpoint in it to resume from"), "{error}");
}
