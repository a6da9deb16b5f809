//! The loss, and judging a model by it and by its predictions.

use super::event::Metrics;
use super::metrics::Confusion;
use crate::data::batching::{Batch, Example, evaluation_batches};
use crate::model::{Input, SequenceClassifier};
use crate::ops::Dropouts;
use candle_core::{D, Tensor};
use std::time::Instant;

/// The mean cross-entropy of `[batch, labels]` logits, smoothed as transformers' `LabelSmoother`
/// does: `(1 - s) × loss of the label + s × mean loss of all labels`.
pub(super) fn cross_entropy(
    logits: &Tensor,
    labels: &[u32],
    smoothing: f64,
) -> candle_core::Result<Tensor> {
    let log_probabilities = candle_nn::ops::log_softmax(logits, D::Minus1)?;
    let labels = Tensor::from_slice(labels, labels.len(), logits.device())?;
    let loss = candle_nn::loss::nll(&log_probabilities, &labels)?;
    if smoothing > 0.0 {
        let uniform = (log_probabilities.mean_all()? * -smoothing)?;
        (loss * (1.0 - smoothing))? + uniform
    } else {
        Ok(loss)
    }
}

/// The class with the highest logit of each row, the first of equals.
pub(super) fn predicted_classes(logits: &Tensor) -> candle_core::Result<Vec<u32>> {
    logits.argmax(D::Minus1)?.to_vec1()
}

/// How examples are judged.
#[derive(Clone, Copy, Debug)]
pub struct EvaluationOptions {
    /// Examples a batch.
    pub batch_size: usize,
    /// The padding token.
    pub pad_id: u32,
    /// Pad batches to this length at least.
    pub pad_to: usize,
    /// Smooths the loss, as transformers does in evaluation too.
    pub label_smoothing_factor: f64,
}

/// Judges a model on examples. `progress` hears after each batch how many of how many are done,
/// and ends the evaluation without a result by answering `false`.
///
/// # Errors
/// If a computation fails.
pub fn evaluate(
    model: &SequenceClassifier,
    examples: &[Example],
    options: EvaluationOptions,
    mut progress: impl FnMut(usize, usize) -> bool,
) -> candle_core::Result<Option<Metrics>> {
    let began = Instant::now();
    let lengths: Vec<usize> = examples.iter().map(|e| e.ids.len()).collect();
    let mut confusion = Confusion::new(model.config().labels.len());
    let mut loss = 0f64;
    let mut done = 0;
    if !progress(0, examples.len()) {
        return Ok(None);
    }
    for rows in evaluation_batches(&lengths, options.batch_size) {
        let batch = Batch::new(rows.iter().map(|&i| &examples[i]), options.pad_id, options.pad_to);
        let logits = model.forward(&Input::from(&batch), &Dropouts::off())?.detach();
        let mean = cross_entropy(&logits, &batch.labels, options.label_smoothing_factor)?
            .to_scalar::<f32>()?;
        loss += f64::from(mean) * batch.size() as f64;
        for (&label, predicted) in batch.labels.iter().zip(predicted_classes(&logits)?) {
            confusion.add(label, predicted);
        }
        done += batch.size();
        if !progress(done, examples.len()) {
            return Ok(None);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let scores = confusion.scores();
    Ok(Some(Metrics {
        eval_loss: loss / examples.len().max(1) as f64,
        eval_accuracy: scores.accuracy,
        eval_f1: scores.f1,
        eval_precision: scores.precision,
        eval_recall: scores.recall,
        eval_samples: confusion.total(),
        eval_confusion: confusion,
        eval_runtime: seconds,
        eval_samples_per_second: examples.len() as f64 / seconds,
    }))
}
