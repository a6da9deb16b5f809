//! Weights on disk: `model.safetensors`, whole or in shards, read one tensor at a time, so that a
//! model is never in memory twice.

use super::ModelError;
use super::architecture::Architecture;
use crate::core::text::truncate_width;
use safetensors::tensor::{Dtype, Metadata};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The weights' file name.
pub const WEIGHTS: &str = "model.safetensors";

/// The file that says in which shard each tensor is.
pub const INDEX: &str = "model.safetensors.index.json";

/// So much of a tensor is read at a time; it holds whole numbers of every type.
const BYTES_AT_A_TIME: usize = 1 << 20;

/// As safetensors itself allows.
const LONGEST_HEADER: u64 = 100_000_000;

/// What transformers once saved beside the parameters and now passes over, as is done here.
const BUFFERS: [&str; 2] = ["embeddings.position_ids", "embeddings.token_type_ids"];

/// Where a tensor lies.
#[derive(Clone, Debug)]
struct Place {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    start: u64,
    bytes: usize,
}

/// The tensors of a model's folder, by their names of today.
#[derive(Debug, Default)]
pub struct Weights {
    files: Vec<(PathBuf, File)>,
    places: HashMap<String, Place>,
}

/// What [`Weights::take`] finds.
pub enum Taken {
    /// There is no tensor of that name.
    Missing,
    /// There is one of another shape.
    OtherShape(Vec<usize>),
    /// Its values, in float32.
    Values(Vec<f32>),
}

impl Weights {
    /// No weights at all: everything will be initialised.
    pub fn none() -> Self {
        Self::default()
    }

    /// The weights of a folder; none if it has none.
    ///
    /// # Errors
    /// If a file is damaged, or the folder has weights as pickles only.
    pub fn open(folder: &Path, architecture: Architecture) -> Result<Self, ModelError> {
        let mut weights = Self::default();
        if folder.join(WEIGHTS).exists() {
            weights.add(folder.join(WEIGHTS))?;
        } else if folder.join(INDEX).exists() {
            for shard in shards(&folder.join(INDEX))? {
                weights.add(folder.join(shard))?;
            }
        } else {
            refuse_pickle(folder)?;
        }
        weights.use_todays_names(architecture.model_type());
        Ok(weights)
    }

    /// The tensors of one file, by the names it gives them.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn open_file(file: &Path) -> Result<Self, ModelError> {
        let mut weights = Self::default();
        weights.add(file.to_path_buf())?;
        Ok(weights)
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The names of the tensors that were not taken, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.places.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    fn add(&mut self, path: PathBuf) -> Result<(), ModelError> {
        let (file, metadata, start) = open_tensors(&path)?;
        let damaged =
            |reason: String| ModelError::Weights { file: path.clone(), reason: damaged(&reason) };
        let length = file.metadata().map_err(|error| io(&path, error))?.len();
        for (name, info) in metadata.tensors() {
            let (from, to) = info.data_offsets;
            let size = info.shape.iter().try_fold(1usize, |size, &dim| size.checked_mul(dim));
            let bits = size.and_then(|size| size.checked_mul(info.dtype.bitsize()));
            if to < from || bits != (to - from).checked_mul(8) || start + to as u64 > length {
                let name = truncate_width(&name, 80);
                return Err(damaged(format!("{name} does not fit into the file")));
            }
            let place = Place {
                file: self.files.len(),
                dtype: info.dtype,
                shape: info.shape.clone(),
                start: start + from as u64,
                bytes: to - from,
            };
            self.places.insert(name, place);
        }
        self.files.push((path, file));
        Ok(())
    }

    /// Older checkpoints call a normalisation's scale and shift `gamma` and `beta`, and a bare
    /// encoder lacks the prefix before its names; transformers renames both, and so does this.
    fn use_todays_names(&mut self, prefix: &str) {
        let bare = self.places.keys().any(|name| name.starts_with("embeddings."));
        let rename = |name: String| {
            let name = match name.strip_suffix("LayerNorm.gamma") {
                Some(place) => format!("{place}LayerNorm.weight"),
                None => name,
            };
            let name = match name.strip_suffix("LayerNorm.beta") {
                Some(place) => format!("{place}LayerNorm.bias"),
                None => name,
            };
            let parts = ["embeddings.", "embeddings_project.", "encoder.", "pooler."];
            let is_part = parts.iter().any(|part| name.starts_with(part));
            if bare && is_part { format!("{prefix}.{name}") } else { name }
        };
        self.places = std::mem::take(&mut self.places)
            .into_iter()
            .filter(|(name, _)| !BUFFERS.iter().any(|buffer| name.ends_with(buffer)))
            .map(|(name, place)| (rename(name), place))
            .collect();
    }

