//! Reads `model.safetensors`, whole or in shards, one tensor at a time, so that a model is never in
//! memory twice.

use super::ModelError;
use super::architecture::Architecture;
use super::quantized::QuantizedTensors;
use super::tensor_names::{current_name, sort_key};
use crate::core::bounded_file;
use crate::core::text::truncate_width;
use safetensors::tensor::{Dtype, Metadata};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The weights' file name.
pub const WEIGHTS: &str = "model.safetensors";

/// The index that names the shard of each tensor.
pub const INDEX: &str = "model.safetensors.index.json";

/// The number of bytes of a tensor that are read at a time: a multiple of every type's size.
const CHUNK_BYTES: usize = 1 << 20;

/// The longest header in bytes: room for 50,000 tensors. Reading one needs some 20 times its length.
const MAX_HEADER: u64 = 8 << 20;

/// The longest index of shards in bytes.
const MAX_INDEX: u64 = 8 << 20;

/// The most shards; each is an open file.
const MAX_SHARDS: usize = 500;

/// Buffers that older versions of transformers saved; like newer versions, this program ignores
/// them.
const BUFFERS: [&str; 2] = ["embeddings.position_ids", "embeddings.token_type_ids"];

/// A stored tensor.
#[derive(Clone, Debug)]
struct TensorLocation {
    shape: Vec<usize>,
    source: TensorSource,
}

/// Where the values of a tensor are.
#[derive(Clone, Debug)]
enum TensorSource {
    /// In one of the files.
    File { file: usize, dtype: Dtype, start: u64, bytes: usize },
    /// In the quantized tensors, by this name.
    Quantized(String),
}

/// The tensors of a model's folder.
#[derive(Debug, Default)]
pub struct Weights {
    files: Vec<(PathBuf, File)>,
    quantized: Option<QuantizedTensors>,
    /// The tensors by the names that [`Self::read`] takes: those in the files until
    /// [`Self::assign`], then the parameters'.
    tensors: BTreeMap<String, TensorLocation>,
    /// The prefix of an encoder's parameters, if the tensors are a model's.
    prefix: Option<&'static str>,
    /// The names in the files of tensors that are for no parameter, or that another tensor for the
    /// same parameter takes precedence over.
    unused: Vec<String>,
}

/// The result of [`Weights::read`].
pub enum StoredTensor {
    /// No tensor has that name.
    Missing,
    /// The tensor has this shape, which is not the requested one.
    OtherShape(Vec<usize>),
    /// Its values, in float32.
    Values(Vec<f32>),
}

impl Weights {
    /// No weights: every parameter will be initialized.
    pub fn none() -> Self {
        Self::default()
    }

    /// The weights of a folder, if it has any.
    ///
    /// # Errors
    /// If a file is damaged, or the folder has only pickled weights.
    pub fn open(folder: &Path, architecture: Architecture) -> Result<Self, ModelError> {
        let mut weights = Self { prefix: Some(architecture.prefix()), ..Self::default() };
        if folder.join(WEIGHTS).exists() {
            weights.add(folder.join(WEIGHTS))?;
        } else if folder.join(INDEX).exists() {
            for shard in shards(&folder.join(INDEX))? {
                weights.add(folder.join(shard))?;
            }
        } else {
            refuse_pickle(folder)?;
        }
        weights.tensors.retain(|name, _| !BUFFERS.iter().any(|buffer| name.ends_with(buffer)));
        Ok(weights)
    }

