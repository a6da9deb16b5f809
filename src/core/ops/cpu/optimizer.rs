//! AdamW in one pass over all parameters; rows of the token table are updated only when they are
//! needed.

use super::adamw::{Factors, Part};
use super::memory::{CpuGradients, CpuParameters};
use super::numeric::{ELEMENTS_PER_TASK, lane_sum, vectorized};
use crate::core::ops::adamw::{AdamWSettings, average_share, clip_factor};
use crate::core::ops::backend::{Moments, ParameterLayout, Update, UpdateGroups};
use candle_core::Result;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// AdamW's moments. Updates of token rows without a gradient stay pending: they are applied one by
/// one when the row is next needed.
#[derive(Debug)]
pub struct CpuOptimizer {
    settings: AdamWSettings,
    step: u64,
    mean: Arc<Vec<f32>>,
    variance: Arc<Vec<f32>>,
    groups: UpdateGroups,
    width: usize,
    token_table_len: usize,
    /// For each token row: the step up to which it is updated.
    updated: Vec<u64>,
    /// For each token row: whether any of its moments may be non-zero, or its average may differ
    /// from it.
    is_active: Vec<bool>,
    /// The factors of the updates of token rows in the steps after `flushed`.
    pending: Vec<Factors>,
    /// The step up to which all token rows are updated.
    flushed: u64,
    average: Option<Average>,
}

/// The average of the weights.
#[derive(Debug)]
struct Average {
    weights: CpuParameters,
    decay: f64,
    /// Whether weight decay has changed token rows that may not be active, so that their averages
    /// differ from them.
    has_decayed: bool,
}

impl CpuOptimizer {
    pub(super) fn new(layout: &ParameterLayout, settings: AdamWSettings) -> Self {
        let tables = &layout.tables;
        Self {
            settings,
            step: 0,
            mean: Arc::new(vec![0.0; layout.len]),
            variance: Arc::new(vec![0.0; layout.len]),
            groups: UpdateGroups::new(layout),
            width: tables.width,
            token_table_len: layout.token_table_len(),
            updated: vec![0; tables.vocabulary],
            is_active: vec![false; tables.vocabulary],
            pending: Vec::new(),
            flushed: 0,
            average: None,
        }
    }

    /// Keeps an average of the weights, which are `weights` now.
    pub(super) fn start_average(&mut self, weights: CpuParameters, decay: f64) {
        self.average = Some(Average { weights, decay, has_decayed: false });
    }

    /// The average of the weights.
    pub(super) fn average(&self) -> Option<&CpuParameters> {
        self.average.as_ref().map(|average| &average.weights)
    }

    /// Calls `work` with the values of the average, if there is one.
    fn with_average(
        &mut self,
        work: impl FnOnce(&mut Self, Option<&mut [f32]>) + Send,
    ) -> Result<()> {
        let Some(weights) = self.average().cloned() else {
            work(self, None);
            return Ok(());
        };
        weights.write(|values| work(self, Some(values)))
    }

    /// The number of token rows.
    pub(super) fn vocabulary(&self) -> usize {
        self.updated.len()
    }

