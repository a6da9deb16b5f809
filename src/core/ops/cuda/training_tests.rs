//! A few steps of training, to be held against the CPU's by `tests`.

use super::bench::{Parts, Results, SETTINGS, batch, flat, get, put, random, send};
use crate::core::ops::Dropout;
use crate::core::ops::backend::{Backend, Moments, PackedBatch, Update};
use candle_core::Result;

pub(super) fn training<B: Backend>(backend: &B) -> Result<Results> {
    let mut results = Results::new();
    let (width, outputs) = (12, 8);
    let parts = Parts::with_vocabulary(40, width, outputs);
    let home = flat(parts.values.clone())?;
    let mut parameters = backend.parameters(&parts.arrangement, &home)?;
    let mut gradients = backend.gradients(&parts.arrangement)?;
    let mut optimizer = backend.optimizer(&parts.arrangement, SETTINGS)?;
    for step in 0..9 {
        let (mut packed, words) = batch(&[3, 4], 40, 20 + step);
        packed.labels = vec![0, 1];
        if step == 3 {
            // No such class: the loss is not a number, and the step is left out.
            packed.labels[1] = 7;
        }
        if step == 5 {
            let mut moments = settled(backend, &parts, &mut parameters, &mut optimizer)?;
            parts.split("mean", &moments.mean, &mut results);
            parts.split("variance", &moments.variance, &mut results);
            results.push(("steps".into(), vec![moments.steps as f32]));
            // As if the run was interrupted here, with more steps behind it than there were.
            moments.steps += 10;
            optimizer = backend.optimizer(&parts.arrangement, SETTINGS)?;
            backend.restore(&mut optimizer, moments)?;
        }
        backend.begin_step(&words, &mut parameters, &mut gradients, &mut optimizer)?;
        pass(backend, &parts, &parameters, &packed, &mut gradients)?;
        let learning_rate = 3e-3 / (step + 1) as f64;
        let max_grad_norm = if step % 2 == 0 { 0.5 } else { 0.0 };
        let update = Update { learning_rate, max_grad_norm };
        backend.end_step(update, &mut parameters, &mut gradients, &mut optimizer)?;
        if step % 3 != 1 {
            let figures = backend.figures(&gradients)?;
            assert_eq!(figures.loss.is_nan(), step == 3);
            let loss = if step == 3 { 0.0 } else { figures.loss as f32 };
            results.push(("figures".into(), vec![loss, figures.grad_norm as f32]));
        }
    }
    parts.gradients(backend, &gradients, "the last step", &mut results)?;
    // Products see the parameters as they have become, too.
    let x = put(backend, width, &random(5 * width, 1.0, 15))?;
    let mut out = B::Buffer::default();
    backend.linear(&parameters, &parts.dense, true, 5, &x, &mut out)?;
    results.push(("linear, after".into(), get(backend, outputs, 5, &out)?));
    let moments = settled(backend, &parts, &mut parameters, &mut optimizer)?;
    parts.split("mean, after", &moments.mean, &mut results);
    parts.split("variance, after", &moments.variance, &mut results);
    results.push(("steps, after".into(), vec![moments.steps as f32]));
    backend.store(&parameters, &home)?;
    parts.split("parameters", &home.to_vec1()?, &mut results);
    Ok(results)
}

/// The moments after every row is up to date; settling twice is settling once.
fn settled<B: Backend>(
    backend: &B,
    parts: &Parts,
    parameters: &mut B::Parameters,
    optimizer: &mut B::Optimizer,
) -> Result<Moments<'static>> {
    backend.settle(parameters, optimizer)?;
    backend.settle(parameters, optimizer)?;
    let Moments { steps, mean, variance } = backend.moments(optimizer)?;
    assert_eq!(mean.len(), parts.values.len());
    let (mean, variance) = (mean.into_owned(), variance.into_owned());
    Ok(Moments { steps, mean: mean.into(), variance: variance.into() })
}

/// Gradients of every part.
fn pass<B: Backend>(
    backend: &B,
    parts: &Parts,
    parameters: &B::Parameters,
    packed: &PackedBatch,
    gradients: &mut B::Gradients,
) -> Result<()> {
    let (rows, sequences, width) = (packed.rows(), packed.batch(), parts.tables.width);
    let (tables, norm, none) = (&parts.tables, &parts.norm, Dropout::NONE);
    let sent = send(backend, packed)?;
    let (mut sum, mut out) = (B::Buffer::default(), B::Buffer::default());
    let mut statistics = B::Floats::default();
    let (x, kept) = (&mut sum, &mut statistics);
    backend.embed(parameters, tables, norm, none, &sent, x, kept, &mut out)?;
    let grad = put(backend, parts.dense.outputs, &random(rows * parts.dense.outputs, 1.0, 16))?;
    backend.linear_backward_weight(&parts.dense, true, rows, &out, &grad, gradients)?;

    let (mut first, mut dx) = (B::Buffer::default(), B::Buffer::default());
    let (mut logits, mut slopes) = (B::Floats::default(), B::Floats::default());
    let last = &parts.classifier;
    backend.take_first(&sent, width, &out, &mut first)?;
    backend.classify(parameters, last, sequences, &first, &mut logits)?;
    backend.cross_entropy(3, 0.0, 0.5, &sent, &logits, &mut slopes, gradients)?;
    backend.classify_backward(parameters, last, sequences, &first, &slopes, &mut dx, gradients)?;
    let mut below = B::Buffer::default();
    backend.linear_backward_input(parameters, &parts.dense, false, rows, &grad, &mut below)?;
    backend.add_first(&sent, width, &dx, &mut below)?;
    let (x, grad) = (&sum, &mut below);
    backend.embed_backward(parameters, tables, norm, none, &sent, x, &statistics, grad, gradients)
}
