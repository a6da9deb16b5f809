//! The run told in lines.

use super::log_view::View;
use crate::core::text::sanitize_for_terminal;
use crate::core::text::show_number;
use crate::core::train::event::TrainEvent;
use crate::run::summary::clock;
use crate::screen::lang::Lang;
use std::borrow::Cow;
use std::collections::VecDeque;

/// Lines kept; older ones are dropped.
const KEPT: usize = 10_000;

/// How much a line matters, the least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// In the course of things.
    #[default]
    Info,
    /// A result.
    Result,
    /// Something the user should know.
    Warning,
    /// Something went wrong.
    Error,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, as a clock since training began.
    pub time: String,
    /// How much it matters.
    pub level: Level,
    /// What happened.
    pub text: String,
}

/// All lines, the latest last, and how far back the view is scrolled.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The lines.
    pub lines: VecDeque<Line>,
    /// Lines hidden below the view, of those looked at; 0 follows the tail.
    pub scroll: usize,
    /// What of them is looked at.
    pub view: View,
    /// The serial number of the first line: how many were dropped before it.
    pub(super) first: usize,
    /// Loss of the steps since the last log line.
    window: Vec<u64>,
}

impl Log {
    /// Adds a line. A view that was scrolled back stays where it is.
    pub fn push(&mut self, elapsed: f64, level: Level, text: String) {
        // Messages may quote what a file holds.
        let clean = match sanitize_for_terminal(&text) {
            Cow::Owned(clean) => Some(clean),
            Cow::Borrowed(_) => None,
        };
        let text = clean.unwrap_or(text);
        let line = Line { time: clock(elapsed), level, text };
        let is_shown = self.view.came(self.first + self.lines.len(), &line);
        self.lines.push_back(line);
        if self.scroll > 0 && is_shown {
            self.scroll += 1;
        }
        if self.lines.len() > KEPT {
            self.lines.pop_front();
            self.view.went(self.first);
            self.first += 1;
        }
        self.scroll = self.scroll.min(self.view.count().saturating_sub(1));
    }

    /// Takes in the steps of a run before it was resumed that no line has told of yet.
    pub fn went_before(&mut self, losses: impl Iterator<Item = f64>) {
        self.window = losses.map(f64::to_bits).collect();
    }

    /// Tells an event; steps are told every `logging_steps`.
    pub fn tell(&mut self, event: &TrainEvent, elapsed: f64, logging_steps: u64, lang: Lang) {
        match event {
            TrainEvent::Started(started) => {
                for note in &started.notes {
                    self.push(elapsed, Level::Info, note.clone());
                }
                let text = lang.fill(
                    "training on {0} reviews, {1} steps",
                    &[&started.train_samples, &started.max_steps],
                );
                self.push(elapsed, Level::Info, text);
            }
            TrainEvent::Step(step) => {
                self.window.push(step.loss.to_bits());
                if step.step.is_multiple_of(logging_steps.max(1)) || !step.loss.is_finite() {
                    let sum: f64 = self.window.iter().map(|&bits| f64::from_bits(bits)).sum();
                    let text = lang.fill(
                        "step {0}  loss {1}  grad_norm {2}  rate {3}",
                        &[
                            &step.step,
                            &format!("{:.4}", sum / self.window.len() as f64),
                            &format!("{:.2}", step.grad_norm),
                            &format!("{:.2e}", step.learning_rate),
                        ],
                    );
                    self.window.clear();
                    self.push(step.elapsed, Level::Info, text);
                }
            }
            TrainEvent::Epoch(epoch) => {
                let figures = [epoch.train_loss, epoch.train_accuracy, epoch.train_f1];
                let [loss, accuracy, f1] = figures.map(|figure| format!("{figure:.4}"));
                let text = lang.fill(
                    "epoch {0}  train loss {1}  accuracy {2}  F1 {3}",
                    &[&epoch.epoch, &loss, &accuracy, &f1],
                );
                self.push(epoch.elapsed, Level::Result, text);
            }
            TrainEvent::Evaluated(evaluated) => {
                let metrics = &evaluated.metrics;
                let epoch = show_number((evaluated.epoch * 100.0).round() / 100.0);
                let figures = [metrics.eval_loss, metrics.eval_accuracy, metrics.eval_f1];
                let [loss, accuracy, f1] = figures.map(|figure| format!("{figure:.4}"));
                let text = lang.fill(
                    "epoch {0}  eval loss {1}  accuracy {2}  F1 {3}",
                    &[&epoch, &loss, &accuracy, &f1],
                );
                self.push(evaluated.elapsed, Level::Result, text);
            }
            TrainEvent::BestLoaded(best) => {
                let text = lang.fill("went back to the best model, of step {0}", &[&best.step]);
                self.push(elapsed, Level::Result, text);
            }
            TrainEvent::Checkpoint(saved) => {
                let text = lang.fill("checkpoint {0}", &[&saved.path]);
                self.push(elapsed, Level::Info, text);
            }
            TrainEvent::Steered(steered) => {
                let (text, [first, second]) = steered.how.told();
                let how = lang.fill(text, &[&first, &second]);
                let text = lang.fill("step {0}: {1}", &[&steered.step, &how]);
                self.push(steered.elapsed, Level::Result, text);
            }
            TrainEvent::Warned(warned) => {
                self.push(elapsed, Level::Warning, warned.message.clone());
            }
            TrainEvent::Saved(saved) => {
                let text = lang.fill("model saved in {0}", &[&saved.path]);
                self.push(elapsed, Level::Result, text);
            }
            TrainEvent::Finished(finished) => {
                let stopped = finished.stopped;
                let how = if stopped { "stopped at step {0}" } else { "finished at step {0}" };
                let text = lang.fill(how, &[&finished.global_step]);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_that_is_scrolled_back_stays_and_memory_is_bounded() {
        let mut log = Log::default();
        for i in 0..KEPT + 50 {
            log.push(i as f64, Level::Info, format!("{i}"));
            if i == 10 {
                log.scroll = 3;
            }
        }
        assert_eq!(log.lines.len(), KEPT);
        assert_eq!(log.scroll, KEPT - 1, "it cannot leave the lines there are");
        let mut log = Log::default();
        log.push(0.0, Level::Info, "a".into());
        log.push(0.0, Level::Info, "b".into());
        log.scroll = 1;
        log.push(0.0, Level::Info, "c".into());
        assert_eq!(log.scroll, 2);
    }
}
