//! The training loop.

use super::event::{Epoch, Evaluated, Finished, Metrics, Step, TrainEvent, TrainMetrics};
use super::metrics::Confusion;
use super::schedule::Schedule;
use crate::config::{EvalStrategy, TrainingArguments};
use crate::data::batching::{Batch, Example, epoch_batches, evaluation_batches};
use crate::model::{BertForSequenceClassification, Input, Parameters, without_backtrace};
use crate::ops::Dropouts;
use crate::ops::adamw::{AdamW, AdamWSettings, clip_factor};
use candle_core::{D, Tensor};
use std::time::Instant;

/// What the trainer is told between batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// End the run here.
    Stop {
        /// Whether to evaluate once more first.
        evaluate: bool,
    },
}

/// Who watches a run, and may end it.
pub trait Observer {
    /// Something happened.
    fn publish(&mut self, event: TrainEvent);

    /// An evaluation has come this far, in examples.
    fn evaluating(&mut self, done: usize, total: usize);

    /// Called between batches, while the model is at rest.
    fn between_batches(&mut self, model: &BertForSequenceClassification) -> Control;
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The loss, or the gradient, is infinite or not a number.
    #[error("the {what} is {value} at step {step}")]
    NotFinite {
        /// `"loss"` or `"gradient norm"`.
        what: &'static str,
        /// The value.
        value: f64,
        /// The step, counted from 1; its update was not applied.
        step: u64,
    },
    /// There is nothing to train on.
    #[error("there are no training examples")]
    NoExamples,
    /// A computation failed.
    #[error("{}", without_backtrace(.0))]
    Candle(#[from] candle_core::Error),
}

impl TrainError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFinite { .. } => Some(
                "Try a lower --learning-rate, a longer --warmup-steps, or a --max-grad-norm of 1. \
                 The weights are those of the step before.",
            ),
            Self::NoExamples => Some("Pass a --max-train-samples above 0."),
            Self::Candle(_) => None,
        }
    }
}

/// One run over one model.
pub struct Trainer<'a> {
    model: &'a BertForSequenceClassification,
    arguments: &'a TrainingArguments,
    train: &'a [Example],
    eval: &'a [Example],
    pad_id: u32,
}

/// Sums over the steps since some moment.
#[derive(Default)]
struct Sums {
    loss: f64,
    steps: u64,
}

impl Sums {
    fn add(&mut self, loss: f64) {
        self.loss += loss;
        self.steps += 1;
    }

    fn mean(&self) -> f64 {
        self.loss / self.steps.max(1) as f64
    }
}

/// Where a run stands.
struct Position {
    began: Instant,
    step: u64,
    evaluated_at: Option<u64>,
    samples: usize,
    padded_tokens: usize,
    all: Sums,
}

impl<'a> Trainer<'a> {
    /// A run of `model` over tokenized examples, padded with `pad_id`.
    pub fn new(
        model: &'a BertForSequenceClassification,
        arguments: &'a TrainingArguments,
        train: &'a [Example],
        eval: &'a [Example],
        pad_id: u32,
    ) -> Self {
        Self { model, arguments, train, eval, pad_id }
    }

