//! What sets the replay of a run apart from the run.

use crate::core::text::show_number;
use crate::core::train::event::TrainEvent;
use crate::screen::lang::Lang;
use std::path::PathBuf;

/// How far the clock goes beyond the latest event, in seconds of the run.
const AHEAD: f64 = 1.0;

/// A run that is played back, and the run's own clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Where the run lies, if it has a folder.
    pub folder: Option<PathBuf>,
    /// How many seconds of the run go by in one; infinite, if all of it is shown at once.
    pub speed: f64,
    /// The time of the latest event that has one, in seconds since training began.
    latest: f64,
    /// When it was heard, in seconds since the program started.
    heard: f64,
}

impl Replay {
    /// A replay of which nothing was heard yet.
    pub fn new(speed: f64) -> Self {
        Self { folder: None, speed, latest: 0.0, heard: 0.0 }
    }

    /// What the header says.
    pub fn label(&self, lang: Lang) -> String {
        if self.speed.is_finite() {
            format!("{} ×{}", lang.tr("replay"), show_number(self.speed))
        } else {
            lang.tr("replay").to_owned()
        }
    }

    /// Takes the time of an event that is heard `now`.
    pub fn push_event(&mut self, event: &TrainEvent, now: f64) {
        if let Some(elapsed) = event.elapsed().filter(|elapsed| *elapsed >= self.latest) {
            (self.latest, self.heard) = (elapsed, now);
        }
    }

    /// Seconds of the run that have gone by. Between two events the clock goes on, but no more
    /// than a second of the run: it may be that nothing more is to come, or that it is paused.
    pub fn elapsed(&self, now: f64) -> f64 {
        if !self.speed.is_finite() {
            return self.latest;
        }
        self.latest + ((now - self.heard).max(0.0) * self.speed).min(AHEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::fixtures::run;

    #[test]
    fn the_clock_is_the_runs_and_does_not_run_away() {
        let mut replay = Replay::new(20.0);
        for (now, event) in run(8).iter().enumerate() {
            replay.push_event(event, 10.0 + now as f64 * 0.00625);
        }
        let last = 10.0 + 8.0 * 0.00625;
        assert_eq!(replay.elapsed(last), 1.0);
        assert!((replay.elapsed(last + 0.025) - 1.5).abs() < 1e-6);
        assert_eq!(replay.elapsed(last + 3600.0), 2.0, "a second beyond the latest event");
        assert_eq!(replay.elapsed(0.0), 1.0, "it never goes back");
        let mut replay = Replay::new(f64::INFINITY);
        replay.push_event(&run(8)[8], 5.0);
        assert_eq!((replay.elapsed(5.0), replay.elapsed(9.0)), (1.0, 1.0));
    }

    #[test]
    fn labels_tell_the_speed() {
        let label = |speed| Replay::new(speed).label(Lang::English);
        assert_eq!([20.0, 0.5].map(label), ["replay ×20", "replay ×0.5"]);
        assert_eq!(label(f64::INFINITY), "replay");
    }
}
