//! Writes a run's events to its folder and sends them to the front end.

use super::load::LoadMeter;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::Checkpoint;
use crate::core::train::event::{Failed, TrainEvent, Warned};
use crate::run::Recorder;
use crate::run::notify::Notifier;
use crate::run::protocol::{Activity, Command, RunReport};
use crate::run::session::WorkerReports;
use crossbeam_channel::Receiver;
use std::path::Path;

/// Called once when the run is recorded and front ends can attach.
pub type OnRecording = Box<dyn FnOnce(&Path) + Send>;

/// The worker thread's ends of the two channels. A run continues after the front end disconnects.
pub(super) struct WorkerChannels {
    pub reports: WorkerReports,
    pub commands: Receiver<Command>,
}

impl WorkerChannels {
    pub fn send(&self, report: RunReport) {
        self.reports.send(report);
    }

    pub fn preparing(&self, description: &str) {
        self.send(RunReport::Activity(Activity::Preparing(description.to_owned())));
    }

    /// Reports a failure that is not written to the journal.
    pub fn fail(&self, message: &str, step: u64) {
        let message = sanitize_for_terminal(message).into_owned();
        self.send(RunReport::Event(TrainEvent::Failed(Failed { message, hint: None, step })));
    }

    /// Reports a problem that is not written to the journal.
    pub fn warn(&self, message: &str) {
        let message = sanitize_for_terminal(message).into_owned();
        self.send(RunReport::Event(TrainEvent::Warned(Warned { message, step: 0 })));
    }
}

/// Records events in the run's folder and sends them to the front end.
pub(super) struct Reporter<'a> {
    pub channels: &'a WorkerChannels,
    pub recorder: Recorder,
    pub notifier: &'a mut Notifier,
    /// Measures the load of the computer for the journal.
    pub load: LoadMeter,
    /// The temperature of the last evaluation, which calibrates answers.
    pub temperature: Option<f64>,
}

impl Reporter<'_> {
    pub fn publish(&mut self, event: TrainEvent) {
        self.note_temperature(&event);
        self.recorder.record(&event);
        let notification = self.notifier.observe(&event);
        if event.is_journaled() {
            self.channels.reports.count_journaled();
        }
        self.channels.send(RunReport::Event(event));
        self.notifier.send(notification);
        for message in self.recorder.take_problems() {
            self.warn(&message);
        }
    }

    /// Notes the temperature of an evaluation.
    pub fn note_temperature(&mut self, event: &TrainEvent) {
        if let TrainEvent::Evaluated(evaluated) | TrainEvent::BestLoaded(evaluated) = event {
            self.temperature = evaluated.metrics.eval_temperature;
        }
    }

    /// Removes what was recorded after a checkpoint, from which the run continues after step `failed`.
    pub fn roll_back(&mut self, checkpoint: &Checkpoint, failed: u64) {
        let events = self.recorder.roll_back(checkpoint, failed);
        self.channels.reports.recount_journaled(events);
        for message in self.recorder.take_problems() {
            self.warn(&message);
        }
    }

    /// Reports a problem that is not written to the journal.
    pub fn warn(&self, message: &str) {
        self.channels.warn(message);
    }
}
