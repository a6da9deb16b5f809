//! Relative positions in attention (He et al., 2021), for one head of one sequence at a time.

use super::activation::{add, drop_out};
use super::attention::transpose;
use super::device::Cpu;
use super::memory::{CpuGradients, CpuParameters, resize};
use super::numeric::{ELEMENTS_PER_TASK, ROWS_PER_TASK, vectorized};
use super::product::{LANES, RowMajor, Strided, product};
use crate::core::ops::backend::{DropRows, Relative, RelativeOps, RelativeRows};
use candle_core::Result;
use rayon::prelude::*;
use std::ops::Range;

impl RelativeOps for Cpu {
    fn send_relative_rows(&self, rows: &RelativeRows, to: &mut RelativeRows) -> Result<()> {
        rows.clone_into(to);
        Ok(())
    }

    fn parameter_rows(
        &self,
        parameters: &CpuParameters,
        range: Range<usize>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        parameters.read(|p| {
            resize(out, range.len()).copy_from_slice(&p[range]);
            Ok(())
        })
    }

    fn parameter_rows_backward(
        &self,
        grad: &Vec<f32>,
        range: Range<usize>,
        all: Range<usize>,
        gradients: &mut CpuGradients,
    ) -> Result<()> {
        if !gradients.accumulate {
            gradients.at(all.start, all.len()).fill(0.0);
        }
        vectorized!(add(gradients.at(range.start, range.len()), &grad[..range.len()]));
        Ok(())
    }

    fn drop_rows(&self, arguments: DropRows<'_, Self>) -> Result<()> {
        let DropRows { dropout, rows, width, accumulate, x, out } = arguments;
        let task = ROWS_PER_TASK * width;
        let mut dropped = x[..rows * width].to_vec();
        dropped.par_chunks_mut(task).enumerate().for_each(|(task, dropped)| {
            for (row, dropped) in dropped.chunks_exact_mut(width).enumerate() {
                vectorized!(drop_out(dropout, task * ROWS_PER_TASK + row, dropped));
            }
        });
        if accumulate {
            vectorized!(add(&mut out[..rows * width], &dropped));
        } else {
            *out = dropped;
        }
        Ok(())
    }
}

/// The sizes of one head of one sequence.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub queries: usize,
    pub length: usize,
    pub width: usize,
    /// The width of the matrix of scores.
    pub padded: usize,
}

/// One thread's buffers.
#[derive(Default)]
pub(super) struct RelativeScratch {
    transposed: Vec<f32>,
    terms: Vec<f32>,
    product: Vec<f32>,
}

/// What a score is multiplied with besides the token: the keys of positions with the query, or the queries
/// of positions with the key.
#[derive(Clone, Copy)]
enum Term {
    Keys,
    Queries,
}

/// The relative positions of one head, for one sequence.
#[derive(Clone, Copy)]
pub(super) struct RelativeHead<'a> {
    relative: Relative<'a, Cpu>,
    /// The first column of the head within those of all heads.
    column: usize,
    /// The rows of the table for the distances of this sequence.
    range: (usize, usize),
}

impl<'a> RelativeHead<'a> {
    pub(super) fn new(relative: Relative<'a, Cpu>, column: usize, length: usize) -> Self {
        let range = relative.rows.range(length);
        Self { relative, column, range: (range.start, range.end) }
    }

    /// The number of rows.
    fn count(&self) -> usize {
        self.range.1 - self.range.0
    }

    /// Where the rows of this sequence start in the matrix.
    fn start(&self, first_column: usize) -> usize {
        let columns = &self.relative.columns;
        (self.range.0 - columns.first_row) * columns.stride + first_column + self.column
    }

