//! The clock of a run for front ends that attach to it.

use crate::core::train::TrainEvent;
use crate::core::train::event::CommandEffect;
use std::time::Instant;

/// The clock of training, from the times of its events.
#[derive(Default)]
pub(super) struct RunClock {
    /// Seconds of training at the latest event that has a time, and when it was reported.
    latest: Option<(f64, Instant)>,
    is_stopped: bool,
}

impl RunClock {
    pub fn push(&mut self, event: &TrainEvent) {
        match event {
            TrainEvent::CommandApplied(applied) => match applied.effect {
                CommandEffect::Paused => self.is_stopped = true,
                CommandEffect::Resumed { .. } => self.is_stopped = false,
                _ => {}
            },
            TrainEvent::Finished(_) | TrainEvent::Failed(_) => self.is_stopped = true,
            _ => {}
        }
        if let Some(elapsed) = event.elapsed() {
            self.latest = Some((elapsed, Instant::now()));
        }
    }

    pub fn elapsed(&self) -> Option<f64> {
        let (elapsed, at) = self.latest?;
        let since = if self.is_stopped { 0.0 } else { at.elapsed().as_secs_f64() };
        Some(elapsed + since)
    }
}
