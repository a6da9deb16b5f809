//! Multi-head self-attention (Vaswani et al., 2017) within each sequence of a packed batch.
//!
//! No matrix of the size of a sequence squared is stored between the two passes: the backward pass
//! recomputes probabilities, and transposes are made for one head at a time.

use super::device::Cpu;
use super::memory::{resize, split_by_sequence};
use super::numeric::{exp, lane_sum, vectorized};
use super::product::{LANES, RowMajor, Strided, product};
use super::relative::{
    RelativeGradients, RelativeHead, RelativeScratch, Sizes, add_parts, sequences_of_part,
};
use crate::core::ops::backend::{
    AttentionBackward, AttentionConfig, AttentionForward, AttentionOps, MatrixColumns, PackedBatch,
    Relative,
};
use candle_core::Result;
use rayon::prelude::*;
use std::cell::RefCell;

impl AttentionOps for Cpu {
    fn attention(&self, arguments: AttentionForward<'_, Self>) -> Result<()> {
        let AttentionForward { config, batch, queries, keys_values, .. } = arguments;
        let AttentionForward { relative, out, statistics, .. } = arguments;
        let (rows, hidden) = (batch.count_rows(config.first_only), config.hidden());
        let split = |matrix, width| split_by_sequence(matrix, width, batch, config.first_only);
        let out = split(resize(out, rows * hidden), hidden);
        let statistics = split(resize(statistics, rows * config.heads), config.heads);
        forward(config, batch, (queries, keys_values, relative), out, statistics);
        Ok(())
    }

    fn attention_backward(&self, arguments: AttentionBackward<'_, Self>) -> Result<()> {
        let AttentionBackward { config, batch, queries, keys_values, grad, .. } = arguments;
        let AttentionBackward { relative, dqueries, dkeys_values, drelative, .. } = arguments;
        let first_only = config.first_only;
        let (query_stride, key_stride) = (config.queries.stride, config.keys.stride);
        let dkeys_values = resize(dkeys_values, batch.rows() * key_stride);
        let dkeys_values = split_by_sequence(dkeys_values, key_stride, batch, false);
        let outputs: Vec<HeadGradients<'_>> = match dqueries {
            Some(dqueries) => {
                let dqueries = resize(dqueries, batch.count_rows(first_only) * query_stride);
                let dqueries = split_by_sequence(dqueries, query_stride, batch, first_only);
                let pairs = dqueries.into_iter().zip(dkeys_values);
                pairs.map(|(dq, dkv)| HeadGradients { dq: Some(dq), dkv }).collect()
            }
            None => dkeys_values.into_iter().map(|dkv| HeadGradients { dq: None, dkv }).collect(),
        };
        let inputs = (&queries[..], &keys_values[..], relative);
        let size = relative.map_or(0, |relative| relative.columns.rows * relative.columns.stride);
        let Some(drelative) = drelative.filter(|_| size > 0) else {
            backward(config, batch, inputs, grad, outputs, (1, Vec::new()));
            return Ok(());
        };
        let group = sequences_of_part(batch.batch_size());
        let mut parts = vec![0f32; batch.batch_size().div_ceil(group) * size];
        let each = parts.chunks_exact_mut(size).map(Some).collect();
        backward(config, batch, inputs, grad, outputs, (group, each));
        add_parts(&parts, resize(drelative, size));
        Ok(())
    }
}

/// One thread's buffers for one head.
#[derive(Default)]
struct Scratch {
    transposed: Vec<f32>,
    probabilities: Vec<f32>,
    passed: Vec<f32>,
    relative: RelativeScratch,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// One sequence: its rows in the matrix of queries and in the matrix of keys and values.
struct Sequence<'a> {
    q: &'a [f32],
    kv: &'a [f32],
    /// The packed row of its first token.
    start: usize,
    length: usize,
    queries: usize,
    relative: Option<Relative<'a, Cpu>>,
}

/// The matrix of queries, that of keys and values, and the relative positions.
type Inputs<'a> = (&'a [f32], &'a [f32], Option<Relative<'a, Cpu>>);

impl<'a> Sequence<'a> {
    fn new(
        attention: &AttentionConfig,
        batch: &PackedBatch,
        index: usize,
        (q, kv, relative): Inputs<'a>,
    ) -> Self {
        let (start, end) = (batch.starts[index] as usize, batch.starts[index + 1] as usize);
        let (first, last) = if attention.first_only { (index, index + 1) } else { (start, end) };
        Self {
            q: &q[first * attention.queries.stride..last * attention.queries.stride],
            kv: &kv[start * attention.keys.stride..end * attention.keys.stride],
            start,
            length: end - start,
            queries: last - first,
            relative,
        }
    }

