//! The heads and losses of pretraining, which `tests` compares with the CPU's.

use super::test_model::{
    Results, SETTINGS, TestModel, batch, flat, floats, get, put, random, send, with_occurrences,
};
use crate::core::ops::Dropout;
use crate::core::ops::backend::{
    Backend, EmbedBackward, EmbedForward, LinearBackwardInput, LinearForward, LinearLayout,
    NormBackward, NormForward, PretrainingOps, ReplacedCrossEntropy, TiedBackwardWeight,
    TokenCrossEntropy, Update,
};
use candle_core::Result;

const VOCABULARY: usize = 21;
const WIDTH: usize = 12;

/// Two steps with a tied last layer over listed rows, whose second part has another learning rate.
pub(super) fn pretraining_heads<B: Backend + PretrainingOps>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    let mut model = TestModel::with_vocabulary(VOCABULARY, WIDTH, VOCABULARY);
    model.tables.padding_token = Some(3);
    let tokens: Vec<u32> = (0..VOCABULARY as u32).collect();
    let host = flat(model.values.clone())?;
    let mut parameters = backend.parameters(&model.layout, &host)?;
    let mut gradients = backend.gradients(&model.layout)?;
    let mut optimizer = backend.optimizer(&model.layout, SETTINGS)?;
    for step in 0..2 {
        backend.begin_step(&tokens, &mut parameters, &mut gradients, &mut optimizer)?;
        backend.prepare_token_table(&mut parameters)?;
        backend.clear(&mut gradients)?;
        for (part, rows) in [vec![8, 0, 5, 3], Vec::new(), vec![2]].into_iter().enumerate() {
            let part = part as u64 + 3 * step;
            let mut grad = head(backend, &model, &parameters, &rows, &mut gradients, &mut results)?;
            let (packed, _) = batch(&[4, 5], VOCABULARY, 30 + part);
            let sent = &send(backend, &with_occurrences(packed, &tokens))?;
            let (mut sum, mut out) = (B::Buffer::default(), B::Buffer::default());
            let mut statistics = B::Floats::default();
            backend.embed(EmbedForward {
                parameters: &parameters,
                tables: &model.tables,
                norm: &model.norm,
                dropout: Dropout::NONE,
                batch: sent,
                sum: &mut sum,
                statistics: &mut statistics,
                out: &mut out,
            })?;
            backend.embed_backward(EmbedBackward {
                parameters: &parameters,
                tables: &model.tables,
                norm: &model.norm,
                dropout: Dropout::NONE,
                batch: sent,
                sum: &sum,
                statistics: &statistics,
                grad: &mut grad,
                gradients: &mut gradients,
            })?;
        }
        model.gradients(backend, &gradients, "tied", &mut results)?;
        // From within the token table to the end, and from the start.
        let (first, len) = (5 * WIDTH, model.values.len());
        let after = backend.copy_parameters(&parameters, first, len)?;
        let before = backend.copy_parameters(&parameters, 0, first)?;
        results.push(("copy".into(), backend.read(&before)?));
        let update = Update { learning_rate: 1e-2, max_grad_norm: 1.0 };
        backend.end_step(update, &mut parameters, &mut gradients, &mut optimizer)?;
        backend.scale_change(&mut parameters, first, &after, 3.0)?;
        backend.scale_change(&mut parameters, 0, &before, if step == 0 { 0.0 } else { 0.5 })?;
        let metrics = backend.step_metrics(&mut gradients)?;
        let parts = metrics.parts.map(|part| part as f32);
        results.push(("loss".into(), [&[metrics.loss as f32], &parts[..]].concat()));
        results.push(("norm".into(), vec![metrics.grad_norm as f32]));
        backend.flush(&mut parameters, &mut optimizer)?;
        backend.store(&parameters, &host)?;
        model.split("parameters", &host.to_vec1()?, &mut results);
    }
    let moments = backend.moments(&optimizer)?;
    model.split("mean", &moments.mean, &mut results);
    model.split("variance", &moments.variance, &mut results);
    // Products use the changed parameters.
    backend.prepare_token_table(&mut parameters)?;
    for layer in [tied(&model), model.linear] {
        let (x, mut out) = (put(backend, WIDTH, &random(WIDTH, 1.0, 41))?, B::Buffer::default());
        backend.linear(LinearForward {
            parameters: &parameters,
            layer: &layer,
            biased: true,
            rows: 1,
            x: &x,
            out: &mut out,
        })?;
        results.push(("product, after".into(), get(backend, VOCABULARY, 1, &out)?));
    }
    Ok(results)
}

