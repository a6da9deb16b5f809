//! Folders that are written and read again, and folders that are rejected.

use super::super::layout;
use super::*;
use crate::core::atomic_write::Staging;
use crate::core::model::Architecture;
use crate::core::model::config::SMALL;
use crate::core::model::weights::pickle;
use candle_core::{DType, Device};
use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;

/// A small model's folder.
struct ModelFolder(TempDir);

impl ModelFolder {
    fn with_a_model() -> anyhow::Result<(Self, SequenceClassifier)> {
        let overrides = [
            ("hidden_size".to_owned(), json!(12)),
            ("intermediate_size".to_owned(), json!(24)),
            ("num_hidden_layers".to_owned(), json!(1)),
        ];
        let config = ModelConfig::parse(SMALL, Path::new("config.json"), &overrides)?;
        let model = SequenceClassifier::new(config, Weights::none(), 3)?.0;
        let folder = Self(tempfile::tempdir()?);
        let staging = Staging::new(folder.0.path())?;
        write(staging.path(), &model)?;
        staging.publish_files("config.json", &[])?;
        Ok((folder, model))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn config(&self, overrides: &[(String, Value)]) -> Result<ModelConfig, ModelError> {
        ModelConfig::read(&self.file("config.json"), overrides)
    }

    fn load(&self) -> Result<(SequenceClassifier, LoadReport), ModelError> {
        load(self.0.path(), self.config(&[])?, false, 99)
    }

    fn message(&self) -> String {
        self.load().map_or_else(|error| error.to_string(), |_| String::new())
    }

    /// Rewrites the weights, each tensor by `change`.
    fn rewrite(&self, change: impl Fn(&str, &Tensor) -> (String, Tensor)) -> anyhow::Result<()> {
        let loaded = candle_core::safetensors::load(self.file(WEIGHTS), &Device::Cpu)?;
        let changed: HashMap<String, Tensor> =
            loaded.iter().map(|(name, tensor)| change(name, tensor)).collect();
        Ok(candle_core::safetensors::save(&changed, self.file(WEIGHTS))?)
    }
}

fn weights(model: &SequenceClassifier) -> candle_core::Result<Vec<f32>> {
    model.parameters().flat().to_vec1()
}

#[test]
fn a_saved_model_loads_with_equal_weights() -> anyhow::Result<()> {
    let (folder, model) = ModelFolder::with_a_model()?;
    assert!(holds_a_model(folder.0.path()));
    let (again, report) = folder.load()?;
    assert_eq!(report, LoadReport::default());
    assert_eq!(weights(&model)?, weights(&again)?);
    assert_eq!(std::fs::read_dir(folder.0.path())?.count(), 2, "no other file remains");
    Ok(())
}

#[test]
fn shards_are_read_as_one_model() -> anyhow::Result<()> {
    let (folder, model) = ModelFolder::with_a_model()?;
    let loaded = candle_core::safetensors::load(folder.file(WEIGHTS), &Device::Cpu)?;
    let mut shards = [HashMap::new(), HashMap::new()];
    let mut map = serde_json::Map::new();
    for (i, (name, tensor)) in loaded.into_iter().enumerate() {
        map.insert(name.clone(), json!(format!("model-0000{}-of-00002.safetensors", i % 2 + 1)));
        shards[i % 2].insert(name, tensor);
    }
    for (i, shard) in shards.iter().enumerate() {
        let name = format!("model-0000{}-of-00002.safetensors", i + 1);
        candle_core::safetensors::save(shard, folder.file(&name))?;
    }
    std::fs::remove_file(folder.file(WEIGHTS))?;
    std::fs::write(folder.file(INDEX), json!({"weight_map": map}).to_string())?;
    assert!(holds_a_model(folder.0.path()));
    let (again, report) = folder.load()?;
    assert_eq!(report, LoadReport::default());
    assert_eq!(weights(&model)?, weights(&again)?);

    std::fs::remove_file(folder.file("model-00002-of-00002.safetensors"))?;
    assert!(folder.message().contains("model-00002-of-00002.safetensors"));
    let hostile = json!({"weight_map": {"a": "../../etc/passwd.safetensors"}});
    std::fs::write(folder.file(INDEX), hostile.to_string())?;
    assert!(folder.message().contains("is not a valid shard name"), "{}", folder.message());
    Ok(())
}

#[test]
fn half_precision_is_widened() -> anyhow::Result<()> {
    for dtype in [DType::F16, DType::BF16, DType::F64] {
        let (folder, model) = ModelFolder::with_a_model()?;
        let narrow = |tensor: &Tensor| tensor.to_dtype(dtype);
        folder.rewrite(|name, tensor| {
            (name.to_owned(), narrow(tensor).unwrap_or_else(|_| tensor.clone()))
        })?;
        let (again, report) = folder.load()?;
        assert_eq!(report, LoadReport::default());
        for ((name, ours), (_, whole)) in again.parameters().iter().zip(model.parameters().iter()) {
            let expected = narrow(whole)?.to_dtype(DType::F32)?;
            let expected = expected.flatten_all()?.to_vec1::<f32>()?;
            assert_eq!(ours.flatten_all()?.to_vec1::<f32>()?, expected, "{dtype:?} {name}");
        }
    }
    Ok(())
}

#[test]
fn errors_name_both_shapes_and_mismatched_tensors_can_be_initialized() -> anyhow::Result<()> {
    let (folder, _) = ModelFolder::with_a_model()?;
    let config = folder.config(&[("vocab_size".to_owned(), json!(9000))])?;
    let message = load(folder.0.path(), config, false, 1)
        .map_or_else(|error| error.to_string(), |_| String::new());
    assert!(message.contains("word_embeddings.weight has shape [8000, 12]"), "{message}");
    assert!(message.contains("[9000, 12]"), "{message}");
    let mut config = folder.config(&[])?;
    config.set_labels(&["a", "b", "c"].map(str::to_owned));
    let (model, report) = load(folder.0.path(), config, true, 1)?;
    assert_eq!(report.mismatched.len(), 2, "the head's weight and bias: {report:?}");
    assert_eq!(model.layout().classifier.outputs, 3);
    let bias = model.parameters().iter().find(|(name, _)| *name == "classifier.bias");
    assert!(bias.is_some_and(|(_, bias)| bias.dims() == [3]));
    Ok(())
}

#[test]
fn damaged_weights_are_rejected_by_name() -> anyhow::Result<()> {
    let (folder, _) = ModelFolder::with_a_model()?;
    let bytes = std::fs::read(folder.file(WEIGHTS))?;
    for cut in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(folder.file(WEIGHTS), &bytes[..cut])?;
        let message = folder.message();
        assert!(message.contains("model.safetensors: damaged"), "{cut}: {message}");
    }
    for hostile in [&b"\xff\xff\xff\xff\xff\xff\xff\x7f{}"[..], b"\x02\0\0\0\0\0\0\0[]"] {
        std::fs::write(folder.file(WEIGHTS), hostile)?;
        assert!(folder.message().contains("damaged"), "{}", folder.message());
    }
    Ok(())
}

