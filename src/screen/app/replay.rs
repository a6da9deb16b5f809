//! The clock of a replayed run.

use crate::core::text::{show_number, truncate_width};
use crate::core::train::event::TrainEvent;
use crate::screen::lang::Lang;
use std::path::PathBuf;

/// How far the clock advances beyond the latest event, in seconds of the run.
const MAX_AHEAD: f64 = 1.0;

/// The columns of an opened run's name in the header.
const MAX_NAME: usize = 24;

/// A run that is opened from the list of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedRun {
    /// Its name in the list.
    pub name: String,
}

/// A replayed run and its clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// The folder of the run, if it has one.
    pub folder: Option<PathBuf>,
    /// Set if the run was opened from the list of runs to see all of it, not to replay it.
    pub opened: Option<OpenedRun>,
    /// Seconds of the run per second of real time; infinite if all of it is shown at once.
    pub speed: f64,
    /// The time of the latest event, in seconds since training began.
    latest: f64,
    /// When it was received, in seconds since the program started.
    received: f64,
}

impl Replay {
    /// A replay before its first event.
    pub fn new(speed: f64) -> Self {
        Self { folder: None, opened: None, speed, latest: 0.0, received: 0.0 }
    }

    /// A run that is opened from the list of runs.
    pub fn of_opened(folder: PathBuf, opened: OpenedRun) -> Self {
        Self { folder: Some(folder), opened: Some(opened), ..Self::new(f64::INFINITY) }
    }

    /// The label in the header.
    pub fn label(&self, lang: Lang) -> String {
        if let Some(opened) = &self.opened {
            return truncate_width(&opened.name, MAX_NAME);
        }
        if self.speed.is_finite() {
            format!("{} ×{}", lang.tr("replay"), show_number(self.speed))
        } else {
            lang.tr("replay").to_owned()
        }
    }

    /// Sets the clock by an event that is received at `now`.
    pub fn push_event(&mut self, event: &TrainEvent, now: f64) {
        if let Some(elapsed) = event.elapsed().filter(|elapsed| *elapsed >= self.latest) {
            (self.latest, self.received) = (elapsed, now);
        }
    }

    /// The elapsed seconds of the run. Between two events the clock advances by at most a second of
    /// the run, because the run may have ended or be paused.
    pub fn elapsed(&self, now: f64) -> f64 {
        if !self.speed.is_finite() {
            return self.latest;
        }
        self.latest + ((now - self.received).max(0.0) * self.speed).min(MAX_AHEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::fixtures::run;

    #[test]
    fn the_clock_follows_the_events_of_the_run() {
        let mut replay = Replay::new(20.0);
        for (now, event) in run(8).iter().enumerate() {
            replay.push_event(event, 10.0 + now as f64 * 0.00625);
        }
        let last = 10.0 + 8.0 * 0.00625;
        assert_eq!(replay.elapsed(last), 1.0);
        assert!((replay.elapsed(last + 0.025) - 1.5).abs() < 1e-6);
        assert_eq!(replay.elapsed(last + 3600.0), 2.0, "a second beyond the latest event");
        assert_eq!(replay.elapsed(0.0), 1.0, "it never decreases");
        let mut replay = Replay::new(f64::INFINITY);
        replay.push_event(&run(8)[8], 5.0);
        assert_eq!((replay.elapsed(5.0), replay.elapsed(9.0)), (1.0, 1.0));
    }

    #[test]
    fn labels_include_the_speed() {
        let label = |speed| Replay::new(speed).label(Lang::English);
        assert_eq!([20.0, 0.5].map(label), ["replay ×20", "replay ×0.5"]);
        assert_eq!(label(f64::INFINITY), "replay");
    }
}
