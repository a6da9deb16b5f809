//! The program with models and datasets of a local hub.

use crate::hub_server::{HubServer, Request, Storage};
use crate::support::{SMALL_MODEL, TINY, nsmc_tui, program, stderr, stdout};
use assert_cmd::Command;
use nsmc_tui::core::model::{ModelConfig, SequenceClassifier, Weights, folder};
use nsmc_tui::core::tokenizer::Tokenizer;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

const MODEL: &str = "klue/tiny-bert";

/// A hub with a small model, and a folder for the cache.
struct Fixture {
    server: HubServer,
    home: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let server = HubServer::start().expect("a server");
        let overrides = [
            ("hidden_size".to_owned(), 24.into()),
            ("intermediate_size".to_owned(), 48.into()),
            ("num_hidden_layers".to_owned(), 1.into()),
        ];
        let text = nsmc_tui::core::model::config::SMALL;
        let config = ModelConfig::parse(text, Path::new("config.json"), &overrides);
        let model = SequenceClassifier::new(config.expect("a config"), Weights::none(), 3);
        let made = tempfile::tempdir().expect("a folder");
        folder::write(made.path(), &model.expect("a model").0).expect("files");
        for (name, bytes) in
            Tokenizer::small().and_then(|t| t.files(64)).expect("a tokenizer's files")
        {
            std::fs::write(made.path().join(name), bytes).expect("a file");
        }
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            let bytes = std::fs::read(made.path().join(name)).expect("a file");
            server.add(MODEL, name, &bytes, Storage::Git);
        }
        let weights = std::fs::read(made.path().join("model.safetensors")).expect("weights");
        server.add(MODEL, "model.safetensors", &weights, Storage::Lfs);
        Self { server, home: tempfile::tempdir().expect("a folder") }
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = nsmc_tui(self.home.path());
        command
            .env("HF_ENDPOINT", self.server.endpoint())
            .env("HF_HOME", self.home.path().join("hf"))
            .env("NO_PROXY", "127.0.0.1")
            .env_remove("HF_TOKEN")
            .env_remove("HF_HUB_OFFLINE")
            .args(arguments);
        command
    }

    fn downloads(&self) -> usize {
        self.server.requests().iter().filter(|request| request.method == "GET").count()
    }
}

#[test]
fn a_model_of_the_hub_is_downloaded_once_and_trained() {
    let fixture = Fixture::new();
    let flags = ["--max-train-samples", "64", "--max-eval-samples", "32", "--max-steps", "2"];
    let line = [&["train", "--plain", "--model-name-or-path", MODEL], &flags[..]].concat();
    let run = fixture.program(&line).assert().success();
    assert!(stderr(&run).contains("downloading model.safetensors"), "{}", stderr(&run));
    let out = stdout(&run);
    assert!(out.contains("klue/tiny-bert: BERT 1 layers × 24"), "{out}");
    assert!(
        out.contains("learning_rate = 5e-5 (recipe trainer)"),
        "the default for pretrained weights: {out}"
    );
    let card = std::fs::read_to_string(fixture.home.path().join("outputs/README.md"));
    assert!(card.expect("a card").contains("base_model: \"klue/tiny-bert\""));

    let before = fixture.downloads();
    let ask = ["predict", "--json", "--model-name-or-path", MODEL, "최고의 영화"];
    let online = fixture.program(&ask).assert().success();
    assert_eq!(fixture.downloads(), before, "nothing is downloaded twice");
    let offline = fixture.program(&ask).env("HF_HUB_OFFLINE", "1").assert().success();
    assert_eq!(online.get_output().stdout, offline.get_output().stdout);
}

