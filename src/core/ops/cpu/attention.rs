//! Multi-head self-attention (Vaswani et al., 2017) within each sequence of a packed batch.
//!
//! Nothing of the size of a sequence squared is kept between forward and backward: probabilities
//! are made again, and transposes exist for one head at a time only.

use super::numeric::{exp, lane_sum, vectorised};
use super::product::{Coefficients, LANES, Rows, product};
use crate::core::ops::backend::{Attention, Columns, PackedBatch};
use rayon::prelude::*;
use std::cell::RefCell;

/// One thread's room for one head.
#[derive(Default)]
struct Scratch {
    transposed: Vec<f32>,
    probabilities: Vec<f32>,
    passed: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// One sequence: its rows of the queries' and of the keys' matrices.
struct Sequence<'a> {
    q: &'a [f32],
    kv: &'a [f32],
    /// The packed number of its first row.
    start: usize,
    length: usize,
    queries: usize,
}

impl<'a> Sequence<'a> {
    fn of(
        attention: &Attention,
        batch: &PackedBatch,
        index: usize,
        q: &'a [f32],
        kv: &'a [f32],
    ) -> Self {
        let (start, end) = (batch.starts[index] as usize, batch.starts[index + 1] as usize);
        let (first, last) = if attention.first_only { (index, index + 1) } else { (start, end) };
        Self {
            q: &q[first * attention.queries.stride..last * attention.queries.stride],
            kv: &kv[start * attention.keys.stride..end * attention.keys.stride],
            start,
            length: end - start,
            queries: last - first,
        }
    }
}

/// The columns of one head.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it has to become part of vectorised loops")]
fn head(matrix: &[f32], columns: Columns, head: usize, width: usize) -> Rows<'_> {
    Rows { values: &matrix[columns.start + head * width..], stride: columns.stride }
}

impl<'a> From<Rows<'a>> for Coefficients<'a> {
    fn from(rows: Rows<'a>) -> Self {
        Self { values: rows.values, row_stride: rows.stride, column_stride: 1 }
    }
}

/// `rows` transposed, each row of the result filled up with zeros to `padded`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it has to become part of vectorised loops")]
fn transpose<'a>(
    rows: Rows<'_>,
    (length, width, padded): (usize, usize, usize),
    out: &'a mut Vec<f32>,
) -> Rows<'a> {
    out.clear();
    out.resize(width * padded, 0.0);
    for j in 0..length {
        let row = &rows.values[j * rows.stride..][..width];
        for (i, value) in row.iter().enumerate() {
            out[i * padded + j] = *value;
        }
    }
    Rows { values: out, stride: padded }
}

/// Softmax of `scale × scores` in place; the logarithm of the sum of exponentials.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it has to become part of vectorised loops")]
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

/// `out` and `statistics` of every sequence; see [`crate::core::ops::Backend::attention`].
pub(super) fn forward(
    attention: &Attention,
    batch: &PackedBatch,
    q: &[f32],
    kv: &[f32],
    out: Vec<&mut [f32]>,
    statistics: Vec<&mut [f32]>,
) {
    let hidden = attention.heads * attention.width;
    out.into_par_iter().zip(statistics).enumerate().for_each(|(index, (out, statistics))| {
        let sequence = Sequence::of(attention, batch, index, q, kv);
        SCRATCH.with_borrow_mut(|scratch| {
            vectorised(|| {
                for head in 0..attention.heads {
                    let out = &mut out[head * attention.width..];
                    forward_head(attention, &sequence, head, scratch, out, hidden, statistics);
                }
            });
        });
    });
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it has to become part of vectorised loops")]
fn forward_head(
    attention: &Attention,
    sequence: &Sequence<'_>,
    index: usize,
    scratch: &mut Scratch,
    out: &mut [f32],
    out_stride: usize,
    statistics: &mut [f32],
) {
    let (width, heads) = (attention.width, attention.heads);
    let (length, queries) = (sequence.length, sequence.queries);
    let padded = length.next_multiple_of(LANES);
    let q = head(sequence.q, attention.queries, index, width);
    let k = head(sequence.kv, attention.keys, index, width);
    let v = head(sequence.kv, attention.values, index, width);
    let keys = transpose(k, (length, width, padded), &mut scratch.transposed);
    let p = &mut scratch.probabilities;
    p.resize(queries * padded, 0.0);
    product((queries, padded, width), q.into(), keys, p, padded);
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
    let p = Coefficients { values: p, row_stride: padded, column_stride: 1 };
    product((queries, width, length), p, v, out, out_stride);
}

/// What one sequence's backward pass writes to.
struct Output<'a> {
    /// The queries' gradient, if it is not in `dkv`.
    dq: Option<&'a mut [f32]>,
    dkv: &'a mut [f32],
}