    /// Trains to the end, or until told to stop.
    ///
    /// # Errors
    /// If the loss is not finite, or a computation fails.
    pub fn run(&self, observer: &mut impl Observer) -> Result<Finished, TrainError> {
        if self.train.is_empty() {
            return Err(TrainError::NoExamples);
        }
        let arguments = self.arguments;
        let max_steps = arguments.max_steps(self.train.len());
        let steps_per_epoch = arguments.steps_per_epoch(self.train.len());
        let schedule = Schedule::new(
            arguments.lr_scheduler_type,
            arguments.learning_rate,
            arguments.warmup(max_steps),
            max_steps,
        );
        let mut optimizer = self.optimizer();
        let lengths: Vec<usize> = self.train.iter().map(|e| e.ids.len()).collect();
        let pad_to = if arguments.pad_to_max_length {
            lengths.iter().copied().max().unwrap_or(0)
        } else {
            0
        };
        let mut at = Position {
            began: Instant::now(),
            step: 0,
            evaluated_at: None,
            samples: 0,
            padded_tokens: 0,
            all: Sums::default(),
        };
        let mut control = Control::Continue;

        'run: for epoch in 0.. {
            if at.step >= max_steps {
                break;
            }
            let batches = epoch_batches(
                &lengths,
                arguments.train_sampling_strategy,
                arguments.per_device_train_batch_size,
                arguments.data_seed,
                epoch,
            );
            let mut confusion = Confusion::new(self.model.config().labels.len());
            let mut sums = Sums::default();
            let last = batches.len();
            for (i, rows) in batches.into_iter().enumerate() {
                control = observer.between_batches(self.model);
                if control != Control::Continue || at.step >= max_steps {
                    break 'run;
                }
                let batch = Batch::new(rows.iter().map(|&i| &self.train[i]), self.pad_id, pad_to);
                let rate = schedule.rate(at.step);
                let (loss, norm, predicted) =
                    self.step(&mut optimizer, &batch, at.step + 1, rate, |loss, norm| {
                        observer.publish(TrainEvent::Step(Step {
                            step: at.step + 1,
                            epoch: (at.step + 1) as f64 / steps_per_epoch as f64,
                            loss,
                            grad_norm: norm,
                            learning_rate: rate,
                            samples: batch.size(),
                            tokens: batch.tokens(),
                            elapsed: at.began.elapsed().as_secs_f64(),
                        }));
                    })?;
                debug_assert!(loss.is_finite() && norm.is_finite());
                at.step += 1;
                at.samples += batch.size();
                at.padded_tokens += batch.input_ids.len();
                at.all.add(loss);
                sums.add(loss);
                for (&label, predicted) in batch.labels.iter().zip(predicted) {
                    confusion.add(label, predicted);
                }
                if i + 1 == last {
                    let scores = confusion.scores();
                    observer.publish(TrainEvent::Epoch(Epoch {
                        epoch: epoch + 1,
                        step: at.step,
                        train_loss: sums.mean(),
                        train_accuracy: scores.accuracy,
                        train_f1: scores.f1,
                        elapsed: at.began.elapsed().as_secs_f64(),
                    }));
                }
                let due = match arguments.eval_strategy {
                    EvalStrategy::Epoch => i + 1 == last,
                    EvalStrategy::Steps => at.step.is_multiple_of(arguments.eval_steps),
                    EvalStrategy::No => false,
                };
                if due {
                    control = self.evaluate_at(&mut at, observer)?;
                    if control != Control::Continue {
                        break 'run;
                    }
                }
            }
        }
        if control != (Control::Stop { evaluate: false }) && at.evaluated_at != Some(at.step) {
            self.evaluate_at(&mut at, observer)?;
        }
        Ok(self.finished(&at, max_steps, steps_per_epoch))
    }

    fn optimizer(&self) -> AdamW {
        let arguments = self.arguments;
        let parameters = self.model.parameters().iter().map(|(name, var)| {
            (var.clone(), arguments.decay_everything || Parameters::decays(name))
        });
        let settings = AdamWSettings {
            beta1: arguments.adam_beta1,
            beta2: arguments.adam_beta2,
            epsilon: arguments.adam_epsilon,
            weight_decay: arguments.weight_decay,
        };
        AdamW::new(parameters, settings)
    }

    /// Forward, backward and update. `publish` gets loss and gradient norm before the update, and
    /// before they are found not to be finite.
    fn step(
        &self,
        optimizer: &mut AdamW,
        batch: &Batch,
        step: u64,
        rate: f64,
        publish: impl FnOnce(f64, f64),
    ) -> Result<(f64, f64, Vec<u32>), TrainError> {
        let dropouts = Dropouts::training(self.arguments.seed, step);
        let logits = self.model.forward(&Input::from(batch), &dropouts)?;
        let smoothing = self.arguments.label_smoothing_factor;
        let loss = cross_entropy(&logits, &batch.labels, smoothing)?;
        let value = f64::from(loss.to_scalar::<f32>()?);
        let gradients = loss.backward()?;
        let norm = optimizer.gradient_norm(&gradients)?;
        let not_finite = |what, value| TrainError::NotFinite { what, value, step };
        if value.is_finite() && norm.is_finite() {
            let scale = clip_factor(norm, self.arguments.max_grad_norm);
            optimizer.step(&gradients, rate, scale)?;
        }
        publish(value, norm);
        if !value.is_finite() {
            return Err(not_finite("loss", value));
        }
        if !norm.is_finite() {
            return Err(not_finite("gradient norm", norm));
        }
        Ok((value, norm, predicted_classes(&logits)?))
    }

    fn evaluate_at(
        &self,
        at: &mut Position,
        observer: &mut impl Observer,
    ) -> Result<Control, TrainError> {
        let mut stop = Control::Continue;
        let metrics = evaluate(
            self.model,
            self.eval,
            self.arguments.per_device_eval_batch_size,
            self.pad_id,
            |done, total| {
                observer.evaluating(done, total);
                let control = observer.between_batches(self.model);
                if control != Control::Continue {
                    stop = control;
                }
                stop != (Control::Stop { evaluate: false })
            },
        )?;
        if let Some(metrics) = metrics {
            at.evaluated_at = Some(at.step);
            observer.publish(TrainEvent::Evaluated(Evaluated {
                step: at.step,
                epoch: at.step as f64 / self.arguments.steps_per_epoch(self.train.len()) as f64,
                metrics,
                elapsed: at.began.elapsed().as_secs_f64(),
            }));
        }
        Ok(stop)
    }

    fn finished(&self, at: &Position, max_steps: u64, steps_per_epoch: u64) -> Finished {
        let seconds = at.began.elapsed().as_secs_f64();
        let size = self.model.parameters().count_without_embeddings();
        Finished {
            global_step: at.step,
            training_loss: at.all.mean(),
            metrics: TrainMetrics {
                train_runtime: seconds,
                train_samples_per_second: at.samples as f64 / seconds,
                train_steps_per_second: at.step as f64 / seconds,
                total_flos: 6.0 * at.padded_tokens as f64 * size as f64,
                train_loss: at.all.mean(),
                epoch: at.step as f64 / steps_per_epoch as f64,
            },
            stopped: at.step < max_steps,
        }
    }
}

/// The mean cross-entropy of `[batch, labels]` logits, smoothed as transformers' `LabelSmoother`
/// does: `(1 - s) × loss of the label + s × mean loss of all labels`.
fn cross_entropy(logits: &Tensor, labels: &[u32], smoothing: f64) -> candle_core::Result<Tensor> {
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
fn predicted_classes(logits: &Tensor) -> candle_core::Result<Vec<u32>> {
    logits.argmax(D::Minus1)?.to_vec1()
}

/// Judges a model on examples. `progress` hears after each batch how many of how many are done,
/// and ends the evaluation without a result by answering `false`.
///
/// # Errors
/// If a computation fails.
pub fn evaluate(
    model: &BertForSequenceClassification,
    examples: &[Example],
    batch_size: usize,
    pad_id: u32,
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
    for rows in evaluation_batches(&lengths, batch_size) {
        let batch = Batch::new(rows.iter().map(|&i| &examples[i]), pad_id, 0);
        let logits = model.forward(&Input::from(&batch), &Dropouts::off())?.detach();
        let mean = cross_entropy(&logits, &batch.labels, 0.0)?.to_scalar::<f32>()?;
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

#[cfg(test)]
#[path = "trainer_tests.rs"]
mod tests;
