//! Attention with relative positions, and the rows of their table, which `tests` compares with the CPU's.

use super::layer_tests::dropout;
use super::test_model::{Results, SETTINGS, TestModel, get, of_lengths, put, random, send};
use crate::core::ops::Dropout;
use crate::core::ops::backend::{
    AttentionBackward, AttentionConfig, AttentionForward, Backend, DropRows, MatrixColumns,
    Relative, RelativeColumns, RelativeRows,
};
use candle_core::Result;

/// The rows of distances up to 9 are their own, longer ones share one.
fn rows_by_distance(longest: isize) -> RelativeRows {
    RelativeRows::new((1 - longest..longest).map(|d| (d.clamp(-9, 9) + 11) as u32).collect())
}

pub(super) fn relative_attention_of_all<B: Backend>(backend: &B) -> Result<Results> {
    relative_attention(backend, false)
}

pub(super) fn relative_attention_of_first<B: Backend>(backend: &B) -> Result<Results> {
    relative_attention(backend, true)
}

fn relative_attention<B: Backend>(backend: &B, first_only: bool) -> Result<Results> {
    let mut results = Results::new();
    for (heads, head_width, has_queries, has_keys) in
        [(3, 10, true, true), (1, 68, true, true), (2, 6, false, true), (2, 8, true, false)]
    {
        let (packed, hidden) = (of_lengths(&[1, 33, 5, 2, 41, 3]), heads * head_width);
        let sent = send(backend, &packed)?;
        let columns = |stride, start| MatrixColumns { stride, start };
        let (queries, keys, values) = if first_only {
            (columns(hidden, 0), columns(2 * hidden, 0), columns(2 * hidden, hidden))
        } else {
            let stride = 3 * hidden;
            (columns(stride, 0), columns(stride, hidden), columns(stride, 2 * hidden))
        };
        let all = packed.rows();
        let rows = if first_only { packed.batch_size() } else { all };
        let q = put(backend, queries.stride, &random(rows * queries.stride, 1.0, 10))?;
        let kv = put(backend, keys.stride, &random(all * keys.stride, 1.0, 11))?;
        let (q, kv) = if first_only { (&q, &kv) } else { (&kv, &kv) };
        let stride = (usize::from(has_queries) + usize::from(has_keys)) * hidden;
        // One row more than the batch uses at each end.
        let matrix_rows = 21;
        let matrix = put(backend, stride, &random(matrix_rows * stride, 1.0, 14))?;
        let mut by_distance = B::RelativeRows::default();
        backend.send_relative_rows(&rows_by_distance(64), &mut by_distance)?;
        let relative = Some(Relative {
            columns: RelativeColumns {
                stride,
                queries: has_queries.then_some(0),
                keys: has_keys.then_some(if has_queries { hidden } else { 0 }),
                first_row: 1,
                rows: matrix_rows,
            },
            rows: &by_distance,
            matrix: &matrix,
        });
        for dropout in [Dropout::NONE, dropout(7)] {
            let config = &AttentionConfig {
                heads,
                head_width,
                scale: 1.0 / (3.0 * head_width as f32).sqrt(),
                dropout,
                first_only,
                queries,
                keys,
                values,
            };
            let (mut out, mut statistics) = (B::Buffer::default(), B::Floats::default());
            backend.attention(AttentionForward {
                config,
                batch: &sent,
                queries: q,
                keys_values: kv,
                relative,
                out: &mut out,
                statistics: &mut statistics,
            })?;
            results.push(("attention".into(), get(backend, hidden, rows, &out)?));
            results.push(("attention, sums".into(), backend.read(&statistics)?));
            let grad = put(backend, hidden, &random(rows * hidden, 1.0, 12))?;
            let (mut dq, mut dkv) = (B::Buffer::default(), B::Buffer::default());
            let mut drelative = B::Buffer::default();
            backend.attention_backward(AttentionBackward {
                config,
                batch: &sent,
                queries: q,
                keys_values: kv,
                relative,
                statistics: &statistics,
                grad: &grad,
                dqueries: first_only.then_some(&mut dq),
                dkeys_values: &mut dkv,
                drelative: Some(&mut drelative),
            })?;
            if first_only {
                results.push(("attention, dq".into(), get(backend, hidden, rows, &dq)?));
            }
            results.push(("attention, dkv".into(), get(backend, keys.stride, all, &dkv)?));
            let drelative = get(backend, stride, matrix_rows, &drelative)?;
            results.push(("attention, drelative".into(), drelative));
        }
    }
    Ok(results)
}

pub(super) fn relative_rows<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    let (width, rows) = (10, 7);
    let model = TestModel::new(width, 13);
    let mut parameters = model.send(backend)?;
    let mut gradients = backend.gradients(&model.layout)?;
    let mut optimizer = backend.optimizer(&model.layout, SETTINGS)?;
    backend.begin_step(&[], &mut parameters, &mut gradients, &mut optimizer)?;
    // The weight of a linear layer as a table.
    let start = model.linear.weight;
    let (all, range) = (start..start + 13 * width, start + 3 * width..start + (3 + rows) * width);
    let (mut x, mut out) = (B::Buffer::default(), B::Buffer::default());
    backend.parameter_rows(&parameters, range.clone(), &mut x)?;
    results.push(("rows".into(), get(backend, width, rows, &x)?));
    for (dropout, accumulate) in [(dropout(5), false), (dropout(6), true), (Dropout::NONE, true)] {
        let (x, out) = (&x, &mut out);
        backend.drop_rows(DropRows { dropout, rows, width, accumulate, x, out })?;
        results.push(("rows, dropout".into(), get(backend, width, rows, out)?));
    }
    for _ in 0..2 {
        backend.parameter_rows_backward(&out, range.clone(), all.clone(), &mut gradients)?;
        let found = backend.read_gradients(&gradients)?[all.clone()].to_vec();
        results.push(("rows, gradient".into(), found));
        backend.accumulate(&mut gradients);
    }
    Ok(results)
}
