//! AdamW in one pass over all parameters; rows of the token table are updated only when they are
//! needed.

use super::memory::CpuGradients;
use super::numeric::{ELEMENTS_PER_TASK, lane_sum, vectorized};
use crate::core::ops::adamw::{AdamWSettings, clip_factor};
use crate::core::ops::backend::{Moments, ParameterLayout, Update};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// The factors of one update.
#[derive(Clone, Copy, Debug)]
struct Factors {
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    /// The factor of weight decay: `1 - learning rate × weight decay`.
    keep: f32,
    /// The learning rate with the bias correction of the mean: `learning rate / (1 - beta1^step)`.
    rate: f32,
    /// The bias correction of the square root of the variance: `1 / √(1 - beta2^step)`.
    correction: f32,
}

impl Factors {
    /// The factors of `torch.optim.AdamW` at this step, counted from 1.
    fn new(settings: &AdamWSettings, step: u64, learning_rate: f64, decays: bool) -> Self {
        let step = step as f64;
        let decay = if decays { settings.weight_decay } else { 0.0 };
        Self {
            beta1: settings.beta1 as f32,
            beta2: settings.beta2 as f32,
            epsilon: settings.epsilon as f32,
            keep: (1.0 - learning_rate * decay) as f32,
            rate: (learning_rate / (1.0 - settings.beta1.powf(step))) as f32,
            correction: (1.0 / (1.0 - settings.beta2.powf(step)).sqrt()) as f32,
        }
    }

    /// One update of `parameter`, whose gradient is `gradient(i)`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
    fn apply(
        &self,
        parameter: &mut [f32],
        mean: &mut [f32],
        variance: &mut [f32],
        gradient: impl Fn(usize) -> f32,
    ) {
        let n = parameter.len();
        let (mean, variance) = (&mut mean[..n], &mut variance[..n]);
        for i in 0..n {
            let g = gradient(i);
            mean[i] = self.beta1 * mean[i] + (1.0 - self.beta1) * g;
            variance[i] = self.beta2 * variance[i] + (1.0 - self.beta2) * g * g;
            let denominator = variance[i].sqrt() * self.correction + self.epsilon;
            parameter[i] = parameter[i] * self.keep - self.rate * mean[i] / denominator;
        }
    }
}

/// AdamW's moments. Updates of token rows without a gradient stay pending: they are applied one by
/// one when the row is next needed.
#[derive(Debug)]
pub struct CpuOptimizer {
    settings: AdamWSettings,
    step: u64,
    mean: Vec<f32>,
    variance: Vec<f32>,
    decayed: Vec<Range<usize>>,
    width: usize,
    token_table_len: usize,
    /// For each token row: the step up to which it is updated.
    updated: Vec<u64>,
    /// For each token row: whether any of its moments may be non-zero.
    has_moments: Vec<bool>,
    /// The factors of the updates of token rows in the steps after `flushed`.
    pending: Vec<Factors>,
    /// The step up to which all token rows are updated.
    flushed: u64,
}

impl CpuOptimizer {
    pub(super) fn new(layout: &ParameterLayout, settings: AdamWSettings) -> Self {
        let tables = &layout.tables;
        Self {
            settings,
            step: 0,
            mean: vec![0.0; layout.len],
            variance: vec![0.0; layout.len],
            decayed: layout.decayed.clone(),
            width: tables.width,
            token_table_len: layout.token_table_len(),
            updated: vec![0; tables.vocabulary],
            has_moments: vec![false; tables.vocabulary],
            pending: Vec::new(),
            flushed: 0,
        }
    }

    /// The number of token rows.
    pub(super) fn vocabulary(&self) -> usize {
        self.updated.len()
    }