    /// The relative positions of a head, `width` wide, and the sizes of its matrices.
    fn relative(&self, head: usize, width: usize) -> Option<(RelativeHead<'a>, Sizes)> {
        let relative = RelativeHead::new(self.relative?, head * width, self.length);
        let padded = self.length.next_multiple_of(LANES);
        Some((relative, Sizes { queries: self.queries, length: self.length, width, padded }))
    }
}

/// The columns of one head.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn head(matrix: &[f32], columns: MatrixColumns, head: usize, width: usize) -> RowMajor<'_> {
    RowMajor { values: &matrix[columns.start + head * width..], stride: columns.stride }
}

impl<'a> From<RowMajor<'a>> for Strided<'a> {
    fn from(rows: RowMajor<'a>) -> Self {
        Self { values: rows.values, row_stride: rows.stride, column_stride: 1 }
    }
}

/// `rows` transposed, each row of the result padded with zeros to `padded`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
pub(super) fn transpose<'a>(
    rows: RowMajor<'_>,
    (length, width, padded): (usize, usize, usize),
    out: &'a mut Vec<f32>,
) -> RowMajor<'a> {
    out.clear();
    out.resize(width * padded, 0.0);
    for j in 0..length {
        let row = &rows.values[j * rows.stride..][..width];
        for (i, value) in row.iter().enumerate() {
            out[i * padded + j] = *value;
        }
    }
    RowMajor { values: out, stride: padded }
}

/// Softmax of `scale × scores` in place; returns the log-sum-exp.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn softmax(scores: &mut [f32], scale: f32) -> f32 {
    let mut highest = f32::NEG_INFINITY;
    for &score in scores.iter() {
        highest = if score > highest || score.is_nan() { score } else { highest };
    }
    for score in scores.iter_mut() {
        *score = exp((*score - highest) * scale);
    }
    let sum = lane_sum(scores.len(), |i| scores[i]);
    let share = 1.0 / sum;
    for score in scores.iter_mut() {
        *score *= share;
    }
    highest * scale + sum.ln()
}

/// Computes `out` and `statistics` of every sequence.
fn forward(
    attention: &AttentionConfig,
    batch: &PackedBatch,
    inputs: Inputs<'_>,
    out: Vec<&mut [f32]>,
    statistics: Vec<&mut [f32]>,
) {
    let hidden = attention.hidden();
    out.into_par_iter().zip(statistics).enumerate().for_each(|(index, (out, statistics))| {
        let sequence = Sequence::new(attention, batch, index, inputs);
        SCRATCH.with_borrow_mut(|scratch| {
            vectorized!({
                for head in 0..attention.heads {
                    let out = &mut out[head * attention.head_width..];
                    forward_head(attention, &sequence, head, scratch, (out, hidden), statistics);
                }
            });
        });
    });
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn forward_head(
    attention: &AttentionConfig,
    sequence: &Sequence<'_>,
    index: usize,
    scratch: &mut Scratch,
    (out, out_stride): (&mut [f32], usize),
    statistics: &mut [f32],
) {
    let (width, heads) = (attention.head_width, attention.heads);
    let (length, queries) = (sequence.length, sequence.queries);
    let padded = length.next_multiple_of(LANES);
    let q = head(sequence.q, attention.queries, index, width);
    let k = head(sequence.kv, attention.keys, index, width);
    let v = head(sequence.kv, attention.values, index, width);
    let keys = transpose(k, (length, width, padded), &mut scratch.transposed);
    let p = &mut scratch.probabilities;
    p.resize(queries * padded, 0.0);
    product((queries, padded, width), q.into(), keys, p, padded);
    if let Some((relative, sizes)) = sequence.relative(index, width) {
        relative.add_scores((q, k), sizes, &mut scratch.relative, p);
    }
    for (query, row) in p.chunks_exact_mut(padded).enumerate() {
        let row = &mut row[..length];
        statistics[query * heads + index] = softmax(row, attention.scale);
        if !attention.dropout.is_none() {
            let pattern = attention.dropout.row((sequence.start + query) * heads + index);
            for (key, p) in row.iter_mut().enumerate() {
                *p *= pattern.factor(key);
            }
        }
    }
    let p = Strided { values: p, row_stride: padded, column_stride: 1 };
    product((queries, width, length), p, v, out, out_stride);
}

/// The outputs of one sequence's backward pass.
struct HeadGradients<'a> {
    /// The gradient of the queries, if it is not part of `dkv`.
    dq: Option<&'a mut [f32]>,
    dkv: &'a mut [f32],
}

