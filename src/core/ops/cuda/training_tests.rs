//! A few training steps, which `tests` compares with the CPU's.

use super::test_model::{Results, SETTINGS, TestModel, batch, flat, get, put, random, send};
use crate::core::ops::Dropout;
use crate::core::ops::backend::{
    Backend, ClassifyBackward, ClassifyForward, CrossEntropy, EmbedBackward, EmbedForward,
    LinearBackwardInput, LinearBackwardWeight, LinearForward, Moments, PackedBatch, StepMetrics,
    Update,
};
use candle_core::Result;

/// The decay of the average in these steps.
const AVERAGE_DECAY: f64 = 0.4;

pub(super) fn training<B: Backend>(backend: &B) -> Result<Results> {
    train(backend, &TestModel::with_vocabulary(40, 12, 8), false)
}

/// Parts of the model have a learning rate of their own, and the weights are averaged.
pub(super) fn training_with_rates_and_average<B: Backend>(backend: &B) -> Result<Results> {
    let mut model = TestModel::with_vocabulary(40, 12, 8);
    let (norm, linear) = (model.norm, model.linear);
    // Some groups begin within one that weight decay applies to.
    model.layout.rates = vec![
        (0..norm.weight, 0.3),
        (norm.weight..linear.weight + 7, 0.7),
        (linear.bias..model.classifier.weight + 1, 1.5),
    ];
    train(backend, &model, true)
}

fn train<B: Backend>(backend: &B, model: &TestModel, averages: bool) -> Result<Results> {
    let mut results = Results::new();
    let (width, outputs) = (model.tables.width, model.linear.outputs);
    // The CPU shares the memory of these tensors.
    let (host, average) = (flat(model.values.clone())?, flat(model.values.clone())?);
    let mut parameters = backend.parameters(&model.layout, &host)?;
    let mut gradients = backend.gradients(&model.layout)?;
    let mut optimizer = backend.optimizer(&model.layout, SETTINGS)?;
    if averages {
        let average = backend.parameters(&model.layout, &average)?;
        backend.start_average(&mut optimizer, average, AVERAGE_DECAY);
    }
    let mut metrics = Vec::new();
    for step in 0..9 {
        let (mut packed, tokens) = batch(&[3, 4], 40, 20 + step);
        packed.labels = vec![0, 1];
        if step == 3 {
            // Class 7 does not exist: the loss is NaN, and the update is skipped.
            packed.labels[1] = 7;
        }
        if step == 5 {
            let mut moments = flushed(backend, model, &mut parameters, &mut optimizer)?;
            model.split("mean", &moments.mean, &mut results);
            model.split("variance", &moments.variance, &mut results);
            results.push(("steps".into(), vec![moments.steps as f32]));
            // As in a resumed run that made 10 more steps before.
            moments.steps += 10;
            let old =
                std::mem::replace(&mut optimizer, backend.optimizer(&model.layout, SETTINGS)?);
            if let Some(old) = backend.average(&old) {
                backend.store(old, &average)?;
                let average = backend.parameters(&model.layout, &average)?;
                backend.start_average(&mut optimizer, average, AVERAGE_DECAY);
            }
            backend.restore(&parameters, &mut optimizer, moments)?;
        }
        backend.begin_step(&tokens, &mut parameters, &mut gradients, &mut optimizer)?;
        pass(backend, model, &parameters, &packed, &mut gradients)?;
        let learning_rate = 3e-3 / (step + 1) as f64;
        let max_grad_norm = if step % 2 == 0 { 0.5 } else { 0.0 };
        let update = Update { learning_rate, max_grad_norm };
        backend.end_step(update, &mut parameters, &mut gradients, &mut optimizer)?;
        metrics.extend(backend.ready_metrics(&mut gradients)?);
        if step == 6 && metrics.len() <= 6 {
            // Waits for the step on an asynchronous device.
            metrics.push(backend.step_metrics(&mut gradients)?);
        }
    }
    if metrics.len() < 9 {
        metrics.push(backend.step_metrics(&mut gradients)?);
    }
    assert!(backend.ready_metrics(&mut gradients)?.is_none(), "every step's metrics were returned");
    for (step, StepMetrics { loss, grad_norm, predicted, .. }) in metrics.into_iter().enumerate() {
        assert_eq!(loss.is_nan(), step == 3);
        let loss = if step == 3 { 0.0 } else { loss as f32 };
        let values = predicted.into_iter().map(|class| class as f32);
        results.push(("metrics".into(), values.chain([loss, grad_norm as f32]).collect()));
    }
    model.gradients(backend, &gradients, "the last step", &mut results)?;
    // Products use the updated parameters, too.
    let mut out = B::Buffer::default();
    backend.linear(LinearForward {
        parameters: &parameters,
        layer: &model.linear,
        biased: true,
        rows: 5,
        x: &put(backend, width, &random(5 * width, 1.0, 15))?,
        out: &mut out,
    })?;
    results.push(("linear, after".into(), get(backend, outputs, 5, &out)?));
    let moments = flushed(backend, model, &mut parameters, &mut optimizer)?;
    model.split("mean, after", &moments.mean, &mut results);
    model.split("variance, after", &moments.variance, &mut results);
    results.push(("steps, after".into(), vec![moments.steps as f32]));
    backend.store(&parameters, &host)?;
    model.split("parameters", &host.to_vec1()?, &mut results);
    let Some(averaged) = backend.average(&optimizer) else { return Ok(results) };
    backend.store(averaged, &average)?;
    model.split("average", &average.to_vec1()?, &mut results);
    backend.linear(LinearForward {
        parameters: averaged,
        layer: &model.linear,
        biased: true,
        rows: 5,
        x: &put(backend, width, &random(5 * width, 1.0, 15))?,
        out: &mut out,
    })?;
    results.push(("linear, average".into(), get(backend, outputs, 5, &out)?));
    Ok(results)
}

