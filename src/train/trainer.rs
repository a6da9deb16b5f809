//! The training loop.

use super::checkpoint::{Checkpoint, Checkpoints};
use super::evaluation::{cross_entropy, predicted_classes};
use super::event::{Epoch, Finished, Step, TrainEvent};
use super::milestones::Run;
use super::observer::{Control, Observer, TrainError};
use super::progress::{Progress, Sums};
use super::schedule::Schedule;
use super::state::TrainerState;
use crate::config::TrainingArguments;
use crate::data::batching::{Batch, Example, epoch_batches};
use crate::model::folder::holds_a_model;
use crate::model::{Input, Parameters, SequenceClassifier};
use crate::ops::Dropouts;
use crate::ops::adamw::{AdamW, AdamWSettings, clip_factor};
use std::path::PathBuf;
use std::time::Instant;

/// One run over one model.
pub struct Trainer<'a> {
    pub(super) model: &'a SequenceClassifier,
    pub(super) arguments: &'a TrainingArguments,
    pub(super) train: &'a [Example],
    pub(super) eval: &'a [Example],
    pub(super) pad_id: u32,
    pub(super) checkpoints: Option<&'a Checkpoints>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its figures.
    pub finished: Finished,
    /// transformers' state of it.
    pub state: TrainerState,
    /// The step whose model is the one in memory: the last, or the best that was gone back to.
    pub model_step: u64,
}

impl<'a> Trainer<'a> {
    /// A run of `model` over tokenized examples, padded with `pad_id`.
    pub fn new(
        model: &'a SequenceClassifier,
        arguments: &'a TrainingArguments,
        train: &'a [Example],
        eval: &'a [Example],
        pad_id: u32,
    ) -> Self {
        Self { model, arguments, train, eval, pad_id, checkpoints: None }
    }

