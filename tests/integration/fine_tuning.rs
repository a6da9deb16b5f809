//! Aids for fine-tuning: rates of layers, an average of the weights, newly initialized layers and
//! early stopping.

use crate::support::{json_lines, nsmc_tui, stderr, stdout};
use assert_cmd::assert::Assert;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A small model: 6 steps an epoch, 24 in all, an evaluation and a checkpoint every 3.
const SMALL: [&str; 20] = [
    "train",
    "--max-train-samples",
    "96",
    "--max-eval-samples",
    "32",
    "--num-train-epochs",
    "4",
    "--per-device-train-batch-size",
    "16",
    "--eval-strategy",
    "steps",
    "--eval-steps",
    "3",
    "--save-steps",
    "3",
    "--learning-rate",
    "1e-3",
    "--config-overrides",
    "hidden_size=24,intermediate_size=48,num_hidden_layers=2",
    "--plain",
];

fn run(folder: &Path, flags: &[&str]) -> Assert {
    let mut command = nsmc_tui(folder);
    command.args(flags).timeout(Duration::from_mins(2)).assert()
}

fn train(folder: &Path, flags: &[&str]) -> Assert {
    run(folder, &[&SMALL[..], flags].concat())
}

/// The last event of the journal.
fn last_event(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("outputs/events.jsonl")).expect("a journal");
    json_lines(&text).pop().expect("an event")
}

/// No evaluation after the first one improves by enough.
const NEVER_BETTER: [&str; 4] = [
    "--metric-for-best-model=loss",
    "--early-stopping-patience=2",
    "--early-stopping-threshold=7.5",
    "--save-total-limit=0",
];

#[test]
fn a_run_ends_early_and_is_finished_until_the_patience_is_larger() {
    let folder = tempfile::tempdir().expect("a folder");
    let done = train(folder.path(), &NEVER_BETTER).success();
    let line = "finished at step 9: evaluations in a row without a better eval_loss: 2; best ";
    assert!(stdout(&done).contains(line), "{}", stdout(&done));
    assert!(!stdout(&done).contains("Resume with"), "{}", stdout(&done));
    let note = "note: early stopping without --load-best-model-at-end";
    assert!(stdout(&done).contains(note), "{}", stdout(&done));
    let end = last_event(folder.path());
    assert_eq!((&end["event"], &end["stopped"]), (&"finished".into(), &false.into()), "{end}");
    assert_eq!(
        (&end["global_step"], &end["early_stopping"]["evaluations"]),
        (&9.into(), &2.into())
    );

    let state = std::fs::read_to_string(folder.path().join("outputs/trainer_state.json"));
    let state: Value = serde_json::from_str(&state.expect("a state")).expect("JSON");
    let callback = &state["stateful_callbacks"]["EarlyStoppingCallback"];
    assert_eq!(callback["args"]["early_stopping_patience"], 2);
    assert_eq!(callback["args"]["early_stopping_threshold"], 7.5);
    assert_eq!(callback["attributes"]["early_stopping_patience_counter"], 2);

    let again = run(folder.path(), &["train", "--plain", "--resume-from-checkpoint"]).success();
    let note = "the run is finished, so nothing of it is changed. Pass a larger \
                --early-stopping-patience, or 0, to train further";
    assert!(stdout(&again).contains(note), "{}", stdout(&again));
    assert!(stdout(&again).contains(line), "{}", stdout(&again));

    let more = ["train", "--plain", "--resume-from-checkpoint", "--early-stopping-patience", "4"];
    let further = run(folder.path(), &more).success();
    let line = "finished at step 15: evaluations in a row without a better eval_loss: 4";
    assert!(stdout(&further).contains(line), "{}", stdout(&further));

    let replay = run(folder.path(), &["replay", "--plain", "outputs"]).success();
    assert!(stdout(&replay).contains(line), "{}", stdout(&replay));
}

#[test]
fn early_stopping_without_a_metric_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = train(folder.path(), &["--early-stopping-patience", "2"]).failure();
    let message = "--early-stopping-patience needs --metric-for-best-model";
    assert!(stderr(&refused).contains(message), "{}", stderr(&refused));
}

#[test]
fn the_saved_model_is_the_average_and_a_run_starts_from_it_with_new_layers() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = ["--ema-decay=0.95", "--layerwise-lr-decay=0.8", "--max-steps=9"];
    train(folder.path(), &options).success();
    let outputs = folder.path().join("outputs");
    let read = |name: &str| std::fs::read(outputs.join(name)).expect("a file");
    assert!(read("model.safetensors") == read("checkpoint-9/model.safetensors"));
    let card = String::from_utf8(read("README.md")).expect("text");
    assert!(
        card.contains("- ema_decay: 0.95") && card.contains("- layerwise_lr_decay: 0.8"),
        "{card}"
    );

    // The saved model has the metrics of the evaluation of the last step.
    let evaluated =
        run(folder.path(), &["evaluate", "--json", "--max-eval-samples", "32"]).success();
    let metrics = json_lines(&stdout(&evaluated)).pop().expect("metrics");
    let text = std::fs::read_to_string(outputs.join("events.jsonl")).expect("a journal");
    let last = json_lines(&text).into_iter().rfind(|event| event["event"] == "evaluated");
    let last = last.expect("an evaluation");
    let loss = |value: &Value| value["eval_loss"].as_f64().expect("a loss");
    assert!((loss(&metrics) - loss(&last)).abs() < 1e-6, "{metrics} {last}");

    let small = &SMALL[..SMALL.len() - 3];
    let from = ["--plain", "--max-steps=1", "--output-dir=next", "--model-name-or-path=outputs"];
    let next = [small, &from, &["--reinit-top-layers=1"]].concat();
    let next = run(folder.path(), &next).success();
    let note = "in the weights, but initialized (--reinit-top-layers): \
                bert.encoder.layer.1.attention.self.query.weight";
    assert!(stdout(&next).contains(note), "{}", stdout(&next));
    assert!(!stdout(&next).contains("layer.0."), "{}", stdout(&next));
    let refused =
        run(folder.path(), &[small, &from, &["--reinit-top-layers=3"]].concat()).failure();
    let message = "--reinit-top-layers 3: the model has 2 layers";
    assert!(stderr(&refused).contains(message), "{}", stderr(&refused));
}
