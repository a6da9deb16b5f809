//! The training loop.

mod active_run;
mod beginning;
mod checkpointing;
mod commands;
mod rank_meter;
mod rank_rollback;
mod ranks;
mod recovery;

use super::checkpoint::{Checkpoint, Checkpoints};
use super::error::TrainError;
use super::event::{EarlyStopped, Epoch, Finished, Step, StepParts, TrainEvent, end_entry};
use super::observer::Observer;
use super::pseudo_labels::PseudoLabels;
use super::steps::{StepPlan, prefetch};
use super::trainer_state::TrainerState;
use crate::core::collective::{Collective, Single};
use crate::core::data::batching::Example;
use crate::core::engine::{Engine, OptimizerOptions, StepInput, StepOptions};
use crate::core::model::SequenceClassifier;
use crate::core::ops::AdamWSettings;
use crate::core::ops::backend::{StepMetrics, Update};
use crate::core::train::arguments::{EvalStrategy, SaveStrategy, TrainingArguments};
use active_run::{ActiveRun, QueuedStep, StopRequest};
use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

/// The training of one model.
pub struct Trainer<'a> {
    model: &'a SequenceClassifier,
    arguments: &'a TrainingArguments,
    train: &'a [Example],
    eval: &'a [Example],
    unlabelled: &'a [Example],
    checkpoints: Option<&'a Checkpoints>,
    /// The processes that train together.
    collective: Arc<dyn Collective>,
    /// The fingerprints of the examples, which the first checkpoint computes.
    data: OnceCell<String>,
    eval_data: OnceCell<String>,
    unlabelled_data: OnceCell<String>,
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct TrainingOutcome {
    /// The metrics of the run.
    pub finished: Finished,
    /// The final state, as in transformers' `trainer_state.json`.
    pub state: TrainerState,
    /// The step whose weights are in memory: the last step, or the best step if its checkpoint was
    /// loaded.
    pub model_step: u64,
}

impl<'a> Trainer<'a> {
    /// Creates a trainer of `model` on tokenized examples.
    pub fn new(
        model: &'a SequenceClassifier,
        arguments: &'a TrainingArguments,
        train: &'a [Example],
        eval: &'a [Example],
    ) -> Self {
        Self {
            model,
            arguments,
            train,
            eval,
            unlabelled: &[],
            checkpoints: None,
            collective: Arc::new(Single),
            data: OnceCell::new(),
            eval_data: OnceCell::new(),
            unlabelled_data: OnceCell::new(),
        }
    }

    /// Adds unlabelled examples, which the model labels during the run; their own labels are
    /// ignored.
    #[must_use]
    pub fn with_unlabelled(mut self, unlabelled: &'a [Example]) -> Self {
        self.unlabelled = unlabelled;
        self
    }

