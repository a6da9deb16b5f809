//! Every operation held against the CPU's, on what stands in for a card and, with the feature
//! `cuda` and a card that can be opened, on that.

use super::bench::{
    Parts, Results, SETTINGS, batch, flat, floats, get, of_lengths, put, random, send,
    with_occurrences,
};
use super::training_tests::training;
use super::{CudaBackend, Precision};
use crate::core::ops::backend::{Activation, Attention, Backend, Columns, PackedBatch};
use crate::core::ops::{Cpu, Dropout};
use candle_core::Result;

/// How far results may lie apart, as a share of the largest number among those expected.
fn tolerance(precision: Precision) -> f32 {
    match precision {
        Precision::Full => 1e-5,
        Precision::Tf32 => 2e-3,
        Precision::Half => 2e-2,
    }
}

fn compare(precision: Precision, ours: &Results, expected: &Results) {
    assert_eq!(ours.len(), expected.len());
    for ((name, ours), (_, expected)) in ours.iter().zip(expected) {
        assert_eq!(ours.len(), expected.len(), "{name}");
        let largest = expected.iter().fold(1e-6, |a: f32, b| a.max(b.abs()));
        for (i, (ours, expected)) in ours.iter().zip(expected).enumerate() {
            let near = (ours - expected).abs() <= tolerance(precision) * largest;
            assert!(
                near || ours.to_bits() == expected.to_bits(),
                "{precision:?}: {name}[{i}] is {ours} instead of {expected}; largest {largest}"
            );
        }
    }
}

/// One test for each operation, and one of all of them on a real card.
macro_rules! operations {
    ($($operation:ident),* $(,)?) => {
        #[cfg(unix)]
        mod emulated {
            use super::super::emulator::Emulated;
            use super::*;
            use crate::core::ops::backend::Device;

            $(#[test]
            fn $operation() -> Result<()> {
                let expected = super::$operation(&Cpu::new(2)?)?;
                for precision in [Precision::Full, Precision::Half] {
                    let backend = CudaBackend::new(Emulated::new(precision));
                    let ours = super::$operation(&backend)?;
                    compare(precision, &ours, &expected);
                    let backwards = CudaBackend::new(Emulated::backwards(precision));
                    let backwards = super::$operation(&backwards)?;
                    assert_eq!(format!("{ours:?}"), format!("{backwards:?}"), "a race");
                    assert!(backend.driver().pieces() <= 1, "all but scratch is given back");
                    assert!(backend.peak_memory().is_some_and(|peak| peak > 0));
                }
                Ok(())
            })*
        }

        #[cfg(feature = "cuda")]
        fn hold<D: super::Driver>(backend: &CudaBackend<D>) -> Result<()> {
            let precision = backend.driver().precision();
            $(
                let ours = $operation(backend)?;
                compare(precision, &ours, &$operation(&Cpu::new(2)?)?);
                // Sums are taken in one order, whatever else the card does.
                let again = $operation(backend)?;
                assert_eq!(format!("{ours:?}"), format!("{again:?}"), "other numbers");
            )*
            Ok(())
        }
    };
}

operations![
    embedding,
    linear_layer,
    normalisation,
    activations,
    attention_of_all,
    attention_of_first,
    head_and_loss,
    training,
];

#[cfg(feature = "cuda")]
#[test]
fn a_real_card_computes_the_same() -> Result<()> {
    use super::nvidia::Nvidia;

    for precision in [Precision::Full, Precision::Tf32, Precision::Half] {
        match Nvidia::new(0, precision) {
            Ok(card) => {
                eprintln!("{precision:?} on {:?}", card.report());
                hold(&CudaBackend::new(card))?;
            }
            Err(error) => eprintln!("skipped in {precision:?}: {error}"),
        }
    }
    Ok(())
}

/// Keeps nine in ten.
fn dropout(place: u64) -> Dropout {
    Dropout::new(0.1, 0x1234_5678_9abc_def0 + place)
}