/// Computes the gradients of every sequence. Each part of the batch, of `group` sequences, adds its gradient
/// of the matrix of relative positions to a matrix of its own, if there are any.
fn backward(
    attention: &AttentionConfig,
    batch: &PackedBatch,
    inputs: Inputs<'_>,
    grad: &[f32],
    mut outputs: Vec<HeadGradients<'_>>,
    (group, mut parts): (usize, Vec<Option<&mut [f32]>>),
) {
    let hidden = attention.hidden();
    let compute = |index: usize, output: &mut HeadGradients<'_>, part: &mut Option<&mut [f32]>| {
        let sequence = Sequence::new(attention, batch, index, inputs);
        let first = if attention.first_only { index } else { sequence.start };
        let grad = &grad[first * hidden..(first + sequence.queries) * hidden];
        SCRATCH.with_borrow_mut(|scratch| {
            vectorized!({
                for head in 0..attention.heads {
                    let grad =
                        RowMajor { values: &grad[head * attention.head_width..], stride: hidden };
                    backward_head(attention, &sequence, head, grad, scratch, (output, part));
                }
            });
        });
    };
    parts.resize_with(outputs.len().div_ceil(group), || None);
    let parts = outputs.par_chunks_mut(group).zip(parts.par_iter_mut()).enumerate();
    parts.for_each(|(number, (outputs, part))| {
        for (index, output) in outputs.iter_mut().enumerate() {
            compute(number * group + index, output, part);
        }
    });
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
fn backward_head(
    attention: &AttentionConfig,
    sequence: &Sequence<'_>,
    index: usize,
    grad: RowMajor<'_>,
    scratch: &mut Scratch,
    (output, part): (&mut HeadGradients<'_>, &mut Option<&mut [f32]>),
) {
    let (width, heads) = (attention.head_width, attention.heads);
    let (length, queries) = (sequence.length, sequence.queries);
    let padded = length.next_multiple_of(LANES);
    let q = head(sequence.q, attention.queries, index, width);
    let k = head(sequence.kv, attention.keys, index, width);
    let v = head(sequence.kv, attention.values, index, width);
    let Scratch { transposed, probabilities, passed, relative: relative_scratch } = scratch;
    let relative = sequence.relative(index, width);

    let keys = transpose(k, (length, width, padded), transposed);
    probabilities.resize(queries * padded, 0.0);
    product((queries, padded, width), q.into(), keys, probabilities, padded);
    if let Some((relative, sizes)) = &relative {
        relative.add_scores((q, k), *sizes, relative_scratch, probabilities);
    }
    let values = transpose(v, (length, width, padded), transposed);
    passed.resize(queries * padded, 0.0);
    product((queries, padded, width), grad.into(), values, passed, padded);

    let rows = probabilities.chunks_exact_mut(padded).zip(passed.chunks_exact_mut(padded));
    for (query, (p, passed)) in rows.enumerate() {
        let (p, passed) = (&mut p[..length], &mut passed[..length]);
        softmax(p, attention.scale);
        let pattern = attention.dropout.row((sequence.start + query) * heads + index);
        let factor = |key| if attention.dropout.is_none() { 1.0 } else { pattern.factor(key) };
        for (key, passed) in passed.iter_mut().enumerate() {
            *passed *= factor(key);
        }
        // The exact gradients of a row sum to zero, and their sum is the gradient of the key bias.
        // The mean is computed in f64, because AdamW would amplify the rounding error of that sum.
        let (mut sum, mut weight) = (0f64, 0f64);
        for (&p, &passed) in p.iter().zip(passed.iter()) {
            sum += f64::from(p) * f64::from(passed);
            weight += f64::from(p);
        }
        let mean = sum / weight;
        for (key, (p, passed)) in p.iter_mut().zip(passed.iter_mut()).enumerate() {
            let centred = (f64::from(*passed) - mean) as f32;
            *passed = attention.scale * *p * centred;
            *p *= factor(key);
        }
    }

    let across = |values| Strided { values, row_stride: padded, column_stride: 1 };
    let down = |values| Strided { values, row_stride: 1, column_stride: padded };
    let first_column = |columns: MatrixColumns| columns.start + index * width;
    let dscores = passed.as_slice();
    let (dq, dkv) = (output.dq.as_deref_mut(), &mut *output.dkv);
    let queries_at = first_column(attention.queries);
    let dq = match dq {
        Some(dq) => &mut dq[queries_at..],
        None => &mut dkv[queries_at..],
    };
    product((queries, width, length), across(dscores), k, dq, attention.queries.stride);
    let dk = &mut dkv[first_column(attention.keys)..];
    product((length, width, queries), down(dscores), q, dk, attention.keys.stride);
    let dv = &mut dkv[first_column(attention.values)..];
    product((length, width, queries), down(probabilities), grad, dv, attention.keys.stride);
    if let Some((relative, sizes)) = relative {
        let mut gradients = RelativeGradients {
            dqueries: output.dq.as_deref_mut(),
            dkeys: &mut *output.dkv,
            queries_at: (queries_at, attention.queries.stride),
            keys_at: (first_column(attention.keys), attention.keys.stride),
            relative: part.as_deref_mut(),
        };
        relative.backward((q, k), sizes, relative_scratch, dscores, &mut gradients);
    }
}