    fn matrix(&self, first_column: usize) -> RowMajor<'a> {
        let stride = self.relative.columns.stride;
        RowMajor { values: &self.relative.matrix[self.start(first_column)..], stride }
    }

    /// The terms with the first columns that they have in the matrix.
    fn terms(&self) -> impl Iterator<Item = (Term, usize)> {
        let columns = &self.relative.columns;
        let keys = columns.keys.map(|column| (Term::Keys, column));
        keys.into_iter().chain(columns.queries.map(|column| (Term::Queries, column)))
    }

    /// The table's row for each key of a query, from the last key to the first, counted from the first
    /// row of this sequence.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
    fn rows_of(&self, query: usize, length: usize) -> &'a [u32] {
        let all = self.relative.rows.all();
        let first = all.len() / 2 + query + 1 - length;
        &all[first..first + length]
    }

    /// Adds the terms to the scores, `[queries, padded]`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
    pub(super) fn add_scores(
        &self,
        (q, k): (RowMajor<'_>, RowMajor<'_>),
        sizes: Sizes,
        scratch: &mut RelativeScratch,
        scores: &mut [f32],
    ) {
        let Sizes { queries, length, width, padded } = sizes;
        let RelativeScratch { transposed, terms, .. } = scratch;
        let stride = self.count().next_multiple_of(LANES);
        for (term, column) in self.terms() {
            let matrix = transpose(self.matrix(column), (self.count(), width, stride), transposed);
            let (content, rows) = match term {
                Term::Keys => (q, queries),
                Term::Queries => (k, length),
            };
            terms.resize(rows * stride, 0.0);
            product((rows, stride, width), content.into(), matrix, terms, stride);
            for (query, scores) in scores.chunks_exact_mut(padded).take(queries).enumerate() {
                let by_key = self.rows_of(query, length).iter().rev().zip(scores).enumerate();
                for (key, (&row, score)) in by_key {
                    let row = row as usize - self.range.0;
                    *score += match term {
                        Term::Keys => terms[query * stride + row],
                        Term::Queries => terms[key * stride + row],
                    };
                }
            }
        }
    }

    /// Adds what the terms contribute to the gradients of queries (`dq`, of the term with keys) or keys
    /// (`dk`), and to that of the matrix, from the gradients of the scores.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
    pub(super) fn backward(
        &self,
        (q, k): (RowMajor<'_>, RowMajor<'_>),
        sizes: Sizes,
        scratch: &mut RelativeScratch,
        dscores: &[f32],
        gradients: &mut RelativeGradients<'_>,
    ) {
        let Sizes { queries, length, width, padded } = sizes;
        let RelativeScratch { terms, product: result, .. } = scratch;
        let (count, matrix_stride) = (self.count(), self.relative.columns.stride);
        for (term, column) in self.terms() {
            let (content, rows) = match term {
                Term::Keys => (q, queries),
                Term::Queries => (k, length),
            };
            terms.clear();
            terms.resize(rows * count, 0.0);
            for (query, dscores) in dscores.chunks_exact(padded).take(queries).enumerate() {
                let by_key = self.rows_of(query, length).iter().rev().zip(dscores).enumerate();
                for (key, (&row, slope)) in by_key {
                    let row = row as usize - self.range.0;
                    match term {
                        Term::Keys => terms[query * count + row] += slope,
                        Term::Queries => terms[key * count + row] += slope,
                    }
                }
            }
            let across = Strided { values: &*terms, row_stride: count, column_stride: 1 };
            result.resize(rows.max(count) * width, 0.0);
            product((rows, width, count), across, self.matrix(column), result, width);
            gradients.add_content(term, &result[..rows * width], width);
            if let Some(drelative) = &mut gradients.relative {
                let down = Strided { values: &*terms, row_stride: 1, column_stride: count };
                product((count, width, rows), down, content, result, width);
                let to = drelative[self.start(column)..].chunks_mut(matrix_stride);
                for (to, from) in to.zip(result[..count * width].chunks_exact(width)) {
                    add(&mut to[..width], from);
                }
            }
        }
    }
}

/// Where the gradients of one head go.
pub(super) struct RelativeGradients<'a> {
    /// The gradient of the queries, from the head's first column on, if it is not in `dkeys`.
    pub dqueries: Option<&'a mut [f32]>,
    /// The gradient of the matrix of keys and values.
    pub dkeys: &'a mut [f32],
    /// The first columns and the widths of the matrices of queries and of keys.
    pub queries_at: (usize, usize),
    pub keys_at: (usize, usize),
    /// The gradient of the matrix of relative positions.
    pub relative: Option<&'a mut [f32]>,
}

impl RelativeGradients<'_> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
    fn add_content(&mut self, term: Term, from: &[f32], width: usize) {
        let (to, (start, stride)) = match (term, self.dqueries.as_deref_mut()) {
            (Term::Keys, Some(dqueries)) => (dqueries, self.queries_at),
            (Term::Keys, None) => (&mut *self.dkeys, self.queries_at),
            (Term::Queries, _) => (&mut *self.dkeys, self.keys_at),
        };
        for (to, from) in to[start..].chunks_mut(stride).zip(from.chunks_exact(width)) {
            add(&mut to[..width], from);
        }
    }
}

/// The sequences of each part of a batch whose gradients of the matrix are added up apart, so that the order
/// of additions does not depend on the number of threads.
pub(super) fn sequences_of_part(sequences: usize) -> usize {
    const PARTS: usize = 16;
    sequences.div_ceil(PARTS).max(1)
}

/// `total` = the sum of `parts`, which are as long as it is, in order.
pub(super) fn add_parts(parts: &[f32], total: &mut [f32]) {
    let len = total.len().max(1);
    total.par_chunks_mut(ELEMENTS_PER_TASK).enumerate().for_each(|(task, total)| {
        let start = task * ELEMENTS_PER_TASK;
        total.fill(0.0);
        for part in parts.chunks_exact(len) {
            vectorized!(add(total, &part[start..start + total.len()]));
        }
    });
}
