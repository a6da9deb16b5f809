//! Decides which events of a run its user is notified of.

use crate::core::text::{sanitize_for_terminal, show_number, truncate_width};
use crate::core::train::event::{Evaluated, Finished, Started, Step, TrainEvent};
use crate::run::protocol::{Notification, NotifyEvent};
use crate::run::summary::clock;
use std::time::Instant;

/// The most columns of a message.
const MAX_COLUMNS: usize = 400;

/// What is known of a run, for its notifications.
pub(super) struct Watch {
    run: String,
    began: Instant,
    max_steps: u64,
    step: u64,
    loss: Option<f64>,
    evaluated: Option<Evaluated>,
    /// The metric that selects the best model, and whether it is better if greater.
    metric: (String, bool),
    best: Option<f64>,
    spikes: SpikeDetector,
}

impl Watch {
    /// Watches the run in this folder, as it is shown.
    pub fn new(run: String) -> Self {
        Self {
            run,
            began: Instant::now(),
            max_steps: 0,
            step: 0,
            loss: None,
            evaluated: None,
            metric: ("loss".to_owned(), false),
            best: None,
            spikes: SpikeDetector::default(),
        }
    }

    /// A notification of an event of this run, now.
    pub fn notification(&self, event: NotifyEvent, message: &str) -> Notification {
        let message = message.replace(['\n', '\r'], " ");
        let message = truncate_width(&sanitize_for_terminal(&message), MAX_COLUMNS);
        let metrics = self.evaluated.as_ref().map(|evaluated| &evaluated.metrics);
        let metric = |name| metrics.and_then(|metrics| metrics.by_name(name));
        Notification {
            event,
            run: self.run.clone(),
            message,
            step: self.step,
            max_steps: self.max_steps,
            seconds: self.began.elapsed().as_secs_f64(),
            loss: self.loss,
            eval_loss: metric("loss"),
            eval_accuracy: metric("accuracy"),
        }
    }

    /// Takes note of an event, and returns what the user is notified of.
    pub fn push(&mut self, event: &TrainEvent) -> Option<Notification> {
        let (kind, message) = match event {
            TrainEvent::Started(started) => {
                self.start(started);
                return None;
            }
            TrainEvent::Step(step) => self.push_step(step)?,
            TrainEvent::Evaluated(evaluated) => self.push_evaluation(evaluated)?,
            TrainEvent::RolledBack(rolled_back) => {
                self.step = rolled_back.step;
                (NotifyEvent::Nan, rolled_back.to_string())
            }
            TrainEvent::Finished(finished) => self.finish(finished),
            TrainEvent::Failed(failed) => (NotifyEvent::Failed, failed.message.clone()),
            _ => return None,
        };
        Some(self.notification(kind, &message))
    }

    fn start(&mut self, started: &Started) {
        (self.max_steps, self.step) = (started.max_steps, started.resumed_at);
        if let Some(metric) = started.setting("metric_for_best_model") {
            let metric = metric.strip_prefix("eval_").unwrap_or(metric).to_owned();
            let greater = started.setting("greater_is_better") == Some("true");
            self.metric = (metric, greater);
        }
    }

    fn push_step(&mut self, step: &Step) -> Option<(NotifyEvent, String)> {
        if !step.is_finite() {
            let (loss, norm) = (show_number(step.loss), show_number(step.grad_norm));
            let step = step.step;
            let message = format!("step {step}: loss {loss}, gradient norm {norm}");
            return Some((NotifyEvent::Nan, message));
        }
        (self.step, self.loss) = (step.step, Some(step.loss));
        let usual = self.spikes.push(step.step, step.loss)?;
        let message = format!("step {}: loss {:.4}, usually {usual:.4}", step.step, step.loss);
        Some((NotifyEvent::Spike, message))
    }

    fn push_evaluation(&mut self, evaluated: &Evaluated) -> Option<(NotifyEvent, String)> {
        self.evaluated = Some(evaluated.clone());
        if let Some(evaluated) = &mut self.evaluated {
            // It can be large, and is not needed.
            evaluated.metrics.eval_confusion.counts = Vec::new();
        }
        let (name, greater) = &self.metric;
        let value = evaluated.metrics.by_name(name)?;
        let before = self.best;
        let is_better =
            before.is_none_or(|best| if *greater { value > best } else { value < best });
        if !is_better {
            return None;
        }
        self.best = Some(value);
        // The first evaluation is the best of one.
        let before = before?;
        let step = evaluated.step;
        let (shown, shown_before) = (format!("{value:.4}"), format!("{before:.4}"));
        Some((
            NotifyEvent::Best,
            if shown == shown_before {
                format!("step {step}: eval_{name} {value}, before {before}")
            } else {
                format!("step {step}: eval_{name} {shown}, before {shown_before}")
            },
        ))
    }

    fn finish(&mut self, finished: &Finished) -> (NotifyEvent, String) {
        let step = finished.global_step;
        self.step = step;
        let time = clock(finished.metrics.train_runtime);
        let metrics = self.evaluated.as_ref().map(|evaluated| &evaluated.metrics);
        let metrics = metrics.map_or_else(String::new, |metrics| match metrics.perplexity {
            Some(perplexity) => format!(", perplexity {perplexity:.2}"),
            None => format!(
                ", eval_accuracy {:.4}, eval_loss {:.4}",
                metrics.eval_accuracy, metrics.eval_loss
            ),
        });
        if finished.stopped {
            let of = self.max_steps;
            let message = format!("step {step} of {of}{metrics}");
            (NotifyEvent::Stopped, message)
        } else {
            (NotifyEvent::Finished, format!("step {step} in {time}{metrics}"))
        }
    }
}

