//! Everything the dashboard shows.

use super::charts::Charts;
use super::history::{History, SMOOTHING};
use super::log::Log;
use super::pace::Pace;
use super::palette::Palette;
use super::panels::Arrangement;
use super::prompt::Prompt;
use super::replay::Replay;
use super::steer::RateInput;
use super::system::SystemHistory;
use crate::train::event::{Epoch, Evaluated, Failed, Finished, Saved, Started, Step};
use crate::train::steering::Steered;
use crate::worker::Activity;
use std::cell::Cell;

/// A page of the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// Charts, scores and progress.
    #[default]
    Train,
    /// Asking the model.
    Predict,
    /// What holds for this run, and why.
    Settings,
    /// The run told in lines.
    Log,
}

impl Page {
    /// All pages, in the order of their tabs.
    pub const ALL: [Self; 4] = [Self::Train, Self::Predict, Self::Settings, Self::Log];

    /// What its tab says.
    pub fn title(self) -> &'static str {
        match self {
            Self::Train => "Train",
            Self::Predict => "Predict",
            Self::Settings => "Settings",
            Self::Log => "Log",
        }
    }
}

/// What lies over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The keys.
    Help,
    /// Whether to leave while training runs.
    ConfirmQuit,
    /// Whether to leave although the model could not be saved.
    ConfirmUnsaved,
    /// Which learning rate to go on with.
    LearningRate,
    /// All that can be done, to choose from.
    Palette,
}

/// One epoch's figures, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EpochRow {
    /// Counted from 1.
    pub number: u64,
    /// What training says of it.
    pub train: Option<Epoch>,
    /// The evaluation at its end.
    pub eval: Option<Evaluated>,
}

/// Everything the dashboard shows.
#[derive(Clone, Debug)]
pub struct State {
    /// The page on view.
    pub page: Page,
    /// What lies over it.
    pub overlay: Option<Overlay>,
    /// What the run is doing.
    pub activity: Activity,
    /// What holds for the run, once it has started.
    pub started: Option<Started>,
    /// The latest step.
    pub step: Option<Step>,
    /// Every figure that has a curve.
    pub history: History,
    /// How strongly noisy curves are smoothed, as TensorBoard counts it: 0 to 0.99.
    pub smoothing: f64,
    /// How the charts are looked at.
    pub charts: Charts,
    /// How the panels of the training page are arranged.
    pub arrangement: Arrangement,
    /// Figures an epoch.
    pub epochs: Vec<EpochRow>,
    /// The latest evaluation.
    pub evaluated: Option<Evaluated>,
    /// The evaluation with the highest accuracy.
    pub best: Option<Evaluated>,
    /// The end of the run, if it ended as it should.
    pub finished: Option<Finished>,
    /// The end of the run, or of saving it, if that went wrong.
    pub failed: Option<Failed>,
    /// The latest checkpoint.
    pub checkpoint: Option<Saved>,
    /// The saved model.
    pub saved: Option<Saved>,
    /// Speed and time left.
    pub pace: Pace,
    /// What the machine was doing.
    pub system: SystemHistory,
    /// The run told in lines.
    pub log: Log,
    /// The predict pane.
    pub prompt: Prompt,
    /// All that can be done, while it is chosen from.
    pub palette: Palette,
    /// Lines of the settings page scrolled away.
    pub settings_scroll: usize,
    /// Lines of the help scrolled away.
    pub help_scroll: usize,
    /// How far the view that scrolls can be scrolled; the last drawing found it out.
    pub scroll_limit: Cell<usize>,
    /// Seconds since the program started.
    pub now: f64,
    /// When training began, on the same clock.
    pub began: Option<f64>,
    /// The local time when the program started, in seconds since 1970; `None` where no clock on
    /// the wall can be told, as in a replay.
    pub wall_clock: Option<f64>,
    /// How the user has steered the run.
    pub steered: Vec<Steered>,
    /// When the run was paused, on the clock of [`Self::now`], while it is.
    pub paused_at: Option<f64>,
    /// Whether the run is to end with the current epoch.
    pub stop_after_epoch: bool,
    /// The learning rate that is being typed.
    pub rate: RateInput,
    /// Set if the run is played back rather than under way.
    pub replay: Option<Replay>,
    /// Whether the user has asked to end the run.
    pub stopping: bool,
    /// Whether to leave as soon as the run has ended.
    pub quitting: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            page: Page::default(),
            overlay: None,
            activity: Activity::Preparing("Starting".to_owned()),
            started: None,
            step: None,
            history: History::default(),
            smoothing: SMOOTHING,
            charts: Charts::default(),
            arrangement: Arrangement::default(),
            epochs: Vec::new(),
            evaluated: None,
            best: None,
            finished: None,
            failed: None,
            checkpoint: None,
            saved: None,
            pace: Pace::default(),
            system: SystemHistory::default(),
            log: Log::default(),
            prompt: Prompt::default(),
            palette: Palette::default(),
            settings_scroll: 0,
            help_scroll: 0,
            scroll_limit: Cell::new(usize::MAX),
            now: 0.0,
            began: None,
            wall_clock: None,
            steered: Vec::new(),
            paused_at: None,
            stop_after_epoch: false,
            rate: RateInput::default(),
            replay: None,
            stopping: false,
            quitting: false,
        }
    }
}