    /// The tensors of one file, by their names in it.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn open_file(file: &Path) -> Result<Self, ModelError> {
        let mut weights = Self::default();
        weights.add(file.to_path_buf())?;
        Ok(weights)
    }

    /// The tensors of a file of 8-bit weights in memory; `file` is its name in errors.
    ///
    /// # Errors
    /// If it is damaged.
    pub(super) fn open_quantized(
        bytes: &'static [u8],
        file: &Path,
        architecture: Architecture,
    ) -> Result<Self, ModelError> {
        let quantized = QuantizedTensors::parse(bytes, file)?;
        let location = |(name, shape): (String, Vec<usize>)| {
            (name.clone(), TensorLocation { shape, source: TensorSource::Quantized(name) })
        };
        Ok(Self {
            tensors: quantized.shapes().map(location).collect(),
            quantized: Some(quantized),
            prefix: Some(architecture.model_type()),
            ..Self::default()
        })
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The names of the tensors that were not read, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.tensors.keys().chain(&self.unused).cloned().collect();
        names.sort_unstable();
        names
    }

    /// The shape of the tensor that [`Self::read`] finds under a name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.tensors.get(name)?.shape)
    }

    /// Finds the tensor of each of a model's parameters, as transformers does: older names and
    /// names without or with a superfluous encoder's prefix are renamed, and of several tensors for
    /// one parameter the first in transformers' order is taken.
    pub fn assign<'a>(&mut self, parameters: impl Iterator<Item = &'a str>) {
        let Some(prefix) = self.prefix else { return };
        let parameters: HashSet<&str> = parameters.collect();
        let mut stored: Vec<_> = std::mem::take(&mut self.tensors).into_iter().collect();
        stored.sort_by_cached_key(|(name, _)| sort_key(name));
        for (stored, location) in stored {
            let name = current_name(&stored, prefix, &parameters);
            if parameters.contains(name.as_str()) && !self.tensors.contains_key(&name) {
                self.tensors.insert(name, location);
            } else {
                self.unused.push(stored);
            }
        }
    }

    fn add(&mut self, path: PathBuf) -> Result<(), ModelError> {
        let (file, metadata, start) = open_tensors(&path)?;
        let damaged =
            |reason: String| ModelError::Weights { file: path.clone(), reason: damaged(&reason) };
        let length = file.metadata().map_err(|error| io(&path, error))?.len();
        let mut end = start;
        for (name, info) in metadata.tensors() {
            let (from, to) = info.data_offsets;
            let size = info.shape.iter().try_fold(1usize, |size, &dim| size.checked_mul(dim));
            let bits = size.and_then(|size| size.checked_mul(info.dtype.bitsize()));
            let last = start.checked_add(to as u64).filter(|last| *last <= length);
            let Some(last) = last.filter(|_| to >= from && bits == (to - from).checked_mul(8))
            else {
                let name = truncate_width(&name, 80);
                return Err(damaged(format!("{name} extends past the end of the file")));
            };
            let location = TensorLocation {
                shape: info.shape.clone(),
                source: TensorSource::File {
                    file: self.files.len(),
                    dtype: info.dtype,
                    start: start + from as u64,
                    bytes: to - from,
                },
            };
            end = end.max(last);
            // As in transformers, the last of several shards with a tensor of one name counts.
            let earlier = self.tensors.insert(name.clone(), location);
            if let Some(TensorSource::File { file, .. }) = earlier.map(|earlier| earlier.source) {
                let (shard, _) = &self.files[file];
                let shard = shard.file_name().unwrap_or_default().display();
                self.unused.push(format!("{name} (in {shard})"));
            }
        }
        if end < length {
            let rest = length - end;
            return Err(damaged(format!("{rest} bytes follow its last tensor")));
        }
        self.files.push((path, file));
        Ok(())
    }

    /// Reads a tensor of this shape and removes its name from [`Self::names`].
    ///
    /// # Errors
    /// If the file cannot be read, or the tensor's type is not a floating-point type.
    pub fn read(&mut self, name: &str, shape: &[usize]) -> candle_core::Result<StoredTensor> {
        let Some(location) = self.tensors.remove(name) else {
            return Ok(StoredTensor::Missing);
        };
        if location.shape != shape {
            return Ok(StoredTensor::OtherShape(location.shape));
        }
        let (file, dtype, start, bytes) = match location.source {
            TensorSource::File { file, dtype, start, bytes } => (file, dtype, start, bytes),
            TensorSource::Quantized(stored) => {
                let values = self.quantized.as_ref().and_then(|tensors| tensors.read(&stored));
                return values
                    .map(StoredTensor::Values)
                    .ok_or_else(|| candle_core::Error::msg(format!("{stored} cannot be read")));
            }
        };
        let Some(widen) = widening(dtype) else {
            candle_core::bail!("{name} is of type {dtype:?}; F32, F16, BF16 and F64 can be read")
        };
        let (_, file) = &mut self.files[file];
        file.seek(SeekFrom::Start(start))?;
        let mut values = Vec::with_capacity(shape.iter().product());
        let mut buffer = vec![0; bytes.min(CHUNK_BYTES)];
        let mut left = bytes;
        while left > 0 {
            let part = left.min(buffer.len());
            file.read_exact(&mut buffer[..part])?;
            widen(&buffer[..part], &mut values);
            left -= part;
        }
        Ok(StoredTensor::Values(values))
    }
}

