//! What the tests lay operations out on: any machine, through nothing but the [`Backend`] trait.
//!
//! Activations cannot be written or read directly. They get in as a table of words that is looked
//! up, and out as logits of a layer that changes nothing.

use crate::core::ops::AdamWSettings;
use crate::core::ops::backend::{Arrangement, Backend, Dense, Norm, PackedBatch, Tables};
use crate::core::ops::dropout::Dropout;
use crate::core::ops::testing::numbers;
use candle_core::{Device, Result, Tensor};
use half::bf16;
use std::ops::Range;

/// Results by name.
pub(super) type Results = Vec<(String, Vec<f32>)>;

/// Numbers that look random, are the same everywhere, and are the same in `bf16`.
pub(super) fn random(n: usize, scale: f32, salt: u64) -> Vec<f32> {
    numbers(n, scale, salt).into_iter().map(|value| bf16::from_f32(value).to_f32()).collect()
}

/// A tensor of the host's.
pub(super) fn flat(values: Vec<f32>) -> Result<Tensor> {
    let n = values.len();
    Tensor::from_vec(values, n, &Device::Cpu)
}

/// One of everything that has parameters.
pub(super) struct Parts {
    pub arrangement: Arrangement,
    pub tables: Tables,
    pub norm: Norm,
    pub dense: Dense,
    pub classifier: Dense,
    pub values: Vec<f32>,
    names: Vec<(&'static str, Range<usize>)>,
}

impl Parts {
    /// A model of rows of `width`, a layer from them to `outputs` and a last one to 3 classes.
    pub(super) fn new(width: usize, outputs: usize) -> Self {
        Self::with_vocabulary(11, width, outputs)
    }

    pub(super) fn with_vocabulary(vocabulary: usize, width: usize, outputs: usize) -> Self {
        let sizes = [
            ("words", vocabulary * width),
            ("positions", 80 * width),
            ("types", 2 * width),
            ("scale", width),
            ("shift", width),
            ("weight", outputs * width),
            ("bias", outputs),
            ("last weight", 3 * width),
            ("last bias", 3),
        ];
        let mut names = Vec::new();
        let mut values = Vec::new();
        for (salt, (name, size)) in sizes.into_iter().enumerate() {
            names.push((name, values.len()..values.len() + size));
            let scale = if name.contains("weight") { 0.2 } else { 1.0 };
            values.extend(random(size, scale, salt as u64));
        }
        let start = |name| {
            names.iter().find(|part| part.0 == name).map(|part| part.1.start).expect("a part")
        };
        let tables = Tables {
            words: 0,
            vocabulary,
            positions: start("positions"),
            max_positions: 80,
            first_position: 2,
            types: start("types"),
            max_types: 2,
            width,
        };
        let (weight, bias) = (start("scale"), start("shift"));
        let norm = Norm { weight, bias, epsilon: 1e-5, width };
        let (weight, bias) = (start("weight"), start("bias"));
        let dense = Dense { weight, bias, inputs: width, outputs };
        let (weight, bias) = (start("last weight"), start("last bias"));
        let classifier = Dense { weight, bias, inputs: width, outputs: 3 };
        // As PyTorch users have it: no decay of biases and normalisations.
        let decayed = vec![0..start("scale"), start("weight")..start("bias")];
        let arrangement = Arrangement { len: values.len(), tables, decayed };
        Self { arrangement, tables, norm, dense, classifier, values, names }
    }

    pub(super) fn send<B: Backend>(&self, backend: &B) -> Result<B::Parameters> {
        backend.parameters(&self.arrangement, &flat(self.values.clone())?)
    }

    /// `all` has one number for each parameter: part by part.
    pub(super) fn split(&self, what: &str, all: &[f32], results: &mut Results) {
        for (name, range) in &self.names {
            results.push((format!("{what} of {name}"), all[range.clone()].to_vec()));
        }
    }

    /// Every gradient, part by part.
    pub(super) fn gradients<B: Backend>(
        &self,
        backend: &B,
        gradients: &B::Gradients,
        what: &str,
        results: &mut Results,
    ) -> Result<()> {
        self.split(&format!("{what}, gradient"), &backend.read_gradients(gradients)?, results);
        Ok(())
    }
}

/// AdamW as it is mostly used.
pub(super) const SETTINGS: AdamWSettings =
    AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };

