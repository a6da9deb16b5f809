//! A recorded run that is opened whole: a thread that reports its events at once and answers
//! questions with the saved model.

use super::Worker;
use super::saved_answers::{STACK_SIZE, SavedAnswers};
use crate::core::text::sanitize_for_terminal;
use crate::core::train::TrainEvent;
use crate::core::train::event::Warned;
use crate::core::train::log_history::StepLogger;
use crate::run::protocol::{Activity, Command, RunChannels, RunReport};
use crate::run::recording::Recording;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::path::Path;

/// The most reports that are buffered for the front end, so that a long run is not held in memory.
const BUFFERED_REPORTS: usize = 1000;

/// Opens the run in a folder.
///
/// # Errors
/// If its journal cannot be read, or the thread cannot be started.
pub fn start(folder: &Path) -> anyhow::Result<Worker> {
    let recording = Recording::open(folder)?;
    let (report_sender, reports) = bounded(BUFFERED_REPORTS);
    let (commands, command_receiver) = unbounded();
    let mut viewer = Viewer {
        reports: report_sender,
        commands: command_receiver,
        logger: StepLogger::default(),
        answers: SavedAnswers::new(Some(folder.to_path_buf())),
    };
    let thread = std::thread::Builder::new()
        .name("opened run".to_owned())
        .stack_size(STACK_SIZE)
        .spawn(move || {
        // The thread ends when the front end disconnects.
        let _ = viewer.view(&recording);
    })?;
    Ok(Worker { channels: RunChannels { reports, commands }, thread, hub: None })
}

/// The front end has disconnected.
struct Disconnected;

struct Viewer {
    reports: Sender<RunReport>,
    commands: Receiver<Command>,
    logger: StepLogger,
    answers: SavedAnswers,
}

impl Viewer {
    /// Reports the run, then answers questions until the front end disconnects.
    fn view(&mut self, recording: &Recording) -> Result<(), Disconnected> {
        match recording.events() {
            Ok(events) => {
                for event in events {
                    match event {
                        Ok(event) => self.push(event)?,
                        Err(error) => self.warn(&error.to_string())?,
                    }
                }
            }
            Err(error) => self.warn(&error.to_string())?,
        }
        self.report(RunReport::Activity(Activity::Idle))?;
        while let Ok(command) = self.commands.recv() {
            let commands = self.commands.clone();
            if let Some(report) = self.answers.report(command, &mut || commands.is_empty()) {
                self.report(report)?;
            }
        }
        Err(Disconnected)
    }

    /// Reports an event, and the log entry that it completes.
    fn push(&mut self, event: TrainEvent) -> Result<(), Disconnected> {
        let is_start = matches!(event, TrainEvent::Started(_));
        self.answers.push(&event);
        let logged = self.logger.push(&event);
        self.report(RunReport::Event(event))?;
        if let Some(logged) = logged {
            self.report(RunReport::Event(TrainEvent::Logged(logged)))?;
        }
        if is_start {
            self.report(RunReport::Activity(Activity::Training))?;
        }
        Ok(())
    }

    fn warn(&self, message: &str) -> Result<(), Disconnected> {
        let message = sanitize_for_terminal(message).into_owned();
        self.report(RunReport::Event(TrainEvent::Warned(Warned { message, step: 0 })))
    }

    fn report(&self, report: RunReport) -> Result<(), Disconnected> {
        self.reports.send(report).map_err(|_| Disconnected)
    }
}

#[cfg(test)]
#[path = "opened_run_tests.rs"]
mod tests;
