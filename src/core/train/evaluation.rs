//! Evaluation of a model: the loss and the metrics of its predictions.

use super::calibration::Reliability;
use super::event::Metrics;
use super::metrics::Confusion;
use super::temperature::TemperatureFit;
use crate::core::collective::{Collective, Single, floats_of_bytes, floats_to_bytes, is_shared};
use crate::core::data::batching::{Example, PackedBatch, evaluation_batches};
use crate::core::engine::logits::{class_of, confidence_of, loss_of};
use crate::core::engine::{Engine, EngineError, Logits, PretrainingLosses};
use crate::core::ops::backend::{ReplacedLosses, TokenLosses};
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

/// Evaluates a model that is pretrained on texts, as [`evaluate`] does a classifier. The loss, the
/// accuracy and the confusion matrix are those of the discriminator, which tells replaced tokens
/// apart, if there is one; else those of the masked tokens, which have no confusion matrix. All ranks
/// evaluate together, as in [`evaluate_shared`].
///
/// # Errors
/// If a computation fails.
pub fn evaluate_pretraining(
    engine: &mut dyn Engine,
    collective: &dyn Collective,
    texts: &[Example],
    batch_size: usize,
    mut progress: impl FnMut(&mut dyn Engine, usize, usize) -> bool,
) -> Result<Option<Metrics>, EngineError> {
    let began = Instant::now();
    let lengths: Vec<usize> = texts.iter().map(|text| text.ids.len()).collect();
    let (mut masked, mut replaced) = (TokenLosses::default(), None);
    let mut done = 0;
    if !progress(engine, 0, texts.len()) {
        return Ok(None);
    }
    let batches: Vec<(Vec<usize>, u64)> =
        evaluation_batches(&lengths, batch_size).into_iter().zip(0..).collect();
    for round in batches.chunks(collective.world_size()) {
        let own = match round.get(collective.rank()) {
            Some((rows, number)) => {
                let batch = PackedBatch::new(rows.iter().map(|&index| &texts[index]), 0);
                Some(engine.pretraining_losses(&batch, *number)?.unwrap_or_default())
            }
            None => None,
        };
        for losses in gather_losses(collective, own)? {
            masked.add(losses.masked);
            if let Some(losses) = losses.replaced {
                replaced.get_or_insert_with(ReplacedLosses::default).add(losses);
            }
        }
        done += round.iter().map(|(rows, _)| rows.len()).sum::<usize>();
        if !progress(engine, done, texts.len()) {
            return Ok(None);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let masked_loss = masked.sum / masked.count.max(1) as f64;
    let confusion = match &replaced {
        Some(replaced) => Confusion { counts: replaced.counts.map(Vec::from).into() },
        None => Confusion::new(0),
    };
    let mut scores = confusion.scores();
    if replaced.is_none() {
        scores.accuracy = masked.correct as f64 / masked.count.max(1) as f64;
    }
    let tokens = confusion.total().max(1) as f64;
    Ok(Some(Metrics {
        eval_loss: replaced.map_or(masked_loss, |replaced| replaced.sum / tokens),
        eval_accuracy: scores.accuracy,
        eval_f1: scores.f1,
        eval_precision: scores.precision,
        eval_recall: scores.recall,
        eval_samples: texts.len() as u64,
        eval_confusion: confusion,
        perplexity: Some(masked_loss.exp()),
        eval_generator_loss: replaced.map(|_| masked_loss),
        eval_calibration: Reliability::default().calibration(),
        eval_temperature: None,
        eval_runtime: seconds,
        eval_samples_per_second: texts.len() as f64 / seconds,
    }))
}

/// A moment of an evaluation at which something else can be computed.
pub enum EvaluationMoment<'a, 'b> {
    /// Before the first batch, or after a batch.
    Between {
        /// The engine.
        engine: &'a mut dyn Engine,
        /// The number of examples evaluated so far.
        done: usize,
        /// The number of all examples.
        total: usize,
    },
    /// Within a batch, with what computes the logits of other texts.
    Within(&'a mut Logits<'b>),
}

/// Evaluates a model on examples. `progress` is called before the first batch, within each batch on a
/// device that can be interrupted, and after each batch; if it returns `false` between batches, the
/// evaluation ends without a result.
///
/// # Errors
/// If a computation fails.
pub fn evaluate(
    engine: &mut dyn Engine,
    examples: &[Example],
    options: EvaluationOptions,
    progress: impl FnMut(EvaluationMoment<'_, '_>) -> bool,
) -> Result<Option<Metrics>, EngineError> {
    evaluate_each(engine, examples, options, progress, |_| {})
}

/// The result for one example of an evaluation.
#[derive(Clone, Copy, Debug)]
pub struct ExampleResult<'a> {
    /// The index of the example.
    pub index: usize,
    /// The logit of each class, indexed by class id.
    pub logits: &'a [f32],
    /// Its loss, with the label smoothing of the evaluation.
    pub loss: f64,
}

/// As [`evaluate`]; `on_example` is also called with the result for each example, in any order.
///
/// # Errors
/// If a computation fails.
pub fn evaluate_each(
    engine: &mut dyn Engine,
    examples: &[Example],
    options: EvaluationOptions,
    progress: impl FnMut(EvaluationMoment<'_, '_>) -> bool,
    on_example: impl FnMut(ExampleResult<'_>),
) -> Result<Option<Metrics>, EngineError> {
    evaluate_shared(engine, &Single, examples, options, progress, on_example)
}

/// As [`evaluate_each`], by all ranks together: of the batches of one process, rank r computes the
/// r-th of every `world_size`. Every rank gets the results for all examples, in the same order as one
/// process.
///
/// # Errors
/// If a computation fails, or a rank is lost.
pub fn evaluate_shared(
    engine: &mut dyn Engine,
    collective: &dyn Collective,
    examples: &[Example],
    options: EvaluationOptions,
    mut progress: impl FnMut(EvaluationMoment<'_, '_>) -> bool,
    mut on_example: impl FnMut(ExampleResult<'_>),
) -> Result<Option<Metrics>, EngineError> {
    let began = Instant::now();
    let lengths: Vec<usize> = examples.iter().map(|e| e.ids.len()).collect();
    let mut confusion = Confusion::new(options.classes);
    let mut reliability = Reliability::default();
    let mut fit = TemperatureFit::new(options.classes, examples.len());
    let mut loss = 0f64;
    let (mut done, total) = (0, examples.len());
    if !progress(EvaluationMoment::Between { engine: &mut *engine, done, total }) {
        return Ok(None);
    }
    let batches = evaluation_batches(&lengths, options.batch_size);
    for round in batches.chunks(collective.world_size()) {
        let logits = match round.get(collective.rank()) {
            Some(rows) => {
                let batch = PackedBatch::new(rows.iter().map(|&i| &examples[i]), options.pad_to);
                engine.interruptible_logits(&batch, &mut |logits| {
                    progress(EvaluationMoment::Within(logits));
                })?
            }
            None => Vec::new(),
        };
        let rows: Vec<usize> = round.iter().flatten().copied().collect();
        let logits = gather_logits(collective, logits, rows.len() * options.classes)?;
        for (logits, &index) in logits.chunks_exact(options.classes).zip(&rows) {
            let label = examples[index].label;
            let own = loss_of(logits, label, options.label_smoothing_factor);
            loss += own;
            on_example(ExampleResult { index, logits, loss: own });
            let predicted = class_of(logits);
            confusion.add(label, predicted);
            reliability.add(confidence_of(logits), predicted == label);
            fit.add(logits, label);
        }
        done += rows.len();
        if !progress(EvaluationMoment::Between { engine: &mut *engine, done, total }) {
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
        perplexity: None,
        eval_generator_loss: None,
        eval_calibration: reliability.calibration(),
        eval_temperature: fit.temperature(),
        eval_runtime: seconds,
        eval_samples_per_second: examples.len() as f64 / seconds,
    }))
}

/// The losses of the batches of all ranks, in order.
fn gather_losses(
    collective: &dyn Collective,
    own: Option<PretrainingLosses>,
) -> Result<Vec<PretrainingLosses>, EngineError> {
    if !is_shared(collective) {
        return Ok(own.into_iter().collect());
    }
    let failed = |error: &dyn std::fmt::Display| EngineError(error.to_string());
    let own = serde_json::to_vec(&own).map_err(|error| failed(&error))?;
    let all = collective.all_gather_bytes(&own).map_err(|error| failed(&error))?;
    let all = all.iter().map(|bytes| serde_json::from_slice(bytes).map_err(|e| failed(&e)));
    let all = all.collect::<Result<Vec<Option<PretrainingLosses>>, _>>()?;
    Ok(all.into_iter().flatten().collect())
}

/// The logits of all ranks, one rank after another; together they are `len` values.
fn gather_logits(
    collective: &dyn Collective,
    own: Vec<f32>,
    len: usize,
) -> Result<Vec<f32>, EngineError> {
    if !is_shared(collective) {
        return Ok(own);
    }
    let failed = |error: &dyn std::fmt::Display| EngineError(error.to_string());
    let all =
        collective.all_gather_bytes(&floats_to_bytes(&own)).map_err(|error| failed(&error))?;
    let all: Option<Vec<Vec<f32>>> = all.iter().map(|bytes| floats_of_bytes(bytes)).collect();
    let all = all.unwrap_or_default().concat();
    if all.len() != len {
        return Err(failed(&format_args!("the ranks have {} logits instead of {len}", all.len())));
    }
    Ok(all)
}
