//! What a user asks of a run under way, and how the run obeys between two steps.

use super::checkpointing::Run;
use super::event::{TrainEvent, Warned};
use super::observer::{Control, Observer, TrainError};
use super::trainer::Trainer;
use crate::core::text::interpolate;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Something asked of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Request {
    /// Wait before the next step.
    Pause,
    /// Go on.
    Resume,
    /// Write a checkpoint now.
    Save,
    /// Judge the model now.
    Evaluate,
    /// End the run with the current epoch; or not, after all.
    StopAfterEpoch(bool),
    /// Use this learning rate for the next step, and change it from there on in the proportions of
    /// the schedule.
    LearningRate(f64),
    /// End the run here.
    Stop {
        /// Whether to evaluate once more first.
        evaluate: bool,
    },
}

/// A run was steered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Steered {
    /// Steps done.
    pub step: u64,
    /// Epochs done.
    pub epoch: f64,
    /// Seconds since training began, pauses left out.
    pub elapsed: f64,
    /// How.
    #[serde(flatten)]
    pub how: Steering,
}

/// How a run was steered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "steering", rename_all = "snake_case")]
pub enum Steering {
    /// It waits.
    Paused,
    /// It goes on.
    Resumed {
        /// Seconds it waited.
        seconds: f64,
    },
    /// A checkpoint was asked for.
    SaveRequested,
    /// An evaluation was asked for.
    EvaluateRequested,
    /// It is to end with the epoch.
    StopAfterEpoch {
        /// Whether it is, or is no more.
        asked: bool,
    },
    /// The next step uses another learning rate than it would have.
    LearningRate {
        /// The rate it would have used.
        from: f64,
        /// The rate it uses.
        to: f64,
    },
}

impl Steering {
    /// What happened, in a text with `{0}` and `{1}` for the figures that come with it.
    pub fn told(self) -> (&'static str, [String; 2]) {
        let none = || [String::new(), String::new()];
        match self {
            Self::Paused => ("paused", none()),
            Self::Resumed { seconds } => {
                ("resumed after {0} s", [format!("{seconds:.0}"), String::new()])
            }
            Self::SaveRequested => ("checkpoint requested", none()),
            Self::EvaluateRequested => ("evaluation requested", none()),
            Self::StopAfterEpoch { asked: true } => ("stops after this epoch", none()),
            Self::StopAfterEpoch { asked: false } => ("does not stop after this epoch", none()),
            Self::LearningRate { from, to } => {
                let figures = [from, to].map(|rate| format!("{rate:.2e}"));
                ("learning rate changed from {0} to {1}", figures)
            }
        }
    }
}

impl std::fmt::Display for Steering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (text, [first, second]) = self.told();
        f.write_str(&interpolate(text, &[&first, &second]))
    }
}

/// The highest learning rate that can be asked for.
pub const HIGHEST_RATE: f64 = 1.0;

impl Trainer<'_> {
    /// Obeys what is asked between two steps, and while paused until the run is to go on.
    pub(super) fn steer(
        &self,
        run: &mut Run<'_>,
        observer: &mut impl Observer,
    ) -> Result<Control, TrainError> {
        loop {
            let paused = run.paused.is_some();
            let Some(request) = observer.request(run.engine, paused) else {
                // Nobody is left who could end the pause.
                run.resume(observer);
                return Ok(Control::Continue);
            };
            match request {
                Request::Pause if !paused => {
                    run.tell(observer, Steering::Paused);
                    run.paused = Some(Instant::now());
                }
                Request::Resume => {
                    run.resume(observer);
                }
                Request::Pause => {}
                Request::Save => {
                    run.tell(observer, Steering::SaveRequested);
                    self.save_now(run, observer);
                }
                Request::Evaluate => {
                    run.tell(observer, Steering::EvaluateRequested);
                    // It does not count for the best model, which would change how the run ends.
                    let control = self.evaluate_for(run, observer, false)?;
                    if control != Control::Continue {
                        run.resume(observer);
                        return Ok(control);
                    }
                }
                Request::StopAfterEpoch(asked) => {
                    run.stop_after_epoch = asked;
                    run.tell(observer, Steering::StopAfterEpoch { asked });
                }
                Request::LearningRate(to) => run.change_rate(to, observer),
                Request::Stop { evaluate } => {
                    run.resume(observer);
                    return Ok(Control::Stop { evaluate });
                }
            }
        }
    }
}

impl Run<'_> {
    fn tell(&self, observer: &mut impl Observer, how: Steering) {
        let (step, epoch, elapsed) = (self.at.step, self.epoch(), self.elapsed());
        observer.publish(TrainEvent::Steered(Steered { step, epoch, elapsed, how }));
    }

    /// Ends a pause, if there is one; the clock goes on where it stood.
    fn resume(&mut self, observer: &mut impl Observer) {
        if let Some(since) = self.paused.take() {
            let waited = since.elapsed();
            self.began += waited;
            self.tell(observer, Steering::Resumed { seconds: waited.as_secs_f64() });
        }
    }

    /// Scales the schedule so that the next step uses the rate `to`. Where the schedule is at zero,
    /// as at the first step of a warm-up, its highest rate becomes `to`.
    fn change_rate(&mut self, to: f64, observer: &mut impl Observer) {
        if !(to > 0.0 && to <= HIGHEST_RATE) {
            let message = format!(
                "a learning rate of {to} was refused; it has to be above 0 and at most \
                 {HIGHEST_RATE}"
            );
            observer.publish(TrainEvent::Warned(Warned { message, step: self.at.step }));
            return;
        }
        let scheduled = self.schedule.rate(self.at.step);
        let from = scheduled * self.at.rate_factor;
        let reference = if scheduled > 0.0 { scheduled } else { self.schedule.base() };
        self.at.rate_factor = to / reference;
        // A checkpoint of this step does not know of it.
        self.at.saved_at = None;
        self.tell(observer, Steering::LearningRate { from, to });
    }
}