/// Sequences of these lengths, of words below `vocabulary`; and the distinct words.
pub(super) fn batch(lengths: &[usize], vocabulary: usize, salt: u64) -> (PackedBatch, Vec<u32>) {
    let rows: usize = lengths.iter().sum();
    let ids: Vec<u32> = random(rows, 1000.0, salt)
        .into_iter()
        .map(|value| (value.abs() as usize % vocabulary) as u32)
        .collect();
    let mut words = ids.clone();
    words.sort_unstable();
    words.dedup();
    // Not in order: nothing may depend on it.
    words.reverse();
    let packed = PackedBatch { ids, ..of_lengths(lengths) };
    (with_occurrences(packed, &words), words)
}

/// A batch for operations that look at no words.
pub(super) fn of_lengths(lengths: &[usize]) -> PackedBatch {
    let mut starts = vec![0u32];
    for &length in lengths {
        starts.push(starts[starts.len() - 1] + length as u32);
    }
    PackedBatch {
        ids: vec![0; lengths.iter().sum()],
        labels: (0..lengths.len() as u32).map(|sequence| sequence % 3).collect(),
        starts,
        ..PackedBatch::default()
    }
}

/// Says where in a batch each of a step's words is; some may not be in it.
pub(super) fn with_occurrences(mut batch: PackedBatch, words: &[u32]) -> PackedBatch {
    batch.occurrence_starts = vec![0];
    batch.occurrences.clear();
    for word in words {
        let rows = batch.ids.iter().enumerate().filter(|(_, id)| *id == word);
        batch.occurrences.extend(rows.map(|(row, _)| row as u32));
        batch.occurrence_starts.push(batch.occurrences.len() as u32);
    }
    batch
}

/// Sends a batch.
pub(super) fn send<B: Backend>(backend: &B, batch: &PackedBatch) -> Result<B::Batch> {
    let mut sent = B::Batch::default();
    backend.send(batch, &mut sent)?;
    Ok(sent)
}

/// Activations with these values, `[rows, width]`.
pub(super) fn put<B: Backend>(backend: &B, width: usize, values: &[f32]) -> Result<B::Buffer> {
    let rows = values.len() / width;
    let tables = Tables {
        words: 0,
        vocabulary: rows,
        positions: rows * width,
        max_positions: 1,
        first_position: 0,
        types: (rows + 1) * width,
        max_types: 1,
        width,
    };
    let (weight, bias) = ((rows + 2) * width, (rows + 3) * width);
    let norm = Norm { weight, bias, epsilon: 1e-5, width };
    let len = (rows + 4) * width;
    let arrangement = Arrangement { len, tables, decayed: Vec::new() };
    let mut all = values.to_vec();
    all.resize(len, 0.0);
    let parameters = backend.parameters(&arrangement, &flat(all)?)?;
    let words = PackedBatch { ids: (0..rows as u32).collect(), ..of_lengths(&vec![1; rows]) };
    let words = send(backend, &words)?;
    let (mut sum, mut out) = (B::Buffer::default(), B::Buffer::default());
    let mut statistics = B::Floats::default();
    let (none, x) = (Dropout::NONE, &mut sum);
    backend.embed(&parameters, &tables, &norm, none, &words, x, &mut statistics, &mut out)?;
    Ok(sum)
}

/// The values of activations, as `f32`s on the machine.
pub(super) fn floats<B: Backend>(
    backend: &B,
    width: usize,
    rows: usize,
    x: &B::Buffer,
) -> Result<B::Floats> {
    let tables = Tables {
        words: 0,
        vocabulary: 0,
        positions: 0,
        max_positions: 0,
        first_position: 0,
        types: 0,
        max_types: 0,
        width,
    };
    let len = width * width + width;
    let arrangement = Arrangement { len, tables, decayed: Vec::new() };
    let mut identity = vec![0f32; len];
    identity[..width * width].iter_mut().step_by(width + 1).for_each(|one| *one = 1.0);
    let parameters = backend.parameters(&arrangement, &flat(identity)?)?;
    let dense = Dense { weight: 0, bias: width * width, inputs: width, outputs: width };
    let mut logits = B::Floats::default();
    backend.classify(&parameters, &dense, rows, x, &mut logits)?;
    Ok(logits)
}

/// The values of activations.
pub(super) fn get<B: Backend>(
    backend: &B,
    width: usize,
    rows: usize,
    x: &B::Buffer,
) -> Result<Vec<f32>> {
    backend.read(&floats(backend, width, rows, x)?)
}
