//! Attention and the head's operations on a small model, which `tests` compares with the CPU's.

use super::layer_tests::dropout;
use super::test_model::{Results, SETTINGS, TestModel, floats, get, of_lengths, put, random, send};
use crate::core::ops::Dropout;
use crate::core::ops::backend::{
    AttentionBackward, AttentionConfig, AttentionForward, Backend, ClassifyBackward,
    ClassifyForward, CrossEntropy, MatrixColumns, Update,
};
use candle_core::Result;

pub(super) fn attention_of_all<B: Backend>(backend: &B) -> Result<Results> {
    attention(backend, false)
}

pub(super) fn attention_of_first<B: Backend>(backend: &B) -> Result<Results> {
    attention(backend, true)
}

pub(super) fn attention<B: Backend>(backend: &B, first_only: bool) -> Result<Results> {
    let mut results = Results::new();
    for (heads, head_width) in [(3, 10), (1, 68)] {
        let (packed, hidden) = (of_lengths(&[1, 33, 70]), heads * head_width);
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
        let q = put(backend, queries.stride, &random(rows * queries.stride, 1.5, 10))?;
        let kv = put(backend, keys.stride, &random(all * keys.stride, 1.5, 11))?;
        let (q, kv) = if first_only { (&q, &kv) } else { (&kv, &kv) };
        for dropout in [Dropout::NONE, dropout(7)] {
            let config = &AttentionConfig {
                heads,
                head_width,
                scale: 1.0 / (head_width as f32).sqrt(),
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
                relative: None,
                out: &mut out,
                statistics: &mut statistics,
            })?;
            results.push(("attention".into(), get(backend, hidden, rows, &out)?));
            results.push(("attention, sums".into(), backend.read(&statistics)?));
            let grad = put(backend, hidden, &random(rows * hidden, 1.0, 12))?;
            let (mut dq, mut dkv) = (B::Buffer::default(), B::Buffer::default());
            backend.attention_backward(AttentionBackward {
                config,
                batch: &sent,
                queries: q,
                keys_values: kv,
                relative: None,
                statistics: &statistics,
                grad: &grad,
                dqueries: first_only.then_some(&mut dq),
                dkeys_values: &mut dkv,
                drelative: None,
            })?;
            if first_only {
                results.push(("attention, dq".into(), get(backend, hidden, rows, &dq)?));
            }
            results.push(("attention, dkv".into(), get(backend, keys.stride, all, &dkv)?));
        }
    }
    Ok(results)
}

pub(super) fn head_and_loss<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    for width in [5, 24] {
        let model = TestModel::new(width, 4);
        let mut parameters = model.send(backend)?;
        let mut gradients = backend.gradients(&model.layout)?;
        let mut optimizer = backend.optimizer(&model.layout, SETTINGS)?;
        backend.begin_step(&[], &mut parameters, &mut gradients, &mut optimizer)?;
        let packed = of_lengths(&[2, 1, 4, 3, 1, 1, 5, 2, 2, 9]);
        let (rows, sequences) = (packed.rows(), packed.batch_size());
        let sent = send(backend, &packed)?;
        let x = put(backend, width, &random(rows * width, 1.0, 13))?;
        let mut first = B::Buffer::default();
        backend.gather_first(&sent, width, &x, &mut first)?;
        results.push(("first".into(), get(backend, width, sequences, &first)?));
        let (mut mean, mut spread) = (B::Buffer::default(), B::Buffer::default());
        backend.mean_rows(&sent, width, &x, &mut mean)?;
        results.push(("mean".into(), get(backend, width, sequences, &mean)?));
        backend.mean_rows_backward(&sent, width, &mean, &mut spread)?;
        results.push(("mean, dx".into(), get(backend, width, rows, &spread)?));
        for smoothing in [0.0, 0.1] {
            let (mut logits, mut dlogits) = (B::Floats::default(), B::Floats::default());
            let layer = &model.classifier;
            backend.classify(ClassifyForward {
                parameters: &parameters,
                layer,
                rows: sequences,
                x: &first,
                logits: &mut logits,
            })?;
            results.push(("logits".into(), backend.read(&logits)?));
            backend.cross_entropy(CrossEntropy {
                classes: 3,
                smoothing,
                scale: 0.1,
                batch: &sent,
                logits: &logits,
                grad: &mut dlogits,
                gradients: &mut gradients,
            })?;
            results.push(("logits, grad".into(), backend.read(&dlogits)?));
            let mut dx = B::Buffer::default();
            backend.classify_backward(ClassifyBackward {
                parameters: &parameters,
                layer,
                rows: sequences,
                x: &first,
                grad: &dlogits,
                dx: &mut dx,
                gradients: &mut gradients,
            })?;
            results.push(("last, dx".into(), get(backend, width, sequences, &dx)?));
            model.gradients(backend, &gradients, "last", &mut results)?;
            backend.accumulate(&mut gradients);
            let mut all = put(backend, width, &random(rows * width, 1.0, 14))?;
            backend.scatter_add_first(&sent, width, &dx, &mut all)?;
            results.push(("all".into(), get(backend, width, rows, &all)?));
        }
        let update = Update { learning_rate: 0.0, max_grad_norm: 0.0 };
        backend.end_step(update, &mut parameters, &mut gradients, &mut optimizer)?;
        let metrics = backend.step_metrics(&mut gradients)?;
        results.push(("loss".into(), vec![metrics.loss as f32, metrics.grad_norm as f32]));
        let predicted = metrics.predicted.iter().map(|&class| class as f32).collect();
        results.push(("predicted".into(), predicted));
        let wide = floats(backend, width, sequences, &first)?;
        results.push(("first, again".into(), backend.read(&wide)?));
    }
    Ok(results)
}
