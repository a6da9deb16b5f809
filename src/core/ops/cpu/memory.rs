//! What the CPU keeps: parameters shared with candle, and gradients.

use super::numeric::add_in_order;
use super::quantized::Quantized;
use crate::core::ops::backend::{Arrangement, Dense, PackedBatch};
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor};
use std::sync::Mutex;

/// Parameters in the memory of a candle tensor, so that whoever holds the tensor sees them.
#[derive(Clone, Debug)]
pub struct Parameters {
    flat: Tensor,
    /// Copies in eight bits, where there are any.
    pub(super) quantized: Quantized,
}

impl Parameters {
    /// Shares the memory of `flat`, a contiguous tensor of `f32`.
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn sharing(flat: &Tensor) -> Result<Self> {
        let parameters = Self { flat: flat.clone(), quantized: Quantized::default() };
        parameters.read(|_| Ok(()))?;
        Ok(parameters)
    }

    /// Multiplies by copies of these layers' weights in eight bits from here on: for answers, not
    /// for training.
    ///
    /// # Errors
    /// If they are not those of a model that fits.
    pub fn quantize(&mut self, layers: &[Dense]) -> Result<()> {
        self.quantized = self.read(|parameters| Quantized::new(parameters, layers))?;
        Ok(())
    }

    /// Calls `f` with all numbers.
    pub(super) fn read<R>(&self, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
        let (storage, layout) = self.flat.storage_and_layout();
        match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(cpu), Some((start, end))) => f(&cpu.as_slice::<f32>()?[start..end]),
            _ => candle_core::bail!("the parameters are not a contiguous CPU tensor"),
        }
    }

    /// Calls `f` with all numbers, to change them.
    pub(super) fn write(&self, f: impl FnOnce(&mut [f32]) + Send) -> Result<()> {
        change(&self.flat, f)
    }
}

/// Calls `f` with the numbers of a contiguous CPU tensor of `f32`, or of a part of one, to change
/// them where they stand.
fn change(tensor: &Tensor, f: impl FnOnce(&mut [f32]) + Send) -> Result<()> {
    tensor.inplace_op1(&Write(Mutex::new(Some(f))))
}

/// Puts `values` in the place of those of `tensor`, which may be a view of a larger one.
///
/// # Errors
/// If there are more or fewer, or the tensor is not a contiguous CPU tensor of `f32`.
pub fn overwrite(tensor: &Tensor, values: &[f32]) -> Result<()> {
    if values.len() != tensor.elem_count() {
        candle_core::bail!("{} values for {} numbers", values.len(), tensor.elem_count());
    }
    change(tensor, |numbers| numbers.copy_from_slice(values))
}

struct Write<F>(Mutex<Option<F>>);

impl<F: FnOnce(&mut [f32]) + Send> InplaceOp1 for Write<F> {
    fn name(&self) -> &'static str {
        "write"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets())
        else {
            candle_core::bail!("the parameters are not a contiguous tensor of f32")
        };
        let write = self.0.lock().ok().and_then(|mut write| write.take());
        if let Some(write) = write {
            write(&mut values[start..end]);
        }
        Ok(())
    }
}

/// The gradient of every parameter, and what a step came to.
#[derive(Debug, Default)]
pub struct Gradients {
    /// Of all parameters but the table of words.
    pub(super) dense: Vec<f32>,
    /// The numbers of the table of words, which stand before those.
    pub(super) words_len: usize,
    /// The distinct words of the step.
    pub(super) words: Vec<u32>,
    /// Their rows' gradients.
    pub(super) word_rows: Vec<f32>,
    /// Whether to add to what is there.
    pub(super) accumulate: bool,
    pub(super) loss: f64,
    pub(super) grad_norm: f64,
    pub(super) predicted: Vec<u32>,
    /// Partial sums on their way.
    pub(super) partials: Vec<f32>,
}

impl Gradients {
    pub(super) fn new(arrangement: &Arrangement) -> Self {
        let words_len = arrangement.words_len();
        Self { dense: vec![0.0; arrangement.len - words_len], words_len, ..Self::default() }
    }

    /// Forgets everything, before a step that uses these words.
    pub(super) fn begin(&mut self, words: &[u32], width: usize) {
        self.words.clear();
        self.words.extend_from_slice(words);
        self.word_rows.resize(words.len() * width, 0.0);
        self.accumulate = false;
        self.loss = 0.0;
        self.grad_norm = 0.0;
        self.predicted.clear();
    }

    /// The gradient of every parameter; of words that were not used it is zero.
    pub(super) fn all(&self) -> Vec<f32> {
        let mut all = vec![0f32; self.words_len];
        if !self.words.is_empty() {
            let width = self.word_rows.len() / self.words.len();
            for (&word, row) in self.words.iter().zip(self.word_rows.chunks_exact(width)) {
                all[word as usize * width..][..width].copy_from_slice(row);
            }
        }
        all.extend_from_slice(&self.dense);
        all
    }

    /// The gradient of the `len` numbers that start at `start` of all parameters.
    pub(super) fn at(&mut self, start: usize, len: usize) -> &mut [f32] {
        let start = start - self.words_len;
        &mut self.dense[start..start + len]
    }

    /// Adds up the columns from `first` on of the partial sums, whose rows are `width` wide, into
    /// the gradient of the `len` numbers at `start`.
    pub(super) fn add_up(&mut self, width: usize, first: usize, start: usize, len: usize) {
        let start = start - self.words_len;
        let total = &mut self.dense[start..start + len];
        add_in_order(&self.partials, width, first, total, self.accumulate);
    }
}

/// `buffer` with `len` numbers; what it held is lost.
pub(super) fn fit(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.resize(len, 0.0);
    buffer
}

/// Each sequence's share of a matrix of `width` columns, to be written to.
pub(super) fn by_sequence<'a>(
    matrix: &'a mut [f32],
    width: usize,
    batch: &PackedBatch,
    first_only: bool,
) -> Vec<&'a mut [f32]> {
    let mut rest = matrix;
    let mut shares = Vec::with_capacity(batch.batch());
    for pair in batch.starts.windows(2) {
        let rows = if first_only { 1 } else { (pair[1] - pair[0]) as usize };
        let (share, after) = std::mem::take(&mut rest).split_at_mut(rows * width);
        shares.push(share);
        rest = after;
    }
    shares
}
