//! The layers' operations on a small model, which `tests` compares with the CPU's.

use super::test_model::{
    Results, SETTINGS, TestModel, batch, get, of_lengths, put, random, send, with_occurrences,
};
use crate::core::ops::Dropout;
use crate::core::ops::backend::{
    ActivateBackward, ActivateForward, Activation, AddNormBackward, AddNormForward, Backend,
    EmbedBackward, EmbedForward, LinearBackwardInput, LinearBackwardWeight, LinearForward,
};
use candle_core::Result;

/// Drops one element in ten.
pub(super) fn dropout(place: u64) -> Dropout {
    Dropout::new(0.1, 0x1234_5678_9abc_def0 + place)
}

pub(super) fn embedding<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    for width in [6, 24, 132] {
        let mut model = TestModel::new(width, 4);
        model.tables.padding_token = Some(3);
        model.tables.padding_position = Some(1);
        let (tables, norm) = (&model.tables, &model.norm);
        let (packed, tokens) = batch(&[5, 1, 70], 9, 1);
        // The same tokens with types and positions: those of padding and a highest one.
        let mut other_ids = packed.clone();
        other_ids.type_ids = (0..76).map(|row| u32::from(row % 3 == 1)).collect();
        other_ids.position_ids =
            (0..76).map(|row| [1, 2 + row % 7, 79][row as usize % 3]).collect();
        let mut parameters = model.send(backend)?;
        let mut gradients = backend.gradients(&model.layout)?;
        let mut optimizer = backend.optimizer(&model.layout, SETTINGS)?;
        backend.begin_step(&tokens, &mut parameters, &mut gradients, &mut optimizer)?;
        // A second, smaller batch is added to the first.
        let other = with_occurrences(of_lengths(&[3, 2]), &tokens);
        for (part, packed) in [other_ids.clone(), packed, other_ids, other].iter().enumerate() {
            let (rows, sent) = (packed.rows(), send(backend, packed)?);
            let (mut sum, mut out) = (B::Buffer::default(), B::Buffer::default());
            let (mut statistics, dropout) = (B::Floats::default(), dropout(part as u64));
            backend.embed(EmbedForward {
                parameters: &parameters,
                tables,
                norm,
                dropout,
                batch: &sent,
                sum: &mut sum,
                statistics: &mut statistics,
                out: &mut out,
            })?;
            results.push(("sum".into(), get(backend, width, rows, &sum)?));
            results.push(("statistics".into(), backend.read(&statistics)?));
            results.push(("out".into(), get(backend, width, rows, &out)?));
            let mut grad = put(backend, width, &random(rows * width, 1.0, 2))?;
            backend.embed_backward(EmbedBackward {
                parameters: &parameters,
                tables,
                norm,
                dropout,
                batch: &sent,
                sum: &sum,
                statistics: &statistics,
                grad: &mut grad,
                gradients: &mut gradients,
            })?;
            model.gradients(backend, &gradients, "embedding", &mut results)?;
            backend.accumulate(&mut gradients);
        }
    }
    Ok(results)
}

pub(super) fn linear_layer<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    for (rows, inputs, outputs) in [(1, 24, 7), (37, 24, 10), (300, 12, 16)] {
        let model = TestModel::new(inputs, outputs);
        let layer = &model.linear;
        let parameters = &model.send(backend)?;
        let mut gradients = backend.gradients(&model.layout)?;
        let x = put(backend, inputs, &random(rows * inputs, 1.0, 3))?;
        let grad = put(backend, outputs, &random(rows * outputs, 1.0, 4))?;
        let (mut out, mut dx) = (B::Buffer::default(), B::Buffer::default());
        for accumulate in [false, true] {
            let (x, out, biased) = (&x, &mut out, accumulate);
            backend.linear(LinearForward { parameters, layer, biased, rows, x, out })?;
            results.push(("linear".into(), get(backend, outputs, rows, out)?));
            let (grad, dx) = (&grad, &mut dx);
            backend.linear_backward_input(LinearBackwardInput {
                parameters,
                layer,
                accumulate,
                rows,
                grad,
                dx,
            })?;
            results.push(("linear, input".into(), get(backend, inputs, rows, dx)?));
            let (biased, gradients) = (true, &mut gradients);
            backend.linear_backward_weight(LinearBackwardWeight {
                layer,
                biased,
                again: false,
                rows,
                x,
                grad,
                gradients,
            })?;
            model.gradients(backend, gradients, "linear", &mut results)?;
            backend.accumulate(gradients);
        }
        backend.linear_backward_weight(LinearBackwardWeight {
            layer,
            biased: false,
            again: false,
            rows,
            x: &x,
            grad: &grad,
            gradients: &mut gradients,
        })?;
        model.gradients(backend, &gradients, "linear without bias", &mut results)?;
    }
    Ok(results)
}