#[test]
fn shards_are_downloaded_as_the_index_names_them() {
    use candle_core::{Device, safetensors};
    let fixture = Fixture::new();
    let ask = |model: &str| {
        let line = ["predict", "--json", "--model-name-or-path", model, "최고의 영화"];
        fixture.program(&line).assert().success().get_output().stdout.clone()
    };
    let whole = ask(MODEL);
    let snapshot = fixture.home.path().join("hf/hub/models--klue--tiny-bert/snapshots");
    let snapshot = std::fs::read_dir(snapshot).expect("a folder").flatten().next();
    let snapshot = snapshot.expect("a commit").path();
    let weights = safetensors::load(snapshot.join("model.safetensors"), &Device::Cpu);
    let mut shards = [std::collections::HashMap::new(), std::collections::HashMap::new()];
    let mut map = serde_json::Map::new();
    let name = |shard: usize| format!("model-0000{}-of-00002.safetensors", shard + 1);
    for (i, (tensor, values)) in weights.expect("weights").into_iter().enumerate() {
        map.insert(tensor.clone(), name(i % 2).into());
        shards[i % 2].insert(tensor, values);
    }
    let sharded = "klue/sharded-bert";
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        let bytes = std::fs::read(snapshot.join(file)).expect("a file");
        fixture.server.add(sharded, file, &bytes, Storage::Git);
    }
    let made = tempfile::tempdir().expect("a folder");
    for (i, shard) in shards.iter().enumerate() {
        let file = made.path().join(name(i));
        safetensors::save(shard, &file).expect("a shard");
        fixture.server.add(sharded, &name(i), &std::fs::read(file).expect("bytes"), Storage::Lfs);
    }
    let index = serde_json::json!({ "weight_map": map }).to_string();
    fixture.server.add(sharded, "model.safetensors.index.json", index.as_bytes(), Storage::Git);
    assert_eq!(ask(sharded), whole);
}

#[test]
fn print_config_downloads_no_weights() {
    let fixture = Fixture::new();
    let flags = ["train", "--print-config", "--model-name-or-path", MODEL];
    let printed = fixture.program(&flags).assert().success();
    let text = stdout(&printed);
    assert!(text.contains("learning_rate = 5e-5"), "the default for pretrained weights: {text}");
    let requests = fixture.server.requests();
    let is_weights = |request: &Request| request.path.contains("safetensors");
    assert!(!requests.iter().any(is_weights), "{requests:?}");
}

#[test]
fn errors_of_the_hub_name_the_fix() {
    let fixture = Fixture::new();
    let ask = |model: &str| -> String {
        let flags = ["predict", "--model-name-or-path", model, "최고"];
        stderr(&fixture.program(&flags).assert().code(1))
    };
    assert!(ask("klue/no-such-model").contains("there is no model klue/no-such-model"));
    let offline = ["predict", "--model-name-or-path", MODEL, "최고"];
    let offline = fixture.program(&offline).env("HF_HUB_OFFLINE", "1").assert().code(1);
    assert!(stderr(&offline).contains("HF_HUB_OFFLINE"), "{}", stderr(&offline));
    fixture.server.faults(|faults| faults.token = Some("hf_secret".to_owned()));
    assert!(ask(MODEL).contains("HF_TOKEN"), "{}", ask(MODEL));
    let flags = ["predict", "--model-name-or-path", MODEL, "최고"];
    let known = fixture.program(&flags).env("HF_TOKEN", "hf_secret").assert().success();
    assert!(!stderr(&known).contains("hf_secret"));
    fixture.server.add("old/model", "config.json", b"{}", Storage::Git);
    fixture.server.add("old/model", "vocab.txt", b"[PAD]\n", Storage::Git);
    fixture.server.add("old/model", "pytorch_model.bin", b"\x80\x02", Storage::Lfs);
    fixture.server.faults(|faults| faults.token = None);
    assert!(ask("old/model").contains("is a pickle"), "{}", ask("old/model"));
}

/// Rows in the columns of NSMC on the hub's Parquet branch.
fn reviews(count: i64) -> Vec<u8> {
    let schema = "message schema { required binary id (UTF8); required binary document (UTF8); \
                  required int64 label; }";
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let mut bytes = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut bytes, schema, Arc::default()).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    let texts = ["정말 재미있다", "지루하다"].map(ByteArray::from);
    for column in 0..3 {
        let mut writer = group.next_column().expect("a column").expect("three columns");
        let written = if column == 2 {
            let values: Vec<i64> = (0..count).map(|i| 1 - i % 2).collect();
            writer.typed::<Int64Type>().write_batch(&values, None, None)
        } else {
            let value = |i: i64| match column {
                0 => ByteArray::from(i.to_string().as_str()),
                _ => texts[(i % 2) as usize].clone(),
            };
            let values: Vec<ByteArray> = (0..count).map(value).collect();
            writer.typed::<ByteArrayType>().write_batch(&values, None, None)
        };
        written.expect("values");
        writer.close().expect("a column");
    }
    group.close().expect("a group");
    writer.close().expect("a file");
    bytes
}

