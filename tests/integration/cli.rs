//! The program without a terminal: its output, its exit codes and the files it writes.

use crate::support::{SMALL_MODEL, TINY, json_lines, nsmc_tui, program, stderr, stdout};
use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;

fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}

/// The names in a folder, except of the temperature, which a model of a few steps may not have.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name != "calibration.json").collect();
    names.sort_unstable();
    names
}

fn without<'a>(value: &'a Value, name: &str) -> Vec<&'a str> {
    keys(value).into_iter().filter(|key| *key != name).collect()
}

#[test]
fn a_plain_run_trains_evaluates_saves_and_predicts() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = nsmc_tui(folder.path()).arg("train").args(TINY).assert().success();
    let text = stdout(&run);
    for expected in [
        "96 training and 32 evaluation samples, 3 steps an epoch, 6 in all (2 epochs)",
        "learning_rate = 2e-4 (random weights)",
        "epoch 1/2  train_loss 0.",
        "epoch 2.00  eval_loss 0.",
        "saved outputs at step 6",
        "TrainOutput(global_step=6, training_loss=0.",
        "'eval_accuracy': 0.",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no escape sequences without a terminal");
    // The files that Hugging Face's `Trainer` writes, and those of this program.
    let outputs = folder.path().join("outputs");
    let expected = [
        ".nsmc-tui.lock",
        "README.md",
        "checkpoint-6",
        "config.json",
        "confusion_matrix.png",
        "confusion_matrix.svg",
        "events.jsonl",
        "loss_curves.png",
        "loss_curves.svg",
        "model.safetensors",
        "predictions",
        "run.toml",
        "runs",
        "tokenizer.json",
        "tokenizer_config.json",
        "trainer_state.json",
    ];
    assert_eq!(names(&outputs), expected);
    let expected = "config.json model.safetensors nsmc_tui_state.json optimizer.safetensors \
                    tokenizer.json tokenizer_config.json trainer_state.json";
    assert_eq!(names(&outputs.join("checkpoint-6")).join(" "), expected);

    // The saved model classifies arguments and lines.
    let answer = nsmc_tui(folder.path())
        .args(["predict", "--json", "정말 재미있는 영화 😀\u{1b}[31m"])
        .assert()
        .success();
    let printed = stdout(&answer);
    assert!(!printed.contains('\u{1b}'));
    let answer = &json_lines(&printed)[0];
    let expected = "text label score probabilities logits tokens truncated unknown";
    // A model of a few steps may have no temperature.
    assert_eq!(without(answer, "calibrated_probabilities").join(" "), expected);
    assert!(["negative", "positive"].contains(&answer["label"].as_str().unwrap_or("")));
    assert_eq!(answer["probabilities"].as_array().map(Vec::len), Some(2));
    assert_eq!(answer["tokens"][0], "[CLS]");
    let lines = nsmc_tui(folder.path())
        .args(["predict", "--json"])
        .write_stdin("최고\r\n\n별로\n")
        .assert()
        .success();
    let lines = json_lines(&stdout(&lines));
    let texts: Vec<&str> = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(texts, ["최고", "", "별로"]);

    // Evaluating it again gives the same metrics.
    let again = nsmc_tui(folder.path())
        .args(["evaluate", "--json", "--max-eval-samples", "32"])
        .assert()
        .success();
    let again = &json_lines(&stdout(&again))[0];
    let expected = [
        "eval_loss",
        "eval_accuracy",
        "eval_f1",
        "eval_precision",
        "eval_recall",
        "eval_confusion",
        "eval_calibration",
        "eval_samples",
        "eval_runtime",
        "eval_samples_per_second",
        "eval_ece",
    ];
    let found = without(again, "eval_temperature");
    assert_eq!(found, expected);
    let bins = again["eval_calibration"].as_array().expect("bins");
    assert_eq!(bins.iter().filter_map(|bin| bin["count"].as_u64()).sum::<u64>(), 32);
    let error = again["eval_ece"].as_f64().expect("a number");
    assert!((0.0..=1.0).contains(&error), "{error}");
    let evaluate = ["evaluate", "--max-eval-samples", "32"];
    let table = stdout(&nsmc_tui(folder.path()).args(evaluate).assert().success());
    assert!(table.contains(&format!("{:<24}{error:>10.4}\n", "eval_ece")), "{table}");
    let accuracy = again["eval_accuracy"].as_f64().unwrap_or_default();
    assert!(text.contains(&format!("eval_accuracy {accuracy:.4}")), "{accuracy}\n{text}");
}

