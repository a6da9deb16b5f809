//! A model's folder as Hugging Face lays it out: `config.json`, `model.safetensors`,
//! `tokenizer.json`.

use super::classifier::{BertForSequenceClassification, LoadReport};
use super::config::ModelConfig;
use super::{ModelError, without_backtrace};
use crate::tokenizer::Tokenizer;
use candle_core::{CpuStorage, Device, Storage, Tensor};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// The weights' file name.
pub const WEIGHTS: &str = "model.safetensors";

/// Whether the folder holds a model that can be used as it is.
pub fn holds_a_model(folder: &Path) -> bool {
    folder.join("config.json").is_file() && folder.join(WEIGHTS).is_file()
}

/// Loads a model. Without a `model.safetensors` it starts from random weights, all of them listed
/// as missing.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn load(
    folder: &Path,
    overrides: &[(String, Value)],
    seed: u64,
) -> Result<(BertForSequenceClassification, LoadReport), ModelError> {
    let mut config = ModelConfig::read(&folder.join("config.json"), overrides)?;
    config.name_labels(&["negative", "positive"]);
    let file = folder.join(WEIGHTS);
    let damaged = |reason: String| ModelError::Weights { file: file.clone(), reason };
    let loaded = if file.exists() {
        let bytes =
            std::fs::read(&file).map_err(|error| ModelError::Io { file: file.clone(), error })?;
        candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|error| damaged(format!("damaged: {}", without_backtrace(&error))))
            .map(with_todays_names)?
    } else {
        HashMap::new()
    };
    let holds_weights = !loaded.is_empty();
    let (model, report) = BertForSequenceClassification::new(config, loaded, seed)
        .map_err(|error| damaged(without_backtrace(&error)))?;
    if holds_weights && report.missing.len() == model.parameters().iter().count() {
        return Err(damaged("none of its tensors belongs to a BERT classifier".to_owned()));
    }
    Ok((model, report))
}

/// Older checkpoints call a normalisation's scale and shift `gamma` and `beta`, and a bare encoder
/// lacks the `bert.` before its names; transformers renames both, and so does this.
fn with_todays_names(loaded: HashMap<String, Tensor>) -> HashMap<String, Tensor> {
    let bare = loaded.contains_key("embeddings.word_embeddings.weight");
    let rename = |name: String| {
        let name = match name.strip_suffix("LayerNorm.gamma") {
            Some(place) => format!("{place}LayerNorm.weight"),
            None => name,
        };
        let name = match name.strip_suffix("LayerNorm.beta") {
            Some(place) => format!("{place}LayerNorm.bias"),
            None => name,
        };
        let is_part = ["embeddings.", "encoder.", "pooler."].iter().any(|p| name.starts_with(p));
        if bare && is_part { format!("bert.{name}") } else { name }
    };
    loaded.into_iter().map(|(name, tensor)| (rename(name), tensor)).collect()
}

/// Writes the model and its tokenizer, each file whole or not at all: to a temporary file in the
/// same folder, flushed to disk, then renamed.
///
/// # Errors
/// Names the file that could not be written; what was there before is then still there.
pub fn save(
    folder: &Path,
    model: &BertForSequenceClassification,
    tokenizer: &Tokenizer,
) -> Result<(), ModelError> {
    let failed = |file: &Path| {
        let file = file.to_path_buf();
        move |error| ModelError::Io { file, error }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let weights = folder.join(WEIGHTS);
    let serialized =
        serialize(model).map_err(|reason| ModelError::Weights { file: weights.clone(), reason })?;
    let tokenizer = tokenizer.to_json().map_err(|error| ModelError::Weights {
        file: folder.join("tokenizer.json"),
        reason: error.to_string(),
    })?;
    let config = model.config().to_json();
    for (name, bytes) in [
        ("tokenizer.json", tokenizer.as_bytes()),
        ("config.json", config.as_bytes()),
        (WEIGHTS, serialized.as_slice()),
    ] {
        let file = folder.join(name);
        write_atomically(&file, bytes).map_err(failed(&file))?;
    }
    Ok(())
}

/// Writes a file so that a reader, or a crash at any moment, finds the old one or the new one.
///
/// # Errors
/// What the system says; the old file is then untouched.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder =
        file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // What a plain `open` gives before the umask; a temporary file is private otherwise.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut temporary = builder.tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}

fn serialize(model: &BertForSequenceClassification) -> Result<Vec<u8>, String> {
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = model
        .parameters()
        .iter()
        .map(|(name, var)| Ok((name.to_owned(), var.dims().to_vec(), little_endian(var)?)))
        .collect::<Result<_, String>>()?;
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            view.map(|view| (name, view)).map_err(|error| error.to_string())
        })
        .collect::<Result<Vec<_>, String>>()?;
    // Python's readers look for the format; transformers refuses a file without it.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| error.to_string())
}