impl State {
    /// Whether a run is under way, which leaving would end.
    pub fn is_running(&self) -> bool {
        self.activity != Activity::Idle
    }

    /// Whether a trained model exists in memory only.
    pub fn is_unsaved(&self) -> bool {
        let over = self.finished.is_some() || self.failed.is_some();
        self.replay.is_none() && over && self.steps_done() > 0 && self.saved.is_none()
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        let resumed = self.started.as_ref().map_or(0, |started| started.resumed_at);
        self.step.as_ref().map_or(0, |step| step.step).max(resumed)
    }

    /// Seconds since training began: of the whole run, once it has ended.
    pub fn elapsed(&self) -> f64 {
        if let Some(finished) = &self.finished {
            return finished.metrics.train_runtime;
        }
        match (self.began, &self.replay) {
            (Some(_), Some(replay)) if self.is_running() => replay.elapsed(self.now),
            (Some(began), None) if self.is_running() => {
                let before = self.started.as_ref().map_or(0.0, |started| started.resumed_elapsed);
                before + self.paused_at.unwrap_or(self.now) - began
            }
            _ => self.step.as_ref().map_or(0.0, |step| step.elapsed),
        }
    }

    /// The local time of second 0 of training, in seconds since 1970. What was trained before the
    /// run was resumed is counted as if it had just come before.
    pub fn clock_when_training_began(&self) -> Option<f64> {
        let before = self.started.as_ref().map_or(0.0, |started| started.resumed_elapsed);
        Some(self.wall_clock? + self.began? - before)
    }

    /// The share of the current evaluation that is done, while there is one.
    pub fn evaluating(&self) -> Option<f64> {
        match self.activity {
            Activity::Evaluating(done, total) => Some(done as f64 / total.max(1) as f64),
            _ => None,
        }
    }

