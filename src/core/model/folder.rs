//! A model's folder in Hugging Face's layout: `config.json`, `model.safetensors`, and the
//! tokenizer's files.

use super::classifier::SequenceClassifier;
use super::config::ModelConfig;
use super::layout::ModelLayout;
use super::parameters::{LoadReport, ParameterBuilder};
use super::weights::{INDEX, WEIGHTS, Weights};
use super::{ModelError, adapter, without_backtrace};
use candle_core::{CpuStorage, Storage, Tensor};
use safetensors::tensor::{Dtype, SafeTensorError, View};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// Whether the folder contains a complete model.
pub fn holds_a_model(folder: &Path) -> bool {
    folder.join("config.json").is_file()
        && [WEIGHTS, INDEX].iter().any(|name| folder.join(name).is_file())
}

/// What is initialized although a folder has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Whether to initialize parameters whose tensors have another shape, instead of returning an
    /// error.
    pub ignore_mismatched_sizes: bool,
    /// See [`ParameterBuilder::reinit_top_layers`].
    pub reinit_top_layers: usize,
}

/// Loads a folder's weights into a model of this configuration. Missing parameters are initialized
/// with `seed` and listed.
///
/// # Errors
/// If a file cannot be read or does not fit the configuration; names the file.
pub fn load(
    folder: &Path,
    config: ModelConfig,
    ignore_mismatched_sizes: bool,
    seed: u64,
) -> Result<(SequenceClassifier, LoadReport), ModelError> {
    let options = LoadOptions { ignore_mismatched_sizes, ..LoadOptions::default() };
    load_with(folder, config, options, seed)
}

/// As [`load`], with more options.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    folder: &Path,
    config: ModelConfig,
    options: LoadOptions,
    seed: u64,
) -> Result<(SequenceClassifier, LoadReport), ModelError> {
    adapter::refuse(folder)?;
    let refused = |reason: String| ModelError::Config { file: folder.join("config.json"), reason };
    config.check_classes().map_err(refused)?;
    let weights = Weights::open(folder, config.architecture)?;
    let misfit = |reason: String| ModelError::Weights { file: folder.join(WEIGHTS), reason };
    let has_weights = !weights.is_empty();
    let mut builder = ParameterBuilder::new(weights, seed, config.encoder.initializer_range)
        .ignore_mismatched_sizes(options.ignore_mismatched_sizes)
        .reinit_top_layers(options.reinit_top_layers);
    if has_weights {
        let layout = ModelLayout::new(&config);
        let report = builder.compare(&layout).map_err(|error| misfit(without_backtrace(&error)))?;
        if report.missing.len() == layout.parameters.len() {
            let title = config.architecture.title();
            return Err(misfit(format!("none of its tensors belongs to a {title} classifier")));
        }
        if layout.classifier_names().iter().any(|name| !report.initialized(name)) {
            config.check_problem_type().map_err(refused)?;
        }
    }
    SequenceClassifier::build(config, builder).map_err(|error| misfit(without_backtrace(&error)))
}

/// Writes `config.json` and `model.safetensors` into a staging folder; see
/// [`crate::core::atomic_write::Staging`].
///
/// # Errors
/// If a file cannot be written; names the file.
pub fn write(folder: &Path, model: &SequenceClassifier) -> Result<(), ModelError> {
    write_tensors_of(folder, model, |_| true)
}

/// As [`write()`], without the generator of replaced tokens, which only training needs.
///
/// # Errors
/// As [`write()`].
pub fn write_without_generator(
    folder: &Path,
    model: &SequenceClassifier,
) -> Result<(), ModelError> {
    let from = model.layout().generator.as_ref().map(|generator| generator.first_parameter());
    let is_part = |start: usize| from.is_none_or(|from| start < from);
    write_tensors_of(folder, model, is_part)
}

/// Writes `config.json` and the parameters whose offsets are chosen.
fn write_tensors_of(
    folder: &Path,
    model: &SequenceClassifier,
    is_chosen: impl Fn(usize) -> bool,
) -> Result<(), ModelError> {
    let config = folder.join("config.json");
    std::fs::write(&config, model.config().to_json())
        .map_err(|error| ModelError::Io { file: config, error })?;
    let named = model.parameters().iter().zip(&model.layout().parameters);
    let tensors = named
        .filter(|(_, parameter)| is_chosen(parameter.start))
        .map(|((name, var), _)| (name, TensorData::Tensor(var)));
    write_tensors(&folder.join(WEIGHTS), tensors)
}

/// A float32 tensor to write.
pub enum TensorData<'a> {
    /// A contiguous tensor on the CPU.
    Tensor(&'a Tensor),
    /// Values and their shape.
    Values(&'a [f32], &'a [usize]),
}

/// Writes named tensors as safetensors, one after another, without copying them all at once.
///
/// # Errors
/// If a tensor is not contiguous float32 on the CPU, or the file cannot be written; names the file.
pub fn write_tensors<'a>(
    file: &Path,
    tensors: impl Iterator<Item = (impl AsRef<str> + Ord + std::fmt::Display, TensorData<'a>)>,
) -> Result<(), ModelError> {
    // transformers rejects a file without the format in its metadata.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let mut views = Vec::new();
    for (name, values) in tensors {
        let shape = match &values {
            TensorData::Tensor(tensor) if !is_contiguous_float32(tensor) => {
                let reason = format!("{name} is not a contiguous float32 tensor on the CPU");
                return Err(ModelError::Weights { file: file.to_path_buf(), reason });
            }
            TensorData::Tensor(tensor) => tensor.dims().to_vec(),
            TensorData::Values(_, shape) => shape.to_vec(),
        };
        views.push((name, Float32 { values, shape }));
    }
    safetensors::serialize_to_file(views, Some(metadata), file).map_err(|error| match error {
        SafeTensorError::IoError(error) => ModelError::Io { file: file.to_path_buf(), error },
        other => ModelError::Weights { file: file.to_path_buf(), reason: other.to_string() },
    })
}

/// Whether a tensor's values are in memory in the order in which they are written.
fn is_contiguous_float32(tensor: &Tensor) -> bool {
    let (storage, layout) = tensor.storage_and_layout();
    matches!(&*storage, Storage::Cpu(CpuStorage::F32(_))) && layout.is_contiguous()
}

/// A float32 tensor for the safetensors crate.
struct Float32<'a> {
    values: TensorData<'a>,
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
            TensorData::Values(values, _) => bytes(values),
            TensorData::Tensor(tensor) => {
                let (storage, layout) = tensor.storage_and_layout();
                match (&*storage, layout.contiguous_offsets()) {
                    (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => {
                        bytes(&values[start..end])
                    }
                    // `write_tensors` rejects such tensors.
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
