//! The training loop.

use super::evaluation::{EvaluationOptions, cross_entropy, evaluate, predicted_classes};
use super::event::{Epoch, Evaluated, Finished, Step, TrainEvent, TrainMetrics};
use super::metrics::Confusion;
use super::schedule::Schedule;
use crate::config::{EvalStrategy, TrainingArguments};
use crate::data::batching::{Batch, Example, epoch_batches};
use crate::model::{BertForSequenceClassification, Input, Parameters, without_backtrace};
use crate::ops::Dropouts;
use crate::ops::adamw::{AdamW, AdamWSettings, clip_factor};
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
    fn between_batches(&mut self) -> Control;
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
    /// A computation failed; candle's message.
    #[error("{0}")]
    Computation(String),
}

impl From<candle_core::Error> for TrainError {
    fn from(error: candle_core::Error) -> Self {
        Self::Computation(without_backtrace(&error))
    }
}

impl TrainError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFinite { .. } => Some(
                "Try a lower --learning-rate, a longer --warmup-steps, or a --max-grad-norm of 1.",
            ),
            Self::NoExamples => Some("Pass a --max-train-samples above 0."),
            Self::Computation(_) => None,
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
        let pad_to = self.pad_to(self.train);
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
                control = observer.between_batches();
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

    /// The least length to pad to: the longest example's under `pad_to_max_length`.
    fn pad_to(&self, examples: &[Example]) -> usize {
        let longest = examples.iter().map(|example| example.ids.len()).max();
        if self.arguments.pad_to_max_length { longest.unwrap_or(0) } else { 0 }
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
        let options = EvaluationOptions {
            batch_size: self.arguments.per_device_eval_batch_size,
            pad_id: self.pad_id,
            pad_to: self.pad_to(self.eval),
            label_smoothing_factor: self.arguments.label_smoothing_factor,
        };
        let metrics = evaluate(self.model, self.eval, options, |done, total| {
            observer.evaluating(done, total);
            let control = observer.between_batches();
            if control != Control::Continue {
                stop = control;
            }
            stop != (Control::Stop { evaluate: false })
        })?;
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

#[cfg(test)]
#[path = "trainer_tests.rs"]
mod tests;
