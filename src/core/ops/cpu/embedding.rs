//! An encoder's input: three tables' rows summed, normalised and dropped out.

use super::activation::{add, drop_out};
use super::add_norm::{Scale, normalise, normalise_backward};
use super::memory::Gradients;
use super::numeric::{ROWS_A_TASK, vectorised};
use crate::core::ops::backend::{Norm, PackedBatch, Tables};
use crate::core::ops::dropout::Dropout;
use candle_core::Result;
use rayon::prelude::*;

/// Refuses ids and lengths that lie outside the tables.
pub(super) fn check(tables: &Tables, batch: &PackedBatch) -> Result<()> {
    let (longest, positions) = (batch.longest(), tables.max_positions);
    if tables.first_position + longest > positions {
        candle_core::bail!("a length of {longest} for {positions} positions");
    }
    if let Some(id) = batch.ids.iter().find(|&&id| id as usize >= tables.vocabulary) {
        candle_core::bail!("token id {id} in a vocabulary of {}", tables.vocabulary);
    }
    Ok(())
}

/// Each row's place in its sequence.
fn places(batch: &PackedBatch) -> impl Iterator<Item = usize> + '_ {
    batch.starts.windows(2).flat_map(|pair| 0..(pair[1] - pair[0]) as usize)
}

/// `sum`, `statistics` and `out` of every row; see [`crate::core::ops::Backend::embed`].
#[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
pub(super) fn forward(
    parameters: &[f32],
    tables: &Tables,
    norm: Scale<'_>,
    dropout: Dropout,
    batch: &PackedBatch,
    sum: &mut [f32],
    statistics: &mut [f32],
    out: &mut [f32],
) {
    let width = tables.width;
    let places: Vec<usize> = places(batch).collect();
    let kind = &parameters[tables.types..][..width];
    let task = ROWS_A_TASK * width;
    sum.par_chunks_mut(task)
        .zip(out.par_chunks_mut(task))
        .zip(statistics.par_chunks_mut(ROWS_A_TASK * 2))
        .enumerate()
        .for_each(|(task, ((sum, out), statistics))| {
            let rows = sum
                .chunks_exact_mut(width)
                .zip(out.chunks_exact_mut(width))
                .zip(statistics.chunks_exact_mut(2));
            for (row, ((sum, out), statistics)) in rows.enumerate() {
                let row = task * ROWS_A_TASK + row;
                let word = tables.words + batch.ids[row] as usize * width;
                let place = tables.positions + (tables.first_position + places[row]) * width;
                let (word, place) = (&parameters[word..][..width], &parameters[place..][..width]);
                vectorised(|| {
                    for (i, sum) in sum.iter_mut().enumerate() {
                        *sum = word[i] + place[i] + kind[i];
                    }
                    statistics.copy_from_slice(&normalise(sum, norm, out));
                    drop_out(dropout, row, out);
                });
            }
        });
}

/// What the tables and the normalisation get; see [`crate::core::ops::Backend::embed_backward`].
#[expect(clippy::too_many_arguments, reason = "what goes in and what comes out")]
pub(super) fn backward(
    parameters: &[f32],
    tables: &Tables,
    norm: &Norm,
    dropout: Dropout,
    batch: &PackedBatch,
    sum: &[f32],
    statistics: &[f32],
    grad: &mut [f32],
    gradients: &mut Gradients,
) {
    let width = tables.width;
    let weight = &parameters[norm.weight..][..width];
    let task = ROWS_A_TASK * width;
    gradients.partials.clear();
    gradients.partials.resize(grad.len().div_ceil(task) * 3 * width, 0.0);
    grad.par_chunks_mut(task)
        .zip(sum.par_chunks(task))
        .zip(statistics.par_chunks(ROWS_A_TASK * 2))
        .zip(gradients.partials.par_chunks_mut(3 * width))
        .enumerate()
        .for_each(|(task, (((grad, sum), statistics), sums))| {
            let (dweight, sums) = sums.split_at_mut(width);
            let (dshift, dkind) = sums.split_at_mut(width);
            let rows = grad
                .chunks_exact_mut(width)
                .zip(sum.chunks_exact(width))
                .zip(statistics.chunks_exact(2));
            for (row, ((grad, sum), statistics)) in rows.enumerate() {
                vectorised(|| {
                    drop_out(dropout, task * ROWS_A_TASK + row, grad);
                    normalise_backward(sum, weight, statistics, grad, dweight, dshift);
                    add(dkind, grad);
                });
            }
        });
    gradients.add_up(3 * width, 0, norm.weight, width);
    gradients.add_up(3 * width, width, norm.bias, width);
    gradients.add_up(3 * width, 2 * width, tables.types, width);
    if !gradients.accumulate {
        gradients.at(tables.types + width, (tables.max_types - 1) * width).fill(0.0);
    }
    position_rows(tables, batch, grad, gradients);
    word_rows(batch, width, grad, gradients);
}

fn position_rows(tables: &Tables, batch: &PackedBatch, grad: &[f32], gradients: &mut Gradients) {
    let (width, accumulate) = (tables.width, gradients.accumulate);
    let all = gradients.at(tables.positions, tables.max_positions * width);
    if !accumulate {
        all.fill(0.0);
    }
    let used = &mut all[tables.first_position * width..][..batch.longest() * width];
    used.par_chunks_mut(width).enumerate().for_each(|(place, total)| {
        for pair in batch.starts.windows(2) {
            let row = pair[0] as usize + place;
            if row < pair[1] as usize {
                vectorised(|| add(total, &grad[row * width..][..width]));
            }
        }
    });
}

fn word_rows(batch: &PackedBatch, width: usize, grad: &[f32], gradients: &mut Gradients) {
    let accumulate = gradients.accumulate;
    gradients.word_rows.par_chunks_mut(width).enumerate().for_each(|(word, total)| {
        if !accumulate {
            total.fill(0.0);
        }
        let (first, end) = (batch.occurrence_starts[word], batch.occurrence_starts[word + 1]);
        for &row in &batch.occurrences[first as usize..end as usize] {
            vectorised(|| add(total, &grad[row as usize * width..][..width]));
        }
    });
}