/// The token table as the last layer.
fn tied(model: &TestModel) -> LinearLayout {
    LinearLayout { weight: model.tables.tokens, bias: model.linear.bias, ..model.linear }
}

/// A head over the listed ones of nine rows, forward and backward. Returns the gradient of all rows.
fn head<B: Backend + PretrainingOps>(
    backend: &B,
    model: &TestModel,
    parameters: &B::Parameters,
    rows: &[u32],
    gradients: &mut B::Gradients,
    results: &mut Results,
) -> Result<B::Buffer> {
    let (norm, layer, count) = (&model.norm, &tied(model), rows.len());
    let x = put(backend, WIDTH, &random(9 * WIDTH, 1.0, 7))?;
    let (mut gathered, mut normed) = (B::Buffer::default(), B::Buffer::default());
    let (mut logits, mut statistics) = (B::Buffer::default(), B::Floats::default());
    backend.gather_rows(rows, WIDTH, &x, &mut gathered)?;
    backend.norm(NormForward {
        parameters,
        norm,
        rows: count,
        x: &gathered,
        statistics: &mut statistics,
        out: &mut normed,
    })?;
    results.push(("normed".into(), get(backend, WIDTH, count, &normed)?));
    results.push(("statistics".into(), backend.read(&statistics)?));
    let (x, out) = (&normed, &mut logits);
    backend.linear(LinearForward { parameters, layer, biased: true, rows: count, x, out })?;
    results.push(("logits".into(), get(backend, VOCABULARY, count, &logits)?));
    let labels: Vec<u32> = rows.iter().map(|row| row * 2).collect();
    let losses = backend.token_cross_entropy(TokenCrossEntropy {
        vocabulary: VOCABULARY,
        scale: 0.2,
        labels: &labels,
        logits: &mut logits,
        gradients: Some(gradients),
    })?;
    assert_eq!(losses, None);
    let (mut grad, mut dx) = (B::Buffer::default(), B::Buffer::default());
    backend.tied_backward_weight(TiedBackwardWeight {
        layer,
        rows: count,
        x: &normed,
        grad: &logits,
        gradients,
    })?;
    backend.linear_backward_input(LinearBackwardInput {
        parameters,
        layer,
        accumulate: false,
        rows: count,
        grad: &logits,
        dx: &mut grad,
    })?;
    let (x, statistics) = (&gathered, &statistics);
    let grad_of = &mut grad;
    backend.norm_backward(NormBackward {
        parameters,
        norm,
        x,
        statistics,
        grad: grad_of,
        gradients,
    })?;
    results.push(("norm, dx".into(), get(backend, WIDTH, count, &grad)?));
    backend.scatter_rows(rows, 9, WIDTH, &grad, &mut dx)?;
    results.push(("scattered".into(), get(backend, WIDTH, 9, &dx)?));
    Ok(dx)
}

