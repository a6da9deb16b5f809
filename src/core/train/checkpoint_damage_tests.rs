//! Tests of checkpoints that are damaged, were changed or contradict themselves.

use super::*;
use crate::core::data::sampling::Generator;
use crate::core::train::progress::FINGERPRINTS;
use serde_json::Value;
use std::ffi::OsStr;
use std::time::{Duration, Instant};

/// The checkpoints of steps 21 and 24 of a run.
fn finished_run() -> anyhow::Result<(Folder, PathBuf)> {
    let folder = Folder::new()?;
    folder.train(&arguments(|_| {})?, &mut EventCollector::default(), None)?;
    let last = folder.0.path().join("checkpoint-24");
    Ok((folder, last))
}

fn model() -> anyhow::Result<SequenceClassifier> {
    Ok(SequenceClassifier::new(config()?, Weights::none(), 1)?.0)
}

/// Reads and checks a checkpoint in full, as resuming does.
fn check(folder: &Path, model: &SequenceClassifier) -> Result<Checkpoint, CheckpointError> {
    let checkpoint = Checkpoint::read(folder)?;
    checkpoint.verify_files()?;
    checkpoint.verify_moments(model)?;
    Ok(checkpoint)
}

fn message<T>(outcome: Result<T, CheckpointError>) -> String {
    outcome.map_or_else(|error| error.to_string(), |_| String::new())
}

/// Makes the state file one of an earlier version, without checksums, with a change.
fn change_state(folder: &Path, change: impl FnOnce(&mut Value)) -> anyhow::Result<()> {
    let file = folder.join(RUN_STATE);
    let mut state: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    if let Some(fields) = state.as_object_mut() {
        for name in ["sha256", "files", "options", "eval_data"] {
            fields.remove(name);
        }
    }
    change(&mut state);
    Ok(std::fs::write(&file, serde_json::to_vec_pretty(&state)?)?)
}

#[test]
fn a_flipped_bit_in_any_file_is_found_and_the_checkpoint_before_is_named() -> anyhow::Result<()> {
    let (folder, last) = finished_run()?;
    let model = model()?;
    check(&last, &model)?;
    let remedy = format!(
        "Use the checkpoint before it: --resume-from-checkpoint {}",
        folder.0.path().join("checkpoint-21").display()
    );
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&last)? {
        let file = entry?.path();
        let whole = std::fs::read(&file)?;
        for place in [0, whole.len() / 3, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[place] ^= 4;
            std::fs::write(&file, damaged)?;
            let found = message(check(&last, &model));
            assert!(found.starts_with(&file.display().to_string()), "{place}: {found}");
            assert!(found.ends_with(&remedy), "{found}");
        }
        std::fs::remove_file(&file)?;
        let found = message(check(&last, &model));
        let is_state = file.ends_with(RUN_STATE);
        assert!(is_state || found.starts_with(&file.display().to_string()), "{found}");
        std::fs::write(&file, whole)?;
        names.push(entry_name(&file));
    }
    names.sort_unstable();
    assert_eq!(
        names,
        ["config.json", "model.safetensors", RUN_STATE, OPTIMIZER, "tokenizer.json", TRAINER_STATE]
    );
    check(&last, &model)?;

    // The best checkpoint is loaded at the end of a run.
    let weights = last.join("model.safetensors");
    let mut damaged = std::fs::read(&weights)?;
    if let Some(byte) = damaged.last_mut() {
        *byte ^= 1;
    }
    std::fs::write(&weights, damaged)?;
    let found = message(load_weights(&last, &model));
    assert!(found.contains("its SHA-256 differs") && found.ends_with(&remedy), "{found}");
    Ok(())
}

fn entry_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[test]
fn a_checkpoint_of_an_earlier_version_is_resumed_bit_for_bit() -> anyhow::Result<()> {
    let arguments = arguments(|arguments| arguments.save_total_limit = None)?;
    let folder = Folder::new()?;
    let (expected, _) = folder.train(&arguments, &mut EventCollector::default(), None)?;
    let checkpoint = folder.0.path().join("checkpoint-9");
    change_state(&checkpoint, |_| ())?;
    let elsewhere = Folder::new()?;
    let mut collector = EventCollector::default();
    let (weights, _) = elsewhere.train(&arguments, &mut collector, Some(&checkpoint))?;
    assert!(weights == expected, "the parameters differ");
    Ok(())
}

