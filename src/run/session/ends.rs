//! The ends of the hub's channels in the threads of a run.

use super::listener;
use super::messages::{Incoming, NumberedReport};
use crate::run::protocol::RunReport;
use crossbeam_channel::Sender;
use std::cell::Cell;
use std::path::Path;

/// The training thread's end of its reports.
pub struct WorkerReports {
    pub(super) reports: Sender<NumberedReport>,
    pub(super) hub: Sender<Incoming>,
    pub(super) journal_events: Cell<i64>,
    /// Events of earlier processes in the journal.
    pub(super) past_events: Cell<i64>,
}

/// Another thread's end of a run's reports.
#[derive(Clone)]
pub struct ReportsBeside(Sender<NumberedReport>);

impl ReportsBeside {
    /// Sends a report that is not of the run's history. A run continues without front ends.
    pub fn send(&self, report: RunReport) {
        let _ = self.0.send((report, None));
    }

    /// Reports that nobody but the receiver reads, for tests.
    #[cfg(test)]
    pub fn channel() -> (Self, crossbeam_channel::Receiver<(RunReport, Option<i64>)>) {
        let (sender, reports) = crossbeam_channel::unbounded();
        (Self(sender), reports)
    }
}

impl WorkerReports {
    /// Sends a report. A run continues without front ends.
    pub fn send(&self, report: RunReport) {
        let _ = self.reports.send((report, Some(self.journal_events.get())));
    }

    /// The end of another thread.
    pub fn beside(&self) -> ReportsBeside {
        ReportsBeside(self.reports.clone())
    }

    /// Counts an event that was written to the journal.
    pub fn count_journaled(&self) {
        self.journal_events.set(self.journal_events.get() + 1);
    }

    /// Sets the number of all events in the journal, after some were removed.
    pub fn recount_journaled(&self, events: u64) {
        self.journal_events.set(events as i64 - self.past_events.get());
    }

    /// Lets front ends attach at a socket in the folder, whose lock the run holds. `past_events` is
    /// the number of events that its journal has already; `None` if this process writes none.
    ///
    /// # Errors
    /// If there can be no socket; the run continues without one.
    pub fn open_session(&self, folder: &Path, past_events: Option<u64>) -> std::io::Result<()> {
        self.past_events.set(past_events.unwrap_or(0) as i64);
        // Before the first front end: the hub tells it how many events of the journal are its own.
        let _ = self.hub.send(Incoming::Opened { folder: folder.to_path_buf(), past_events });
        listener::start(folder, self.hub.clone())
    }
}

/// The handle of the run's own process.
#[derive(Clone)]
pub struct HubHandle(pub(super) Sender<Incoming>);

impl HubHandle {
    /// Gives up the keys: the dashboard of this process is gone.
    pub fn release_keys(&self) {
        let _ = self.0.send(Incoming::LocalReleasesKeys);
    }

    /// Ends the session when the front end of this process has disconnected and the run has ended.
    /// Otherwise it ends when the last front end has left.
    pub fn close(&self) {
        let _ = self.0.send(Incoming::Close);
    }
}
