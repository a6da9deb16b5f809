//! Parameters and gradients on a card.

use super::driver::{Driver, Pointer};
use super::memory::{Card, Memory};
use crate::core::ops::backend::{Arrangement, StepMetrics};
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor, bail};
use std::sync::{Arc, Mutex, PoisonError};

/// The bytes of an `f32`.
pub(super) const FLOAT: usize = size_of::<f32>();

/// All parameters as `f32`; in half precision also as `bf16`, but for the table of words.
pub struct Parameters<D: Driver> {
    floats: Memory<D>,
    /// What matrix products take; `None` where they take the parameters themselves.
    shadow: Option<Memory<D>>,
    len: usize,
    words_len: usize,
}

/// The error of a tensor that should be one of the host's.
fn is_foreign<T>() -> Result<T> {
    bail!("the parameters are not a contiguous CPU tensor of f32")
}

/// Writes parameters into a tensor of the host's.
struct Download<'a, D: Driver>(&'a Parameters<D>);

impl<D: Driver> InplaceOp1 for Download<'_, D> {
    fn name(&self) -> &'static str {
        "download"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        match (storage, layout.contiguous_offsets()) {
            (CpuStorage::F32(values), Some((start, end))) if end - start == self.0.len => {
                self.0.floats.download(0, &mut values[start..end])
            }
            _ => is_foreign(),
        }
    }
}

impl<D: Driver> Parameters<D> {
    /// Takes a contiguous tensor of `f32` over; `shadow` has room for activations of its own kind.
    pub(super) fn new(
        card: &Arc<Card<D>>,
        arrangement: &Arrangement,
        flat: &Tensor,
    ) -> Result<Self> {
        let (len, words_len) = (arrangement.len, arrangement.words_len());
        if flat.elem_count() != len {
            bail!("the parameters are of another model");
        }
        let (storage, layout) = flat.storage_and_layout();
        let floats = match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(cpu), Some((start, end))) => {
                Memory::holding(card, &cpu.as_slice::<f32>()?[start..end])?
            }
            _ => return is_foreign(),
        };
        let bytes = card.driver().precision().activation_bytes();
        let shadow = if bytes == FLOAT {
            None
        } else {
            Some(Memory::zeroed(card, (len - words_len) * bytes)?)
        };
        Ok(Self { floats, shadow, len, words_len })
    }

    /// Writes all parameters into a contiguous tensor of `f32`.
    pub(super) fn store(&self, flat: &Tensor) -> Result<()> {
        flat.inplace_op1(&Download(self))
    }

    /// How many there are, and how many of them the table of words has.
    pub(super) fn lens(&self) -> (usize, usize) {
        (self.len, self.words_len)
    }

    /// The `len` numbers from `start` on, as `f32`.
    pub(super) fn floats(&self, start: usize, len: usize) -> Result<Pointer> {
        if start + len > self.len {
            bail!("{len} parameters at {start} of {}", self.len);
        }
        Ok(self.floats.start().offset(start * FLOAT))
    }

    /// The `len` numbers from `start` on, beyond the table of words, as activations are.
    pub(super) fn factors(&self, start: usize, len: usize) -> Result<Pointer> {
        let floats = self.floats(start, len)?;
        match &self.shadow {
            None => Ok(floats),
            Some(shadow) => {
                let bytes = size_of::<half::bf16>();
                Ok(shadow.start().offset(beyond_words(start, self.words_len)? * bytes))
            }
        }
    }

    /// Where the parameters beyond the table of words are kept as activations; null if nowhere.
    pub(super) fn shadow(&self) -> Pointer {
        self.shadow.as_ref().map_or(Pointer::NULL, Memory::start)
    }
}

/// A parameter's number, counted from the end of the table of words.
fn beyond_words(start: usize, words_len: usize) -> Result<usize> {
    match start.checked_sub(words_len) {
        Some(start) => Ok(start),
        None => bail!("parameter {start} belongs to the table of words"),
    }
}

/// What became of a step: `[norm, factor of clipping, 1 if it was applied, loss]`. Gradients and
/// optimizer share it, and the host learns it when it first has to.
pub(super) struct Outcome<D: Driver> {
    memory: Memory<D>,
    known: Mutex<Option<[f32; 4]>>,
}

impl<D: Driver> Outcome<D> {
    pub(super) fn start(&self) -> Pointer {
        self.memory.start()
    }

    /// Says that a step is on its way that will change it.
    pub(super) fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn read(&self) -> Result<[f32; 4]> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(figures) = *known {
            return Ok(figures);
        }
        let mut figures = [0f32; 4];
        self.memory.download(0, &mut figures)?;
        *known = Some(figures);
        Ok(figures)
    }

    /// Whether the step was applied; waits for it.
    pub(super) fn applied(&self) -> Result<bool> {
        Ok(self.read()?[2] != 0.0)
    }

    /// The loss and the norm of the gradients; waits for them.
    pub(super) fn loss_and_norm(&self) -> Result<(f32, f32)> {
        let [norm, _, _, loss] = self.read()?;
        Ok((loss, norm))
    }
}

