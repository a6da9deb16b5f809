//! Parameters shared with candle, gradients, and buffers.

use super::bf16_weights::Bf16Weights;
use super::few_rows::KeptWeights;
use super::numeric::add_in_order;
use super::quantized::Quantized;
use crate::core::ops::backend::{LinearLayout, PackedBatch, ParameterLayout};
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Parameters that share the memory of a candle tensor: an update changes the tensor.
#[derive(Clone, Debug)]
pub struct CpuParameters {
    flat: Tensor,
    /// Copies of some weights in eight bits.
    pub(super) quantized: Quantized,
    /// Copies of weights in bfloat16, on a device that multiplies in it.
    pub(super) bf16: Option<Arc<Bf16Weights>>,
    /// Copies of weights for products of few rows, of a model that is not trained.
    pub(super) kept: Option<Arc<KeptWeights>>,
    /// How often the parameters have changed.
    version: Arc<AtomicU64>,
}

impl CpuParameters {
    /// Shares the memory of `flat`, a contiguous tensor of `f32`.
    ///
    /// # Errors
    /// If `flat` is not contiguous, not on the CPU or not `f32`.
    pub(super) fn sharing(flat: &Tensor, bf16: bool) -> Result<Self> {
        let parameters = Self {
            flat: flat.clone(),
            quantized: Quantized::default(),
            bf16: bf16.then(Arc::default),
            kept: None,
            version: Arc::default(),
        };
        parameters.read(|_| Ok(()))?;
        Ok(parameters)
    }

    /// Copies all parameters to `flat`, unless they share its memory.
    pub(super) fn store(&self, flat: &Tensor) -> Result<()> {
        if self.flat.id() == flat.id() {
            return Ok(());
        }
        let values = self.read(|parameters| Ok(parameters.to_vec()))?;
        overwrite(flat, &values)
    }

    /// Makes later products of these layers use copies of their weights in eight bits: for
    /// inference, not for training.
    ///
    /// # Errors
    /// If the layers are not those of this model.
    pub fn quantize(&mut self, layers: &[LinearLayout]) -> Result<()> {
        self.quantized = self.read(|parameters| Quantized::new(parameters, layers))?;
        Ok(())
    }

    /// Keeps copies of weights that make products of few rows quick, until the first training step.
    pub fn keep_weights(&mut self) {
        self.kept = Some(Arc::default());
    }

    /// Calls `f` with all parameters.
    pub(super) fn read<R>(&self, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
        let (storage, layout) = self.flat.storage_and_layout();
        match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(cpu), Some((start, end))) => f(&cpu.as_slice::<f32>()?[start..end]),
            _ => candle_core::bail!("the parameters are not a contiguous CPU tensor"),
        }
    }

    /// Calls `f` with all parameters, to change them.
    pub(super) fn write(&self, f: impl FnOnce(&mut [f32]) + Send) -> Result<()> {
        self.version.fetch_add(1, Ordering::Relaxed);
        change(&self.flat, f)
    }

    /// As [`Self::write`], with a change that can fail.
    pub(super) fn try_write(&self, f: impl FnOnce(&mut [f32]) -> Result<()> + Send) -> Result<()> {
        let mut outcome = Ok(());
        self.write(|parameters| outcome = f(parameters))?;
        outcome
    }

    /// The number of changes so far, which tells copies of weights that are out of date.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }
}

/// Calls `f` with the values of a contiguous CPU tensor of `f32`, or of a view of one, to change
/// them in place.
fn change(tensor: &Tensor, f: impl FnOnce(&mut [f32]) + Send) -> Result<()> {
    tensor.inplace_op1(&Write(Mutex::new(Some(f))))
}

