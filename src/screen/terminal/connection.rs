//! The channels that connect the dashboard to a run, a replay or the run index.

use crate::run::protocol::{Answer, Command, RunChannels, RunReport};
use crate::run::run_index::{RunEdit, RunIndexChannels, RunIndexCommand, RunIndexReport};
use crate::screen::app::Message;
use crossbeam_channel::{Receiver, SendError};
use std::path::PathBuf;

/// The channels between the dashboard and a run, a replay or the run index.
pub trait Connection {
    /// The type of the reports.
    type Report: Into<Message>;

    /// The channel that the reports are received from.
    fn reports(&self) -> &Receiver<Self::Report>;

    /// Sends a command to the run. If the thread of the run has ended, returns the message of a
    /// failed answer for a command that expects an answer.
    fn send(&self, command: Command) -> Option<Message>;

    /// Requests the curves of the run in a folder from the run index.
    fn read_curves(&self, folder: PathBuf);

    /// Requests a change of a run from the run index.
    fn edit_run(&self, edit: RunEdit);
}

impl Connection for RunChannels {
    type Report = RunReport;

    fn reports(&self) -> &Receiver<RunReport> {
        &self.reports
    }

    fn send(&self, command: Command) -> Option<Message> {
        match self.commands.send(command) {
            Err(SendError(Command::Predict { text })) => {
                let outcome = Err("the training thread has ended".to_owned());
                Some(Message::Report(RunReport::Answer(Answer { text, outcome, step: None })))
            }
            _ => None,
        }
    }

    fn read_curves(&self, _: PathBuf) {}

    fn edit_run(&self, _: RunEdit) {}
}

impl Connection for RunIndexChannels {
    type Report = RunIndexReport;

    fn reports(&self) -> &Receiver<RunIndexReport> {
        &self.reports
    }

    fn send(&self, _: Command) -> Option<Message> {
        None
    }

    fn read_curves(&self, folder: PathBuf) {
        // If the thread of the index has ended, no curves are shown.
        let _ = self.commands.send(RunIndexCommand::ReadCurves(folder));
    }

    fn edit_run(&self, edit: RunEdit) {
        // As above: the run then stays as it is.
        let _ = self.commands.send(RunIndexCommand::Edit(edit));
    }
}