fn io(file: &Path, error: std::io::Error) -> ModelError {
    ModelError::Io { file: file.to_path_buf(), error }
}

fn damaged(reason: &str) -> String {
    format!("damaged: {reason}. Download or save it again")
}

/// Decodes little-endian values and appends them as float32.
type Widen = fn(&[u8], &mut Vec<f32>);

/// The decoder of a type; `None` if it is not a floating-point type.
fn widening(dtype: Dtype) -> Option<Widen> {
    fn each<const N: usize>(bytes: &[u8], values: &mut Vec<f32>, f: impl Fn([u8; N]) -> f32) {
        values.extend(bytes.as_chunks::<N>().0.iter().map(|chunk| f(*chunk)));
    }
    Some(match dtype {
        Dtype::F32 => |bytes, values| each(bytes, values, f32::from_le_bytes),
        Dtype::F64 => |bytes, values| each(bytes, values, |b| f64::from_le_bytes(b) as f32),
        Dtype::F16 => |bytes, values| each(bytes, values, |b| half::f16::from_le_bytes(b).to_f32()),
        // A bfloat16 is the upper half of a float32.
        Dtype::BF16 => {
            |bytes, values| each(bytes, values, |[low, high]| f32::from_le_bytes([0, 0, low, high]))
        }
        _ => return None,
    })
}

/// The file, its header and the offset of the first tensor.
fn open_tensors(path: &Path) -> Result<(File, Metadata, u64), ModelError> {
    let bad =
        |reason: &str| ModelError::Weights { file: path.to_path_buf(), reason: damaged(reason) };
    let mut file = bounded_file::open(path).map_err(|error| io(path, error))?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| bad("it is too short for a safetensors file"))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(bad("its header is longer than 8 MiB"));
    }
    let mut header = Vec::new();
    Read::take(&mut file, length).read_to_end(&mut header).map_err(|error| io(path, error))?;
    if header.len() as u64 != length {
        return Err(bad("its header is incomplete"));
    }
    let metadata = serde_json::from_slice(&header).map_err(|error| bad(&error.to_string()))?;
    Ok((file, metadata, 8 + length))
}

/// The file of shards: of its values, those that are read.
#[derive(serde::Deserialize)]
struct ShardIndex {
    weight_map: Option<HashMap<String, String>>,
}

/// The distinct shards that an index names.
fn shards(index: &Path) -> Result<BTreeSet<String>, ModelError> {
    let bad = |reason: String| ModelError::Weights { file: index.to_path_buf(), reason };
    let text = bounded_file::read(index, MAX_INDEX).map_err(|error| io(index, error))?;
    let json: ShardIndex = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
    let map = json.weight_map.ok_or_else(|| bad("has no weight_map".to_owned()))?;
    let shards: BTreeSet<String> = map.into_values().collect();
    for name in &shards {
        let is_file_name = Path::new(name).file_name().is_some_and(|file| file == name.as_str());
        if !is_file_name || !name.ends_with(".safetensors") {
            return Err(bad(format!("\"{}\" is not a valid shard name", truncate_width(name, 40))));
        }
    }
    if shards.len() > MAX_SHARDS {
        return Err(bad(format!("names {} shards; at most {MAX_SHARDS} are read", shards.len())));
    }
    Ok(shards)
}

/// The names of the shards in an index, for download.
///
/// # Errors
/// If the index cannot be read.
pub fn shards_of(index: &Path) -> Result<Vec<String>, ModelError> {
    Ok(shards(index)?.into_iter().collect())
}

/// Refuses pickled weights, which can run any code when they are loaded.
fn refuse_pickle(folder: &Path) -> Result<(), ModelError> {
    for name in ["pytorch_model.bin", "pytorch_model.bin.index.json"] {
        if folder.join(name).exists() {
            return Err(ModelError::Weights { file: folder.join(name), reason: pickle(folder) });
        }
    }
    Ok(())
}

/// The error message for the pickle in `from`, with a command that converts it to safetensors.
pub fn pickle(from: &Path) -> String {
    format!(
        "is a pickle, which can run any code and is not loaded. If you trust it, convert it \
         once: python -c \"from transformers import AutoModelForSequenceClassification as \
         M; M.from_pretrained('{0}').save_pretrained('{1}')\", and copy its tokenizer files too",
        from.display(),
        from.file_name().unwrap_or_default().display()
    )
}
