//! What is due between two steps of a run: evaluating, judging, saving.

use super::checkpoint::{load_weights, step_of};
use super::evaluation::{EvaluationOptions, evaluate};
use super::event::{Evaluated, Saved, TrainEvent, Warned};
use super::observer::{Control, Observer, TrainError};
use super::progress::{Progress, RunState, VERSION, fingerprint};
use super::schedule::Schedule;
use super::trainer::Trainer;
use super::trainer_state::TrainerState;
use crate::core::engine::Engine;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::arguments::{EvalStrategy, SaveStrategy};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A run under way.
pub(super) struct Run<'e> {
    pub(super) engine: &'e mut dyn Engine,
    pub(super) began: Instant,
    /// Seconds of the run before it was resumed.
    pub(super) before: f64,
    pub(super) at: Progress,
    pub(super) state: TrainerState,
    pub(super) max_steps: u64,
    pub(super) steps_per_epoch: u64,
    pub(super) schedule: Schedule,
    /// Since when it waits for the user.
    pub(super) paused: Option<Instant>,
    /// Whether the user wants it to end with the epoch.
    pub(super) stop_after_epoch: bool,
}

impl Run<'_> {
    /// Seconds of training; while the run is paused, the clock stands.
    pub(super) fn elapsed(&self) -> f64 {
        let now = self.paused.unwrap_or_else(Instant::now);
        self.before + now.duration_since(self.began).as_secs_f64()
    }

    pub(super) fn epoch(&self) -> f64 {
        self.at.step as f64 / self.steps_per_epoch as f64
    }

    /// Whether the step done is the last of its epoch, or of the run.
    pub(super) fn ends_an_epoch(&self) -> bool {
        self.at.step.is_multiple_of(self.steps_per_epoch) || self.at.step == self.max_steps
    }
}