fn little_endian(tensor: &Tensor) -> Result<Vec<u8>, String> {
    let tensor = tensor.contiguous().map_err(|error| without_backtrace(&error))?;
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => {
            Ok(values[start..end].iter().flat_map(|v| v.to_le_bytes()).collect())
        }
        _ => Err("only float32 parameters on the CPU can be saved".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Input;
    use crate::ops::Dropouts;
    use serde_json::json;

    fn tiny() -> anyhow::Result<BertForSequenceClassification> {
        let overrides = [
            ("hidden_size".to_owned(), json!(12)),
            ("intermediate_size".to_owned(), json!(24)),
            ("num_hidden_layers".to_owned(), json!(1)),
        ];
        let config = crate::model::config::EMBEDDED;
        let config = ModelConfig::parse(config, Path::new("config.json"), &overrides)?;
        Ok(BertForSequenceClassification::new(config, HashMap::new(), 3)?.0)
    }

    #[test]
    fn a_saved_model_loads_and_answers_the_same() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let model = tiny()?;
        save(folder.path(), &model, &Tokenizer::embedded()?)?;
        assert!(holds_a_model(folder.path()));
        let (again, report) = load(folder.path(), &[], 99)?;
        assert_eq!(report, LoadReport::default());
        let input = Input { ids: vec![2, 100, 200, 3].into(), lengths: vec![4].into(), length: 4 };
        let logits = |model: &BertForSequenceClassification| {
            model.forward(&input, &Dropouts::off())?.to_vec2::<f32>()
        };
        assert_eq!(logits(&model)?, logits(&again)?);
        assert_eq!(
            Tokenizer::from_folder(folder.path())?.to_json()?,
            Tokenizer::embedded()?.to_json()?
        );
        // Nothing but the three files is left behind.
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 3);
        Ok(())
    }

    #[test]
    fn damaged_and_misfit_weights_are_refused_by_name() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        save(folder.path(), &tiny()?, &Tokenizer::embedded()?)?;
        let message = |overrides: &[(String, Value)]| {
            load(folder.path(), overrides, 1)
                .map_or_else(|error| error.to_string(), |_| String::new())
        };
        let misfit = message(&[("vocab_size".to_owned(), json!(9000))]);
        assert!(misfit.contains("word_embeddings.weight has shape [8000, 12]"), "{misfit}");
        let weights = folder.path().join(WEIGHTS);
        let bytes = std::fs::read(&weights)?;
        std::fs::write(&weights, &bytes[..bytes.len() / 2])?;
        assert!(message(&[]).contains("model.safetensors: damaged"), "{}", message(&[]));
        std::fs::write(&weights, b"\xff\xff\xff\xff\xff\xff\xff\x7f{}")?;
        assert!(message(&[]).contains("damaged"));
        Ok(())
    }

    #[test]
    fn older_names_are_understood_and_strangers_refused() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        save(folder.path(), &tiny()?, &Tokenizer::embedded()?)?;
        let weights = folder.path().join(WEIGHTS);
        let loaded = candle_core::safetensors::load(&weights, &Device::Cpu)?;
        let older = |name: &str| {
            let name = name.strip_prefix("bert.").unwrap_or(name);
            name.replace("LayerNorm.weight", "LayerNorm.gamma")
                .replace("LayerNorm.bias", "LayerNorm.beta")
        };
        let renamed: HashMap<String, Tensor> =
            loaded.iter().map(|(name, tensor)| (older(name), tensor.clone())).collect();
        candle_core::safetensors::save(&renamed, &weights)?;
        assert_eq!(load(folder.path(), &[], 1)?.1, LoadReport::default());

        let strange: HashMap<String, Tensor> =
            loaded.iter().map(|(name, tensor)| (format!("x.{name}"), tensor.clone())).collect();
        candle_core::safetensors::save(&strange, &weights)?;
        let message =
            load(folder.path(), &[], 1).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(message.contains("none of its tensors belongs"), "{message}");
        Ok(())
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("a");
        write_atomically(&file, b"old")?;
        assert!(write_atomically(&folder.path().join("no/such/folder/a"), b"x").is_err());
        write_atomically(&file, b"new")?;
        assert_eq!(std::fs::read(&file)?, b"new");
        Ok(())
    }
}