#[test]
fn a_state_that_contradicts_itself_is_refused() -> anyhow::Result<()> {
    let (_folder, last) = finished_run()?;
    let state = std::fs::read(last.join(RUN_STATE))?;
    let huge = 1_000_000_000_000_000u64;
    let cases: [(&str, Value, &str); 20] = [
        ("/progress/step", json!(huge), "named after step 24, but its state is of step 10000000"),
        ("/progress/step", json!(23), "named after step 24, but its state is of step 23"),
        ("/optimizer_steps", json!(huge), "its optimizer took"),
        ("/progress/evaluated_at", json!(25), "evaluated_at is 25, which is after its step 24"),
        ("/progress/saved_at", json!(huge), "saved_at is"),
        ("/progress/all/steps", json!(3), "its losses are of 3 steps"),
        ("/progress/epoch/steps", json!(huge), "epoch.steps is"),
        ("/progress/samples", json!(u64::MAX), "samples is"),
        ("/progress/padded_tokens", json!(u64::MAX), "padded_tokens is"),
        ("/progress/elapsed", json!(-1.0), "elapsed is -1, which is impossible"),
        ("/progress/elapsed", json!(1e300), "elapsed is 1000"),
        ("/progress/all/loss", json!(-1e308), "all.loss is -1000"),
        ("/progress/rate_factor", json!(1e30), "rate_factor is 1000"),
        ("/progress/rate_factor", json!(0.0), "rate_factor is 0, which is impossible"),
        ("/progress/confusion", json!([[1, 2], [3]]), "confusion matrix is damaged"),
        ("/progress/confusion", json!([[u64::MAX, 1], [1, 1]]), "confusion matrix is damaged"),
        ("/progress/confusion", json!([]), "confusion matrix is damaged"),
        ("/progress/confusion", json!([[100_000, 1], [1, 1]]), "counts 100003 of 180 samples"),
        ("/version", json!(2), "it is of format 2"),
        ("/seed", json!(-1), "it is damaged: invalid value"),
    ];
    for (field, value, expected) in cases {
        std::fs::write(last.join(RUN_STATE), &state)?;
        change_state(&last, |state| {
            if let Some(found) = state.pointer_mut(field) {
                *found = value;
            }
        })?;
        let found = message(Checkpoint::read(&last));
        assert!(found.contains(expected), "{field}: {found}");
    }
    std::fs::write(last.join(RUN_STATE), &state)?;
    change_state(&last, |_| ())?;
    // The other file disagrees.
    let text = std::fs::read_to_string(last.join(TRAINER_STATE))?;
    std::fs::write(
        last.join(TRAINER_STATE),
        text.replace("\"global_step\": 24", "\"global_step\": 4"),
    )?;
    let found = message(Checkpoint::read(&last));
    assert!(found.contains("trainer_state.json is of step 4, but"), "{found}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_state_file_that_never_ends_is_not_read() -> anyhow::Result<()> {
    let (_folder, last) = finished_run()?;
    change_state(&last, |_| ())?;
    for name in [TRAINER_STATE, RUN_STATE] {
        let file = last.join(name);
        std::fs::remove_file(&file)?;
        std::os::unix::fs::symlink("/dev/zero", &file)?;
        let found = message(Checkpoint::read(&last));
        assert!(found.contains("it is not a plain file"), "{found}");
    }
    Ok(())
}

#[test]
fn a_folder_outside_the_run_is_not_taken_from_a_checkpoint() -> anyhow::Result<()> {
    let (_folder, last) = finished_run()?;
    for (path, kept) in
        [("runs/a", true), ("/tmp/other", false), ("../other/runs", false), ("runs/../..", false)]
    {
        change_state(&last, |state| state["logging_dir"] = json!(path))?;
        let found = Checkpoint::read(&last)?.run.logging_dir;
        assert_eq!(found, kept.then(|| PathBuf::from(path)));
    }
    // Nor is a file elsewhere hashed.
    change_state(&last, |state| state["files"] = json!({"../../other": "00"}))?;
    let found = message(Checkpoint::read(&last)?.verify_files());
    assert!(found.contains("it names a file elsewhere"), "{found}");
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn the_best_checkpoint_is_kept_in_a_folder_that_is_not_utf_8() -> anyhow::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let arguments = arguments(|arguments| {
        load_best_by_loss(arguments);
        // The first evaluation has the highest loss, so the best checkpoint is not the last one.
        arguments.greater_is_better = true;
        arguments.save_total_limit = Some(1);
    })?;
    let (folder, plain) = (Folder::new()?, Folder::new()?);
    let (expected, _) = plain.train(&arguments, &mut EventCollector::default(), None)?;
    let output_dir = folder.0.path().join(OsStr::from_bytes(b"out-\xff\x1b[31m"));
    let checkpoints =
        Checkpoints { output_dir: output_dir.clone(), ..folder.checkpoints(&arguments) };
    let mut collector = EventCollector::default();
    let (weights, state) = train_with(&arguments, &checkpoints, &mut collector, None)?;
    let best = state.best_global_step.unwrap_or_default();
    assert!(best < 24, "the loss did not fall");
    assert_eq!(list(&output_dir), [checkpoints.folder(best)]);
    assert!(weights == expected, "the best model was not loaded");
    let warned = collector.events.iter().any(|event| matches!(event, TrainEvent::Warned(_)));
    assert!(!warned, "{:?}", collector.events);
    Ok(())
}

#[test]
fn names_that_are_not_of_a_step_are_not_checkpoints() {
    for (name, step) in [
        ("checkpoint-7", Some(7)),
        ("checkpoint-07", None),
        ("checkpoint-+7", None),
        ("checkpoint-", None),
        ("checkpoint-99999999999999999999", None),
    ] {
        assert_eq!(step_of(Path::new(name)), step, "{name}");
    }
}

#[test]
fn the_examples_are_hashed_once_in_a_run() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let before = FINGERPRINTS.get();
    let arguments = arguments(|arguments| {
        arguments.save_steps = StepInterval::new(1.0);
        arguments.max_steps = Some(5);
    })?;
    folder.train(&arguments, &mut EventCollector::default(), None)?;
    assert_eq!(FINGERPRINTS.get() - before, 2, "one for the training data, one for the evaluation");
    Ok(())
}

