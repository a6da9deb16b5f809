//! What the dashboard is connected to: a run or its replay, or the index of runs.

use crate::run::protocol::{Answer, Command, RunChannels, RunReport};
use crate::run::worker::run_index::{RunIndexChannels, RunIndexCommand, RunIndexReport};
use crate::screen::app::Message;
use crossbeam_channel::{Receiver, SendError};
use std::path::PathBuf;

/// The two channels to what the dashboard shows.
pub trait Connection {
    /// What is reported.
    type Report: Into<Message>;

    /// The reports.
    fn reports(&self) -> &Receiver<Self::Report>;

    /// Sends a command to the run. If its thread has ended, there may be a message instead of its
    /// answer.
    fn send(&self, command: Command) -> Option<Message>;

    /// Asks the index for the curves of the run in a folder.
    fn read_curves(&self, folder: PathBuf);
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
                Some(Message::Report(RunReport::Answer(Answer { text, outcome })))
            }
            _ => None,
        }
    }

    fn read_curves(&self, _: PathBuf) {}
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
        // Without its thread there are no curves.
        let _ = self.commands.send(RunIndexCommand::ReadCurves(folder));
    }
}