impl Trainer<'_> {
    /// Evaluates and saves if that is due after the step done and has not been done.
    pub(super) fn end_step(
        &self,
        run: &mut Run<'_>,
        observer: &mut impl Observer,
    ) -> Result<Control, TrainError> {
        let (arguments, step) = (self.arguments, run.at.step);
        let evaluation_due = match arguments.eval_strategy {
            EvalStrategy::Epoch => run.ends_an_epoch(),
            // The last step too, as transformers' DefaultFlowCallback has it.
            EvalStrategy::Steps => {
                step.is_multiple_of(arguments.eval_steps.of(run.max_steps)) || step == run.max_steps
            }
            EvalStrategy::No => false,
        };
        if evaluation_due && run.at.evaluated_at != Some(step) {
            let control = self.evaluate(run, observer)?;
            if control != Control::Continue {
                return Ok(control);
            }
        }
        let save_due = match arguments.save_strategy {
            // The last step too, as the Trainer does.
            SaveStrategy::Steps => {
                step.is_multiple_of(arguments.save_steps.of(run.max_steps)) || step == run.max_steps
            }
            SaveStrategy::Epoch => run.ends_an_epoch(),
            SaveStrategy::Best => {
                run.at.evaluated_at == Some(step) && run.state.best_global_step == Some(step)
            }
            SaveStrategy::No => false,
        };
        if save_due {
            self.save(run, observer);
        }
        Ok(Control::Continue)
    }

    /// Writes a checkpoint, unless there is one of this step. A failure is told, and the run goes
    /// on: it still holds everything.
    pub(super) fn save(&self, run: &mut Run<'_>, observer: &mut impl Observer) {
        if self.arguments.save_strategy != SaveStrategy::No {
            self.save_now(run, observer);
        }
    }

    /// As [`Self::save`], whatever the strategy.
    pub(super) fn save_now(&self, run: &mut Run<'_>, observer: &mut impl Observer) {
        let Some(checkpoints) = self.checkpoints else {
            return;
        };
        let step = run.at.step;
        if step == 0 || run.at.saved_at == Some(step) {
            return;
        }
        let began = Instant::now();
        observer.saving();
        run.at.elapsed = run.elapsed();
        let size = self.model.parameters().count_without_embeddings();
        let (epoch, flos) = (run.epoch(), run.at.total_flos(size));
        run.state.stand_at(step, epoch, flos);
        let best_before = run.state.best_model_checkpoint.clone();
        if let Some(best) = run.state.best_global_step {
            let folder = checkpoints.folder(best);
            if best == step || folder.is_dir() {
                run.state.best_model_checkpoint = Some(folder.display().to_string());
            }
        }
        let before = run.at.saved_at.replace(step);
        let state = RunState {
            version: VERSION,
            progress: run.at.clone(),
            optimizer_steps: 0,
            seed: self.arguments.seed,
            data_seed: self.arguments.data_seed,
            random_weights: checkpoints.random_weights,
            logging_dir: checkpoints.logging_dir.clone(),
            data: fingerprint(self.train),
        };
        match checkpoints.write(self.model, run.engine, &run.state, state) {
            Ok(folder) => {
                let path = sanitize_for_terminal(&folder.display().to_string()).into_owned();
                let seconds = began.elapsed().as_secs_f64();
                observer.publish(TrainEvent::Checkpoint(Saved { path, step, seconds }));
            }
            Err(error) => {
                run.at.saved_at = before;
                run.state.best_model_checkpoint = best_before;
                let message = sanitize_for_terminal(&error.to_string()).into_owned();
                let message = format!("the checkpoint could not be written: {message}");
                observer.publish(TrainEvent::Warned(Warned { message, step }));
            }
        }
    }

    /// At the end, goes back to the best checkpoint under `load_best_model_at_end`; the step whose
    /// model is then in memory. If it cannot be read, that is told, and the run keeps what it has.
    pub(super) fn load_best(
        &self,
        run: &mut Run<'_>,
        stopped: bool,
        observer: &mut impl Observer,
    ) -> u64 {
        let last = run.at.step;
        if !self.arguments.load_best_model_at_end {
            return last;
        }
        let mut keep_the_last = |why: String| {
            let message = format!("{why}; the last model is kept");
            observer.publish(TrainEvent::Warned(Warned { message, step: last }));
            last
        };
        let (Some(step), Some(judged)) = (run.state.best_global_step, run.at.best.clone()) else {
            return keep_the_last("no model was judged, so none is the best".to_owned());
        };
        let folder = run.state.best_model_checkpoint.clone().map(PathBuf::from);
        // A checkpoint of another step is another model.
        let folder = folder.filter(|folder| step_of(folder) == Some(step));
        if step != last {
            let Some(folder) = &folder else {
                return keep_the_last(format!("the best model, of step {step}, was not saved"));
            };
            if let Err(error) = self.load_weights(folder, run.engine) {
                let error = sanitize_for_terminal(&error.to_string()).into_owned();
                return keep_the_last(format!("the best model cannot be loaded: {error}"));
            }
        }
        observer.publish(TrainEvent::BestLoaded(judged));
        // A run that was stopped is to be resumed from its last checkpoint.
        if let (Some(checkpoints), Some(folder), false) = (self.checkpoints, &folder, stopped) {
            checkpoints.keep_only_the_best(folder);
        }
        step
    }

    fn load_weights(&self, folder: &Path, engine: &mut dyn Engine) -> Result<(), TrainError> {
        engine.store()?;
        load_weights(folder, self.model)?;
        Ok(engine.reload()?)
    }

    pub(super) fn evaluate(
        &self,
        run: &mut Run<'_>,
        observer: &mut impl Observer,
    ) -> Result<Control, TrainError> {
        self.evaluate_for(run, observer, true)
    }

    /// Evaluates; whether the model may be the best so far is for `counts` to say.
    pub(super) fn evaluate_for(
        &self,
        run: &mut Run<'_>,
        observer: &mut impl Observer,
        counts: bool,
    ) -> Result<Control, TrainError> {
        let mut stop = Control::Continue;
        let options = EvaluationOptions {
            batch_size: self.arguments.per_device_eval_batch_size,
            pad_to: self.pad_to(self.eval),
            classes: self.model.config().labels.len(),
            label_smoothing_factor: self.arguments.label_smoothing_factor,
        };
        let metrics = evaluate(run.engine, self.eval, options, |engine, done, total| {
            observer.evaluating(done, total);
            let control = observer.between_batches(engine);
            if control != Control::Continue {
                stop = control;
            }
            stop != (Control::Stop { evaluate: false })
        })?;
        if let Some(metrics) = metrics {
            run.at.evaluated_at = Some(run.at.step);
            let evaluated = Evaluated {
                step: run.at.step,
                epoch: run.epoch(),
                metrics,
                elapsed: run.elapsed(),
            };
            observer.publish(TrainEvent::Evaluated(evaluated.clone()));
            observer.logged(run.state.log_evaluation(&evaluated, options.batch_size));
            if counts {
                self.judge(run, evaluated);
            }
        }
        Ok(stop)
    }

    /// Notes the evaluation if it is the best so far.
    fn judge(&self, run: &mut Run<'_>, evaluated: Evaluated) {
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
            run.state.best_global_step = Some(run.at.step);
            run.at.best = Some(evaluated);
        }
    }
}
