//! Evaluations and checkpoints between two steps of a run.

use super::Trainer;
use super::active_run::{ActiveRun, StopRequest};
use super::commands::poll_stop;
use crate::core::collective::is_first;
use crate::core::engine::Engine;
use crate::core::model::ModelError;
use crate::core::text::{display_path, sanitize_for_terminal};
use crate::core::train::arguments::{EvalStrategy, SaveStrategy};
use crate::core::train::checkpoint::{CheckpointError, load_weights, step_of};
use crate::core::train::error::TrainError;
use crate::core::train::evaluation::{
    EvaluationMoment, EvaluationOptions, ExampleResult, evaluate_pretraining, evaluate_shared,
};
use crate::core::train::event::{
    Evaluated, EvaluationProgress, Saved, TrainEvent, evaluation_entry,
};
use crate::core::train::observer::Observer;
use crate::core::train::outcomes::Outcomes;
use crate::core::train::progress::{RunState, VERSION, fingerprint};
use crate::core::write_advice::advice;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

impl Trainer<'_> {
    /// Evaluates the model and writes a checkpoint if they are due after the current step and not
    /// done yet.
    pub(super) fn end_step(
        &self,
        run: &mut ActiveRun<'_>,
        observer: &mut impl Observer,
    ) -> Result<ControlFlow<StopRequest>, TrainError> {
        let (arguments, step) = (self.arguments, run.progress.step);
        let evaluation_due = match arguments.eval_strategy {
            EvalStrategy::Epoch => run.is_epoch_end(),
            // Also at the last step, as in transformers' DefaultFlowCallback.
            EvalStrategy::Steps => {
                step.is_multiple_of(arguments.eval_steps.of(run.max_steps)) || step == run.max_steps
            }
            EvalStrategy::No => false,
        };
        if evaluation_due && run.progress.evaluated_at != Some(step) {
            let control = self.evaluate(run, observer)?;
            if control.is_break() {
                return Ok(control);
            }
        }
        let save_due = match arguments.save_strategy {
            // Also at the last step, as in Hugging Face's Trainer.
            SaveStrategy::Steps => {
                step.is_multiple_of(arguments.save_steps.of(run.max_steps)) || step == run.max_steps
            }
            SaveStrategy::Epoch => run.is_epoch_end(),
            SaveStrategy::Best => {
                run.progress.evaluated_at == Some(step) && run.state.best_global_step == Some(step)
            }
            SaveStrategy::No => false,
        };
        if save_due {
            self.save(run, observer);
        }
        if run.stops_early() {
            return Ok(ControlFlow::Break(StopRequest::Early));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Writes a checkpoint, unless the strategy is `no` or this step already has a checkpoint. A
    /// failure is reported as a warning, and the run continues without the checkpoint.
    pub(super) fn save(&self, run: &mut ActiveRun<'_>, observer: &mut impl Observer) {
        if self.arguments.save_strategy != SaveStrategy::No {
            self.save_now(run, observer);
        }
    }

    /// Like [`Self::save`], with any strategy.
    pub(super) fn save_now(&self, run: &mut ActiveRun<'_>, observer: &mut impl Observer) {
        let Some(checkpoints) = self.checkpoints else {
            return;
        };
        let step = run.progress.step;
        if step == 0 || run.has_saved() {
            return;
        }
        let began = Instant::now();
        observer.publish(TrainEvent::SavingCheckpoint);
        run.progress.elapsed = run.elapsed();
        let size = self.model.parameters().count_without_embeddings();
        run.advance_state(run.progress.total_flos(size));
        let previous_best = run.best_checkpoint.clone();
        if let Some(best) = run.state.best_global_step {
            let folder = checkpoints.folder(best);
            if best == step || folder.is_dir() {
                run.set_best_checkpoint(Some(folder));
            }
        }
        let previous_save = run.progress.saved_at.replace(step);
        let state = RunState {
            version: VERSION,
            sha256: None,
            files: BTreeMap::new(),
            progress: run.progress.clone(),
            optimizer_steps: 0,
            averages_weights: false,
            seed: self.arguments.seed,
            data_seed: self.arguments.data_seed,
            starting_weights: checkpoints.starting_weights,
            logging_dir: checkpoints.logging_dir.clone(),
            world_size: self.arguments.world_size,
            data: self.data.get_or_init(|| fingerprint(self.train)).clone(),
            eval_data: Some(self.eval_data.get_or_init(|| fingerprint(self.eval)).clone()),
            unlabelled_data: self.unlabelled_data(),
            options: checkpoints.options.clone(),
        };
        let best = run.best_checkpoint.clone();
        let written = checkpoints.write(
            self.model,
            run.engine,
            &run.state,
            state,
            best.as_deref(),
            &mut |logits| observer.during_step(logits),
        );
        match written {
            Ok(folder) => {
                let path = display_path(&folder);
                let seconds = began.elapsed().as_secs_f64();
                observer.publish(TrainEvent::Checkpoint(Saved { path, step, seconds }));
            }
            Err(error) => {
                run.progress.saved_at = previous_save;
                run.set_best_checkpoint(previous_best);
                let advice = match &error {
                    CheckpointError::Model(ModelError::Io { error, .. }) => {
                        format!(". {}", advice(error))
                    }
                    _ => String::new(),
                };
                let error = sanitize_for_terminal(&error.to_string()).into_owned();
                run.warn(observer, format!("the checkpoint could not be written: {error}{advice}"));
            }
        }
    }

    /// The fingerprint of the unlabelled examples, if there are any.
    fn unlabelled_data(&self) -> Option<String> {
        if self.unlabelled.is_empty() {
            return None;
        }
        Some(self.unlabelled_data.get_or_init(|| fingerprint(self.unlabelled)).clone())
    }

    /// Loads the best checkpoint if `load_best_model_at_end` is set, and returns the step whose
    /// weights are then in memory. If the checkpoint cannot be read, the run publishes a warning
    /// and uses the last weights.
    pub(super) fn load_best(
        &self,
        run: &mut ActiveRun<'_>,
        stopped: bool,
        observer: &mut impl Observer,
    ) -> u64 {
        let last = run.progress.step;
        // Only rank 0 saves a model.
        if !self.arguments.load_best_model_at_end || !is_first(self.collective()) {
            return last;
        }
        match self.try_load_best(run) {
            Ok((evaluated, folder)) => {
                let step = evaluated.step;
                observer.publish(TrainEvent::BestLoaded(evaluated));
                // A stopped run needs its last checkpoint to be resumed.
                if let (Some(checkpoints), Some(folder), false) =
                    (self.checkpoints, &folder, stopped)
                {
                    checkpoints.keep_only_the_best(folder);
                }
                step
            }
            Err(reason) => {
                run.warn(observer, format!("{reason}; the last model is kept"));
                last
            }
        }
    }

    /// Loads the best checkpoint, unless its weights are already in memory, and returns its
    /// evaluation and its folder.
    fn try_load_best(
        &self,
        run: &mut ActiveRun<'_>,
    ) -> Result<(Evaluated, Option<PathBuf>), String> {
        let (Some(step), Some(evaluated)) = (run.state.best_global_step, run.progress.best.clone())
        else {
            return Err("there was no evaluation, so no model is the best".to_owned());
        };
        let folder = run.best_checkpoint.clone();
        // Ignore a checkpoint of a different step: its weights are not those of the best model.
        let folder = folder.filter(|folder| step_of(folder) == Some(step));
        if step != run.progress.step {
            let Some(folder) = &folder else {
                return Err(format!("the best model, of step {step}, was not saved"));
            };
            self.load_weights(folder, run.engine).map_err(|error| {
                let error = sanitize_for_terminal(&error.to_string()).into_owned();
                format!("the best model cannot be loaded: {error}")
            })?;
        }
        Ok((evaluated, folder))
    }

    fn load_weights(&self, folder: &Path, engine: &mut dyn Engine) -> Result<(), TrainError> {
        engine.store()?;
        load_weights(folder, self.model)?;
        Ok(engine.reload()?)
    }

    /// Evaluates the model; the result may become the best so far.
    pub(super) fn evaluate(
        &self,
        run: &mut ActiveRun<'_>,
        observer: &mut impl Observer,
    ) -> Result<ControlFlow<StopRequest>, TrainError> {
        let (evaluated, control) = self.run_evaluation(run, observer)?;
        if let Some(evaluated) = evaluated {
            if let (Some(stopping), Some(name)) =
                (&mut run.early_stopping, &self.arguments.metric_for_best_model)
            {
                let value = evaluated.metrics.by_name(name).unwrap_or(f64::NAN);
                stopping.push(value, run.state.best_metric);
            }
            self.track_best(run, evaluated);
        }
        Ok(control)
    }

    /// Evaluates the model; the result never becomes the best so far.
    pub(super) fn evaluate_untracked(
        &self,
        run: &mut ActiveRun<'_>,
        observer: &mut impl Observer,
    ) -> Result<ControlFlow<StopRequest>, TrainError> {
        Ok(self.run_evaluation(run, observer)?.1)
    }

    /// Evaluates the model. There is no result if a stop without an evaluation was requested during
    /// the evaluation.
    fn run_evaluation(
        &self,
        run: &mut ActiveRun<'_>,
        observer: &mut impl Observer,
    ) -> Result<(Option<Evaluated>, ControlFlow<StopRequest>), TrainError> {
        let mut stop: Option<StopRequest> = None;
        let options = EvaluationOptions {
            batch_size: self.arguments.per_device_eval_batch_size,
            pad_to: self.pad_to(self.eval),
            classes: self.model.config().labels.len(),
            label_smoothing_factor: self.arguments.label_smoothing_factor,
        };
        let (pending, collective) = (&mut run.pending, self.collective());
        let mut lost = None;
        let mut progress = |moment: EvaluationMoment<'_, '_>| {
            let (engine, done, total) = match moment {
                EvaluationMoment::Between { engine, done, total } => (engine, done, total),
                EvaluationMoment::Within(logits) => {
                    observer.during_step(logits);
                    return true;
                }
            };
            observer.publish(TrainEvent::EvaluationProgress(EvaluationProgress { done, total }));
            match poll_stop(collective, pending, engine, observer) {
                Ok(found) => stop = stop.or(found),
                Err(error) => lost = Some(error),
            }
            lost.is_none() && stop.is_none_or(StopRequest::evaluates)
        };
        let mut outcomes = None;
        let metrics = if self.model.config().task.is_pretraining() {
            let progress = |engine: &mut dyn Engine, done, total| {
                progress(EvaluationMoment::Between { engine, done, total })
            };
            evaluate_pretraining(run.engine, collective, self.eval, options.batch_size, progress)?
        } else {
            outcomes = Outcomes::new(self.eval.len(), options.classes);
            let each = |result: ExampleResult<'_>| {
                if let Some(outcomes) = &mut outcomes {
                    outcomes.set(result);
                }
            };
            evaluate_shared(run.engine, collective, self.eval, options, progress, each)?
        };
        if let Some(error) = lost {
            return Err(error.into());
        }
        let control = stop.map_or(ControlFlow::Continue(()), ControlFlow::Break);
        let Some(metrics) = metrics else {
            return Ok((None, control));
        };
        run.progress.evaluated_at = Some(run.progress.step);
        run.pinned = false;
        let (step, epoch, elapsed) = (run.progress.step, run.epoch(), run.elapsed());
        let mut evaluated = Evaluated { step, epoch, metrics, elapsed, probes: Vec::new() };
        observer.evaluated(run.engine, &mut evaluated, outcomes.as_ref());
        observer.publish(TrainEvent::Evaluated(evaluated.clone()));
        run.log(observer, elapsed, evaluation_entry(&evaluated, options.batch_size));
        Ok((Some(evaluated), control))
    }

    /// Records the evaluation if it is the best so far.
    fn track_best(&self, run: &mut ActiveRun<'_>, evaluated: Evaluated) {
        let Some(name) = &self.arguments.metric_for_best_model else {
            return;
        };
        let value = evaluated.metrics.by_name(name);
        let better = match (value, run.state.best_metric) {
            (Some(value), Some(best)) if self.arguments.greater_is_better => value > best,
            (Some(value), Some(best)) => value < best,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if better {
            run.state.best_metric = value;
            run.state.best_global_step = Some(run.progress.step);
            run.progress.best = Some(evaluated);
        }
    }
}