fn embedding<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    for width in [6, 24, 132] {
        let parts = Parts::new(width, 4);
        let (tables, norm) = (&parts.tables, &parts.norm);
        let (packed, words) = batch(&[5, 1, 70], 9, 1);
        let mut parameters = parts.send(backend)?;
        let mut gradients = backend.gradients(&parts.arrangement)?;
        let mut optimizer = backend.optimizer(&parts.arrangement, SETTINGS)?;
        backend.begin_step(&words, &mut parameters, &mut gradients, &mut optimizer)?;
        // A second, smaller batch is added to the first.
        let other = with_occurrences(of_lengths(&[3, 2]), &words);
        for (part, packed) in [packed, other].iter().enumerate() {
            let (rows, sent) = (packed.rows(), send(backend, packed)?);
            let (mut sum, mut out) = (B::Buffer::default(), B::Buffer::default());
            let (mut statistics, drop) = (B::Floats::default(), dropout(part as u64));
            let (x, kept) = (&mut sum, &mut statistics);
            backend.embed(&parameters, tables, norm, drop, &sent, x, kept, &mut out)?;
            results.push(("sum".into(), get(backend, width, rows, &sum)?));
            results.push(("statistics".into(), backend.read(&statistics)?));
            results.push(("out".into(), get(backend, width, rows, &out)?));
            let mut grad = put(backend, width, &random(rows * width, 1.0, 2))?;
            backend.embed_backward(
                &parameters,
                tables,
                norm,
                drop,
                &sent,
                &sum,
                &statistics,
                &mut grad,
                &mut gradients,
            )?;
            parts.gradients(backend, &gradients, "embedding", &mut results)?;
            backend.accumulate(&mut gradients);
        }
    }
    Ok(results)
}

fn linear_layer<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    for (rows, inputs, outputs) in [(1, 24, 7), (37, 24, 10), (300, 12, 16)] {
        let parts = Parts::new(inputs, outputs);
        let dense = &parts.dense;
        let parameters = parts.send(backend)?;
        let mut gradients = backend.gradients(&parts.arrangement)?;
        let x = put(backend, inputs, &random(rows * inputs, 1.0, 3))?;
        let grad = put(backend, outputs, &random(rows * outputs, 1.0, 4))?;
        let (mut out, mut dx) = (B::Buffer::default(), B::Buffer::default());
        for add in [false, true] {
            backend.linear(&parameters, dense, add, rows, &x, &mut out)?;
            results.push(("linear".into(), get(backend, outputs, rows, &out)?));
            backend.linear_backward_input(&parameters, dense, add, rows, &grad, &mut dx)?;
            results.push(("linear, input".into(), get(backend, inputs, rows, &dx)?));
            backend.linear_backward_weight(dense, true, rows, &x, &grad, &mut gradients)?;
            parts.gradients(backend, &gradients, "linear", &mut results)?;
            backend.accumulate(&mut gradients);
        }
        backend.linear_backward_weight(dense, false, rows, &x, &grad, &mut gradients)?;
        parts.gradients(backend, &gradients, "linear without bias", &mut results)?;
    }
    Ok(results)
}

fn normalisation<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    for (width, first_only) in [(6, false), (24, true), (132, false)] {
        let parts = Parts::new(width, width);
        let (norm, bias) = (&parts.norm, parts.dense.bias);
        let packed = of_lengths(&[4, 1, 30]);
        let rows = if first_only { packed.batch() } else { packed.rows() };
        let sent = send(backend, &packed)?;
        let parameters = parts.send(backend)?;
        let mut gradients = backend.gradients(&parts.arrangement)?;
        for part in 0..2 {
            let drop = if part == 0 { Dropout::NONE } else { dropout(3) };
            let mut x = put(backend, width, &random(rows * width, 1.0, 5))?;
            let residual = put(backend, width, &random(rows * width, 1.0, 6))?;
            let (mut statistics, mut out) = (B::Floats::default(), B::Buffer::default());
            backend.add_norm(
                &parameters,
                bias,
                norm,
                drop,
                &sent,
                first_only,
                &mut x,
                &residual,
                &mut statistics,
                &mut out,
            )?;
            results.push(("norm, x".into(), get(backend, width, rows, &x)?));
            results.push(("norm, statistics".into(), backend.read(&statistics)?));
            results.push(("norm, out".into(), get(backend, width, rows, &out)?));
            let mut grad = put(backend, width, &random(rows * width, 1.0, 7))?;
            let mut dx = B::Buffer::default();
            backend.add_norm_backward(
                &parameters,
                bias,
                norm,
                drop,
                &sent,
                first_only,
                &x,
                &statistics,
                &mut grad,
                &mut dx,
                &mut gradients,
            )?;
            results.push(("norm, residual".into(), get(backend, width, rows, &grad)?));
            results.push(("norm, dx".into(), get(backend, width, rows, &dx)?));
            parts.gradients(backend, &gradients, "norm", &mut results)?;
            backend.accumulate(&mut gradients);
        }
    }
    Ok(results)
}

