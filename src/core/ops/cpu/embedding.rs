//! The embedding layer: the sum of the rows of three tables, layer normalization and dropout.

use super::activation::{add, drop_out};
use super::device::Cpu;
use super::memory::{CpuGradients, resize};
use super::norm::{NormParameters, normalize, normalize_backward};
use super::numeric::{ROWS_PER_TASK, vectorized};
use crate::core::ops::backend::{
    EmbedBackward, EmbedForward, EmbeddingOps, EmbeddingTables, PackedBatch,
};
use candle_core::Result;
use rayon::prelude::*;

impl EmbeddingOps for Cpu {
    fn embed(&self, arguments: EmbedForward<'_, Self>) -> Result<()> {
        check(arguments.tables, arguments.batch)?;
        arguments.parameters.read(|p| {
            forward(p, arguments);
            Ok(())
        })
    }

    fn embed_backward(&self, arguments: EmbedBackward<'_, Self>) -> Result<()> {
        if arguments.batch.occurrence_starts.len() != arguments.gradients.tokens.len() + 1 {
            candle_core::bail!("the batch lists the occurrences of other tokens than the step's");
        }
        arguments.parameters.read(|p| {
            backward(p, arguments);
            Ok(())
        })
    }
}

/// Rejects ids and lengths outside the tables.
fn check(tables: &EmbeddingTables, batch: &PackedBatch) -> Result<()> {
    let (longest, positions) = (batch.longest(), tables.max_positions);
    if tables.first_position + longest > positions {
        candle_core::bail!("a sequence of {longest} tokens is too long for {positions} positions");
    }
    for (what, ids, size) in [
        ("position", &batch.position_ids, positions),
        ("token type", &batch.type_ids, tables.max_token_types),
    ] {
        if !ids.is_empty() && ids.len() != batch.rows() {
            candle_core::bail!("{} {what} ids for {} tokens", ids.len(), batch.rows());
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= size) {
            candle_core::bail!("{what} {id} is outside the table of {size}");
        }
    }
    if let Some(id) = batch.ids.iter().find(|&&id| id as usize >= tables.vocabulary) {
        candle_core::bail!("token id {id} is outside the vocabulary of {}", tables.vocabulary);
    }
    Ok(())
}

/// The row of each token in the position table.
fn positions(tables: &EmbeddingTables, batch: &PackedBatch) -> Vec<usize> {
    if !batch.position_ids.is_empty() {
        return batch.position_ids.iter().map(|&id| id as usize).collect();
    }
    let first = tables.first_position;
    let sequences = batch.starts.windows(2);
    sequences.flat_map(|pair| first..first + (pair[1] - pair[0]) as usize).collect()
}

/// The number of rows of the token type table that a batch uses.
fn used_types(tables: &EmbeddingTables, batch: &PackedBatch) -> usize {
    if tables.max_token_types == 0 {
        return 0;
    }
    batch.type_ids.iter().max().map_or(1, |&highest| highest as usize + 1)
}

/// The type of a row.
fn type_of(batch: &PackedBatch, row: usize) -> usize {
    batch.type_ids.get(row).map_or(0, |&id| id as usize)
}

/// Computes `sum`, `statistics` and `out` of every row.
fn forward(parameters: &[f32], arguments: EmbedForward<'_, Cpu>) {
    let EmbedForward { tables, norm, dropout, batch, sum, statistics, out, .. } = arguments;
    let (rows, width) = (batch.rows(), tables.width);
    let (sum, out) = (resize(sum, rows * width), resize(out, rows * width));
    let statistics = resize(statistics, rows * 2);
    let norm = NormParameters::new(parameters, norm);
    let positions = positions(tables, batch);
    let task = ROWS_PER_TASK * width;
    sum.par_chunks_mut(task)
        .zip(out.par_chunks_mut(task))
        .zip(statistics.par_chunks_mut(ROWS_PER_TASK * 2))
        .enumerate()
        .for_each(|(task, ((sum, out), statistics))| {
            let rows = sum
                .chunks_exact_mut(width)
                .zip(out.chunks_exact_mut(width))
                .zip(statistics.chunks_exact_mut(2));
            for (row, ((sum, out), statistics)) in rows.enumerate() {
                let row = task * ROWS_PER_TASK + row;
                let token = tables.tokens + batch.ids[row] as usize * width;
                let position = tables.positions.map(|table| table + positions[row] * width);
                let kind = (tables.max_token_types > 0)
                    .then(|| tables.token_types + type_of(batch, row) * width);
                let token = &parameters[token..][..width];
                vectorized!({
                    sum.copy_from_slice(token);
                    for row in position.into_iter().chain(kind) {
                        add(sum, &parameters[row..][..width]);
                    }
                    statistics.copy_from_slice(&normalize(sum, norm, out));
                    drop_out(dropout, row, out);
                });
            }
        });
}