/// Finds losses far above their usual range: more than three times their moving average, more than
/// ten mean deviations above it, and more than half of the first losses.
#[derive(Debug, Default)]
struct SpikeDetector {
    count: u64,
    /// The mean of the first losses.
    first: f64,
    average: f64,
    /// The moving average of the distance from the average.
    deviation: f64,
    /// The step of the last spike.
    last: Option<u64>,
}

impl SpikeDetector {
    /// Losses before the first that can be a spike; also the steps after a spike without another.
    const WARMUP: u64 = 50;
    /// The weight of a loss in the moving averages.
    const WEIGHT: f64 = 0.05;

    /// Adds the loss of a step. If it is a spike, returns the usual loss.
    fn push(&mut self, step: u64, loss: f64) -> Option<f64> {
        self.count += 1;
        if self.count <= Self::WARMUP {
            self.first += (loss - self.first) / self.count as f64;
        }
        if self.count == 1 {
            self.average = loss;
        }
        let usual = self.average;
        let is_high = loss > 3.0 * usual
            && loss > usual + 10.0 * self.deviation
            && loss > 0.5 * self.first
            && self.count > Self::WARMUP;
        // One spike hardly changes what is usual.
        let limit = usual + 4.0 * self.deviation;
        let counted = if self.count > Self::WARMUP { loss.min(limit) } else { loss };
        self.average += Self::WEIGHT * (counted - self.average);
        self.deviation += Self::WEIGHT * ((counted - usual).abs() - self.deviation);
        let is_new = self.last.is_none_or(|last| step > last + Self::WARMUP || step <= last);
        (is_high && is_new).then(|| {
            self.last = Some(step);
            usual
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::event::{RolledBack, Setting};
    use crate::core::train::fixtures::{ending, evaluated, failure, run, started, step};

    fn watch() -> Watch {
        let mut watch = Watch::new("outputs".to_owned());
        watch.push(&TrainEvent::Started(started()));
        watch
    }

    #[test]
    fn an_ordinary_run_notifies_of_better_evaluations_and_its_end() {
        let mut watch = watch();
        let events = [run(200), ending()].concat();
        let found: Vec<_> = events.iter().filter_map(|event| watch.push(event)).collect();
        let kinds: Vec<NotifyEvent> = found.iter().map(|found| found.event).collect();
        let (last, others) = kinds.split_last().unwrap_or((&NotifyEvent::Failed, &[]));
        assert_eq!(*last, NotifyEvent::Finished);
        assert!(others.iter().all(|kind| *kind == NotifyEvent::Best), "{found:?}");
        let last = &found[found.len() - 1];
        assert!(last.message.starts_with("step "), "{}", last.message);
        assert!(last.eval_accuracy.is_some() && last.max_steps == 630);
    }

    #[test]
    fn nan_failures_and_rollbacks_are_named_and_sanitized() {
        let mut watch = watch();
        let nan = watch.push(&TrainEvent::Step(step(7, f64::NAN, 1.0)));
        let message = nan.as_ref().map(|nan| nan.message.as_str());
        assert_eq!(message, Some("step 7: loss NaN, gradient norm 1.25"));
        let back = RolledBack {
            step: 4,
            epoch: 0.1,
            failed_step: 7,
            learning_rate: 1e-4,
            count: 1,
            limit: 3,
            elapsed: 1.0,
        };
        let back = watch.push(&TrainEvent::RolledBack(back));
        assert!(back.is_some_and(|back| back.event == NotifyEvent::Nan && back.step == 4));
        let mut failure = failure();
        if let TrainEvent::Failed(failed) = &mut failure {
            failed.message = "\u{1b}]52;c;eA==\u{7}\nrow \u{9b}2J".to_owned();
        }
        let failed = watch.push(&failure).map(|failed| failed.message).unwrap_or_default();
        assert!(!failed.contains(|c: char| c.is_control()), "{failed:?}");
    }

    #[test]
    fn the_best_is_of_the_metric_of_the_run() {
        let mut started = started();
        for (name, value) in
            [("metric_for_best_model", "eval_accuracy"), ("greater_is_better", "true")]
        {
            let (name, value) = (name.to_owned(), value.to_owned());
            started.settings.push(Setting { name, value, reason: "flag".to_owned() });
        }
        let mut watch = Watch::new("outputs".to_owned());
        watch.push(&TrainEvent::Started(started));
        let mut evaluate = |accuracy| {
            let mut evaluated = evaluated(9, 0.1, 0.5, 1.0);
            evaluated.metrics.eval_accuracy = accuracy;
            watch.push(&TrainEvent::Evaluated(evaluated)).map(|best| best.message)
        };
        assert_eq!(evaluate(0.7), None, "the first");
        assert_eq!(evaluate(0.6), None);
        assert_eq!(evaluate(0.8).as_deref(), Some("step 9: eval_accuracy 0.8000, before 0.7000"));
        assert_eq!(evaluate(0.8), None);
    }

    #[test]
    fn a_spike_is_found_once_and_noise_is_not() {
        let mut spikes = SpikeDetector::default();
        let mut noise = crate::core::data::sampling::Generator::new(3);
        let mut found = Vec::new();
        for step in 1..=1000_u64 {
            let level = 0.7 * (-(step as f64) / 300.0).exp() + 0.05;
            let random = f64::from(noise.next_u32()) / f64::from(u32::MAX);
            let mut loss = level * (0.4 + 1.2 * random);
            if (600..620).contains(&step) {
                loss += 2.0;
            }
            found.extend(spikes.push(step, loss).map(|_| step));
        }
        assert_eq!(found, [600]);
    }
}
