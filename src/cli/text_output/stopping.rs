//! Signals, and other reasons to stop a run that is followed without the dashboard.

use crossbeam_channel::{Receiver, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::time::{Duration, Instant};

/// A second signal within this time of the first counts as the same request to stop.
const GRACE: Duration = Duration::from_secs(1);

/// Reasons to stop a run.
#[derive(Default)]
pub(super) struct StopReasons {
    /// The time and the number of the first signal.
    pub signalled: Option<(Instant, u8)>,
    /// When the output was first found closed.
    pub closed: Option<Instant>,
    /// Whether the terminal was closed, which does not stop the run.
    pub hung_up: bool,
    /// Whether the command to stop was sent.
    sent: bool,
}

impl StopReasons {
    /// Records a signal; returns whether it ends the program at once.
    pub fn push_signal(&mut self, signal: i32) -> bool {
        if signal == SIGHUP {
            self.hung_up = true;
            return false;
        }
        let first = *self.signalled.get_or_insert((Instant::now(), signal as u8));
        first.0.elapsed() > GRACE
    }

    /// The message with the reason to stop, returned only once. A connection that drops closes the
    /// output and sends SIGHUP at about the same time, in either order.
    pub fn take_reason(&mut self) -> Option<&'static str> {
        let closed = self.closed.is_some_and(|closed| closed.elapsed() > GRACE) && !self.hung_up;
        if self.sent || !(closed || self.signalled.is_some()) {
            return None;
        }
        self.sent = true;
        Some(if self.signalled.is_some() {
            "Stopping the run; another signal ends the program at once."
        } else {
            "The output was closed: stopping the run and saving the model."
        })
    }
}

/// Handles signals from now on, including SIGHUP and SIGUSR1, which would otherwise end the program.
pub(super) fn watch_signals() -> std::io::Result<Receiver<i32>> {
    let (sender, receiver) = unbounded();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if sender.send(signal).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}
