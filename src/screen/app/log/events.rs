//! Training events as lines of the log.

use super::{Level, Log};
use crate::core::text::show_number;
use crate::core::train::event::{Finished, RolledBack, TrainEvent, TrainingLog};
use crate::screen::app::counts::training_text;
use crate::screen::lang::Lang;
use std::fmt::Display;

impl Log {
    /// Adds the lines of an event.
    pub fn push_event(&mut self, event: &TrainEvent, elapsed: f64, lang: Lang) {
        match event {
            TrainEvent::Started(started) => {
                self.pretrains = started.is_pretraining();
                for note in &started.notes {
                    self.push(elapsed, Level::Info, lang.tr_filled(note));
                }
                let text = lang.tr_with(
                    training_text(started.train_samples, started.max_steps),
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
            TrainEvent::Epoch(epoch) if self.pretrains => {
                let loss = format!("{:.4}", epoch.train_loss);
                let text = lang.tr_with("epoch {0}  train loss {1}", &[&epoch.epoch, &loss]);
                self.push(epoch.elapsed, Level::Result, text);
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
                if let Some(perplexity) = eval.perplexity {
                    let [loss, perplexity] =
                        [format!("{:.4}", eval.eval_loss), format!("{perplexity:.2}")];
                    let text = lang.tr_with(
                        "epoch {0}  eval loss {1}  perplexity {2}",
                        &[&epoch, &loss, &perplexity],
                    );
                    return self.push(evaluated.elapsed, Level::Result, text);
                }
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
            TrainEvent::RolledBack(rolled_back) => self.push_rollback(rolled_back, lang),
            TrainEvent::EvaluationProgress(_)
            | TrainEvent::SavingCheckpoint
            | TrainEvent::Ranks(_)
            | TrainEvent::System(_) => {}
            TrainEvent::Warned(warned) => {
                self.push(elapsed, Level::Warning, lang.tr_filled(&warned.message));
            }
            TrainEvent::Saved(saved) => {
                let text = lang.tr_with("model saved in {0}", &[&saved.path]);
                self.push(elapsed, Level::Result, text);
            }
            TrainEvent::Finished(finished) => {
                let text = end_of(finished, lang);
                self.push(finished.metrics.train_runtime, Level::Result, text);
            }
            TrainEvent::Failed(failed) => {
                self.push(elapsed, Level::Error, lang.tr_filled(&failed.message));
                if let Some(hint) = &failed.hint {
                    self.push(elapsed, Level::Warning, lang.tr_filled(hint));
                }
            }
        }
    }

    fn push_rollback(&mut self, rolled_back: &RolledBack, lang: Lang) {
        let (text, values) = rolled_back.message();
        let values: Vec<&dyn Display> = values.iter().map(|value| value as &dyn Display).collect();
        self.push(rolled_back.elapsed, Level::Warning, lang.tr_with(text, &values));
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

/// How a run has ended.
fn end_of(finished: &Finished, lang: Lang) -> String {
    let (step, stopped) = (finished.global_step, finished.stopped);
    if let Some(early) = &finished.early_stopping {
        let (text, values) = early.message(step);
        let values: Vec<&dyn Display> = values.iter().map(|value| value as &dyn Display).collect();
        lang.tr_with(text, &values)
    } else {
        let how = if stopped { "stopped at step {0}" } else { "finished at step {0}" };
        lang.tr_with(how, &[&step])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::event::EarlyStopped;
    use crate::core::train::fixtures::ending;

    #[test]
    fn early_stopping_names_the_step_and_the_metric_in_both_languages() {
        let mut early = EarlyStopped {
            metric: "eval_f1".to_owned(),
            evaluations: 3,
            best_metric: Some(0.812_34),
            best_step: Some(40),
        };
        let line = |early: &EarlyStopped, lang| {
            let mut log = Log::default();
            for mut event in ending() {
                if let TrainEvent::Finished(finished) = &mut event {
                    (finished.global_step, finished.early_stopping) = (100, Some(early.clone()));
                    log.push_event(&event, 0.0, lang);
                }
            }
            log.lines.pop_back().map(|line| line.text).unwrap_or_default()
        };
        assert_eq!(
            line(&early, Lang::English),
            "finished at step 100: evaluations in a row without a better eval_f1: 3; best 0.8123 at step 40"
        );
        assert_eq!(
            line(&early, Lang::Korean),
            "스텝 100에서 완료: 평가 3회 동안 eval_f1 개선 없음, 최고는 스텝 40의 0.8123"
        );
        early.best_metric = None;
        let expected = "finished at step 100: evaluations in a row without a better eval_f1: 3";
        assert_eq!(line(&early, Lang::English), expected);
    }
}