    /// The width of a token row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn moments(&self) -> Moments<'_> {
        Moments {
            steps: self.step,
            mean: Cow::Borrowed(&self.mean),
            variance: Cow::Borrowed(&self.variance),
        }
    }

    /// Restores these moments; returns `false` if their number differs.
    pub(super) fn restore(&mut self, moments: Moments<'static>) -> bool {
        let len = self.mean.len();
        if moments.mean.len() != len || moments.variance.len() != len {
            return false;
        }
        self.mean = moments.mean.into_owned();
        self.variance = moments.variance.into_owned();
        self.step = moments.steps;
        let means = self.mean.chunks_exact(self.width);
        let rows = means.zip(self.variance.chunks_exact(self.width));
        for ((mean, variance), has_moments) in rows.zip(&mut self.has_moments) {
            *has_moments = mean.iter().chain(variance).any(|&moment| moment != 0.0);
        }
        self.mark_flushed();
        true
    }

    fn mark_flushed(&mut self) {
        self.updated.fill(self.step);
        self.pending.clear();
        self.flushed = self.step;
    }

    /// Whether any row may have pending updates.
    pub(super) fn has_pending(&self) -> bool {
        self.flushed != self.step
    }

    /// Applies the pending updates of the rows of these distinct tokens.
    pub(super) fn apply_pending(&mut self, tokens: &[u32], parameters: &mut [f32]) {
        let mut rows: Vec<usize> = tokens.iter().map(|&token| token as usize).collect();
        rows.sort_unstable();
        let all = rows.clone();
        // Without weight decay, a row whose moments are zero does not change.
        let decays = self.pending.iter().any(|factors| factors.keep != 1.0);
        rows.retain(|&row| self.has_moments[row] || decays);
        self.for_rows(&rows, parameters, |_, pending, has_moments, [row, mean, variance]| {
            for factors in pending {
                if has_moments {
                    factors.apply(row, mean, variance, |_| 0.0);
                } else {
                    for value in row.iter_mut() {
                        *value *= factors.keep;
                    }
                }
            }
        });
        for row in all {
            self.updated[row] = self.step;
        }
    }

    /// Applies all pending updates.
    pub(super) fn flush(&mut self, parameters: &mut [f32]) {
        if self.has_pending() {
            let all: Vec<u32> = (0..self.updated.len() as u32).collect();
            self.apply_pending(&all, parameters);
            self.mark_flushed();
        }
    }

    /// Calls `work` with the index of each row in `rows`, its pending factors, whether it
    /// has moments, and its parameters and moments; `rows` are sorted.
    fn for_rows(
        &mut self,
        rows: &[usize],
        parameters: &mut [f32],
        work: impl Fn(usize, &[Factors], bool, [&mut [f32]; 3]) + Sync,
    ) {
        let (width, len) = (self.width, self.token_table_len);
        let mut tasks = Vec::with_capacity(rows.len());
        let mut tables = [parameters, &mut self.mean, &mut self.variance]
            .map(|table| RowCursor { rest: &mut table[..len], width });
        let mut next = 0;
        for (index, &row) in rows.iter().enumerate() {
            let skip = (row - next) * width;
            let parts = tables.each_mut().map(|table| table.next(skip));
            next = row + 1;
            let pending = &self.pending[(self.updated[row] - self.flushed) as usize..];
            tasks.push((index, pending, self.has_moments[row], parts));
        }
        tasks.into_par_iter().with_min_len(8).for_each(|(index, pending, has_moments, parts)| {
            vectorized(|| work(index, pending, has_moments, parts));
        });
    }

    /// Clips the gradients and updates all parameters except token rows without a gradient.
    pub(super) fn update(
        &mut self,
        update: Update,
        parameters: &mut [f32],
        gradients: &mut CpuGradients,
    ) {
        let scale = clip_factor(gradients.grad_norm, update.max_grad_norm) as f32;
        self.step += 1;
        let factors =
            |decays| Factors::new(&self.settings, self.step, update.learning_rate, decays);
        let (plain, decaying) = (factors(false), factors(true));
        let token_table_len = self.token_table_len;
        let tokens_decay = self.decayed.iter().any(|range| range.start < token_table_len);
        let token_factors = if tokens_decay { decaying } else { plain };

        let decayed = &self.decayed;
        parameters[token_table_len..]
            .par_chunks_mut(ELEMENTS_PER_TASK)
            .zip(self.mean[token_table_len..].par_chunks_mut(ELEMENTS_PER_TASK))
            .zip(self.variance[token_table_len..].par_chunks_mut(ELEMENTS_PER_TASK))
            .zip(gradients.dense.par_chunks(ELEMENTS_PER_TASK))
            .enumerate()
            .for_each(|(task, (((parameter, mean), variance), gradient))| {
                let first = token_table_len + task * ELEMENTS_PER_TASK;
                for (range, decays) in pieces(decayed, first..first + parameter.len()) {
                    let here = range.start - first..range.end - first;
                    let gradient = &gradient[here.clone()];
                    let factors = if decays { &decaying } else { &plain };
                    vectorized(|| {
                        factors.apply(
                            &mut parameter[here.clone()],
                            &mut mean[here.clone()],
                            &mut variance[here],
                            |i| gradient[i] * scale,
                        );
                    });
                }
            });

        // The step's token rows have no pending updates: `begin_step` applied them.
        let tokens = gradients.tokens.iter().enumerate();
        let mut rows: Vec<(usize, usize)> = tokens.map(|(i, &token)| (token as usize, i)).collect();
        rows.sort_unstable();
        let tokens: Vec<usize> = rows.iter().map(|&(token, _)| token).collect();
        let (width, grads) = (self.width, &gradients.token_rows);
        self.for_rows(&tokens, parameters, |index, _, _, [row, mean, variance]| {
            let gradient = &grads[rows[index].1 * width..][..width];
            token_factors.apply(row, mean, variance, |i| gradient[i] * scale);
        });
        for row in tokens {
            self.has_moments[row] = true;
            self.updated[row] = self.step;
        }
        self.pending.push(token_factors);
    }
}