    /// Reads a tensor of this shape, which is then no longer among [`Self::names`].
    ///
    /// # Errors
    /// If the file cannot be read or the tensor holds no floating-point numbers.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> candle_core::Result<Taken> {
        let Some(place) = self.places.remove(name) else {
            return Ok(Taken::Missing);
        };
        if place.shape != shape {
            return Ok(Taken::OtherShape(place.shape));
        }
        let Some(widen) = widening(place.dtype) else {
            candle_core::bail!(
                "{name} is of type {:?}; F32, F16, BF16 and F64 can be read",
                place.dtype
            )
        };
        let (_, file) = &mut self.files[place.file];
        file.seek(SeekFrom::Start(place.start))?;
        let mut values = Vec::with_capacity(shape.iter().product());
        let mut buffer = vec![0; place.bytes.min(BYTES_AT_A_TIME)];
        let mut left = place.bytes;
        while left > 0 {
            let part = left.min(buffer.len());
            file.read_exact(&mut buffer[..part])?;
            widen(&buffer[..part], &mut values);
            left -= part;
        }
        Ok(Taken::Values(values))
    }
}

fn io(file: &Path, error: std::io::Error) -> ModelError {
    ModelError::Io { file: file.to_path_buf(), error }
}

fn damaged(reason: &str) -> String {
    format!("damaged: {reason}. Download or save it again")
}

/// Appends numbers to others as float32.
type Widen = fn(&[u8], &mut Vec<f32>);

/// What appends numbers of this type as float32; `None` if they are no floating-point numbers.
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

/// The file, its header and where the tensors begin.
fn open_tensors(path: &Path) -> Result<(File, Metadata, u64), ModelError> {
    let bad =
        |reason: &str| ModelError::Weights { file: path.to_path_buf(), reason: damaged(reason) };
    let mut file = File::open(path).map_err(|error| io(path, error))?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| bad("it is too short to hold any tensor"))?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(bad("its header would be longer than any is"));
    }
    let mut header = Vec::new();
    Read::take(&mut file, length).read_to_end(&mut header).map_err(|error| io(path, error))?;
    if header.len() as u64 != length {
        return Err(bad("its header is cut short"));
    }
    let metadata = serde_json::from_slice(&header).map_err(|error| bad(&error.to_string()))?;
    Ok((file, metadata, 8 + length))
}

/// The shards that an index names, each once.
fn shards(index: &Path) -> Result<BTreeSet<String>, ModelError> {
    let bad = |reason: String| ModelError::Weights { file: index.to_path_buf(), reason };
    let text = std::fs::read_to_string(index).map_err(|error| io(index, error))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let map = json["weight_map"].as_object().ok_or_else(|| bad("has no weight_map".to_owned()))?;
    map.values()
        .map(|shard| {
            let name = shard.as_str().unwrap_or_default();
            let plain = Path::new(name).file_name().is_some_and(|file| file == name);
            if plain && name.ends_with(".safetensors") {
                Ok(name.to_owned())
            } else {
                Err(bad(format!("\"{}\" is no name of a shard", truncate_width(name, 40))))
            }
        })
        .collect()
}

/// The names of a folder's weights in the index of shards, for whoever downloads them.
///
/// # Errors
/// If the index cannot be read.
pub fn shards_of(index: &Path) -> Result<Vec<String>, ModelError> {
    Ok(shards(index)?.into_iter().collect())
}

/// A pickle is a program: it is never run.
fn refuse_pickle(folder: &Path) -> Result<(), ModelError> {
    for name in ["pytorch_model.bin", "pytorch_model.bin.index.json"] {
        if folder.join(name).exists() {
            return Err(ModelError::Weights { file: folder.join(name), reason: pickle(folder) });
        }
    }
    Ok(())
}

/// Why a pickle is refused, and how to turn the weights of `from` into safetensors.
pub fn pickle(from: &Path) -> String {
    format!(
        "is a pickle, which could run any code and is not loaded. Convert it once, where you \
         trust it: python -c \"from transformers import AutoModelForSequenceClassification as \
         M; M.from_pretrained('{0}').save_pretrained('{1}')\", and copy its tokenizer files too",
        from.display(),
        from.file_name().unwrap_or_default().display()
    )
}