/// The moments after all pending updates; a second flush changes nothing.
fn flushed<B: Backend>(
    backend: &B,
    model: &TestModel,
    parameters: &mut B::Parameters,
    optimizer: &mut B::Optimizer,
) -> Result<Moments> {
    backend.flush(parameters, optimizer)?;
    backend.flush(parameters, optimizer)?;
    let moments = backend.moments(optimizer)?;
    assert_eq!(moments.mean.len(), model.values.len());
    Ok(moments)
}

/// Gradients of every layer.
fn pass<B: Backend>(
    backend: &B,
    model: &TestModel,
    parameters: &B::Parameters,
    packed: &PackedBatch,
    gradients: &mut B::Gradients,
) -> Result<()> {
    let (rows, sequences, width) = (packed.rows(), packed.batch_size(), model.tables.width);
    let (tables, norm, dropout) = (&model.tables, &model.norm, Dropout::NONE);
    let batch = &send(backend, packed)?;
    let (mut sum, mut out) = (B::Buffer::default(), B::Buffer::default());
    let mut statistics = B::Floats::default();
    backend.embed(EmbedForward {
        parameters,
        tables,
        norm,
        dropout,
        batch,
        sum: &mut sum,
        statistics: &mut statistics,
        out: &mut out,
    })?;
    let layer = &model.linear;
    let grad = &put(backend, layer.outputs, &random(rows * layer.outputs, 1.0, 16))?;
    backend.linear_backward_weight(LinearBackwardWeight {
        layer,
        biased: true,
        again: false,
        rows,
        x: &out,
        grad,
        gradients,
    })?;

    let (mut first, mut dx) = (B::Buffer::default(), B::Buffer::default());
    let (mut logits, mut slopes) = (B::Floats::default(), B::Floats::default());
    backend.gather_first(batch, width, &out, &mut first)?;
    backend.classify(ClassifyForward {
        parameters,
        layer: &model.classifier,
        rows: sequences,
        x: &first,
        logits: &mut logits,
    })?;
    backend.cross_entropy(CrossEntropy {
        classes: 3,
        smoothing: 0.0,
        scale: 0.5,
        batch,
        logits: &logits,
        grad: &mut slopes,
        gradients,
    })?;
    backend.classify_backward(ClassifyBackward {
        parameters,
        layer: &model.classifier,
        rows: sequences,
        x: &first,
        grad: &slopes,
        dx: &mut dx,
        gradients,
    })?;
    let mut below = B::Buffer::default();
    backend.linear_backward_input(LinearBackwardInput {
        parameters,
        layer,
        accumulate: false,
        rows,
        grad,
        dx: &mut below,
    })?;
    backend.scatter_add_first(batch, width, &dx, &mut below)?;
    backend.embed_backward(EmbedBackward {
        parameters,
        tables,
        norm,
        dropout,
        batch,
        sum: &sum,
        statistics: &statistics,
        grad: &mut below,
        gradients,
    })
}