/// Losses and gradients of given logits, in training and in evaluation, and drawn tokens.
pub(super) fn pretraining_losses<B: Backend + PretrainingOps>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    let model = TestModel::new(8, 4);
    let mut parameters = model.send(backend)?;
    let mut gradients = backend.gradients(&model.layout)?;
    let mut optimizer = backend.optimizer(&model.layout, SETTINGS)?;
    // Fewer and more tokens than the threads of a block handle at once.
    for (vocabulary, rows) in [(7, 3), (603, 4)] {
        backend.begin_step(&[], &mut parameters, &mut gradients, &mut optimizer)?;
        let values = random(rows * vocabulary, 2.0, 50);
        let best = |row: usize| {
            let row = &values[row * vocabulary..][..vocabulary];
            (0..vocabulary).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0)
        };
        let labels: Vec<u32> =
            (0..rows).map(|row| if row == 1 { best(row) } else { row } as u32).collect();
        for trains in [false, true] {
            let mut logits = put(backend, vocabulary, &values)?;
            let uniform = |row: usize| [0.0, 0.37, 0.999_999, 0.5][row];
            let tokens = backend.sample_tokens(vocabulary, &logits, &uniform)?;
            results.push(("tokens".into(), tokens.iter().map(|&token| token as f32).collect()));
            let losses = backend.token_cross_entropy(TokenCrossEntropy {
                vocabulary,
                scale: 0.25,
                labels: &labels,
                logits: &mut logits,
                gradients: trains.then_some(&mut gradients),
            })?;
            assert_eq!(losses.is_none(), trains);
            if let Some(losses) = losses {
                let counts = [losses.count as f32, losses.correct as f32];
                results.push(("losses".into(), vec![losses.sum as f32, counts[0], counts[1]]));
            }
            results.push(("logits".into(), get(backend, vocabulary, rows, &logits)?));
        }
        for trains in [false, true] {
            let given = [3.0, -0.5, 0.0, -90.0, 40.0, 0.25, 0.5];
            let logits = floats(backend, 1, 7, &put(backend, 1, &given)?)?;
            let mut grad = B::Floats::default();
            let losses = backend.replaced_cross_entropy(ReplacedCrossEntropy {
                scale: 0.5,
                part_scale: 0.125,
                replaced: &[true, true, false, true, false, false, true],
                logits: &logits,
                grad: &mut grad,
                gradients: trains.then_some(&mut gradients),
            })?;
            assert_eq!(losses.is_none(), trains);
            if let Some(losses) = losses {
                let counts = losses.counts.as_flattened().iter().map(|&count| count as f32);
                let all = std::iter::once(losses.sum as f32).chain(counts);
                results.push(("replaced".into(), all.collect()));
            }
            results.push(("replaced, grad".into(), backend.read(&grad)?));
        }
        let update = Update { learning_rate: 0.0, max_grad_norm: 0.0 };
        backend.end_step(update, &mut parameters, &mut gradients, &mut optimizer)?;
        let metrics = backend.step_metrics(&mut gradients)?;
        let parts = metrics.parts.map(|part| part as f32);
        results.push(("loss".into(), [&[metrics.loss as f32], &parts[..]].concat()));
    }
    Ok(results)
}

/// A device would access rows and tokens out of bounds.
#[cfg(unix)]
#[test]
fn rows_and_tokens_out_of_bounds_are_rejected() -> Result<()> {
    use super::emulator::Emulated;
    use super::{CudaBackend, DeviceBuffer, Precision};
    use crate::core::ops::backend::{Device, LinearOps};

    let backend = CudaBackend::new(Emulated::new(Precision::Half));
    let (x, mut out) = (put(&backend, 8, &[1.0; 24])?, DeviceBuffer::default());
    assert!(backend.gather_rows(&[0, 3], 8, &x, &mut out).is_err());
    assert!(backend.scatter_rows(&[3], 3, 8, &x, &mut out).is_err());
    let mut logits = put(&backend, 8, &[1.0; 24])?;
    for labels in [&[1, 8, 2][..], &[0; 4]] {
        let losses = backend.token_cross_entropy(TokenCrossEntropy {
            vocabulary: 8,
            scale: 1.0,
            labels,
            logits: &mut logits,
            gradients: None,
        });
        assert!(losses.is_err(), "{labels:?}");
    }
    let model = TestModel::new(8, 8);
    let (mut parameters, mut gradients) =
        (model.send(&backend)?, backend.gradients(&model.layout)?);
    let layer = tied(&model);
    let product = |parameters: &super::CudaParameters<Emulated>| {
        let out = &mut DeviceBuffer::default();
        backend.linear(LinearForward {
            parameters,
            layer: &layer,
            biased: false,
            rows: 3,
            x: &x,
            out,
        })
    };
    assert!(product(&parameters).is_err(), "the table is no operand yet");
    backend.prepare_token_table(&mut parameters)?;
    product(&parameters)?;
    let tied = TiedBackwardWeight {
        layer: &layer,
        rows: 3,
        x: &x,
        grad: &logits,
        gradients: &mut gradients,
    };
    assert!(backend.tied_backward_weight(tied).is_err(), "not every row is used");
    Ok(())
}