    /// The width of a token row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn moments(&self) -> Moments {
        Moments {
            steps: self.step,
            mean: Arc::clone(&self.mean),
            variance: Arc::clone(&self.variance),
            weights: None,
        }
    }

    /// Restores these moments of `parameters`; returns `false` if their number differs.
    pub(super) fn restore(&mut self, parameters: &CpuParameters, moments: Moments) -> Result<bool> {
        let len = self.mean.len();
        if moments.mean.len() != len || moments.variance.len() != len {
            return Ok(false);
        }
        self.mean = moments.mean;
        self.variance = moments.variance;
        self.step = moments.steps;
        let means = self.mean.chunks_exact(self.width);
        let rows = means.zip(self.variance.chunks_exact(self.width));
        for ((mean, variance), is_active) in rows.zip(&mut self.is_active) {
            *is_active = mean.iter().chain(variance).any(|&moment| moment != 0.0);
        }
        if let Some(average) = &mut self.average {
            average.has_decayed = false;
            let (width, is_active) = (self.width, &mut self.is_active);
            parameters.read(|weights| {
                average.weights.read(|average| {
                    let rows = weights.chunks_exact(width).zip(average.chunks_exact(width));
                    for ((row, average), is_active) in rows.zip(is_active) {
                        *is_active |= row != average;
                    }
                    Ok(())
                })
            })?;
        }
        self.mark_flushed();
        Ok(true)
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
    pub(super) fn apply_pending(&mut self, tokens: &[u32], parameters: &mut [f32]) -> Result<()> {
        let mut rows: Vec<usize> = tokens.iter().map(|&token| token as usize).collect();
        rows.sort_unstable();
        let all = rows.clone();
        // Without weight decay, a row that is not active does not change, nor does its average.
        let decays = self.pending.iter().any(|factors| factors.keep != 1.0)
            || self.average.as_ref().is_some_and(|average| average.has_decayed);
        rows.retain(|&row| self.is_active[row] || decays);
        self.with_average(|optimizer, average| {
            optimizer.for_rows(
                &rows,
                parameters,
                average,
                #[inline(always)]
                |_, pending, is_active, mut part| {
                    for factors in pending {
                        if is_active {
                            factors.apply(part.reborrow(), |_| 0.0);
                        } else {
                            factors.decay(&mut part);
                        }
                    }
                },
            );
        })?;
        for row in all {
            self.updated[row] = self.step;
        }
        Ok(())
    }

    /// Applies all pending updates.
    pub(super) fn flush(&mut self, parameters: &mut [f32]) -> Result<()> {
        if self.has_pending() {
            let all: Vec<u32> = (0..self.updated.len() as u32).collect();
            self.apply_pending(&all, parameters)?;
            self.mark_flushed();
        }
        Ok(())
    }

    /// Calls `work` with the index of each row in `rows`, its pending factors, whether it is active,
    /// and its parameters, moments and average; `rows` are sorted.
    fn for_rows(
        &mut self,
        rows: &[usize],
        parameters: &mut [f32],
        average: Option<&mut [f32]>,
        work: impl Fn(usize, &[Factors], bool, Part<'_>) + Sync,
    ) {
        let len = self.token_table_len;
        let mut tasks = Vec::with_capacity(rows.len());
        let table = Part {
            parameters: &mut parameters[..len],
            mean: &mut Arc::make_mut(&mut self.mean)[..len],
            variance: &mut Arc::make_mut(&mut self.variance)[..len],
            average: average.map(|average| &mut average[..len]),
        };
        let mut rest = Some(table);
        let mut next = 0;
        for (index, &row) in rows.iter().enumerate() {
            let Some(table) = rest.take() else { break };
            let (part, after) = table.split_at((row - next) * self.width).1.split_at(self.width);
            rest = Some(after);
            next = row + 1;
            let pending = &self.pending[(self.updated[row] - self.flushed) as usize..];
            tasks.push((index, pending, self.is_active[row], part));
        }
        tasks.into_par_iter().with_min_len(8).for_each(|(index, pending, is_active, part)| {
            vectorized!(work(index, pending, is_active, part));
        });
    }

    /// Clips the gradients and updates all parameters except token rows without a gradient.
    pub(super) fn update(
        &mut self,
        update: Update,
        parameters: &mut [f32],
        gradients: &CpuGradients,
    ) -> Result<()> {
        let clip = clip_factor(gradients.grad_norm, update.max_grad_norm) as f32;
        self.step += 1;
        let share =
            self.average.as_ref().map_or(0.0, |average| average_share(average.decay, self.step));
        let factors: Vec<Factors> = self
            .groups
            .kinds
            .iter()
            .map(|kind| {
                let rate = update.learning_rate * kind.rate;
                Factors::new(&self.settings, self.step, rate, kind.decays, share)
            })
            .collect();
        let token_factors = factors[0];
        if let Some(average) = &mut self.average {
            average.has_decayed |= token_factors.keep != 1.0;
        }
        self.with_average(|optimizer, mut average| {
            optimizer.update_dense(clip, &factors, parameters, average.as_deref_mut(), gradients);
            optimizer.update_tokens(clip, token_factors, parameters, average, gradients);
        })?;
        self.pending.push(token_factors);
        Ok(())
    }

    /// Updates all parameters after the token table; `factors` are those of each kind.
    fn update_dense(
        &mut self,
        clip: f32,
        factors: &[Factors],
        parameters: &mut [f32],
        average: Option<&mut [f32]>,
        gradients: &CpuGradients,
    ) {
        let start = self.token_table_len;
        let mut rest = Part {
            parameters: &mut parameters[start..],
            mean: &mut Arc::make_mut(&mut self.mean)[start..],
            variance: &mut Arc::make_mut(&mut self.variance)[start..],
            average: average.map(|average| &mut average[start..]),
        };
        let mut tasks = Vec::with_capacity(rest.len().div_ceil(ELEMENTS_PER_TASK));
        for gradient in gradients.dense.chunks(ELEMENTS_PER_TASK) {
            let (part, after) = rest.split_at(gradient.len());
            rest = after;
            tasks.push((part, gradient));
        }
        let groups = &self.groups;
        tasks.into_par_iter().enumerate().for_each(|(task, (mut rest, mut gradient))| {
            let first = start + task * ELEMENTS_PER_TASK;
            for (range, kind) in pieces(groups, first..first + rest.len()) {
                let (part, after) = rest.split_at(range.len());
                let (here, later) = gradient.split_at(range.len());
                (rest, gradient) = (after, later);
                part.update(&factors[kind], |i| here[i] * clip);
            }
        });
    }

    /// Updates the token rows with a gradient. They have no pending updates: `begin_step` applied
    /// them.
    fn update_tokens(
        &mut self,
        clip: f32,
        factors: Factors,
        parameters: &mut [f32],
        average: Option<&mut [f32]>,
        gradients: &CpuGradients,
    ) {
        let tokens = gradients.tokens.iter().enumerate();
        let mut rows: Vec<(usize, usize)> = tokens.map(|(i, &token)| (token as usize, i)).collect();
        rows.sort_unstable();
        let tokens: Vec<usize> = rows.iter().map(|&(token, _)| token).collect();
        let (width, grads) = (self.width, &gradients.token_rows);
        self.for_rows(
            &tokens,
            parameters,
            average,
            #[inline(always)]
            |index, _, _, part| {
                let gradient = &grads[rows[index].1 * width..][..width];
                factors.apply(part, |i| gradient[i] * clip);
            },
        );
        for row in tokens {
            self.is_active[row] = true;
            self.updated[row] = self.step;
        }
    }
}

/// `range` split at the ends of groups, each part with the index of its kind.
fn pieces(
    groups: &UpdateGroups,
    range: Range<usize>,
) -> impl Iterator<Item = (Range<usize>, usize)> + '_ {
    let mut at = range.start;
    let mut next = groups.groups.partition_point(|group| group.end <= at);
    std::iter::from_fn(move || {
        let group = groups.groups.get(next).filter(|_| at < range.end)?;
        let piece = at..group.end.min(range.end);
        (at, next) = (piece.end, next + 1);
        Some((piece, group.kind))
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
            vectorized!({
                let mut sum = 0f64;
                for run in chunk.chunks(256) {
                    sum += f64::from(lane_sum(run.len(), |i| run[i] * run[i]));
                }
                sum
            })
        })
        .collect();
    partials.iter().sum()
}
