//! A recorded run that is opened whole: a thread that reports its events at once, follows the
//! journal while another process trains the run, and answers questions with the saved model.

mod saved_model;

use super::Worker;
use crate::core::predict::Prediction;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::TrainEvent;
use crate::core::train::event::{Setting, Warned};
use crate::core::train::log_history::StepLogger;
use crate::run::append_file::is_same;
use crate::run::journal::JOURNAL;
use crate::run::protocol::{Activity, Answer, Command, RunChannels, RunReport};
use crate::run::recorder::FolderLock;
use crate::run::recording::{Recording, RecordingFollower};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use saved_model::SavedModel;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The most reports that are buffered for the front end, so that a long run is not held in memory.
const BUFFERED_REPORTS: usize = 1000;

/// How often the journal of a running run is read.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(500);

/// Opens the run in a folder.
///
/// # Errors
/// If its journal cannot be read, or the thread cannot be started.
pub fn start(folder: &Path) -> anyhow::Result<Worker> {
    let recording = Recording::open(folder)?;
    let (report_sender, reports) = bounded(BUFFERED_REPORTS);
    let (commands, command_receiver) = unbounded();
    let mut viewer = Viewer {
        folder: folder.to_path_buf(),
        reports: report_sender,
        commands: command_receiver,
        logger: StepLogger::default(),
        settings: Vec::new(),
        has_ended: false,
        has_saved: false,
        model: None,
    };
    let thread = std::thread::Builder::new()
        .name("opened run".to_owned())
        // candle traverses its graph recursively, which needs a large stack.
        .stack_size(64 << 20)
        .spawn(move || {
            // The thread ends when the front end disconnects.
            let _ = viewer.view(&recording);
        })?;
    Ok(Worker { channels: RunChannels { reports, commands }, thread })
}

/// The front end has disconnected.
struct Disconnected;

struct Viewer {
    folder: PathBuf,
    reports: Sender<RunReport>,
    commands: Receiver<Command>,
    logger: StepLogger,
    /// The settings of the run.
    settings: Vec<Setting>,
    /// Whether the run's end was reported.
    has_ended: bool,
    /// Whether the run has saved its model. Otherwise a model in the folder is that of an earlier
    /// run.
    has_saved: bool,
    /// The saved model, once it is loaded, or why it cannot be.
    model: Option<Result<SavedModel, String>>,
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
        self.follow(recording.follow())?;
        self.report(RunReport::Activity(Activity::Idle))?;
        while let Ok(command) = self.commands.recv() {
            if let Command::Predict { text } = command {
                let outcome = self.answer(&text);
                self.report(RunReport::Answer(Answer { text, outcome }))?;
            }
        }
        Err(Disconnected)
    }

    /// Reports what is added to the journal, until the run has ended or no process trains it.
    fn follow(&mut self, mut follower: RecordingFollower) -> Result<(), Disconnected> {
        let file = self.folder.join(JOURNAL);
        let opened = std::fs::metadata(&file).ok();
        while !self.has_ended {
            // Before reading, so that nothing that the process wrote before its end is missed.
            let is_running = FolderLock::of(&self.folder).is_held();
            if let (Some(opened), Ok(now)) = (&opened, std::fs::metadata(&file))
                && !is_same(opened, &now)
            {
                return self.warn(
                    "the journal was replaced, because the run was resumed or another one began \
                     in its folder. Close this view and open the run again",
                );
            }
            let mut added = Vec::new();
            let read = follower.read(|event| added.push(event.clone()));
            for event in added {
                self.push(event)?;
            }
            if let Err(error) = read {
                return self.warn(&error.to_string());
            }
            if !is_running {
                break;
            }
            self.wait(Instant::now() + FOLLOW_INTERVAL)?;
        }
        Ok(())
    }

    /// Answers commands until a time.
    fn wait(&mut self, until: Instant) -> Result<(), Disconnected> {
        loop {
            match self.commands.recv_deadline(until) {
                Ok(Command::Predict { text }) => {
                    let reason = "the run is training: ask in the window where it was started, or \
                                  here after its end";
                    let outcome = Err(reason.to_owned());
                    self.report(RunReport::Answer(Answer { text, outcome }))?;
                }
                // The other commands are for the process that trains the run.
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(Disconnected),
            }
        }
    }

    /// Reports an event, and the log entry that it completes.
    fn push(&mut self, event: TrainEvent) -> Result<(), Disconnected> {
        let is_start = matches!(event, TrainEvent::Started(_));
        if let TrainEvent::Started(started) = &event {
            self.settings.clone_from(&started.settings);
        }
        self.has_ended |= matches!(event, TrainEvent::Finished(_) | TrainEvent::Failed(_));
        self.has_saved |= matches!(event, TrainEvent::Saved(_));
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

    /// Classifies a text with the saved model, which is loaded for the first question.
    fn answer(&mut self, text: &str) -> Result<Prediction, String> {
        if !self.has_saved {
            return Err("the run has not saved its model".to_owned());
        }
        let (folder, settings) = (&self.folder, &self.settings);
        let model = self.model.get_or_insert_with(|| {
            let loaded = SavedModel::load(folder, settings);
            loaded.map_err(|error| sanitize_for_terminal(&format!("{error:#}")).into_owned())
        });
        match model {
            Ok(model) => model
                .classify(text)
                .map_err(|error| sanitize_for_terminal(&error.to_string()).into_owned()),
            Err(reason) => Err(reason.clone()),
        }
    }

    fn report(&self, report: RunReport) -> Result<(), Disconnected> {
        self.reports.send(report).map_err(|_| Disconnected)
    }
}

#[cfg(test)]
#[path = "opened_run_tests.rs"]
mod tests;