/// The gradients of every sequence; see [`crate::core::ops::Backend::attention_backward`].
pub(super) fn backward(
    attention: &Attention,
    batch: &PackedBatch,
    q: &[f32],
    kv: &[f32],
    grad: &[f32],
    dq: Option<Vec<&mut [f32]>>,
    dkv: Vec<&mut [f32]>,
) {
    let hidden = attention.heads * attention.width;
    let outputs: Vec<Output<'_>> = match dq {
        Some(dq) => dq.into_iter().zip(dkv).map(|(dq, dkv)| Output { dq: Some(dq), dkv }).collect(),
        None => dkv.into_iter().map(|dkv| Output { dq: None, dkv }).collect(),
    };
    outputs.into_par_iter().enumerate().for_each(|(index, mut output)| {
        let sequence = Sequence::of(attention, batch, index, q, kv);
        let first = if attention.first_only { index } else { sequence.start };
        let grad = &grad[first * hidden..(first + sequence.queries) * hidden];
        SCRATCH.with_borrow_mut(|scratch| {
            vectorised(|| {
                for head in 0..attention.heads {
                    let grad = Rows { values: &grad[head * attention.width..], stride: hidden };
                    backward_head(attention, &sequence, head, grad, scratch, &mut output);
                }
            });
        });
    });
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it has to become part of vectorised loops")]
fn backward_head(
    attention: &Attention,
    sequence: &Sequence<'_>,
    index: usize,
    grad: Rows<'_>,
    scratch: &mut Scratch,
    output: &mut Output<'_>,
) {
    let (width, heads) = (attention.width, attention.heads);
    let (length, queries) = (sequence.length, sequence.queries);
    let padded = length.next_multiple_of(LANES);
    let q = head(sequence.q, attention.queries, index, width);
    let k = head(sequence.kv, attention.keys, index, width);
    let v = head(sequence.kv, attention.values, index, width);
    let Scratch { transposed, probabilities, passed } = scratch;

    let keys = transpose(k, (length, width, padded), transposed);
    probabilities.resize(queries * padded, 0.0);
    product((queries, padded, width), q.into(), keys, probabilities, padded);
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
        // In f64, so that a row's gradients add up to nearly nothing: what is left over is all
        // that a key's bias would get, and AdamW would blow it up.
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

    let across = |values| Coefficients { values, row_stride: padded, column_stride: 1 };
    let down = |values| Coefficients { values, row_stride: 1, column_stride: padded };
    let place = |columns: Columns| columns.start + index * width;
    let dscores = passed.as_slice();
    let (dq, dkv) = (output.dq.as_deref_mut(), &mut *output.dkv);
    let queries_at = place(attention.queries);
    let dq = match dq {
        Some(dq) => &mut dq[queries_at..],
        None => &mut dkv[queries_at..],
    };
    product((queries, width, length), across(dscores), k, dq, attention.queries.stride);
    let dk = &mut dkv[place(attention.keys)..];
    product((length, width, queries), down(dscores), q, dk, attention.keys.stride);
    let dv = &mut dkv[place(attention.values)..];
    product((length, width, queries), down(probabilities), grad, dv, attention.keys.stride);
}