#[test]
fn a_dataset_of_the_hub_is_read_from_its_parquet_branch() {
    let fixture = Fixture::new();
    let dataset = "datasets/e9t/nsmc";
    fixture.server.add(dataset, "default/train/0000.parquet", &reviews(70), Storage::Lfs);
    fixture.server.add(dataset, "default/test/0000.parquet", &reviews(30), Storage::Lfs);
    let data =
        fixture.program(&["data", "--json", "--dataset-name", "e9t/nsmc"]).assert().success();
    let data: Value = serde_json::from_slice(&data.get_output().stdout).expect("JSON");
    assert_eq!((&data["train"]["rows"], &data["eval"]["rows"]), (&70.into(), &30.into()));
    assert_eq!(data["eval"]["positives"], 15);
    let requests = fixture.server.requests();
    let is_parquet = |request: &Request| request.path.contains("refs%2Fconvert%2Fparquet");
    assert!(requests.iter().any(is_parquet), "{requests:?}");
    let none = fixture.program(&["data", "--dataset-name", "e9t/none"]).assert().code(1);
    assert!(stderr(&none).contains("there is no dataset e9t/none"), "{}", stderr(&none));
}

#[test]
fn an_evaluation_on_training_rows_is_told() {
    let fixture = Fixture::new();
    let rows = reviews(30);
    fixture.server.add("datasets/e9t/only", "default/train/0000.parquet", &rows, Storage::Lfs);
    fixture.program(&[&["train"], &TINY[..]].concat()).assert().success();
    let flags = ["evaluate", "--dataset-name", "e9t/only"];
    let notes = stderr(&fixture.program(&flags).assert().success());
    assert!(notes.contains("note: e9t/only has no evaluation split"), "{notes}");
    assert!(notes.contains("numbers without names and are taken as class indices"), "{notes}");
    let file = fixture.home.path().join("valid.tsv");
    std::fs::write(&file, "text\tlabel\na\tnegative\n").expect("a file");
    let file = file.display().to_string();
    let flags = [&flags[..], &["--validation-file", &file]].concat();
    let notes = stderr(&fixture.program(&flags).assert().success());
    assert!(!notes.contains("evaluation split"), "{notes}");
}

#[test]
fn a_killed_download_is_resumed() {
    let fixture = Fixture::new();
    fixture.server.faults(|faults| faults.stall = Some(20_000));
    let ask = ["predict", "--model-name-or-path", MODEL, "최고"];
    let mut killed = std::process::Command::new(program())
        .env(SMALL_MODEL.0, SMALL_MODEL.1)
        .current_dir(fixture.home.path())
        .env("HF_ENDPOINT", fixture.server.endpoint())
        .env("HF_HOME", fixture.home.path().join("hf"))
        .args(ask)
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    let blobs = fixture.home.path().join("hf/hub/models--klue--tiny-bert/blobs");
    let part = || {
        let entries = std::fs::read_dir(&blobs).into_iter().flatten().flatten();
        let mut parts = entries.filter(|e| e.path().extension().is_some_and(|e| e == "incomplete"));
        parts.find_map(|part| part.metadata().ok()).map_or(0, |metadata| metadata.len())
    };
    while part() < 10_000 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    killed.kill().expect("a kill");
    killed.wait().expect("an end");
    fixture.server.faults(|faults| faults.stall = None);
    fixture.program(&ask).assert().success();
    let ranges: Vec<String> = fixture.server.ranges().into_iter().flatten().collect();
    assert_eq!(ranges.len(), 1, "only the rest is requested: {ranges:?}");
}