    /// Enables checkpoints during the run, according to `save_strategy`.
    #[must_use]
    pub fn with_checkpoints(mut self, checkpoints: &'a Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// Trains together with other processes, as many as the `world_size` of the arguments. All ranks
    /// have the same weights, take the commands of rank 0's observer at the same steps, and evaluate
    /// together. Only rank 0 needs checkpoints.
    #[must_use]
    pub fn with_collective(mut self, collective: Arc<dyn Collective>) -> Self {
        self.collective = collective;
        self
    }

    /// Trains on `engine`, which computes this model, until the last step or a stop. With `resume`,
    /// the run continues from that checkpoint; the weights must already be loaded into the model.
    ///
    /// # Errors
    /// If there are no training examples, the loss or the gradient norm is not finite, the
    /// checkpoint does not fit the model, or a computation fails.
    pub fn run(
        &self,
        engine: &mut dyn Engine,
        observer: &mut impl Observer,
        resume: Option<&Checkpoint>,
    ) -> Result<TrainingOutcome, TrainError> {
        if self.train.is_empty() {
            return Err(TrainError::NoExamples);
        }
        let mut run = self.begin(engine, observer, resume)?;
        let stop = match self.train(&mut run, observer) {
            Ok(control) => control.break_value(),
            Err(error) => return Err(self.fail(&mut run, error, observer)),
        };
        let is_interrupted = stop.is_some_and(|stop| stop != StopRequest::Early);
        if is_interrupted {
            // Save before the evaluation: an uninterrupted run has no evaluation at this step, so
            // the checkpoint must not contain its result.
            self.save(&mut run, observer);
        }
        if stop.is_none_or(StopRequest::evaluates)
            && run.progress.evaluated_at != Some(run.progress.step)
        {
            // The run is ending, so a stop during this evaluation only cancels the evaluation.
            if let Err(error) = self.evaluate(&mut run, observer) {
                return Err(self.fail(&mut run, error, observer));
            }
        }
        let model_step = self.load_best(&mut run, is_interrupted, observer);
        // Copy the weights back to the model, where the caller reads them.
        run.engine.store()?;
        run.progress.elapsed = run.elapsed();
        let size = self.model.parameters().count_without_embeddings();
        let mut finished = run.progress.finished(size, run.max_steps, run.steps_per_epoch);
        if stop == Some(StopRequest::Early) {
            finished.stopped = false;
            finished.early_stopping = self.early_stopped(&run);
        }
        run.advance_state(run.progress.total_flos(size));
        run.log(observer, finished.metrics.train_runtime, end_entry(&finished));
        Ok(TrainingOutcome { finished, state: run.state, model_step })
    }

    /// Why early stopping ended the run.
    fn early_stopped(&self, run: &ActiveRun<'_>) -> Option<EarlyStopped> {
        let metric = self.arguments.metric_for_best_model.as_deref()?;
        Some(EarlyStopped {
            metric: format!("eval_{}", metric.strip_prefix("eval_").unwrap_or(metric)),
            evaluations: run.early_stopping.as_ref()?.counter(),
            best_metric: run.state.best_metric,
            best_step: run.state.best_global_step,
        })
    }

    /// Trains until the last step or a stop. After a step that failed, the run continues if the
    /// arguments say so.
    fn train(
        &self,
        run: &mut ActiveRun<'_>,
        observer: &mut impl Observer,
    ) -> Result<ControlFlow<StopRequest>, TrainError> {
        loop {
            match self.train_from_here(run, observer) {
                Err(error) => self.recover(run, error, observer)?,
                Ok(control) => {
                    self.measure_ranks(run, observer)?;
                    return Ok(control);
                }
            }
        }
    }

    /// Trains epoch by epoch until the last step, a stop or a step that fails.
    fn train_from_here(
        &self,
        run: &mut ActiveRun<'_>,
        observer: &mut impl Observer,
    ) -> Result<ControlFlow<StopRequest>, TrainError> {
        let arguments = self.arguments;
        if run.progress.step > 0 {
            // The run may have been stopped before an evaluation that was due at this step.
            let control = self.end_step(run, observer)?;
            if control.is_break() {
                return Ok(control);
            }
        }
        let plan = StepPlan {
            examples: self.train,
            arguments,
            pad_to: self.pad_to(self.train),
            class_weights: arguments.class_weights.of(self.train, self.classes()),
            division: run.progress.batch_division,
            rank: self.collective.rank(),
            first: run.progress.step,
            end: run.max_steps,
        };
        let mut pseudo_labels = PseudoLabels::new(
            self.unlabelled,
            arguments,
            run.max_steps,
            self.classes(),
            self.pad_to(self.unlabelled),
        )
        .divided(run.progress.batch_division);
        prefetch(&plan, |inputs| {
            for input in inputs {
                let control = self.apply_commands(run, observer)?;
                if control.is_break() {
                    return Ok(control);
                }
                if run.started_steps().is_multiple_of(run.steps_per_epoch) {
                    run.progress.begin_epoch();
                }
                let number = run.started_steps() + 1;
                let collective = self.collective();
                let step = pseudo_labels.extend(run.engine, collective, number, input);
                let step = step.map_err(TrainError::of_step)?;
                self.train_on(run, step, observer)?;
                if !run.queued.is_empty() {
                    continue;
                }
                let control = self.end_step(run, observer)?;
                if control.is_break() {
                    return Ok(control);
                }
                if run.stop_after_epoch && run.is_epoch_end() {
                    return Ok(ControlFlow::Break(StopRequest::Command { evaluate: true }));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Starts one step, with this fraction of unlabelled examples in it, and publishes the events of the steps whose metrics have arrived. If an
    /// evaluation, a checkpoint or the end of an epoch may follow, it waits for this step too.
    fn train_on(
        &self,
        run: &mut ActiveRun<'_>,
        (input, pseudo_labelled): (StepInput, Option<f64>),
        observer: &mut impl Observer,
    ) -> Result<(), TrainError> {
        let steps = run.started_steps();
        let number = steps + 1;
        let learning_rate = run.schedule.rate(steps) * run.progress.rate_factor;
        let options = StepOptions {
            seed: self.arguments.seed,
            number,
            label_smoothing_factor: self.arguments.label_smoothing_factor,
            rdrop_alpha: self.arguments.rdrop_alpha,
            update: Update { learning_rate, max_grad_norm: self.arguments.max_grad_norm },
        };
        let began = Instant::now();
        let step = run.engine.interruptible_step(&input, &options, &mut |logits| {
            observer.during_step(logits);
        });
        step.map_err(TrainError::of_step)?;
        if let Some(warning) = run.engine.take_warning() {
            run.warn(observer, warning);
        }
        run.meter.add(&input, began.elapsed(), run.engine.timings().unwrap_or_default());
        run.queued.push_back(QueuedStep { number, learning_rate, input, pseudo_labelled });
        if let Some(metrics) = run.engine.ready_metrics()? {
            self.finish_step(run, metrics, observer)?;
        }
        if self.is_due(run, number) { self.finish_steps(run, observer) } else { Ok(()) }
    }

    /// Whether an evaluation, a checkpoint or the end of an epoch may follow step `number`.
    fn is_due(&self, run: &ActiveRun<'_>, number: u64) -> bool {
        let arguments = self.arguments;
        let evaluates = arguments.eval_strategy == EvalStrategy::Steps
            && number.is_multiple_of(arguments.eval_steps.of(run.max_steps));
        let saves = arguments.save_strategy == SaveStrategy::Steps
            && number.is_multiple_of(arguments.save_steps.of(run.max_steps));
        let ends = number.is_multiple_of(run.steps_per_epoch) || number == run.max_steps;
        evaluates || saves || ends
    }

    /// Waits for all queued steps and publishes their events.
    fn finish_steps(
        &self,
        run: &mut ActiveRun<'_>,
        observer: &mut impl Observer,
    ) -> Result<(), TrainError> {
        // At most one step is queued: the engine's last step.
        while !run.queued.is_empty() {
            let metrics = run.engine.step_metrics()?;
            self.finish_step(run, metrics, observer)?;
        }
        Ok(())
    }

    /// Publishes the events of the earliest queued step; `metrics` are the metrics of that step.
    fn finish_step(
        &self,
        run: &mut ActiveRun<'_>,
        metrics: StepMetrics,
        observer: &mut impl Observer,
    ) -> Result<(), TrainError> {
        let Some(queued) = run.queued.pop_front() else {
            return Ok(());
        };
        let QueuedStep { number, learning_rate, input, pseudo_labelled } = queued;
        let StepMetrics { loss, grad_norm, predicted, .. } = metrics;
        let step = Step {
            step: number,
            epoch: number as f64 / run.steps_per_epoch as f64,
            loss,
            grad_norm,
            learning_rate,
            parts: run.engine.loss_parts().map(StepParts::from),
            samples: input.examples(),
            tokens: input.tokens(),
            pseudo_labelled,
            elapsed: run.elapsed(),
        };
        observer.publish(TrainEvent::Step(step.clone()));
        for (what, value) in [("loss", loss), ("gradient norm", grad_norm)] {
            if !value.is_finite() {
                return Err(TrainError::NotFinite { what, value, step: number });
            }
        }
        let progress = &mut run.progress;
        progress.step = number;
        progress.samples += input.examples();
        progress.padded_tokens += input.padded_tokens();
        for sum in [&mut progress.all, &mut progress.epoch, &mut progress.since_logged] {
            sum.add(loss);
        }
        progress.pseudo_labelled.extend(pseudo_labelled);
        for (label, predicted) in input.labelled_predictions(&predicted) {
            progress.confusion.add(label, predicted);
        }
        if number.is_multiple_of(self.arguments.logging_steps.of(run.max_steps)) {
            let entry = progress.log_entry(&step);
            run.log(observer, step.elapsed, entry);
        }
        if number.is_multiple_of(run.steps_per_epoch) {
            let scores = run.progress.confusion.scores();
            observer.publish(TrainEvent::Epoch(Epoch {
                epoch: number / run.steps_per_epoch,
                step: number,
                train_loss: run.progress.epoch.mean(),
                train_accuracy: scores.accuracy,
                train_f1: scores.f1,
                elapsed: run.elapsed(),
            }));
        }
        Ok(())
    }

    /// The least length in tokens to pad to: that of the longest example with `pad_to_max_length`.
    fn pad_to(&self, examples: &[Example]) -> usize {
        let longest = examples.iter().map(|example| example.ids.len()).max();
        if self.arguments.pad_to_max_length { longest.unwrap_or(0) } else { 0 }
    }

    /// The number of classes of the model.
    fn classes(&self) -> usize {
        self.model.config().labels.len()
    }

    /// The processes that train together.
    fn collective(&self) -> &dyn Collective {
        &*self.collective
    }

    fn optimizer_options(&self) -> OptimizerOptions {
        let arguments = self.arguments;
        OptimizerOptions {
            adamw: AdamWSettings {
                beta1: arguments.adam_beta1,
                beta2: arguments.adam_beta2,
                epsilon: arguments.adam_epsilon,
                weight_decay: arguments.weight_decay,
            },
            decay_everything: arguments.decay_everything,
            layerwise_lr_decay: arguments.layerwise_lr_decay,
            ema_decay: arguments.ema_decay,
        }
    }
}

#[cfg(test)]
#[path = "trainer_tests.rs"]
pub(super) mod tests;