fn activations<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    let kinds = [
        Activation::Identity,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::Tanh,
    ];
    for (n, kind) in kinds.into_iter().enumerate() {
        let (rows, width) = ([9, 40][n % 2], [6, 132][n / 2 % 2]);
        let parts = Parts::new(4, width);
        let parameters = parts.send(backend)?;
        let mut gradients = backend.gradients(&parts.arrangement)?;
        for bias in [Some(parts.dense.bias), None] {
            let drop = if bias.is_none() { dropout(n as u64) } else { Dropout::NONE };
            let mut x = put(backend, width, &random(rows * width, 2.0, 8))?;
            let mut out = B::Buffer::default();
            backend.activate(&parameters, bias, kind, drop, rows, width, &mut x, &mut out)?;
            results.push((format!("{kind:?}, x"), get(backend, width, rows, &x)?));
            results.push((format!("{kind:?}, out"), get(backend, width, rows, &out)?));
            let mut grad = put(backend, width, &random(rows * width, 1.0, 9))?;
            let sums = &mut gradients;
            backend.activate_backward(bias, kind, drop, rows, width, &x, &mut grad, sums)?;
            results.push((format!("{kind:?}, grad"), get(backend, width, rows, &grad)?));
            parts.gradients(backend, &gradients, "activation", &mut results)?;
        }
    }
    Ok(results)
}

fn attention_of_all<B: Backend>(backend: &B) -> Result<Results> {
    attention(backend, false)
}

fn attention_of_first<B: Backend>(backend: &B) -> Result<Results> {
    attention(backend, true)
}

fn attention<B: Backend>(backend: &B, first_only: bool) -> Result<Results> {
    let mut results = Results::new();
    for (heads, width) in [(3, 10), (1, 68)] {
        let (packed, hidden) = (of_lengths(&[1, 33, 70]), heads * width);
        let sent = send(backend, &packed)?;
        let columns = |stride, start| Columns { stride, start };
        let (queries, keys, values) = if first_only {
            (columns(hidden, 0), columns(2 * hidden, 0), columns(2 * hidden, hidden))
        } else {
            let stride = 3 * hidden;
            (columns(stride, 0), columns(stride, hidden), columns(stride, 2 * hidden))
        };
        let all = packed.rows();
        let rows = if first_only { packed.batch() } else { all };
        let q = put(backend, queries.stride, &random(rows * queries.stride, 1.5, 10))?;
        let kv = put(backend, keys.stride, &random(all * keys.stride, 1.5, 11))?;
        let (q, kv) = if first_only { (&q, &kv) } else { (&kv, &kv) };
        for dropout in [Dropout::NONE, dropout(7)] {
            let scale = 1.0 / (width as f32).sqrt();
            let attention =
                Attention { heads, width, scale, dropout, first_only, queries, keys, values };
            let (mut out, mut statistics) = (B::Buffer::default(), B::Floats::default());
            backend.attention(&attention, &sent, q, kv, &mut out, &mut statistics)?;
            results.push(("attention".into(), get(backend, hidden, rows, &out)?));
            results.push(("attention, sums".into(), backend.read(&statistics)?));
            let grad = put(backend, hidden, &random(rows * hidden, 1.0, 12))?;
            let (mut dq, mut dkv) = (B::Buffer::default(), B::Buffer::default());
            backend.attention_backward(
                &attention,
                &sent,
                q,
                kv,
                &out,
                &statistics,
                &grad,
                first_only.then_some(&mut dq),
                &mut dkv,
            )?;
            if first_only {
                results.push(("attention, dq".into(), get(backend, hidden, rows, &dq)?));
            }
            results.push(("attention, dkv".into(), get(backend, keys.stride, all, &dkv)?));
        }
    }
    Ok(results)
}