/// A file with a few changed, removed, added or repeated bytes.
fn mutated(whole: &[u8], random: &mut Generator) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=random.next_u32() % 4 {
        if bytes.is_empty() {
            break;
        }
        // Half of the changes are in the first part, where safetensors files have their header.
        let range =
            if random.next_u32().is_multiple_of(2) { bytes.len().min(400) } else { bytes.len() };
        let place = random.next_u32() as usize % range;
        match random.next_u32() % 6 {
            0 => bytes[place] ^= 1 << (random.next_u32() % 8),
            1 => bytes[place] = b"0123456789-e.,\"[]{}:null"[random.next_u32() as usize % 24],
            2 => bytes.truncate(place),
            3 => {
                bytes.remove(place);
            }
            4 => bytes.insert(place, b'9'),
            _ => {
                let end = (place + 40).min(bytes.len());
                let part = bytes[place..end].to_vec();
                bytes.splice(place..place, part);
            }
        }
    }
    bytes
}

#[test]
fn readers_of_checkpoints_survive_random_changes() -> anyhow::Result<()> {
    let (_folder, last) = finished_run()?;
    let model = model()?;
    // Without checksums, which would find each change before anything is read.
    change_state(&last, |_| ())?;
    let mut random = Generator::new(20_261_129);
    for name in [TRAINER_STATE, RUN_STATE, OPTIMIZER] {
        let file = last.join(name);
        let whole = std::fs::read(&file)?;
        let began = Instant::now();
        let (mut refused, mut rounds) = (0, 0);
        while rounds < 2000 && began.elapsed() < Duration::from_secs(1) {
            std::fs::write(&file, mutated(&whole, &mut random))?;
            match check(&last, &model) {
                Ok(checkpoint) => {
                    // What is accepted is consistent.
                    let progress = &checkpoint.run.progress;
                    assert_eq!((progress.step, checkpoint.state.global_step), (24, 24));
                    assert!(progress.confusion.scores().accuracy <= 1.0);
                }
                Err(error) => {
                    assert!(error.to_string().contains("checkpoint-24"), "{error}");
                    refused += 1;
                }
            }
            rounds += 1;
        }
        assert!(rounds > 20 && refused * 4 > rounds, "{name}: {refused} of {rounds} refused");
        std::fs::write(&file, whole)?;
    }
    check(&last, &model)?;
    Ok(())
}
