//! Reads and writes files of the run on a separate thread, so that the screen does not wait for them.

use super::input::ExternalEvent;
use crate::run::predictions::{Predictions, corrections};
use crate::screen::app::Message;
use crate::screen::app::mistakes::{FileReport, FileTask, LoadedPredictions};
use crossbeam_channel::Sender;
use std::sync::Arc;

/// Starts a task, and sends what came of it.
pub(super) fn start(task: FileTask, sender: Sender<ExternalEvent>) {
    let failed = sender.clone();
    let is_reading = matches!(task, FileTask::Read { .. });
    let work = move || {
        // The dashboard may have been closed.
        let _ = sender.send(done(carry_out(task)));
    };
    if let Err(error) = std::thread::Builder::new().name("run files".to_owned()).spawn(work) {
        let reason = format!("no thread could be started: {error}");
        let report = if is_reading {
            FileReport::Predictions(Err(reason))
        } else {
            FileReport::Corrections(Err(reason))
        };
        // The dashboard is still open, or nobody waits for the outcome.
        let _ = failed.send(done(report));
    }
}

fn done(report: FileReport) -> ExternalEvent {
    ExternalEvent::Done(Box::new(Message::Files(report)))
}

fn carry_out(task: FileTask) -> FileReport {
    match task {
        FileTask::Read { folder, labels } => {
            let found = Predictions::read(&folder);
            FileReport::Predictions(found.map(|found| {
                found.map(|predictions| LoadedPredictions {
                    corrections: corrections::read(&folder, &predictions, &labels),
                    predictions: Arc::new(predictions),
                })
            }))
        }
        FileTask::WriteCorrections { folder, labels, predictions, changes } => {
            FileReport::Corrections(corrections::write(&folder, &predictions, &labels, &changes))
        }
    }
}