#[test]
fn events_are_json_and_do_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |threads: &str| {
        let run = nsmc_tui(folder.path())
            .env("RAYON_NUM_THREADS", threads)
            .args(["train", "--json"])
            // The embedded model: its matrix products are large enough for several threads.
            .args(&TINY[..6])
            .assert()
            .success();
        assert_eq!(stderr(&run), "", "nothing but JSON");
        let mut events = json_lines(&stdout(&run));
        // The load of the computer is measured at times that the events of training do not have.
        events.retain(|event| event["event"] != "system");
        events
    };
    let (one, four) = (run("1"), run("4"));
    let names: Vec<&str> = one.iter().filter_map(|event| event["event"].as_str()).collect();
    let step = ["step"; 3];
    let epoch = [&step[..], &["epoch", "evaluated"]].concat();
    let end = ["checkpoint", "saved", "finished"];
    let expected = [&["started"], &epoch[..], &epoch[..], &end].concat();
    assert_eq!(names, expected);
    for name in ["loss", "grad_norm", "learning_rate", "eval_loss", "train_loss", "eval_confusion"]
    {
        let of = |events: &[Value]| -> Vec<Value> {
            events.iter().map(|event| event[name].clone()).collect()
        };
        assert_eq!(of(&one), of(&four), "{name}");
    }
    let finished = &one[one.len() - 1];
    assert_eq!(keys(finished), ["event", "global_step", "training_loss", "metrics", "stopped"]);
    let metrics = [
        "train_runtime",
        "train_samples_per_second",
        "train_steps_per_second",
        "total_flos",
        "train_loss",
        "epoch",
    ];
    assert_eq!(keys(&finished["metrics"]), metrics);
}

#[test]
fn data_shows_the_sample_of_the_tutorial() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = nsmc_tui(folder.path()).args(["data", "--json", "--ids"]).assert().success();
    let data = &json_lines(&stdout(&data))[0];
    let reference: Value =
        serde_json::from_str(include_str!("../reference/sample_2000.json")).expect("JSON");
    for (ours, theirs) in [("train", "train"), ("eval", "test")] {
        assert_eq!(data[ours]["ids"], reference[theirs]["ids"]);
        assert_eq!(data[ours]["rows"], 2000);
        let first = &data[ours]["first"];
        assert_eq!(keys(first), ["id", "document", "label"]);
        assert_eq!(first["id"], reference[theirs]["ids"][0]);
    }
    let expected =
        ["rows", "positives", "longest_in_tokens", "mean_tokens", "unk_share", "first", "ids"];
    assert_eq!(keys(&data["train"]), expected);
    let other = nsmc_tui(folder.path())
        .args(["data", "--json", "--ids", "--seed", "7", "--max_train_samples=5"])
        .assert()
        .success();
    let other = &json_lines(&stdout(&other))[0];
    assert_eq!(other["train"]["rows"], 5);
    assert_ne!(other["eval"]["ids"], data["eval"]["ids"]);
    let plain = nsmc_tui(folder.path()).args(["data"]).assert().success();
    assert!(stdout(&plain).contains("length in tokens: mean"));
}

/// The small model, whose tokens are WordPiece.
const SMALL: [&str; 2] = ["--model-name-or-path", "random"];

#[test]
fn unknown_words_are_shown_beside_the_tokens() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = nsmc_tui(folder.path())
        .args(["tokenize", "--json"])
        .args(SMALL)
        .arg("영화 😀")
        .assert()
        .success();
    let json = &json_lines(&stdout(&json))[0];
    assert_eq!(keys(json), ["text", "tokens", "ids", "offsets"]);
    assert_eq!(json["tokens"], serde_json::json!(["[CLS]", "영화", "[UNK]", "[SEP]"]));
    assert_eq!(json["offsets"], serde_json::json!([[0, 0], [0, 2], [3, 4], [0, 0]]));
    let plain =
        nsmc_tui(folder.path()).arg("tokenize").args(SMALL).arg("영화 😀").assert().success();
    assert!(stdout(&plain).contains("[UNK]  <- \"😀\" is not in the vocabulary"));
}