#[test]
fn older_names_are_renamed_and_unknown_names_rejected() -> anyhow::Result<()> {
    let (folder, _) = ModelFolder::with_a_model()?;
    folder.rewrite(|name, tensor| {
        let name = name.strip_prefix("bert.").unwrap_or(name);
        let name = name
            .replace("LayerNorm.weight", "LayerNorm.gamma")
            .replace("LayerNorm.bias", "LayerNorm.beta");
        (name, tensor.clone())
    })?;
    assert_eq!(folder.load()?.1, LoadReport::default());
    folder.rewrite(|name, tensor| (format!("x.{name}"), tensor.clone()))?;
    assert!(folder.message().contains("none of its tensors belongs to a BERT classifier"));
    Ok(())
}

#[test]
fn a_pickle_is_rejected_with_a_remedy() -> anyhow::Result<()> {
    let (folder, _) = ModelFolder::with_a_model()?;
    std::fs::rename(folder.file(WEIGHTS), folder.file("pytorch_model.bin"))?;
    assert!(!holds_a_model(folder.0.path()));
    let message = folder.message();
    assert!(message.contains("pytorch_model.bin: is a pickle"), "{message}");
    assert!(message.contains("save_pretrained"), "{message}");
    assert!(pickle(Path::new("klue/bert")).contains("from_pretrained('klue/bert')"));
    Ok(())
}

