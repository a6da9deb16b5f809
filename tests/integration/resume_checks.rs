//! What a resumed run obeys and refuses, and that a refusal changes nothing.

use crate::support::{json_lines, nsmc_tui, spawn, stderr, stdout};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A small model: 6 steps an epoch, 12 in all, a checkpoint every 3.
const SMALL: [&str; 18] = [
    "train",
    "--json",
    "--max-train-samples",
    "96",
    "--max-eval-samples",
    "32",
    "--num-train-epochs",
    "2",
    "--per-device-train-batch-size",
    "16",
    "--logging-steps",
    "2",
    "--save-steps",
    "3",
    "--learning-rate",
    "1e-3",
    "--config-overrides",
    "hidden_size=24,intermediate_size=48,num_hidden_layers=1",
];

/// A run that was killed after step 7, with the checkpoints of steps 3 and 6.
fn killed_run(flags: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = spawn(folder.path(), &[&SMALL, flags].concat());
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for line in lines.map_while(Result::ok) {
        let event: Value = serde_json::from_str(&line).expect("JSON");
        if event["event"] == "step" && event["step"] == 8 {
            child.kill().expect("a kill");
        }
    }
    child.wait().expect("an end");
    folder
}

/// All files below a folder with their contents, without the lock and the socket.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if ![".nsmc-tui.lock", ".nsmc-tui.sock"]
                .contains(&&*entry.file_name().to_string_lossy())
            {
                all.insert(path.clone(), std::fs::read(&path).expect("a file"));
            }
        }
    }
    all
}

fn resume(folder: &Path, flags: &[&str]) -> assert_cmd::assert::Assert {
    let resume = ["train", "--json", "--resume-from-checkpoint"];
    nsmc_tui(folder).args(resume).args(flags).assert()
}

/// Resumes, expects a failure that changes no file, and returns its message.
fn refused(folder: &Path, flags: &[&str]) -> String {
    let before = snapshot(folder);
    let assert = resume(folder, flags).code(1);
    assert!(snapshot(folder) == before, "{flags:?}: files were changed");
    let failed = json_lines(&stdout(&assert)).pop();
    let message = failed.map_or_else(String::new, |event| event["message"].to_string());
    message + &stderr(&assert)
}

/// Resumes to the end, and returns the notes at the start and all events.
fn resumed(folder: &Path, flags: &[&str]) -> (String, Vec<Value>) {
    let events = json_lines(&stdout(&resume(folder, flags).success()));
    let notes = events[0]["notes"].as_array().expect("notes");
    let notes: Vec<&str> = notes.iter().filter_map(Value::as_str).collect();
    (notes.join("\n"), events)
}

fn run_toml(folder: &Path) -> toml::Table {
    let text = std::fs::read_to_string(folder.join("outputs/run.toml")).expect("a run.toml");
    text.parse().expect("TOML")
}

/// Removes what earlier versions did not record.
fn as_of_an_earlier_version(checkpoint: &Path, change: impl FnOnce(&mut Value)) {
    let file = checkpoint.join("nsmc_tui_state.json");
    let text = std::fs::read(&file).expect("a state");
    let mut state: Value = serde_json::from_slice(&text).expect("JSON");
    let fields = state.as_object_mut().expect("an object");
    for name in ["sha256", "files", "options", "eval_data"] {
        fields.remove(name);
    }
    change(&mut state);
    std::fs::write(&file, state.to_string()).expect("a written state");
}

#[test]
fn a_damaged_checkpoint_is_refused_before_anything_is_changed() {
    let run = killed_run(&[]);
    let checkpoint = run.path().join("outputs/checkpoint-6");
    // Later steps and a later checkpoint exist, which resuming would remove and move.
    let later = run.path().join("outputs/checkpoint-9");
    std::fs::create_dir(&later).expect("a folder");
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(checkpoint.join(name), later.join(name)).expect("a copy");
    }
    let from = ["outputs/checkpoint-6"];
    let file = checkpoint.join("optimizer.safetensors");
    let whole = std::fs::read(&file).expect("moments");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    std::fs::write(&file, &flipped).expect("a write");
    let message = refused(run.path(), &from);
    assert!(message.contains("optimizer.safetensors: it is damaged or was changed"), "{message}");
    assert!(message.contains("--resume-from-checkpoint outputs/checkpoint-3"), "{message}");

    as_of_an_earlier_version(&checkpoint, |_| ());
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("a write");
    let message = refused(run.path(), &from);
    assert!(message.contains("optimizer.safetensors: damaged"), "{message}");
    assert!(message.contains("--resume-from-checkpoint outputs/checkpoint-3"), "{message}");
    std::fs::write(&file, &whole).expect("a write");

    // A device that does not exist is noticed before, too.
    let cuda = refused(run.path(), &["outputs/checkpoint-6", "--device", "cuda:99"]);
    assert!(!cuda.is_empty());
    as_of_an_earlier_version(&checkpoint, |state| {
        state["progress"]["step"] = 1_000_000_000_000_000u64.into();
    });
    let message = refused(run.path(), &from);
    assert!(message.contains("named after step 6, but its state is of step 1000"), "{message}");
}