/// The gradient of every parameter, as `f32`; of the table of words only the rows of a step.
pub struct Gradients<D: Driver> {
    /// Of all parameters but the table of words.
    dense: Memory<D>,
    dense_len: usize,
    words_len: usize,
    width: usize,
    /// The distinct words of the step, here and there.
    pub(super) words: Vec<u32>,
    pub(super) word_ids: Memory<D>,
    /// `[distinct, width]`.
    pub(super) word_rows: Memory<D>,
    /// Whether to add to what is there.
    pub(super) accumulate: bool,
    /// The step's loss so far, one number.
    pub(super) loss: Memory<D>,
    /// Predicted classes, and how many there are.
    pub(super) predicted: Memory<D>,
    pub(super) predictions: usize,
    /// Partial sums on their way.
    pub(super) partials: Memory<D>,
    pub(super) outcome: Arc<Outcome<D>>,
    /// Whether the step's update was asked for.
    pub(super) ended: bool,
}

impl<D: Driver> Gradients<D> {
    pub(super) fn new(card: &Arc<Card<D>>, arrangement: &Arrangement) -> Result<Self> {
        let words_len = arrangement.words_len();
        let dense_len = arrangement.len - words_len;
        let outcome = Outcome { memory: Memory::zeroed(card, 4 * FLOAT)?, known: Mutex::default() };
        Ok(Self {
            dense: Memory::zeroed(card, dense_len * FLOAT)?,
            dense_len,
            words_len,
            width: arrangement.tables.width,
            words: Vec::new(),
            word_ids: Memory::default(),
            word_rows: Memory::default(),
            accumulate: false,
            loss: Memory::zeroed(card, FLOAT)?,
            predicted: Memory::default(),
            predictions: 0,
            partials: Memory::default(),
            outcome: Arc::new(outcome),
            ended: false,
        })
    }

    /// Forgets everything, before a step that uses these words, and sends them.
    pub(super) fn begin(&mut self, card: &Arc<Card<D>>, words: &[u32]) -> Result<()> {
        let highest = words.iter().copied().max().unwrap_or(0) as usize;
        if !words.is_empty() && (highest + 1) * self.width > self.words_len {
            bail!("token id {highest} in a vocabulary of {}", self.words_len / self.width);
        }
        self.words.clear();
        self.words.extend_from_slice(words);
        self.word_ids.fit(card, size_of_val(words))?;
        self.word_ids.upload(0, words)?;
        self.word_rows.fit(card, self.word_rows_len() * FLOAT)?;
        self.accumulate = false;
        self.ended = false;
        self.predictions = 0;
        self.loss.clear()
    }

    /// The gradient of the `len` parameters from `start` on, which are beyond the table of words.
    pub(super) fn at(&mut self, start: usize, len: usize) -> Result<Pointer> {
        let start = beyond_words(start, self.words_len)?;
        if start + len > self.dense_len {
            bail!("{len} gradients at {start} of {}", self.dense_len);
        }
        Ok(self.dense.start().offset(start * FLOAT))
    }

    /// The gradient of everything beyond the table of words, and its length.
    pub(super) fn dense(&self) -> (Pointer, usize) {
        (self.dense.start(), self.dense_len)
    }

    /// What the step came to so far.
    pub(super) fn figures(&self) -> Result<StepMetrics> {
        let mut predicted = vec![0u32; self.predictions];
        self.predicted.download(0, &mut predicted)?;
        let (loss, grad_norm) = if self.ended {
            self.outcome.loss_and_norm()?
        } else {
            let mut loss = [0f32];
            self.loss.download(0, &mut loss)?;
            (loss[0], 0.0)
        };
        Ok(StepMetrics { loss: loss.into(), grad_norm: grad_norm.into(), predicted })
    }

    /// How many numbers the words' rows have.
    pub(super) fn word_rows_len(&self) -> usize {
        self.words.len() * self.width
    }

    /// The gradient of every parameter; of words that were not used it is zero.
    pub(super) fn read(&self) -> Result<Vec<f32>> {
        let mut all = vec![0f32; self.words_len + self.dense_len];
        let (words, dense) = all.split_at_mut(self.words_len);
        self.dense.download(0, dense)?;
        let mut rows = vec![0f32; self.word_rows_len()];
        self.word_rows.download(0, &mut rows)?;
        for (&word, row) in self.words.iter().zip(rows.chunks_exact(self.width)) {
            words[word as usize * self.width..][..self.width].copy_from_slice(row);
        }
        Ok(all)
    }
}