/// Borrows rows of a table one after another.
struct RowCursor<'a> {
    rest: &'a mut [f32],
    width: usize,
}

impl<'a> RowCursor<'a> {
    /// The next row, after skipping `skip` values.
    fn next(&mut self, skip: usize) -> &'a mut [f32] {
        let rest = std::mem::take(&mut self.rest);
        let (row, after) = rest[skip..].split_at_mut(self.width);
        self.rest = after;
        row
    }
}

/// `range` split where weight decay begins or ends; `decayed` is sorted.
fn pieces(
    decayed: &[Range<usize>],
    range: Range<usize>,
) -> impl Iterator<Item = (Range<usize>, bool)> + '_ {
    let mut at = range.start;
    std::iter::from_fn(move || {
        if at >= range.end {
            return None;
        }
        let next = decayed.partition_point(|decayed| decayed.end <= at);
        let (end, decays) = match decayed.get(next) {
            Some(decayed) if decayed.start <= at => (decayed.end, true),
            Some(decayed) => (decayed.start, false),
            None => (range.end, false),
        };
        let piece = at..end.min(range.end);
        at = piece.end;
        Some((piece, decays))
    })
}

/// The norm of all gradients together, as `torch.nn.utils.clip_grad_norm_` computes it.
pub(super) fn norm(gradients: &CpuGradients) -> f64 {
    (squared_norm(&gradients.dense) + squared_norm(&gradients.token_rows)).sqrt()
}

fn squared_norm(values: &[f32]) -> f64 {
    let partials: Vec<f64> = values
        .par_chunks(ELEMENTS_PER_TASK)
        .map(|chunk| {
            // Short runs are summed in f32, and their sums are added in f64.
            vectorized(|| {
                let runs = chunk.chunks(256);
                runs.map(|run| f64::from(lane_sum(run.len(), |i| run[i] * run[i]))).sum()
            })
        })
        .collect();
    partials.iter().sum()
}