#[test]
fn unexpected_and_missing_tensors_are_listed() -> anyhow::Result<()> {
    let (folder, _) = ModelFolder::with_a_model()?;
    folder.rewrite(|name, tensor| {
        let renamed = match name {
            "classifier.weight" => "cls.predictions.weight",
            "classifier.bias" => "bert.embeddings.position_ids",
            other => other,
        };
        (renamed.to_owned(), tensor.clone())
    })?;
    let (_, report) = folder.load()?;
    assert_eq!(report.missing, ["classifier.weight", "classifier.bias"]);
    assert_eq!(report.unexpected, ["cls.predictions.weight"], "buffers are ignored");
    assert_eq!(Weights::open(folder.0.path(), Architecture::Bert)?.names().len(), 24);
    Ok(())
}

#[test]
fn a_head_that_is_replaced_never_stops_a_run() -> anyhow::Result<()> {
    let (folder, _) = ModelFolder::with_a_model()?;
    let change = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| -> anyhow::Result<()> {
        let text = std::fs::read_to_string(folder.file("config.json"))?;
        let mut json: serde_json::Map<String, Value> = serde_json::from_str(&text)?;
        change(&mut json);
        Ok(std::fs::write(folder.file("config.json"), Value::Object(json).to_string())?)
    };
    // A regression's head of one class, as a start for two classes.
    folder.rewrite(|name, tensor| {
        let part = if name.starts_with("classifier") {
            tensor.narrow(0, 0, 1)
        } else {
            Ok(tensor.clone())
        };
        (name.to_owned(), part.and_then(|part| part.copy()).unwrap_or_else(|_| tensor.clone()))
    })?;
    change(&|json| {
        json.insert("id2label".to_owned(), json!({"0": "score"}));
        json.insert("problem_type".to_owned(), json!("regression"));
    })?;
    let message = folder.message();
    assert!(message.contains("config.json: describes a model of 1 class"), "{message}");
    let mut config = folder.config(&[])?;
    config.set_labels(&["a", "b"].map(str::to_owned));
    let (_, report) = load(folder.0.path(), config.clone(), true, 1)?;
    assert_eq!(report.mismatched.len(), 2, "{report:?}");
    assert!(config.to_json().contains("single_label_classification"));
    let message =
        load(folder.0.path(), config, false, 1).map_or_else(|e| e.to_string(), |_| String::new());
    assert!(message.contains("--ignore-mismatched-sizes"), "{message}");

    // A head of the same size is kept, so its kind counts.
    let (folder, _) = ModelFolder::with_a_model()?;
    let text = std::fs::read_to_string(folder.file("config.json"))?;
    let text = text.replace("single_label", "multi_label");
    std::fs::write(folder.file("config.json"), text)?;
    let message = folder.message();
    assert!(message.contains("problem_type \"multi_label_classification\""), "{message}");
    folder.rewrite(|name, tensor| (name.replace("classifier", "other"), tensor.clone()))?;
    assert_eq!(folder.load()?.1.missing, ["classifier.weight", "classifier.bias"]);
    Ok(())
}

#[test]
fn an_adapter_is_rejected_with_a_remedy() -> anyhow::Result<()> {
    let (folder, _) = ModelFolder::with_a_model()?;
    std::fs::write(folder.file("adapter_config.json"), "{}")?;
    let message = folder.message();
    assert!(message.contains("adapter_config.json: is a PEFT adapter"), "{message}");
    std::fs::remove_file(folder.file("config.json"))?;
    assert!(folder.message().contains("merge_and_unload"), "{}", folder.message());
    Ok(())
}

#[test]
fn bytes_after_the_last_tensor_are_damage() -> anyhow::Result<()> {
    let (folder, _) = ModelFolder::with_a_model()?;
    let bytes = std::fs::read(folder.file(WEIGHTS))?;
    std::fs::write(folder.file(WEIGHTS), [&bytes[..], b"rest"].concat())?;
    assert!(folder.message().contains("damaged: 4 bytes follow"), "{}", folder.message());
    Ok(())
}