pub(super) fn normalization<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    for (width, first_only) in [(6, false), (24, true), (132, false)] {
        let model = TestModel::new(width, width);
        let (norm, bias) = (&model.norm, model.linear.bias);
        let packed = of_lengths(&[4, 1, 30]);
        let rows = if first_only { packed.batch_size() } else { packed.rows() };
        let sent = send(backend, &packed)?;
        let parameters = model.send(backend)?;
        let mut gradients = backend.gradients(&model.layout)?;
        for part in 0..2 {
            let dropout = if part == 0 { Dropout::NONE } else { dropout(3) };
            let mut x = put(backend, width, &random(rows * width, 1.0, 5))?;
            let residual = put(backend, width, &random(rows * width, 1.0, 6))?;
            let (mut statistics, mut out) = (B::Floats::default(), B::Buffer::default());
            backend.add_norm(AddNormForward {
                parameters: &parameters,
                bias,
                norm,
                dropout,
                batch: &sent,
                first_only,
                x: &mut x,
                residual: &residual,
                statistics: &mut statistics,
                out: &mut out,
            })?;
            results.push(("norm, x".into(), get(backend, width, rows, &x)?));
            results.push(("norm, statistics".into(), backend.read(&statistics)?));
            results.push(("norm, out".into(), get(backend, width, rows, &out)?));
            let mut grad = put(backend, width, &random(rows * width, 1.0, 7))?;
            let mut dx = B::Buffer::default();
            backend.add_norm_backward(AddNormBackward {
                parameters: &parameters,
                bias,
                norm,
                dropout,
                batch: &sent,
                first_only,
                x: &x,
                statistics: &statistics,
                grad: &mut grad,
                dx: &mut dx,
                gradients: &mut gradients,
            })?;
            results.push(("norm, residual".into(), get(backend, width, rows, &grad)?));
            results.push(("norm, dx".into(), get(backend, width, rows, &dx)?));
            model.gradients(backend, &gradients, "norm", &mut results)?;
            backend.accumulate(&mut gradients);
        }
    }
    Ok(results)
}

pub(super) fn activations<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    let all = [
        Activation::Identity,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::Tanh,
    ];
    for (n, activation) in all.into_iter().enumerate() {
        let (rows, width) = ([9, 40][n % 2], [6, 132][n / 2 % 2]);
        let model = TestModel::new(4, width);
        let parameters = model.send(backend)?;
        let mut gradients = backend.gradients(&model.layout)?;
        for bias in [Some(model.linear.bias), None] {
            let dropout = if bias.is_none() { dropout(n as u64) } else { Dropout::NONE };
            let mut x = put(backend, width, &random(rows * width, 2.0, 8))?;
            let mut out = B::Buffer::default();
            backend.activate(ActivateForward {
                parameters: &parameters,
                bias,
                activation,
                dropout,
                rows,
                width,
                x: &mut x,
                out: &mut out,
            })?;
            results.push((format!("{activation:?}, x"), get(backend, width, rows, &x)?));
            results.push((format!("{activation:?}, out"), get(backend, width, rows, &out)?));
            let mut grad = put(backend, width, &random(rows * width, 1.0, 9))?;
            backend.activate_backward(ActivateBackward {
                bias,
                activation,
                dropout,
                rows,
                width,
                x: &x,
                grad: &mut grad,
                gradients: &mut gradients,
            })?;
            results.push((format!("{activation:?}, grad"), get(backend, width, rows, &grad)?));
            model.gradients(backend, &gradients, "activation", &mut results)?;
        }
    }
    Ok(results)
}