    /// Saves checkpoints on the way, as `save_strategy` says.
    #[must_use]
    pub fn with_checkpoints(mut self, checkpoints: &'a Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// Trains to the end, or until told to stop; from a checkpoint on, if there is one, whose
    /// weights the model has to have already.
    ///
    /// # Errors
    /// If the loss is not finite, the checkpoint is of another model, or a computation fails.
    pub fn run(
        &self,
        observer: &mut impl Observer,
        resume: Option<&Checkpoint>,
    ) -> Result<Outcome, TrainError> {
        if self.train.is_empty() {
            return Err(TrainError::NoExamples);
        }
        let mut run = self.begin(resume)?;
        let control = self.train(&mut run, observer)?;
        if control != Control::Continue {
            // Before the evaluation that may be asked for: the run that was never stopped would
            // not have it.
            self.save(&mut run, observer);
        }
        if control != (Control::Stop { evaluate: false })
            && run.at.evaluated_at != Some(run.at.step)
        {
            self.evaluate(&mut run, observer)?;
        }
        let stopped = control != Control::Continue;
        let model_step = self.load_best(&mut run, stopped, observer);
        run.at.elapsed = run.elapsed();
        let size = self.model.parameters().count_without_embeddings();
        let finished = run.at.finished(size, run.max_steps, run.steps_per_epoch);
        run.state.stand_at(run.at.step, run.epoch(), run.at.total_flos(size));
        observer.logged(run.state.log_end(&finished));
        Ok(Outcome { finished, state: run.state, model_step })
    }

    fn begin(&self, resume: Option<&Checkpoint>) -> Result<Run, TrainError> {
        let (arguments, samples) = (self.arguments, self.train.len());
        let mut run = Run {
            began: Instant::now(),
            before: 0.0,
            at: Progress::new(self.model.config().labels.len()),
            state: TrainerState::new(arguments, samples),
            optimizer: self.optimizer(),
            max_steps: arguments.max_steps(samples),
            steps_per_epoch: arguments.steps_per_epoch(samples),
        };
        if let Some(checkpoint) = resume {
            checkpoint.restore(self.model, &mut run.optimizer)?;
            run.at = checkpoint.run.progress.clone();
            run.before = run.at.elapsed;
            // What was logged and found best goes on; how the run goes on is for the flags to say.
            let old = checkpoint.state.clone();
            run.state.log_history = old.log_history;
            run.state.best_metric = old.best_metric;
            run.state.best_global_step = old.best_global_step;
            // The run may have been moved since, or goes on in another folder.
            run.state.best_model_checkpoint =
                self.best_of(checkpoint).map(|folder| folder.display().to_string());
            run.at.saved_at = Some(run.at.step);
        }
        Ok(run)
    }

    /// Where the best checkpoint of a resumed run is now.
    fn best_of(&self, checkpoint: &Checkpoint) -> Option<PathBuf> {
        let step = checkpoint.state.best_global_step?;
        let here = self.checkpoints?.folder(step);
        let beside = checkpoint.folder.parent().zip(here.file_name());
        let beside = beside.map(|(parent, name)| parent.join(name));
        [Some(here), beside].into_iter().flatten().find(|folder| holds_a_model(folder))
    }

    /// Goes through the epochs; how it ended.
    fn train(&self, run: &mut Run, observer: &mut impl Observer) -> Result<Control, TrainError> {
        let arguments = self.arguments;
        let schedule = Schedule::new(
            arguments.lr_scheduler_type,
            arguments.learning_rate,
            arguments.warmup(run.max_steps),
            run.max_steps,
        );
        let lengths: Vec<usize> = self.train.iter().map(|e| e.ids.len()).collect();
        let pad_to = self.pad_to(self.train);
        if run.at.step > 0 {
            // A stop may have come before the evaluation that was due here.
            let control = self.end_step(run, observer)?;
            if control != Control::Continue {
                return Ok(control);
            }
        }
        while run.at.step < run.max_steps {
            let epoch = run.at.step / run.steps_per_epoch;
            let done = (run.at.step % run.steps_per_epoch) as usize;
            if done == 0 {
                run.at.begin_epoch();
            }
            let batches = epoch_batches(
                &lengths,
                arguments.train_sampling_strategy,
                arguments.per_device_train_batch_size,
                arguments.data_seed,
                epoch,
            );
            for rows in batches.into_iter().skip(done) {
                let control = observer.between_batches();
                if control != Control::Continue || run.at.step >= run.max_steps {
                    return Ok(control);
                }
                let batch = Batch::new(rows.iter().map(|&i| &self.train[i]), self.pad_id, pad_to);
                self.train_on(run, &batch, schedule.rate(run.at.step), observer)?;
                let control = self.end_step(run, observer)?;
                if control != Control::Continue {
                    return Ok(control);
                }
            }
        }
        Ok(Control::Continue)
    }

    /// One step, and what is told of it.
    fn train_on(
        &self,
        run: &mut Run,
        batch: &Batch,
        rate: f64,
        observer: &mut impl Observer,
    ) -> Result<(), TrainError> {
        let number = run.at.step + 1;
        let mut told = None;
        let began = (run.before, run.began);
        let epochs = number as f64 / run.steps_per_epoch as f64;
        let (loss, predicted) =
            self.step(&mut run.optimizer, batch, number, rate, |loss, grad_norm| {
                let step = Step {
                    step: number,
                    epoch: epochs,
                    loss,
                    grad_norm,
                    learning_rate: rate,
                    samples: batch.size(),
                    tokens: batch.tokens(),
                    elapsed: began.0 + began.1.elapsed().as_secs_f64(),
                };
                observer.publish(TrainEvent::Step(step.clone()));
                told = Some(step);
            })?;
        let at = &mut run.at;
        at.step = number;
        at.samples += batch.size();
        at.padded_tokens += batch.input_ids.len();
        for sums in [&mut at.all, &mut at.epoch, &mut at.since_logged] {
            sums.add(loss);
        }
        for (&label, predicted) in batch.labels.iter().zip(predicted) {
            at.confusion.add(label, predicted);
        }
        if number.is_multiple_of(self.arguments.logging_steps.of(run.max_steps))
            && let Some(step) = told
        {
            observer.logged(run.state.log_step(&step, at.since_logged.mean()));
            at.since_logged = Sums::default();
        }
        if number.is_multiple_of(run.steps_per_epoch) {
            let scores = run.at.confusion.scores();
            observer.publish(TrainEvent::Epoch(Epoch {
                epoch: number / run.steps_per_epoch,
                step: number,
                train_loss: run.at.epoch.mean(),
                train_accuracy: scores.accuracy,
                train_f1: scores.f1,
                elapsed: run.elapsed(),
            }));
        }
        Ok(())
    }

    /// The least length to pad to: the longest example's under `pad_to_max_length`.
    pub(super) fn pad_to(&self, examples: &[Example]) -> usize {
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
    ) -> Result<(f64, Vec<u32>), TrainError> {
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
        Ok((value, predicted_classes(&logits)?))
    }
}

#[cfg(test)]
#[path = "trainer_tests.rs"]
mod tests;