    /// Seconds until the run ends.
    pub fn left(&self) -> Option<f64> {
        if !self.is_running() {
            return None;
        }
        let started = self.started.as_ref()?;
        self.pace.left(started, self.steps_done(), self.evaluating())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    //! Events for tests of the dashboard.

    use crate::train::calibration::{Calibration, Reliability};
    use crate::train::event::{
        Epoch, Evaluated, Failed, Finished, Metrics, Saved, Setting, Started, Step, TrainEvent,
        TrainMetrics,
    };
    use crate::train::metrics::Confusion;

    pub fn started() -> Started {
        let setting = |name: &str, value: &str, why: &str| Setting {
            name: name.to_owned(),
            value: value.to_owned(),
            why: why.to_owned(),
        };
        Started {
            model: "embedded small Korean BERT".to_owned(),
            architecture: "BERT 4 layers × 192, 3 heads, 8000 pieces".to_owned(),
            parameters: 3_383_234,
            labels: vec!["negative".to_owned(), "positive".to_owned()],
            train_samples: 2000,
            eval_samples: 2000,
            steps_per_epoch: 63,
            max_steps: 630,
            num_train_epochs: 10.0,
            eval_steps: 63,
            save_steps: 50,
            logging_steps: 50,
            output_dir: "outputs".to_owned(),
            replaces_model: true,
            settings: vec![
                setting("recipe", "trainer", "default"),
                setting("num_train_epochs", "10", "tutorial"),
                setting("per_device_train_batch_size", "32", "tutorial"),
                setting("learning_rate", "3e-4", "random weights"),
                setting("lr_scheduler_type", "linear", "recipe trainer"),
                setting("seed", "7", "flag"),
            ],
            resumed_at: 0,
            resumed_elapsed: 0.0,
            notes: vec!["the model starts from random weights".to_owned()],
        }
    }

    pub fn step(step: u64, loss: f64, elapsed: f64) -> Step {
        Step {
            step,
            epoch: step as f64 / 63.0,
            loss,
            grad_norm: 1.25,
            learning_rate: 3e-4 * (1.0 - step as f64 / 630.0),
            samples: 32,
            tokens: 650,
            elapsed,
        }
    }

    pub fn evaluated(step: u64, epoch: f64, accuracy: f64, elapsed: f64) -> Evaluated {
        let right = (accuracy * 1000.0) as u64;
        Evaluated {
            step,
            epoch,
            metrics: Metrics {
                eval_loss: 1.2 - accuracy,
                eval_accuracy: accuracy,
                eval_f1: accuracy - 0.01,
                eval_precision: accuracy + 0.01,
                eval_recall: accuracy - 0.02,
                eval_confusion: Confusion {
                    counts: vec![vec![right, 1000 - right], vec![1000 - right, right]],
                },
                eval_calibration: calibration(accuracy),
                eval_samples: 2000,
                eval_runtime: 2.0,
                eval_samples_per_second: 1000.0,
            },
            elapsed,
        }
    }

    /// Two thousand predictions of a model that is surer than it is right.
    fn calibration(accuracy: f64) -> Calibration {
        let mut reliability = Reliability::default();
        for i in 0..2000u32 {
            // Mixed by Weyl's sequence: surer predictions are right more often.
            let spread = (f64::from(i) * 0.618_034).fract();
            let right = (f64::from(i) * 0.414_214).fract() < accuracy - 0.2 + 0.35 * spread;
            reliability.add(1.0 - 0.499 * (1.0 - spread).powi(2), right);
        }
        reliability.calibration()
    }

    /// The events of a run up to `steps` steps, with all that comes between them.
    pub fn run(steps: u64) -> Vec<TrainEvent> {
        let mut events = vec![TrainEvent::Started(started())];
        let mut elapsed = 0.0;
        for i in 1..=steps {
            elapsed += 0.125;
            // A falling curve with a wave on it, the same everywhere.
            let x = i as f64 / 630.0;
            let loss = 0.7 * (-2.5 * x).exp() + 0.06 * (i as f64 * 1.7).sin() + 0.06;
            events.push(TrainEvent::Step(step(i, loss, elapsed)));
            if i.is_multiple_of(63) {
                let epoch = i / 63;
                let share = epoch as f64 / 10.0;
                events.push(TrainEvent::Epoch(Epoch {
                    epoch,
                    step: i,
                    train_loss: loss,
                    train_accuracy: 0.5 + 0.49 * share,
                    train_f1: 0.49 + 0.49 * share,
                    elapsed,
                }));
                elapsed += 2.0;
                let accuracy = 0.76 - 0.25 * (-6.0 * share).exp();
                let result = evaluated(i, epoch as f64, accuracy, elapsed);
                events.push(TrainEvent::Evaluated(result));
            }
        }
        events
    }

    /// The end of [`run`].
    pub fn ending() -> Vec<TrainEvent> {
        vec![
            TrainEvent::Saved(Saved { path: "outputs".to_owned(), step: 630, seconds: 0.1 }),
            TrainEvent::Finished(Finished {
                global_step: 630,
                training_loss: 0.3012,
                metrics: TrainMetrics {
                    train_runtime: 98.75,
                    train_samples_per_second: 202.5,
                    train_steps_per_second: 6.38,
                    total_flos: 5.09e12,
                    train_loss: 0.3012,
                    epoch: 10.0,
                },
                stopped: false,
            }),
        ]
    }

    pub fn failure() -> TrainEvent {
        TrainEvent::Failed(Failed {
            message: "the loss is NaN at step 101".to_owned(),
            hint: Some("Try a lower --learning-rate.".to_owned()),
            step: 100,
        })
    }
}
