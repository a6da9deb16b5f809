//! Evaluation of a model: the loss and the metrics of its predictions.

use super::calibration::Reliability;
use super::event::Metrics;
use super::metrics::Confusion;
use crate::core::data::batching::{Example, PackedBatch, evaluation_batches};
use crate::core::engine::logits::{class_of, confidence_of, loss_of};
use crate::core::engine::{Engine, EngineError};
use std::time::Instant;

/// The options of an evaluation.
#[derive(Clone, Copy, Debug)]
pub struct EvaluationOptions {
    /// Examples per batch.
    pub batch_size: usize,
    /// The least length in tokens that the reference operations pad batches to.
    pub pad_to: usize,
    /// The number of classes.
    pub classes: usize,
    /// The label smoothing factor, which transformers also applies in evaluation.
    pub label_smoothing_factor: f64,
}

/// Evaluates a model on examples. `progress` is called with the number of evaluated examples and of
/// all examples, before the first batch and after each batch; if it returns `false`, the evaluation
/// ends without a result.
///
/// # Errors
/// If a computation fails.
pub fn evaluate(
    engine: &mut dyn Engine,
    examples: &[Example],
    options: EvaluationOptions,
    mut progress: impl FnMut(&mut dyn Engine, usize, usize) -> bool,
) -> Result<Option<Metrics>, EngineError> {
    let began = Instant::now();
    let lengths: Vec<usize> = examples.iter().map(|e| e.ids.len()).collect();
    let mut confusion = Confusion::new(options.classes);
    let mut reliability = Reliability::default();
    let mut loss = 0f64;
    let mut done = 0;
    if !progress(engine, 0, examples.len()) {
        return Ok(None);
    }
    for rows in evaluation_batches(&lengths, options.batch_size) {
        let batch = PackedBatch::new(rows.iter().map(|&i| &examples[i]), options.pad_to);
        let logits = engine.logits(&batch)?;
        for (logits, &label) in logits.chunks_exact(options.classes).zip(&batch.labels) {
            loss += loss_of(logits, label, options.label_smoothing_factor);
            let predicted = class_of(logits);
            confusion.add(label, predicted);
            reliability.add(confidence_of(logits), predicted == label);
        }
        done += batch.batch_size();
        if !progress(engine, done, examples.len()) {
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
        eval_calibration: reliability.calibration(),
        eval_runtime: seconds,
        eval_samples_per_second: examples.len() as f64 / seconds,
    }))
}