#[test]
fn a_plain_resume_of_a_finished_run_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let best = ["--load-best-model-at-end", "--save-total-limit", "1"];
    for flags in [&[][..], &best] {
        let run =
            nsmc_tui(folder.path()).args(&SMALL[..12]).args(&SMALL[14..]).args(flags).assert();
        let ending = json_lines(&stdout(&run.success())).pop().expect("an end");
        let before = snapshot(folder.path());
        let (notes, events) = resumed(folder.path(), &[]);
        assert!(notes.contains("the run is finished"), "{notes}");
        assert_eq!(events.last().expect("an end"), &ending);
        assert!(snapshot(folder.path()) == before, "files were changed");
        let (notes, _) = resumed(folder.path(), &["--learning-rate", "0.1"]);
        assert!(notes.contains("The changed options have no effect"), "{notes}");
        assert!(snapshot(folder.path()) == before, "files were changed");
        let runs = nsmc_tui(folder.path()).args(["runs", "--json", "outputs"]).assert().success();
        assert!(stdout(&runs).contains("\"status\":\"finished\""), "{}", stdout(&runs));
    }
    // A finished run whose model was lost is saved again.
    let model = folder.path().join("outputs/model.safetensors");
    let weights = std::fs::read(&model).expect("weights");
    std::fs::remove_file(&model).expect("a removal");
    resumed(folder.path(), &[]);
    assert!(std::fs::read(&model).expect("weights") == weights);
    // It is trained further on request.
    let (_, events) = resumed(folder.path(), &["--num-train-epochs", "3"]);
    assert_eq!(events.last().expect("an end")["global_step"], 18);
}

#[test]
fn options_that_cannot_change_are_refused_by_name() {
    let run = killed_run(&[]);
    for (flag, value) in [
        ("--model-name-or-path", "klue/bert-base"),
        ("--config-overrides", "hidden_size=48"),
        ("--seed", "7"),
        ("--data-seed", "7"),
        ("--recipe", "native"),
        ("--per-device-train-batch-size", "8"),
        ("--gradient-accumulation-steps", "2"),
        ("--max-seq-length", "64"),
        ("--train-sampling-strategy", "random"),
        ("--ignore-mismatched-sizes", "true"),
    ] {
        let given = format!("{flag}={value}");
        let message = refused(run.path(), &["outputs", &given]);
        assert!(message.contains(&format!("{flag} {value}: the run has ")), "{message}");
        assert!(message.contains("leave them out"), "{message}");
    }
    for flags in [["--max-train-samples", "80"], ["--shuffle-seed", "7"]] {
        let message = refused(run.path(), &["outputs", flags[0], flags[1]]);
        let name = flags[0].trim_start_matches('-').replace('-', "_");
        assert!(message.contains("the training data is not that of the checkpoint"), "{message}");
        assert!(message.contains(&format!("{name} was ")), "{message}");
    }
    let message = refused(run.path(), &["outputs", "--max-steps", "5"]);
    assert!(message.contains("its step 6 is after the last step 5 of the run"), "{message}");

    // The same values again are no change; neither is the run's own file.
    let same = ["outputs", "--seed", "42", "--per-device-train-batch-size", "16"];
    let again = [&same[..], &["--learning-rate", "0.001", "--config", "outputs/run.toml"]].concat();
    let (notes, events) = resumed(run.path(), &again);
    assert!(!notes.contains("changed"), "{notes}");
    assert_eq!(events.last().expect("an end")["global_step"], 12);
}

#[test]
fn options_that_can_change_are_obeyed_named_and_recorded() {
    let run = killed_run(&[]);
    let flags = ["--learning-rate", "5e-4", "--num-train-epochs", "3", "--threads", "1"];
    let (notes, events) = resumed(run.path(), &[&["outputs"], &flags[..]].concat());
    for expected in [
        "changed for the rest of the run: learning_rate 0.001 → 5e-4, num_train_epochs 2 → 3, \
         threads not set → 1",
        // 18 steps, of which the first two warm up: 5e-4 × 12 / 16; before 12, two: 1e-3 × 6 / 10.
        "the learning rate follows the schedule of a run of 18 steps: step 7 has 3.75e-4 instead of \
         6e-4",
    ] {
        assert!(notes.contains(expected), "{notes}");
    }
    let step = events.iter().find(|event| event["event"] == "step").expect("a step");
    assert_eq!((step["step"].as_u64(), step["learning_rate"].as_f64()), (Some(7), Some(3.75e-4)));
    assert_eq!(events.last().expect("an end")["global_step"], 18);
    let recorded = run_toml(run.path());
    assert_eq!(recorded["learning_rate"].as_float(), Some(5e-4));
    assert_eq!(recorded["num_train_epochs"].as_integer(), Some(3));
    assert_eq!(recorded["seed"].as_integer(), Some(42));
}