/// Replaces the values of `tensor`, which may be a view of a larger one.
///
/// # Errors
/// If the number of values differs, or the tensor is not a contiguous CPU tensor of `f32`.
pub fn overwrite(tensor: &Tensor, values: &[f32]) -> Result<()> {
    if values.len() != tensor.elem_count() {
        candle_core::bail!("{} values for a tensor of {}", values.len(), tensor.elem_count());
    }
    change(tensor, |old| old.copy_from_slice(values))
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

/// The gradient of every parameter, and the metrics of a step.
#[derive(Debug, Default)]
pub struct CpuGradients {
    /// The gradients of all parameters after the token table.
    pub(super) dense: Vec<f32>,
    /// The number of parameters in the token table.
    pub(super) token_table_len: usize,
    /// The distinct tokens of the step.
    pub(super) tokens: Vec<u32>,
    /// The gradients of their rows, `[distinct, width]`.
    pub(super) token_rows: Vec<f32>,
    /// Whether operations add to gradients instead of overwriting them.
    pub(super) accumulate: bool,
    pub(super) loss: f64,
    /// The losses of masked and of replaced tokens in a step of pretraining.
    pub(super) parts: [f64; 2],
    pub(super) grad_norm: f64,
    pub(super) predicted: Vec<u32>,
    /// Whether `ready_metrics` has not yet returned the metrics of the last step.
    pub(super) unread: bool,
    /// Partial sums, one row per task.
    pub(super) partials: Vec<f32>,
    /// The ranges of `dense` whose sums over all ranks are being computed.
    pub(super) summing: Vec<Range<usize>>,
}

impl CpuGradients {
    pub(super) fn new(layout: &ParameterLayout) -> Self {
        let token_table_len = layout.token_table_len();
        let dense = vec![0.0; layout.len - token_table_len];
        Self { dense, token_table_len, ..Self::default() }
    }

    /// Resets everything for a step with these distinct tokens.
    pub(super) fn begin(&mut self, tokens: &[u32], width: usize) {
        self.tokens.clear();
        self.tokens.extend_from_slice(tokens);
        self.token_rows.resize(tokens.len() * width, 0.0);
        self.accumulate = false;
        self.loss = 0.0;
        self.parts = [0.0; 2];
        self.grad_norm = 0.0;
        self.predicted.clear();
        self.summing.clear();
    }

    /// The gradient of every parameter, with zeros in unused rows of the token table.
    pub(super) fn all(&self) -> Vec<f32> {
        let mut all = vec![0f32; self.token_table_len];
        if !self.tokens.is_empty() {
            let width = self.token_rows.len() / self.tokens.len();
            for (&token, row) in self.tokens.iter().zip(self.token_rows.chunks_exact(width)) {
                all[token as usize * width..][..width].copy_from_slice(row);
            }
        }
        all.extend_from_slice(&self.dense);
        all
    }

    /// The gradient of the `len` parameters from `start` on, which follow the token table.
    pub(super) fn at(&mut self, start: usize, len: usize) -> &mut [f32] {
        let start = start - self.token_table_len;
        &mut self.dense[start..start + len]
    }

    /// Sums the columns from `first` on of the partial sums, whose rows are `width` wide, into the
    /// gradient of the `len` parameters at `start`.
    pub(super) fn add_up(&mut self, width: usize, first: usize, start: usize, len: usize) {
        let start = start - self.token_table_len;
        let total = &mut self.dense[start..start + len];
        add_in_order(&self.partials, width, first, total, self.accumulate);
    }
}

/// `buffer` with `len` values; its previous contents are lost.
pub(super) fn resize(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.resize(len, 0.0);
    buffer
}

/// The rows of each sequence in a matrix of `width` columns.
pub(super) fn split_by_sequence<'a>(
    matrix: &'a mut [f32],
    width: usize,
    batch: &PackedBatch,
    first_only: bool,
) -> Vec<&'a mut [f32]> {
    let mut rest = matrix;
    let mut shares = Vec::with_capacity(batch.batch_size());
    for pair in batch.starts.windows(2) {
        let rows = if first_only { 1 } else { (pair[1] - pair[0]) as usize };
        let (share, after) = std::mem::take(&mut rest).split_at_mut(rows * width);
        shares.push(share);
        rest = after;
    }
    shares
}