fn head_and_loss<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    for width in [5, 24] {
        let parts = Parts::new(width, 4);
        let parameters = parts.send(backend)?;
        let mut gradients = backend.gradients(&parts.arrangement)?;
        let packed = of_lengths(&[2, 1, 4, 3, 1, 1, 5, 2, 2, 9]);
        let (rows, sequences) = (packed.rows(), packed.batch());
        let sent = send(backend, &packed)?;
        let x = put(backend, width, &random(rows * width, 1.0, 13))?;
        let mut first = B::Buffer::default();
        backend.take_first(&sent, width, &x, &mut first)?;
        results.push(("first".into(), get(backend, width, sequences, &first)?));
        for smoothing in [0.0, 0.1] {
            let (mut logits, mut dlogits) = (B::Floats::default(), B::Floats::default());
            let last = &parts.classifier;
            backend.classify(&parameters, last, sequences, &first, &mut logits)?;
            results.push(("logits".into(), backend.read(&logits)?));
            let slopes = &mut dlogits;
            backend.cross_entropy(3, smoothing, 0.1, &sent, &logits, slopes, &mut gradients)?;
            results.push(("logits, grad".into(), backend.read(&dlogits)?));
            let mut dx = B::Buffer::default();
            let (x, sums) = (&first, &mut gradients);
            backend.classify_backward(&parameters, last, sequences, x, &dlogits, &mut dx, sums)?;
            results.push(("last, dx".into(), get(backend, width, sequences, &dx)?));
            parts.gradients(backend, &gradients, "last", &mut results)?;
            backend.accumulate(&mut gradients);
            let mut all = put(backend, width, &random(rows * width, 1.0, 14))?;
            backend.add_first(&sent, width, &dx, &mut all)?;
            results.push(("all".into(), get(backend, width, rows, &all)?));
        }
        let figures = backend.figures(&gradients)?;
        results.push(("loss".into(), vec![figures.loss as f32]));
        let predicted = figures.predicted.iter().map(|&class| class as f32).collect();
        results.push(("predicted".into(), predicted));
        let wide = floats(backend, width, sequences, &first)?;
        results.push(("first, again".into(), backend.read(&wide)?));
    }
    Ok(results)
}

/// A card would read or write elsewhere: so all this is refused before it is asked.
#[cfg(unix)]
#[test]
fn what_does_not_fit_is_refused() -> Result<()> {
    use crate::core::ops::backend::Device;

    let backend = CudaBackend::new(super::emulator::Emulated::new(Precision::Full));
    let parts = Parts::new(8, 4);
    let parameters = parts.send(&backend)?;
    let x = put(&backend, 8, &[1.0; 16])?;
    let mut out = super::Numbers::default();
    assert!(backend.linear(&parameters, &parts.dense, true, 3, &x, &mut out).is_err(), "x");
    let beyond = crate::core::ops::backend::Dense { weight: parts.values.len(), ..parts.dense };
    assert!(backend.linear(&parameters, &beyond, true, 2, &x, &mut out).is_err(), "weight");
    assert!(backend.parameters(&parts.arrangement, &flat(vec![0.0; 3])?).is_err());

    let fits = of_lengths(&[2, 3]);
    let unfit = [
        PackedBatch { starts: vec![0, 6], ..fits.clone() },
        PackedBatch { starts: vec![0, 4, 3, 5], ..fits.clone() },
        PackedBatch { starts: vec![], ..fits.clone() },
        PackedBatch { labels: vec![0], ..fits.clone() },
        PackedBatch { occurrence_starts: vec![0, 1], occurrences: vec![9], ..fits.clone() },
    ];
    for packed in unfit {
        assert!(send(&backend, &packed).is_err(), "{packed:?}");
    }
    let strange = [PackedBatch { ids: vec![11; 5], ..fits.clone() }, of_lengths(&[79])];
    for packed in strange {
        let (mut sum, mut statistics) = (super::Numbers::default(), super::Numbers::default());
        let (tables, norm, none) = (&parts.tables, &parts.norm, Dropout::NONE);
        let (sent, out) = (send(&backend, &packed)?, &mut out);
        let refused =
            backend.embed(&parameters, tables, norm, none, &sent, &mut sum, &mut statistics, out);
        assert!(refused.is_err(), "{packed:?}");
    }
    Ok(())
}
