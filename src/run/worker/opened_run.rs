//! A recorded run that is opened whole: a thread that reports its events at once and answers
//! questions with the saved model.

mod saved_model;

use super::Worker;
use crate::core::predict::Prediction;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::TrainEvent;
use crate::core::train::event::{Setting, Warned};
use crate::core::train::log_history::StepLogger;
use crate::run::protocol::{Activity, Answer, Command, Explanation, RunChannels, RunReport};
use crate::run::recording::Recording;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use saved_model::SavedModel;
use std::path::{Path, PathBuf};

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
        folder: folder.to_path_buf(),
        reports: report_sender,
        commands: command_receiver,
        logger: StepLogger::default(),
        settings: Vec::new(),
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
    Ok(Worker { channels: RunChannels { reports, commands }, thread, hub: None })
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
        self.report(RunReport::Activity(Activity::Idle))?;
        while let Ok(command) = self.commands.recv() {
            match command {
                Command::Predict { text } => {
                    let outcome = self.answer(&text);
                    self.report(RunReport::Answer(Answer { text, outcome }))?;
                }
                Command::Explain { text } => {
                    let commands = self.commands.clone();
                    let continues = &mut || commands.is_empty();
                    let outcome = self.model().and_then(|model| model.explain(&text, continues));
                    self.report(RunReport::Explained(Explanation::new(text, outcome)))?;
                }
                _ => {}
            }
        }
        Err(Disconnected)
    }

    /// Reports an event, and the log entry that it completes.
    fn push(&mut self, event: TrainEvent) -> Result<(), Disconnected> {
        let is_start = matches!(event, TrainEvent::Started(_));
        if let TrainEvent::Started(started) = &event {
            self.settings.clone_from(&started.settings);
        }
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

    /// Classifies a text with the saved model.
    fn answer(&mut self, text: &str) -> Result<Prediction, String> {
        let answer = self.model()?.classify(text);
        answer.map_err(|error| sanitize_for_terminal(&error.to_string()).into_owned())
    }

    /// The saved model, which is loaded for the first question.
    fn model(&mut self) -> Result<&mut SavedModel, String> {
        if !self.has_saved {
            return Err("the run has not saved its model".to_owned());
        }
        let (folder, settings) = (&self.folder, &self.settings);
        if self.model.is_none() && !folder.join("config.json").exists() {
            let why = "the saved model is no longer in the folder of the run";
            return Err(why.to_owned());
        }
        let model = self.model.get_or_insert_with(|| {
            let loaded = SavedModel::load(folder, settings);
            loaded.map_err(|error| sanitize_for_terminal(&format!("{error:#}")).into_owned())
        });
        model.as_mut().map_err(|reason| reason.clone())
    }

    fn report(&self, report: RunReport) -> Result<(), Disconnected> {
        self.reports.send(report).map_err(|_| Disconnected)
    }
}

#[cfg(test)]
#[path = "opened_run_tests.rs"]
mod tests;