#[test]
fn the_files_of_a_model_are_bounded() -> anyhow::Result<()> {
    let (folder, _) = ModelFolder::with_a_model()?;
    let config = std::fs::read(folder.file("config.json"))?;
    // A sparse file of a terabyte: its length is not allocated.
    let sparse = |name: &str| std::fs::File::create(folder.file(name))?.set_len(1 << 40);
    sparse("config.json")?;
    let message = folder.message();
    assert!(message.contains("config.json: is longer than 2 MiB"), "{message}");
    std::fs::write(folder.file("config.json"), config)?;
    let header = [&(9u64 << 20).to_le_bytes()[..], b"{}"].concat();
    std::fs::write(folder.file(WEIGHTS), header)?;
    assert!(folder.message().contains("its header is longer than 8 MiB"), "{}", folder.message());
    std::fs::remove_file(folder.file(WEIGHTS))?;
    sparse(INDEX)?;
    assert!(folder.message().contains("is longer than 8 MiB"), "{}", folder.message());

    // A configuration of 4 billion parameters is not allocated for files without them.
    let (folder, _) = ModelFolder::with_a_model()?;
    let large =
        [("hidden_size".to_owned(), json!(12_000)), ("vocab_size".to_owned(), json!(200_000))];
    let config = folder.config(&large)?;
    let message =
        load(folder.0.path(), config, false, 1).map_or_else(|e| e.to_string(), |_| String::new());
    assert!(message.contains("word_embeddings.weight has shape"), "{message}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn devices_and_pipes_are_not_opened() -> anyhow::Result<()> {
    for name in ["config.json", WEIGHTS] {
        let (folder, _) = ModelFolder::with_a_model()?;
        std::fs::remove_file(folder.file(name))?;
        std::os::unix::fs::symlink("/dev/zero", folder.file(name))?;
        let expected = format!("{name}: is a device, a pipe or a socket");
        assert!(folder.message().contains(&expected), "{}", folder.message());
        std::fs::remove_file(folder.file(name))?;
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.file(name), rustix::fs::Mode::RWXU)?;
        assert!(folder.message().contains(&expected), "{}", folder.message());
    }
    Ok(())
}

#[test]
fn the_top_layers_and_the_pooler_are_initialized_on_request() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/bert");
    let config = ModelConfig::read(&folder.join("config.json"), &[])?;
    let layers = config.encoder.num_hidden_layers;
    let with = |count: usize| {
        let options = LoadOptions { reinit_top_layers: count, ..LoadOptions::default() };
        load_with(&folder, config.clone(), options, 7)
    };
    let (loaded, report) = with(0)?;
    assert_eq!(report, LoadReport::default());
    for count in 1..=layers {
        let (model, report) = with(count)?;
        assert!(report.missing.is_empty() && report.unexpected.is_empty(), "{report:?}");
        let parameters = model.layout().parameters.iter();
        let values = model.parameters().iter().zip(loaded.parameters().iter());
        for (parameter, ((name, ours), (_, stored))) in parameters.zip(values) {
            let (ours, stored) =
                (ours.flatten_all()?.to_vec1::<f32>()?, stored.flatten_all()?.to_vec1::<f32>()?);
            let index = name.strip_prefix("bert.encoder.layer.");
            let index = index.and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
            let is_new = index.map_or(name.contains(".pooler."), |index| index >= layers - count);
            assert_eq!(report.reinitialized.iter().any(|other| other == name), is_new, "{name}");
            assert_eq!(report.initialized(name), is_new);
            assert_eq!(ours == stored, !is_new, "{name}");
            match parameter.init {
                layout::Init::Zeros if is_new => assert!(ours.iter().all(|&value| value == 0.0)),
                layout::Init::Ones if is_new => assert!(ours.iter().all(|&value| value == 1.0)),
                _ if is_new => {
                    let variance = ours.iter().map(|value| value * value).sum::<f32>();
                    let deviation = f64::from((variance / ours.len() as f32).sqrt());
                    let expected = config.encoder.initializer_range;
                    assert!((deviation / expected - 1.0).abs() < 0.2, "{name}: {deviation}");
                }
                _ => {}
            }
        }
    }
    Ok(())
}
