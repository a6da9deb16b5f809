//! The channels of the dashboard, and the wait for the next message of any of them.

use super::input::ExternalEvent;
use crate::run::system_metrics::SystemSample;
use crate::run::worker::Report;
use crossbeam_channel::{Receiver, never, select};
use std::io;
use std::time::Duration;

/// The channels that the dashboard waits for.
pub(super) struct Inbox {
    pub external: Receiver<ExternalEvent>,
    pub reports: Receiver<Report>,
    pub samples: Receiver<SystemSample>,
    pub frame_outcomes: Receiver<io::Result<()>>,
}

/// One message from the inbox.
pub(super) enum Received {
    External(ExternalEvent),
    Report(Report),
    Sample(SystemSample),
    FrameOutcome(io::Result<()>),
    /// The run or the sampler has ended; its channel is closed.
    Closed,
    Timeout,
}

impl Inbox {
    /// Waits for one message. Reports are only waited for if `with_reports` is set.
    pub fn receive(&mut self, with_reports: bool, timeout: Duration) -> Received {
        let no_reports = never();
        select! {
            recv(self.external) -> event => {
                Received::External(event.unwrap_or(ExternalEvent::HangUp))
            }
            recv(if with_reports { &self.reports } else { &no_reports }) -> report => {
                report.map_or_else(|_| {
                    self.reports = never();
                    Received::Closed
                }, Received::Report)
            }
            recv(self.samples) -> sample => {
                sample.map_or_else(|_| {
                    self.samples = never();
                    Received::Closed
                }, Received::Sample)
            }
            recv(self.frame_outcomes) -> outcome => {
                let ended = || io::Error::other("the thread that writes frames has ended");
                Received::FrameOutcome(outcome.unwrap_or_else(|_| Err(ended())))
            }
            default(timeout) => Received::Timeout,
        }
    }
}
