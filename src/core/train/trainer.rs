//! The training loop.

use super::checkpoint::{Checkpoint, Checkpoints};
use super::checkpointing::Run;
use super::event::{Epoch, Finished, Step, TrainEvent};
use super::observer::{Control, Observer, TrainError};
use super::progress::{Progress, Sums};
use super::schedule::Schedule;
use super::steps::{StepPlan, prefetch};
use super::trainer_state::TrainerState;
use crate::core::data::batching::Example;
use crate::core::engine::{Engine, StepInput, StepOptions};
use crate::core::model::SequenceClassifier;
use crate::core::model::folder::holds_a_model;
use crate::core::ops::AdamWSettings;
use crate::core::ops::backend::{StepMetrics, Update};
use crate::core::train::arguments::TrainingArguments;
use std::path::PathBuf;
use std::time::Instant;

/// One run over one model.
pub struct Trainer<'a> {
    pub(super) model: &'a SequenceClassifier,
    pub(super) arguments: &'a TrainingArguments,
    pub(super) train: &'a [Example],
    pub(super) eval: &'a [Example],
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
    /// A run of `model` over tokenized examples.
    pub fn new(
        model: &'a SequenceClassifier,
        arguments: &'a TrainingArguments,
        train: &'a [Example],
        eval: &'a [Example],
    ) -> Self {
        Self { model, arguments, train, eval, checkpoints: None }
    }

    /// Saves checkpoints on the way, as `save_strategy` says.
    #[must_use]
    pub fn with_checkpoints(mut self, checkpoints: &'a Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// Trains on `engine`, which computes this model, to the end, or until told to stop; from a
    /// checkpoint on, if there is one, whose weights the model has to have already.
    ///
    /// # Errors
    /// If the loss is not finite, the checkpoint is of another model, or a computation fails.
    pub fn run(
        &self,
        engine: &mut dyn Engine,
        observer: &mut impl Observer,
        resume: Option<&Checkpoint>,
    ) -> Result<Outcome, TrainError> {
        if self.train.is_empty() {
            return Err(TrainError::NoExamples);
        }
        let mut run = self.begin(engine, resume)?;
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
        // Whoever asks for the weights after this looks at the model.
        run.engine.store()?;
        run.at.elapsed = run.elapsed();
        let size = self.model.parameters().count_without_embeddings();
        let finished = run.at.finished(size, run.max_steps, run.steps_per_epoch);
        run.state.stand_at(run.at.step, run.epoch(), run.at.total_flos(size));
        observer.logged(run.state.log_end(&finished));
        Ok(Outcome { finished, state: run.state, model_step })
    }

    fn begin<'e>(
        &self,
        engine: &'e mut dyn Engine,
        resume: Option<&Checkpoint>,
    ) -> Result<Run<'e>, TrainError> {
        let (arguments, samples) = (self.arguments, self.train.len());
        engine.begin_training(self.optimizer_settings(), arguments.decay_everything)?;
        let mut run = Run {
            engine,
            began: Instant::now(),
            before: 0.0,
            at: Progress::new(self.model.config().labels.len()),
            state: TrainerState::new(arguments, samples),
            max_steps: arguments.max_steps(samples),
            steps_per_epoch: arguments.steps_per_epoch(samples),
            schedule: Schedule::new(
                arguments.lr_scheduler_type,
                arguments.learning_rate,
                arguments.warmup(arguments.max_steps(samples)),
                arguments.max_steps(samples),
            ),
            paused: None,
            stop_after_epoch: false,
        };
        if let Some(checkpoint) = resume {
            checkpoint.restore(self.model, run.engine)?;
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
    fn train(
        &self,
        run: &mut Run<'_>,
        observer: &mut impl Observer,
    ) -> Result<Control, TrainError> {
        let arguments = self.arguments;
        if run.at.step > 0 {
            // A stop may have come before the evaluation that was due here.
            let control = self.end_step(run, observer)?;
            if control != Control::Continue {
                return Ok(control);
            }
        }
        let plan = StepPlan {
            examples: self.train,
            arguments,
            pad_to: self.pad_to(self.train),
            first: run.at.step,
            end: run.max_steps,
        };
        prefetch(&plan, |inputs| {
            for input in inputs {
                let control = self.steer(run, observer)?;
                if control != Control::Continue {
                    return Ok(control);
                }
                if run.at.step.is_multiple_of(run.steps_per_epoch) {
                    run.at.begin_epoch();
                }
                let rate = run.schedule.rate(run.at.step) * run.at.rate_factor;
                self.train_on(run, &input, rate, observer)?;
                let control = self.end_step(run, observer)?;
                if control != Control::Continue {
                    return Ok(control);
                }
                if run.stop_after_epoch && run.ends_an_epoch() {
                    return Ok(Control::Stop { evaluate: true });
                }
            }
            Ok(Control::Continue)
        })
    }

    /// One step, and what is told of it.
    fn train_on(
        &self,
        run: &mut Run<'_>,
        input: &StepInput,
        rate: f64,
        observer: &mut impl Observer,
    ) -> Result<(), TrainError> {
        let number = run.at.step + 1;
        let options = StepOptions {
            seed: self.arguments.seed,
            number,
            label_smoothing_factor: self.arguments.label_smoothing_factor,
            update: Update { learning_rate: rate, max_grad_norm: self.arguments.max_grad_norm },
        };
        run.engine.step(input, &options)?;
        let StepMetrics { loss, grad_norm, predicted } = run.engine.step_metrics()?;
        let step = Step {
            step: number,
            epoch: number as f64 / run.steps_per_epoch as f64,
            loss,
            grad_norm,
            learning_rate: rate,
            samples: input.examples(),
            tokens: input.tokens(),
            elapsed: run.elapsed(),
        };
        observer.publish(TrainEvent::Step(step.clone()));
        for (what, value) in [("loss", loss), ("gradient norm", grad_norm)] {
            if !value.is_finite() {
                return Err(TrainError::NotFinite { what, value, step: number });
            }
        }
        let at = &mut run.at;
        at.step = number;
        at.samples += input.examples();
        at.padded_tokens += input.padded_tokens();
        for sums in [&mut at.all, &mut at.epoch, &mut at.since_logged] {
            sums.add(loss);
        }
        for (label, predicted) in input.labels().zip(predicted) {
            at.confusion.add(label, predicted);
        }
        if number.is_multiple_of(self.arguments.logging_steps.of(run.max_steps)) {
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

    fn optimizer_settings(&self) -> AdamWSettings {
        let arguments = self.arguments;
        AdamWSettings {
            beta1: arguments.adam_beta1,
            beta2: arguments.adam_beta2,
            epsilon: arguments.adam_epsilon,
            weight_decay: arguments.weight_decay,
        }
    }
}

#[cfg(test)]
#[path = "trainer_tests.rs"]
pub(super) mod tests;
