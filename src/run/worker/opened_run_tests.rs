//! Runs that are opened while they train and after their end.

use super::*;
use crate::core::train::fixtures::{ending, run, started, step};
use crate::run::journal::Journal;
use crate::run::lock_output_dir;

/// The most time until the next report.
const PATIENCE: Duration = Duration::from_mins(1);

fn next(worker: &Worker) -> RunReport {
    worker.channels.reports.recv_timeout(PATIENCE).expect("a report")
}

/// The events up to the end of an activity, without log entries.
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

/// The next events that are not log entries.
fn events(worker: &Worker, count: usize) -> Vec<TrainEvent> {
    let mut events = Vec::new();
    while events.len() < count {
        if let RunReport::Event(event) = next(worker)
            && !matches!(event, TrainEvent::Logged(_))
        {
            events.push(event);
        }
    }
    events
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

#[test]
fn a_finished_run_is_reported_whole() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let recorded = [run(630), ending()].concat();
    let mut journal = Journal::create(&folder.path().join(JOURNAL))?;
    for event in &recorded {
        journal.append(event)?;
    }
    let worker = start(folder.path())?;
    assert!(until(&worker, &Activity::Training).len() == 1, "the start");
    assert!(until(&worker, &Activity::Idle) == recorded[1..]);
    // Its model was removed since.
    assert!(ask(&worker).is_err_and(|reason| reason.contains("no config.json")));
    worker.join();
    Ok(())
}

#[test]
fn a_running_run_is_followed_to_its_end() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(JOURNAL);
    let lock = lock_output_dir(folder.path())?;
    let mut journal = Journal::create(&file)?;
    journal.append(&TrainEvent::Started(started()))?;
    let worker = start(folder.path())?;
    assert_eq!(until(&worker, &Activity::Training).len(), 1);
    assert!(ask(&worker).is_err_and(|reason| reason.starts_with("the run is training")));
    let added = [1, 2].map(|at| TrainEvent::Step(step(at, 0.7, at as f64)));
    for event in &added {
        journal.append(event)?;
        assert_eq!(events(&worker, 1), std::slice::from_ref(event));
    }
    // It is killed.
    drop(lock);
    assert_eq!(until(&worker, &Activity::Idle), []);
    assert_eq!(ask(&worker), Err("the run has not saved its model".to_owned()));
    worker.join();
    Ok(())
}

#[test]
fn following_ends_where_the_journal_is_replaced() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(JOURNAL);
    let _lock = lock_output_dir(folder.path())?;
    let mut journal = Journal::create(&file)?;
    journal.append(&TrainEvent::Started(started()))?;
    let worker = start(folder.path())?;
    until(&worker, &Activity::Training);
    drop(journal);
    let mut resumed = Journal::create(&file)?;
    resumed.append(&TrainEvent::Started(started()))?;
    let last = until(&worker, &Activity::Idle);
    let [TrainEvent::Warned(warned)] = &last[..] else { panic!("{last:?}") };
    assert!(warned.message.starts_with("the journal was replaced"), "{}", warned.message);
    worker.join();
    Ok(())
}

#[test]
fn a_folder_without_a_run_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(start(folder.path()).is_err());
}
