//! A small model and batches for tests of operations on any device, through the [`Backend`] traits.
//!
//! Activations cannot be written or read directly. They are written as a token table that is looked
//! up, and read as the logits of an identity layer.

use crate::core::ops::AdamWSettings;
use crate::core::ops::backend::{
    Backend, ClassifyForward, EmbedForward, EmbeddingTables, LayerNormLayout, LinearLayout,
    PackedBatch, ParameterLayout,
};
use crate::core::ops::dropout::Dropout;
use crate::core::ops::testing::normal_values;
use candle_core::{Device, Result, Tensor};
use half::bf16;
use std::ops::Range;

/// Results by name.
pub(super) type Results = Vec<(String, Vec<f32>)>;

/// Normally distributed values, the same on every computer, which `bf16` represents exactly.
pub(super) fn random(n: usize, scale: f32, salt: u64) -> Vec<f32> {
    normal_values(n, scale, salt).into_iter().map(|value| bf16::from_f32(value).to_f32()).collect()
}

/// A CPU tensor.
pub(super) fn flat(values: Vec<f32>) -> Result<Tensor> {
    let n = values.len();
    Tensor::from_vec(values, n, &Device::Cpu)
}

/// A model with one layer of each kind that has parameters.
pub(super) struct TestModel {
    pub layout: ParameterLayout,
    pub tables: EmbeddingTables,
    pub norm: LayerNormLayout,
    pub linear: LinearLayout,
    pub classifier: LinearLayout,
    pub values: Vec<f32>,
    names: Vec<(&'static str, Range<usize>)>,
}

impl TestModel {
    /// A model with rows of `width`, a linear layer to `outputs` and a last layer to 3 classes.
    pub(super) fn new(width: usize, outputs: usize) -> Self {
        Self::with_vocabulary(11, width, outputs)
    }

    pub(super) fn with_vocabulary(vocabulary: usize, width: usize, outputs: usize) -> Self {
        let sizes = [
            ("tokens", vocabulary * width),
            ("positions", 80 * width),
            ("token types", 2 * width),
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
        let tables = EmbeddingTables {
            tokens: 0,
            vocabulary,
            positions: Some(start("positions")),
            max_positions: 80,
            first_position: 2,
            token_types: start("token types"),
            max_token_types: 2,
            padding_token: None,
            padding_position: None,
            width,
        };
        let (weight, bias) = (start("scale"), start("shift"));
        let norm = LayerNormLayout { weight, bias, epsilon: 1e-5, width };
        let (weight, bias) = (start("weight"), start("bias"));
        let linear = LinearLayout { weight, bias, inputs: width, outputs };
        let (weight, bias) = (start("last weight"), start("last bias"));
        let classifier = LinearLayout { weight, bias, inputs: width, outputs: 3 };
        // As in training, weight decay does not apply to biases and normalizations.
        let decayed = vec![0..start("scale"), start("weight")..start("bias")];
        let layout = ParameterLayout { len: values.len(), tables, decayed, rates: Vec::new() };
        Self { layout, tables, norm, linear, classifier, values, names }
    }

    pub(super) fn send<B: Backend>(&self, backend: &B) -> Result<B::Parameters> {
        backend.parameters(&self.layout, &flat(self.values.clone())?)
    }

    /// Adds the values of each part to the results; `all` has one value per parameter.
    pub(super) fn split(&self, what: &str, all: &[f32], results: &mut Results) {
        for (name, range) in &self.names {
            results.push((format!("{what} of {name}"), all[range.clone()].to_vec()));
        }
    }

    /// Adds every gradient to the results.
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

/// The usual settings of AdamW.
pub(super) const SETTINGS: AdamWSettings =
    AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };

/// Sequences of these lengths, of tokens below `vocabulary`; and the distinct tokens.
pub(super) fn batch(lengths: &[usize], vocabulary: usize, salt: u64) -> (PackedBatch, Vec<u32>) {
    let rows: usize = lengths.iter().sum();
    let ids: Vec<u32> = random(rows, 1000.0, salt)
        .into_iter()
        .map(|value| (value.abs() as usize % vocabulary) as u32)
        .collect();
    let mut tokens = ids.clone();
    tokens.sort_unstable();
    tokens.dedup();
    // Not sorted, because results must not depend on the order.
    tokens.reverse();
    let packed = PackedBatch { ids, ..of_lengths(lengths) };
    (with_occurrences(packed, &tokens), tokens)
}

/// A batch for operations that do not use token ids.
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

/// Lists the occurrences of each distinct token of a step, some of which may not be in the batch.
pub(super) fn with_occurrences(mut batch: PackedBatch, tokens: &[u32]) -> PackedBatch {
    batch.occurrence_starts = vec![0];
    batch.occurrences.clear();
    for token in tokens {
        let rows = batch.ids.iter().enumerate().filter(|(_, id)| *id == token);
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
    let tables = EmbeddingTables {
        tokens: 0,
        vocabulary: rows,
        positions: Some(rows * width),
        max_positions: 1,
        first_position: 0,
        token_types: (rows + 1) * width,
        max_token_types: 1,
        padding_token: None,
        padding_position: None,
        width,
    };
    let (weight, bias) = ((rows + 2) * width, (rows + 3) * width);
    let norm = LayerNormLayout { weight, bias, epsilon: 1e-5, width };
    let len = (rows + 4) * width;
    let layout = ParameterLayout { len, tables, decayed: Vec::new(), rates: Vec::new() };
    let mut all = values.to_vec();
    all.resize(len, 0.0);
    let parameters = backend.parameters(&layout, &flat(all)?)?;
    let batch = PackedBatch { ids: (0..rows as u32).collect(), ..of_lengths(&vec![1; rows]) };
    let mut sum = B::Buffer::default();
    backend.embed(EmbedForward {
        parameters: &parameters,
        tables: &tables,
        norm: &norm,
        dropout: Dropout::NONE,
        batch: &send(backend, &batch)?,
        sum: &mut sum,
        statistics: &mut B::Floats::default(),
        out: &mut B::Buffer::default(),
    })?;
    Ok(sum)
}

/// The values of activations, as `f32` on the device.
pub(super) fn floats<B: Backend>(
    backend: &B,
    width: usize,
    rows: usize,
    x: &B::Buffer,
) -> Result<B::Floats> {
    let tables = EmbeddingTables::empty(width);
    let len = width * width + width;
    let layout = ParameterLayout { len, tables, decayed: Vec::new(), rates: Vec::new() };
    let mut identity = vec![0f32; len];
    identity[..width * width].iter_mut().step_by(width + 1).for_each(|one| *one = 1.0);
    let parameters = backend.parameters(&layout, &flat(identity)?)?;
    let layer = LinearLayout { weight: 0, bias: width * width, inputs: width, outputs: width };
    let mut logits = B::Floats::default();
    let (parameters, layer) = (&parameters, &layer);
    backend.classify(ClassifyForward { parameters, layer, rows, x, logits: &mut logits })?;
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
