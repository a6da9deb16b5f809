//! Folders with a model that other programs wrote, or that are hostile.

use crate::support::{SMALL_MODEL, json_lines, nsmc_tui, stderr, stdout};
use assert_cmd::assert::Assert;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;

/// A copy of the model under `tests/reference/two_names`, with `config.json` changed.
fn model(change: impl FnOnce(&mut Map<String, Value>)) -> tempfile::TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/two_names");
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(from.join(name), folder.path().join(name)).expect("a file");
    }
    let text = std::fs::read_to_string(from.join("config.json")).expect("a file");
    let mut config: Map<String, Value> = serde_json::from_str(&text).expect("JSON");
    change(&mut config);
    let text = Value::Object(config).to_string();
    std::fs::write(folder.path().join("config.json"), text).expect("a file");
    folder
}

fn predict(folder: &Path) -> Assert {
    let mut command = nsmc_tui(folder);
    command.args(["predict", "--json", "--model-name-or-path", ".", "최고 영화"]);
    command.timeout(Duration::from_mins(1)).assert()
}

#[test]
fn two_names_of_a_tensor_give_transformers_answer_and_a_note() {
    let folder = model(|config| {
        config.insert("id2label".to_owned(), json!({"0": 0, "1": 1}));
    });
    for _ in 0..4 {
        let run = predict(folder.path()).success();
        let line = &json_lines(&stdout(&run))[0];
        assert_eq!(line["label"], "1");
        // softmax([-1.0296694, -0.7373699])[1]
        let score = line["score"].as_f64().expect("a number");
        assert!((score - 0.572_559).abs() < 1e-4, "{line}");
        let note = "note: in the file, but not used: bert.embeddings.LayerNorm.bias, \
                    bert.embeddings.LayerNorm.weight";
        assert!(stderr(&run).contains(note), "{}", stderr(&run));
    }
}

#[test]
fn a_decoder_and_a_regression_are_refused_by_name() {
    for (name, value, expected) in [
        ("is_decoder", json!(true), "config.json: is_decoder true is not supported; false is"),
        ("id2label", json!({"0": "score"}), "describes a model of 1 class"),
        ("problem_type", json!("regression"), "problem_type \"regression\" is not supported"),
    ] {
        let folder = model(|config| {
            config.insert(name.to_owned(), value);
        });
        let run = predict(folder.path()).failure();
        assert!(stderr(&run).contains(expected), "{}", stderr(&run));
    }
}

#[test]
fn devices_and_pipes_in_place_of_model_files_are_refused() {
    for name in ["config.json", "model.safetensors"] {
        let folder = model(|_| ());
        let file = folder.path().join(name);
        std::fs::remove_file(&file).expect("a file");
        std::os::unix::fs::symlink("/dev/zero", &file).expect("a link");
        let expected = format!("{name}: is a device, a pipe or a socket");
        let run = predict(folder.path()).failure();
        assert!(stderr(&run).contains(&expected), "{}", stderr(&run));
        std::fs::remove_file(&file).expect("a link");
        rustix::fs::mkfifoat(rustix::fs::CWD, &file, rustix::fs::Mode::RWXU).expect("a FIFO");
        let run = predict(folder.path()).failure();
        assert!(stderr(&run).contains(&expected), "{}", stderr(&run));
    }
}

#[test]
fn the_embedded_model_is_trained_and_answers_as_it_was_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = "embedded";
    let train = ["train", "--plain", "--max-steps", "2", "--per-device-train-batch-size", "4"];
    let samples = ["--max-train-samples", "8", "--max-eval-samples", "8"];
    let run = nsmc_tui(folder.path())
        .env(SMALL_MODEL.0, model)
        .args(train)
        .args(samples)
        .assert()
        .success();
    let text = stdout(&run) + &stderr(&run);
    assert!(text.contains("learning_rate = 1e-4 (embedded model)"), "{text}");
    assert!(text.contains("layerwise_lr_decay = 0.85 (embedded model)"), "{text}");
    assert!(text.contains("initialized: bert.pooler.dense.weight"), "{text}");
    assert!(text.contains("the head reads the mean of all tokens"), "{text}");
    let outputs = folder.path().join("outputs");
    let read = |name: &str| std::fs::read_to_string(outputs.join(name)).expect("a file");
    let config: Value = serde_json::from_str(&read("config.json")).expect("JSON");
    assert_eq!(config["classifier_pooling"], "mean");
    assert!(read("README.md").contains("model.bert.pooler.register_forward_pre_hook(read_mean)"));
    let ask = ["predict", "--json", "정말 재미있는 영화"];
    let scores = [&[][..], &["--ops", "reference"]].map(|more| {
        let run = nsmc_tui(folder.path()).args(ask).args(more).assert().success();
        json_lines(&stdout(&run))[0]["score"].as_f64().expect("a number")
    });
    assert!((scores[0] - scores[1]).abs() < 1e-5, "{scores:?}");
    explain_and_export(folder.path());
}

/// Explains a prediction of the model in `outputs`, and exports it.
fn explain_and_export(folder: &Path) {
    for method in ["occlusion", "integrated_gradients"] {
        let ask = ["predict", "--json", "--explain", method, "정말 재미있는 영화"];
        let answers = [&[][..], &["--ops", "reference"]].map(|more| {
            let run = nsmc_tui(folder).args(ask).args(more).assert().success();
            json_lines(&stdout(&run)).remove(0)
        });
        let list = |answer: &Value, name: &str| answer[name].as_array().cloned().expect(name);
        let values = answers.each_ref().map(|answer| {
            let values = list(answer, "attributions");
            assert_eq!(values.len(), list(answer, "tokens").len());
            assert_eq!(answer["baseline"], "<mask>");
            assert_eq!(answer["attribution_gap"].is_null(), method == "occlusion");
            values.iter().filter_map(Value::as_f64).collect::<Vec<f64>>()
        });
        assert_eq!(values[0].first(), Some(&0.0), "a special token");
        assert!(values[0].iter().any(|value| *value != 0.0));
        for (fused, reference) in values[0].iter().zip(&values[1]) {
            assert!((fused - reference).abs() < 1e-4, "{values:?}");
        }
    }
    let ask = ["predict", "--explain", "occlusion", "--int8", "정말 재미있는 영화"];
    let text = stdout(&nsmc_tui(folder).args(ask).assert().success());
    assert!(text.lines().count() > 3 && text.contains("\n  +0.0000\t<s>\n"), "{text}");
    let ask = ["predict", "--explain", "integrated_gradients", "--int8", "영화"];
    let refused = stderr(&nsmc_tui(folder).args(ask).assert().failure());
    assert!(refused.contains("leave out --int8"), "{refused}");

    let export = nsmc_tui(folder).args(["export", "--format", "onnx"]).assert().success();
    assert_eq!(stdout(&export), "outputs/model.onnx\n");
    let bytes = std::fs::metadata(folder.join("outputs/model.onnx")).expect("a file").len();
    let weights =
        std::fs::metadata(folder.join("outputs/model.safetensors")).expect("a file").len();
    assert!(bytes.abs_diff(weights) < weights / 10, "{bytes}, {weights}");
    let export = ["export", "--format", "onnx", "--output", "nowhere/model.onnx"];
    let refused = stderr(&nsmc_tui(folder).args(export).assert().failure());
    assert!(refused.contains("nowhere/model.onnx: the file cannot be written"), "{refused}");
}
