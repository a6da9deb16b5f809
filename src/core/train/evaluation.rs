//! The loss, and judging a model by it and by its predictions.

use super::calibration::Reliability;
use super::event::Metrics;
use super::metrics::Confusion;
use crate::core::data::batching::{Batch, Example, evaluation_batches};
use crate::core::engine::logits::{class_of, confidence_of, loss_of};
use crate::core::engine::{Engine, EngineError};
use std::time::Instant;

/// How examples are judged.
#[derive(Clone, Copy, Debug)]
pub struct EvaluationOptions {
    /// Examples a batch.
    pub batch_size: usize,
    /// The padding token.
    pub pad_id: u32,
    /// Pad batches to this length at least.
    pub pad_to: usize,
    /// How many classes there are.
    pub classes: usize,
    /// Smooths the loss, as transformers does in evaluation too.
    pub label_smoothing_factor: f64,
}

/// Judges a model on examples. `progress` hears after each batch how many of how many are done,
/// and ends the evaluation without a result by answering `false`.
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
        let batch = Batch::new(rows.iter().map(|&i| &examples[i]), options.pad_id, options.pad_to);
        let logits = engine.logits(&batch)?;
        for (logits, &label) in logits.chunks_exact(options.classes).zip(&batch.labels) {
            loss += loss_of(logits, label, options.label_smoothing_factor);
            let predicted = class_of(logits);
            confusion.add(label, predicted);
            reliability.add(confidence_of(logits), predicted == label);
        }
        done += batch.size();
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
