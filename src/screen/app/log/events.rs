//! Training events as lines of the log.

use super::{Level, Log};
use crate::core::text::show_number;
use crate::core::train::event::{TrainEvent, TrainingLog};
use crate::screen::lang::Lang;

impl Log {
    /// Adds the lines of an event.
    pub fn push_event(&mut self, event: &TrainEvent, elapsed: f64, lang: Lang) {
        match event {
            TrainEvent::Started(started) => {
                for note in &started.notes {
                    self.push(elapsed, Level::Info, note.clone());
                }
                let text = lang.tr_with(
                    "training on {0} samples, {1} steps",
                    &[&started.train_samples, &started.max_steps],
                );
                self.push(elapsed, Level::Info, text);
            }
            TrainEvent::Step(step) => {
                if let Some(log) = TrainingLog::of_failed_step(step) {
                    self.push_log(&log, step.elapsed, lang);
                }
            }
            TrainEvent::Logged(logged) => {
                if let Some(log) = logged.training() {
                    self.push_log(&log, logged.elapsed, lang);
                }
            }
            TrainEvent::Epoch(epoch) => {
                let metrics = [epoch.train_loss, epoch.train_accuracy, epoch.train_f1];
                let [loss, accuracy, f1] = metrics.map(|metric| format!("{metric:.4}"));
                let text = lang.tr_with(
                    "epoch {0}  train loss {1}  accuracy {2}  F1 {3}",
                    &[&epoch.epoch, &loss, &accuracy, &f1],
                );
                self.push(epoch.elapsed, Level::Result, text);
            }
            TrainEvent::Evaluated(evaluated) => {
                let eval = &evaluated.metrics;
                let epoch = show_number((evaluated.epoch * 100.0).round() / 100.0);
                let metrics = [eval.eval_loss, eval.eval_accuracy, eval.eval_f1];
                let [loss, accuracy, f1] = metrics.map(|metric| format!("{metric:.4}"));
                let text = lang.tr_with(
                    "epoch {0}  eval loss {1}  accuracy {2}  F1 {3}",
                    &[&epoch, &loss, &accuracy, &f1],
                );
                self.push(evaluated.elapsed, Level::Result, text);
            }
            TrainEvent::BestLoaded(best) => {
                let text = lang.tr_with("loaded the best model, from step {0}", &[&best.step]);
                self.push(elapsed, Level::Result, text);
            }
            TrainEvent::Checkpoint(saved) => {
                let text = lang.tr_with("checkpoint saved in {0}", &[&saved.path]);
                self.push(elapsed, Level::Info, text);
            }
            TrainEvent::CommandApplied(applied) => {
                let (text, [first, second]) = applied.effect.message();
                let effect = lang.tr_with(text, &[&first, &second]);
                let text = lang.tr_with("step {0}: {1}", &[&applied.step, &effect]);
                self.push(applied.elapsed, Level::Result, text);
            }
            TrainEvent::EvaluationProgress(_) | TrainEvent::SavingCheckpoint => {}
            TrainEvent::Warned(warned) => {
                self.push(elapsed, Level::Warning, warned.message.clone());
            }
            TrainEvent::Saved(saved) => {
                let text = lang.tr_with("model saved in {0}", &[&saved.path]);
                self.push(elapsed, Level::Result, text);
            }
            TrainEvent::Finished(finished) => {
                let stopped = finished.stopped;
                let how = if stopped { "stopped at step {0}" } else { "finished at step {0}" };
                let text = lang.tr_with(how, &[&finished.global_step]);
                self.push(finished.metrics.train_runtime, Level::Result, text);
            }
            TrainEvent::Failed(failed) => {
                self.push(elapsed, Level::Error, failed.message.clone());
                if let Some(hint) = &failed.hint {
                    self.push(elapsed, Level::Warning, hint.clone());
                }
            }
        }
    }

    fn push_log(&mut self, log: &TrainingLog, elapsed: f64, lang: Lang) {
        let text = lang.tr_with(
            "step {0}  loss {1}  grad_norm {2}  learning_rate {3}",
            &[
                &log.step,
                &format!("{:.4}", log.loss),
                &format!("{:.2}", log.grad_norm),
                &format!("{:.2e}", log.learning_rate),
            ],
        );
        let labelled = log.pseudo_labelled.map(|fraction| {
            let percent = format!("{:.1}", 100.0 * fraction);
            format!("  {}", lang.tr_with("pseudo-labels {0} %", &[&percent]))
        });
        self.push(elapsed, Level::Info, text + &labelled.unwrap_or_default());
    }
}