#[test]
fn a_checkpoint_alone_knows_the_options_of_its_run() {
    let run = killed_run(&[]);
    std::fs::remove_file(run.path().join("outputs/run.toml")).expect("a removal");
    let message = refused(run.path(), &["outputs/checkpoint-6", "--output-dir=b", "--seed=7"]);
    assert!(message.contains("--seed 7: the run has 42"), "{message}");
    let (notes, events) = resumed(run.path(), &["outputs"]);
    assert!(!notes.contains("changed"), "{notes}");
    assert_eq!(events.last().expect("an end")["global_step"], 12);
    let recorded = run_toml(run.path());
    assert_eq!(recorded["per_device_train_batch_size"].as_integer(), Some(16));

    // Of a checkpoint of an earlier version without a run.toml, less is known.
    std::fs::remove_file(run.path().join("outputs/run.toml")).expect("a removal");
    as_of_an_earlier_version(&run.path().join("outputs/checkpoint-12"), |_| ());
    let flags = ["outputs", "--max-train-samples=96", "--max-eval-samples=32"];
    let message = refused(run.path(), &flags);
    assert!(message.contains("per_device_train_batch_size 32 (the default): the run has 16"));
    let message = refused(run.path(), &[&flags[..], &["--model-name-or-path=a/b"]].concat());
    assert!(message.contains("--model-name-or-path a/b: the run has"), "{message}");
}

#[test]
fn files_outside_the_run_are_not_touched() {
    let run = killed_run(&[]);
    let victim = tempfile::tempdir().expect("a folder");
    let events = std::fs::read_dir(run.path().join("outputs/runs")).expect("TensorBoard's files");
    let events = events.flatten().next().expect("a folder").path();
    for entry in std::fs::read_dir(&events).expect("a folder").flatten() {
        std::fs::copy(entry.path(), victim.path().join(entry.file_name())).expect("a copy");
    }
    let before = snapshot(victim.path());
    let elsewhere = victim.path().to_str().expect("UTF-8");

    // In a checkpoint.
    let checkpoint = run.path().join("outputs/checkpoint-6");
    as_of_an_earlier_version(&checkpoint, |state| state["logging_dir"] = elsewhere.into());
    // In a run.toml, whose paths are those of another computer perhaps.
    let file = run.path().join("outputs/run.toml");
    let text = std::fs::read_to_string(&file).expect("a run.toml");
    std::fs::write(&file, format!("{text}logging_dir = \"{elsewhere}\"\n")).expect("a write");
    let (notes, _) = resumed(run.path(), &["outputs"]);
    assert!(notes.contains(&format!("pass --logging-dir {elsewhere}")), "{notes}");
    assert!(snapshot(victim.path()) == before, "another run's files were changed");
    assert!(!run_toml(run.path()).contains_key("logging_dir"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_in_a_folder_that_is_not_utf_8_keeps_and_loads_its_best_checkpoint() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().expect("a folder");
    let name = OsStr::from_bytes(b"out-\xff");
    let run = nsmc_tui(folder.path())
        .args(SMALL.iter().filter(|flag| !["--save-steps", "3"].contains(flag)))
        .args(["--load-best-model-at-end", "--save-total-limit", "1", "--output-dir"])
        .arg(name)
        .assert()
        .success();
    let events = json_lines(&stdout(&run));
    assert!(events.iter().any(|event| event["event"] == "best_loaded"), "{events:?}");
    assert!(!events.iter().any(|event| event["event"] == "warned"), "{events:?}");
    let run_toml = std::fs::read_to_string(folder.path().join(name).join("run.toml"));
    assert!(!run_toml.expect("a run.toml").contains("\noutput_dir = "));
    let resume = nsmc_tui(folder.path())
        .args(["train", "--json", "--num-train-epochs", "3", "--resume-from-checkpoint"])
        .arg(name)
        .assert()
        .success();
    let events = json_lines(&stdout(&resume));
    assert_eq!(events.last().expect("an end")["global_step"], 18);
    let names: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().collect();
    assert_eq!(names.len(), 1, "another folder was written: {names:?}");
}
