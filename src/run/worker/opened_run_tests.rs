//! Runs that are opened after their end.

use super::*;
use crate::core::predict::Prediction;
use crate::core::train::fixtures::{ending, run};
use crate::run::journal::{JOURNAL, Journal};
use std::time::Duration;

/// The most time until the next report.
const PATIENCE: Duration = Duration::from_mins(1);

fn next(worker: &Worker) -> RunReport {
    worker.channels.reports.recv_timeout(PATIENCE).expect("a report")
}

/// The events up to an activity, without log entries.
fn until(worker: &Worker, activity: &Activity) -> Vec<TrainEvent> {
    let mut events = Vec::new();
    loop {
        match next(worker) {
            RunReport::Activity(reported) if reported == *activity => return events,
            RunReport::Event(TrainEvent::Logged(_)) => {}
            RunReport::Event(event) => events.push(event),
            _ => {}
        }
    }
}

fn ask(worker: &Worker) -> Result<Prediction, String> {
    let text = "재밌다".to_owned();
    worker.channels.commands.send(Command::Predict { text }).expect("a thread");
    loop {
        if let RunReport::Answer(answer) = next(worker) {
            return answer.outcome;
        }
    }
}

/// The worker of a run with these events.
fn opened(folder: &Path, events: &[TrainEvent]) -> anyhow::Result<Worker> {
    let mut journal = Journal::create(&folder.join(JOURNAL))?;
    for event in events {
        journal.append(event)?;
    }
    start(folder)
}

#[test]
fn a_run_is_reported_whole() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let recorded = [run(630), ending()].concat();
    let worker = opened(folder.path(), &recorded)?;
    assert_eq!(until(&worker, &Activity::Training).len(), 1, "the start");
    assert!(until(&worker, &Activity::Idle) == recorded[1..]);
    // Its model was removed since.
    assert!(ask(&worker).is_err_and(|reason| reason.contains("no longer in the folder")));
    worker.join();
    Ok(())
}

#[test]
fn a_run_that_has_not_saved_a_model_does_not_answer_with_that_of_an_earlier_one()
-> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for name in ["config.json", "model.safetensors"] {
        std::fs::write(folder.path().join(name), "{}")?;
    }
    let worker = opened(folder.path(), &run(200))?;
    assert_eq!(until(&worker, &Activity::Idle).len(), run(200).len());
    assert_eq!(ask(&worker), Err("the run has not saved its model".to_owned()));
    worker.join();
    Ok(())
}

#[test]
fn a_folder_without_a_run_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(start(folder.path()).is_err());
}