/// Computes the gradients of the tables and the normalization.
fn backward(parameters: &[f32], arguments: EmbedBackward<'_, Cpu>) {
    let EmbedBackward { tables, norm, dropout, batch, sum, statistics, grad, gradients, .. } =
        arguments;
    let width = tables.width;
    let weight = &parameters[norm.weight..][..width];
    let task = ROWS_PER_TASK * width;
    // The partial sums of a task: scale, shift and each type.
    let types = used_types(tables, batch);
    let sums = (2 + types) * width;
    gradients.partials.clear();
    gradients.partials.resize(grad.len().div_ceil(task) * sums, 0.0);
    grad.par_chunks_mut(task)
        .zip(sum.par_chunks(task))
        .zip(statistics.par_chunks(ROWS_PER_TASK * 2))
        .zip(gradients.partials.par_chunks_mut(sums))
        .enumerate()
        .for_each(|(task, (((grad, sum), statistics), sums))| {
            let (dweight, sums) = sums.split_at_mut(width);
            let (dshift, dkinds) = sums.split_at_mut(width);
            let rows = grad
                .chunks_exact_mut(width)
                .zip(sum.chunks_exact(width))
                .zip(statistics.chunks_exact(2));
            for (row, ((grad, sum), statistics)) in rows.enumerate() {
                let row = task * ROWS_PER_TASK + row;
                let kind = type_of(batch, row) * width;
                vectorized!({
                    drop_out(dropout, row, grad);
                    normalize_backward(sum, weight, statistics, grad, dweight, dshift);
                    if types > 0 {
                        add(&mut dkinds[kind..][..width], grad);
                    }
                });
            }
        });
    gradients.add_up(sums, 0, norm.weight, width);
    gradients.add_up(sums, width, norm.bias, width);
    if types > 0 {
        gradients.add_up(sums, 2 * width, tables.token_types, types * width);
    }
    if types > 0 && !gradients.accumulate {
        let others = (tables.max_token_types - types) * width;
        gradients.at(tables.token_types + types * width, others).fill(0.0);
    }
    position_rows(tables, batch, grad, gradients);
    token_rows(tables, batch, grad, gradients);
}

fn position_rows(
    tables: &EmbeddingTables,
    batch: &PackedBatch,
    grad: &[f32],
    gradients: &mut CpuGradients,
) {
    let (width, accumulate) = (tables.width, gradients.accumulate);
    let Some(table) = tables.positions else { return };
    let all = gradients.at(table, tables.max_positions * width);
    if !accumulate {
        all.fill(0.0);
    }
    if !batch.position_ids.is_empty() {
        return given_position_rows(tables, batch, grad, all);
    }
    let used = &mut all[tables.first_position * width..][..batch.longest() * width];
    used.par_chunks_mut(width).enumerate().for_each(|(position, total)| {
        for pair in batch.starts.windows(2) {
            let row = pair[0] as usize + position;
            if row < pair[1] as usize {
                vectorized!(add(total, &grad[row * width..][..width]));
            }
        }
    });
}

/// As [`position_rows`], with a position id for each row.
fn given_position_rows(
    tables: &EmbeddingTables,
    batch: &PackedBatch,
    grad: &[f32],
    all: &mut [f32],
) {
    let width = tables.width;
    let mut rows: Vec<(u32, usize)> = batch.position_ids.iter().copied().zip(0..).collect();
    rows.retain(|&(position, _)| Some(position) != tables.padding_position);
    rows.sort_unstable();
    all.par_chunks_mut(width).enumerate().for_each(|(position, total)| {
        let first = rows.partition_point(|row| (row.0 as usize) < position);
        let used = rows[first..].iter().take_while(|row| row.0 as usize == position);
        for &(_, row) in used {
            vectorized!(add(total, &grad[row * width..][..width]));
        }
    });
}

fn token_rows(
    tables: &EmbeddingTables,
    batch: &PackedBatch,
    grad: &[f32],
    gradients: &mut CpuGradients,
) {
    let (width, accumulate) = (tables.width, gradients.accumulate);
    let CpuGradients { tokens, token_rows, .. } = gradients;
    token_rows.par_chunks_mut(width).enumerate().for_each(|(token, total)| {
        if !accumulate {
            total.fill(0.0);
        }
        if tables.padding_token == Some(tokens[token]) {
            return;
        }
        let (first, end) = (batch.occurrence_starts[token], batch.occurrence_starts[token + 1]);
        for &row in &batch.occurrences[first as usize..end as usize] {
            vectorized!(add(total, &grad[row as usize * width..][..width]));
        }
    });
}