#[test]
fn errors_name_the_location_and_the_fix() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bad.tsv");
    let rest = "3\t별로\t0\n4\t최고\t1\n".repeat(8);
    let rows = format!("id\tdocument\tlabel\n1\t좋다\t1\n2\t\u{1b}[2J\t5\n{rest}");
    std::fs::write(&file, rows).expect("a file");
    let bad = nsmc_tui(folder.path()).args(["train", "--train-file", "bad.tsv"]).assert().code(1);
    let text = stderr(&bad);
    assert!(text.contains("bad.tsv:3: expected a label of 0 or 1, found \"5\""), "{text}");
    assert!(text.contains("--skip-bad-rows") && !text.contains('\u{1b}'), "{text}");
    let skipped = nsmc_tui(folder.path())
        .args(["train", "--train-file", "bad.tsv", "--skip-bad-rows"])
        .args(TINY)
        .assert()
        .success();
    assert!(stdout(&skipped).contains("note: bad rows left out: 1"));

    let none = nsmc_tui(folder.path())
        .args(["predict", "--model-name-or-path", "./nowhere", "x"])
        .assert()
        .code(1);
    assert!(stderr(&none).contains("./nowhere: there is no such folder"), "{}", stderr(&none));
    let unknown = nsmc_tui(folder.path()).arg("--no-such-flag").assert().code(2);
    assert!(stderr(&unknown).contains("--no-such-flag"));
    let invalid = nsmc_tui(folder.path())
        .arg("tokenize")
        .args(SMALL)
        .write_stdin(&b"ok\n\xff\xfe\n"[..])
        .assert()
        .code(1);
    assert!(stderr(&invalid).contains("standard input:2: invalid UTF-8"));
    assert!(stdout(&invalid).contains("[CLS]"), "earlier lines are answered");
}

#[test]
fn an_output_folder_that_cannot_be_created_is_an_error_before_training() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("taken"), "a file").expect("a file");
    let run = nsmc_tui(folder.path())
        .args(["train", "--output-dir", "taken/model"])
        .args(TINY)
        .assert()
        .code(1);
    assert!(stderr(&run).contains("the model could not be saved there"), "{}", stderr(&run));
    assert!(!stdout(&run).contains("step 1"));
}

#[test]
fn a_loss_that_is_not_finite_is_shown_and_stops_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["--learning-rate", "1e30", "--warmup-steps", "0", "--max-grad-norm", "0"];
    let run =
        nsmc_tui(folder.path()).args(["train", "--json"]).args(flags).args(TINY).assert().code(1);
    let events = json_lines(&stdout(&run));
    let [.., step, failed] = &events[..] else {
        panic!("too few events");
    };
    assert_eq!(failed["event"], "failed");
    assert!(failed["hint"].as_str().is_some_and(|hint| hint.contains("--learning-rate")));
    assert!(step["loss"].is_string() || step["grad_norm"].is_string(), "{step}");
    assert!(!folder.path().join("outputs/model.safetensors").exists());
}

#[cfg(unix)]
#[test]
fn a_signal_stops_a_plain_run_and_saves_the_model() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = std::process::Command::new(program())
        .env(SMALL_MODEL.0, SMALL_MODEL.1)
        .current_dir(folder.path())
        .args(["train", "--json", "--num-train-epochs", "1000"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    let lines = BufReader::new(run.stdout.take().expect("a pipe")).lines();
    let mut last = String::new();
    for line in lines {
        last = line.expect("a line");
        if last.contains("\"step\":2,") {
            let pid = run.id().to_string();
            let killed = std::process::Command::new("kill").args(["-TERM", &pid]).status();
            assert!(killed.expect("kill runs").success());
        }
    }
    assert_eq!(run.wait().expect("an end").code(), Some(128 + 15));
    let finished: Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!((&finished["event"], &finished["stopped"]), (&"finished".into(), &true.into()));
    assert!(folder.path().join("outputs/model.safetensors").is_file());
}

#[test]
fn a_model_that_cannot_be_saved_makes_the_run_fail_after_its_last_event() {
    let folder = tempfile::tempdir().expect("a folder");
    // A folder at the path of the file.
    std::fs::create_dir_all(folder.path().join("outputs/model.safetensors/x")).expect("a folder");
    let run = nsmc_tui(folder.path()).args(["train", "--json"]).args(TINY).assert().code(1);
    let events = json_lines(&stdout(&run));
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names[names.len() - 2..], ["failed", "finished"]);
}

