//! A model's folder as Hugging Face lays it out: `config.json`, `model.safetensors`, and the
//! tokenizer's files.

use super::classifier::SequenceClassifier;
use super::config::ModelConfig;
use super::parameters::{LoadReport, ParameterBuilder};
use super::weights::{INDEX, WEIGHTS, Weights};
use super::{ModelError, without_backtrace};
use candle_core::{CpuStorage, Storage, Tensor};
use safetensors::tensor::{Dtype, SafeTensorError, View};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// Whether the folder holds a model that can be used as it is.
pub fn holds_a_model(folder: &Path) -> bool {
    folder.join("config.json").is_file()
        && [WEIGHTS, INDEX].iter().any(|name| folder.join(name).is_file())
}

/// Loads a folder's weights into a model of this configuration. Without weights it starts from
/// random ones, all of them listed as missing.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn load(
    folder: &Path,
    config: ModelConfig,
    ignore_mismatched_sizes: bool,
    seed: u64,
) -> Result<(SequenceClassifier, LoadReport), ModelError> {
    let architecture = config.architecture;
    let weights = Weights::open(folder, architecture)?;
    let misfit = |reason: String| ModelError::Weights { file: folder.join(WEIGHTS), reason };
    let holds_weights = !weights.is_empty();
    let builder = ParameterBuilder::new(weights, seed, config.encoder.initializer_range)
        .ignore_mismatched_sizes(ignore_mismatched_sizes);
    let (model, report) = SequenceClassifier::build(config, builder)
        .map_err(|error| misfit(without_backtrace(&error)))?;
    if holds_weights && report.missing.len() == model.parameters().iter().count() {
        let title = architecture.title();
        return Err(misfit(format!("none of its tensors belongs to a {title} classifier")));
    }
    Ok((model, report))
}

/// Writes `config.json` and `model.safetensors` into a folder that nobody reads yet; see
/// [`crate::core::atomic_write::Staging`].
///
/// # Errors
/// Names the file that could not be written.
pub fn write(folder: &Path, model: &SequenceClassifier) -> Result<(), ModelError> {
    let config = folder.join("config.json");
    std::fs::write(&config, model.config().to_json())
        .map_err(|error| ModelError::Io { file: config, error })?;
    let tensors = model.parameters().iter().map(|(name, var)| (name, Values::Tensor(var)));
    write_tensors(&folder.join(WEIGHTS), tensors)
}

/// Numbers to be written.
pub enum Values<'a> {
    /// A tensor on the CPU.
    Tensor(&'a Tensor),
    /// A vector, and the shape it is to have.
    Shaped(&'a [f32], &'a [usize]),
}

/// Writes named tensors as safetensors, one after the other, without a copy of them all.
///
/// # Errors
/// Names the file that could not be written.
pub fn write_tensors<'a>(
    file: &Path,
    tensors: impl Iterator<Item = (impl AsRef<str> + Ord + std::fmt::Display, Values<'a>)>,
) -> Result<(), ModelError> {
    // Python's readers look for the format; transformers refuses a file without it.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let mut views = Vec::new();
    for (name, values) in tensors {
        let shape = match &values {
            Values::Tensor(tensor) if !is_plain(tensor) => {
                let reason = format!("{name} is no contiguous float32 tensor on the CPU");
                return Err(ModelError::Weights { file: file.to_path_buf(), reason });
            }
            Values::Tensor(tensor) => tensor.dims().to_vec(),
            Values::Shaped(_, shape) => shape.to_vec(),
        };
        views.push((name, Float32 { values, shape }));
    }
    safetensors::serialize_to_file(views, Some(metadata), file).map_err(|error| match error {
        SafeTensorError::IoError(error) => ModelError::Io { file: file.to_path_buf(), error },
        other => ModelError::Weights { file: file.to_path_buf(), reason: other.to_string() },
    })
}

/// Whether a tensor's numbers lie in memory as they are written.
fn is_plain(tensor: &Tensor) -> bool {
    let (storage, layout) = tensor.storage_and_layout();
    matches!(&*storage, Storage::Cpu(CpuStorage::F32(_))) && layout.is_contiguous()
}

/// A float32 tensor as safetensors wants to see it.
struct Float32<'a> {
    values: Values<'a>,
    shape: Vec<usize>,
}

impl View for Float32<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Cow::Owned(match &self.values {
            Values::Shaped(values, _) => bytes(values),
            Values::Tensor(tensor) => {
                let (storage, layout) = tensor.storage_and_layout();
                match (&*storage, layout.contiguous_offsets()) {
                    (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => {
                        bytes(&values[start..end])
                    }
                    // Refused before.
                    _ => Vec::new(),
                }
            }
        })
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * 4
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