#[test]
fn the_environment_overrides_files_and_flags_override_it() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.toml"), "seed = 1\nlearning_rate = 1e-3\n")
        .expect("a file");
    let printed = nsmc_tui(folder.path())
        .env("NSMC_TUI_LEARNING_RATE", "2e-3")
        .env("NSMC_TUI_NUM_TRAIN_EPOCHS", "4")
        .args(["train", "--print-config", "--config", "a.toml", "--num_train_epochs=5"])
        .assert()
        .success();
    let text = stdout(&printed);
    let has = |name: &str, value: &str, why: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        assert!(line.contains(value) && line.ends_with(why), "{line:?} in\n{text}");
    };
    has("seed ", "= 1 ", "# a.toml");
    has("learning_rate ", "= 0.002 ", "# environment");
    has("num_train_epochs ", "= 5 ", "# flag");
    has("save_steps ", "= 50 ", "# tutorial");
    assert!(!folder.path().join("outputs").exists(), "nothing is done");
    let bad =
        nsmc_tui(folder.path()).env("NSMC_TUI_SEED", "x").arg("--print-config").assert().code(2);
    assert!(stderr(&bad).contains("NSMC_TUI_SEED: invalid value 'x'"), "{}", stderr(&bad));
    // Other commands ignore it.
    nsmc_tui(folder.path()).env("NSMC_TUI_SEED", "x").args(["tokenize", "x"]).assert().success();
}

#[test]
fn run_toml_repeats_a_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["--recipe", "native", "--seed", "5", "--report-to", "none", "--save-steps", "0.5"];
    nsmc_tui(folder.path()).args(["train", "--plain"]).args(TINY).args(flags).assert().success();
    assert!(!folder.path().join("outputs/runs").exists(), "no TensorBoard files");
    assert!(folder.path().join("outputs/checkpoint-3").is_dir(), "half of 6 steps");
    let again = ["train", "--plain", "--config", "outputs/run.toml", "--output-dir", "again"];
    nsmc_tui(folder.path()).args(again).assert().success();
    let weights = |run: &str| {
        std::fs::read(folder.path().join(run).join("model.safetensors")).expect("weights")
    };
    assert!(weights("outputs") == weights("again"), "the weights differ");
}

#[test]
fn completions_and_the_manual_are_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish"] {
        let script = nsmc_tui(folder.path()).args(["completions", shell]).assert().success();
        assert!(stdout(&script).contains("resume-from-checkpoint"), "{shell}");
    }
    let manual = stdout(&nsmc_tui(folder.path()).arg("man").assert().success());
    assert!(manual.starts_with(".ie") && manual.contains("NSMC\\-TUI TRAIN"), "{manual}");
    assert!(manual.contains("resume\\-from\\-checkpoint"));
    let licenses = stdout(&nsmc_tui(folder.path()).arg("licenses").assert().success());
    for holder in ["the nsmc-tui authors", "Microsoft Corporation", "SIL OPEN FONT LICENSE"] {
        assert!(licenses.contains(holder), "{holder}");
    }
}

#[test]
fn help_gives_examples_and_the_recipes() {
    let folder = tempfile::tempdir().expect("a folder");
    let help = nsmc_tui(folder.path()).arg("--help").assert().success();
    assert!(stdout(&help).contains("Examples:"));
    let help = nsmc_tui(folder.path()).args(["train", "--help"]).assert().success();
    let text = stdout(&help);
    assert!(text.contains("--recipe native\n  num_train_epochs"));
    assert!(text.contains("--per-device-train-batch-size"));
    assert!(!text.contains("train-tokenizer"));
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let command = format!("'{}' data --ids | head -1", program().display());
    let run =
        Command::new("sh").args(["-c", &command]).current_dir(folder.path()).assert().success();
    assert_eq!(stderr(&run), "");
}
