//! Tests with folders of finished, dead, failed and damaged runs.

use super::*;
use crate::core::train::TrainEvent;
use crate::core::train::fixtures::{ending, failure, run, started};
use crate::run::journal::{JOURNAL, Journal};
use crate::run::lock_output_dir;
use crate::run::recorder::LOCK_FILE;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

fn write(folder: &Path, events: &[TrainEvent]) {
    fs::create_dir_all(folder).expect("a folder");
    let mut journal = Journal::create(&folder.join(JOURNAL)).expect("a journal");
    for event in events {
        journal.append(event).expect("a line");
    }
}

fn with_setting(mut events: Vec<TrainEvent>, name: &str, value: &str) -> Vec<TrainEvent> {
    if let Some(TrainEvent::Started(started)) = events.first_mut() {
        for setting in &mut started.settings {
            if setting.name == name {
                value.clone_into(&mut setting.value);
            }
        }
    }
    events
}

/// Writes the journal of a finished run into a folder.
pub fn write_run(folder: &Path) {
    write(folder, &[run(630), ending()].concat());
}

/// The entry of a finished run.
pub fn entry(name: &str) -> RunEntry {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join(name), &[run(630), ending()].concat());
    read_entry(folder.path(), &folder.path().join(name)).expect("a journal")
}

fn summary(root: &Path, name: &str) -> RunSummary {
    let entry = read_entry(root, &root.join(name)).expect("a journal");
    entry.summary.expect("a run")
}

#[test]
fn every_status_of_a_run_is_recognized() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    write(&root.join("done"), &[run(630), ending()].concat());
    write(&root.join("a/b/cut"), &run(200));
    write(&root.join("broken"), &[run(100), vec![failure()]].concat());
    write(&root.join("here"), &run(70));
    write(&root.join("done/checkpoint-50"), &run(1));
    write(&root.join(".hidden"), &run(1));
    fs::create_dir_all(root.join("torn")).expect("a folder");
    fs::write(root.join("torn").join(JOURNAL), "{\"event\":\"sta").expect("a file");
    let claimed = lock_output_dir(&root.join("here")).expect("a lock");

    let found = find_runs(root).expect("readable");
    let names: Vec<_> =
        found.iter().map(|folder| folder.strip_prefix(root).expect("below")).collect();
    let expected = ["a/b/cut", "broken", "done", "here", "torn"].map(Path::new);
    assert_eq!(names, expected);

    let done = summary(root, "done");
    assert_eq!((done.status, done.step, done.max_steps), (RunStatus::Finished, 630, 630));
    let best = done.best.expect("evaluations");
    assert_eq!((best.step, done.train_samples), (630, 2000));
    assert!((best.eval_accuracy - 0.759).abs() < 1e-3 && done.seconds > 98.0);
    assert_eq!(done.setting("seed"), Some("7"));
    let cut = summary(root, "a/b/cut");
    assert_eq!((cut.status, cut.step, cut.name.as_str()), (RunStatus::Dead, 200, "a/b/cut"));
    let broken = summary(root, "broken");
    assert_eq!(broken.status, RunStatus::Failed);
    assert_eq!(broken.failure.as_deref(), Some("the loss is NaN at step 101"));
    let here = summary(root, "here");
    assert_eq!((here.status, here.pid), (RunStatus::Running, Some(std::process::id())));
    drop(claimed);
    let here = summary(root, "here");
    assert_eq!((here.status, here.pid), (RunStatus::Dead, None));
    // The dashboard of a run that has ended still holds its lock.
    let shown = lock_output_dir(&root.join("done")).expect("a lock");
    let done = read_entry(root, &root.join("done")).expect("a journal");
    assert!(done.is_in_use());
    let done = done.summary.expect("a run");
    assert_eq!((done.status, done.pid), (RunStatus::Finished, None));
    drop(shown);
    let torn = read_entry(root, &root.join("torn")).expect("a journal");
    assert!(torn.summary.is_err_and(|torn| torn.reason.contains("no event")));
    assert!(read_entry(root, &root.join("nowhere")).is_none());
    assert!(find_runs(&root.join("nowhere")).is_err());
}

#[test]
fn reading_a_fingerprint_does_not_block_a_run() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &run(3));
    drop(lock_output_dir(folder.path()).expect("a lock"));
    let lock = File::open(folder.path().join(LOCK_FILE)).expect("a lock");
    lock.try_lock_shared().expect("a free lock");
    let waiting = std::thread::spawn({
        let folder = folder.path().to_path_buf();
        move || lock_output_dir(&folder).map(drop)
    });
    std::thread::sleep(LOCKED_FOR);
    drop(lock);
    waiting.join().expect("no panic").expect("locking was tried again");
}

const LOCKED_FOR: Duration = Duration::from_millis(30);

#[test]
fn a_journal_that_grows_has_another_fingerprint() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &run(3));
    let before = JournalFingerprint::of(folder.path()).expect("a journal");
    assert_eq!(JournalFingerprint::of(folder.path()), Some(before));
    write(folder.path(), &run(4));
    assert_ne!(JournalFingerprint::of(folder.path()), Some(before));
}

#[test]
fn curves_are_read_from_the_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &run(200));
    let history = read_history(folder.path()).expect("curves");
    assert_eq!((history.loss.len(), history.eval_accuracy.len()), (200, 3));
    assert_eq!((history.last_step(), history.steps_per_epoch), (200.0, 63));
    assert!(read_history(&folder.path().join("nowhere")).is_err_and(|why| why.contains("no such")));
}

#[test]
fn only_settings_that_differ_are_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    write(&root.join("a"), &run(3));
    write(&root.join("b"), &with_setting(run(3), "learning_rate", "5e-5"));
    let mut less = run(3);
    if let Some(TrainEvent::Started(started)) = less.first_mut() {
        started.settings.retain(|setting| setting.name != "seed");
    }
    write(&root.join("c"), &less);
    let runs = ["a", "b", "c"].map(|name| summary(root, name));
    let [a, b, c] = &runs;
    let owned = |values: &[Option<&str>]| -> Vec<Option<String>> {
        values.iter().map(|value| value.map(str::to_owned)).collect()
    };
    assert_eq!(
        differing_settings(&[a, b, c]),
        [
            ("learning_rate".to_owned(), owned(&[Some("3e-4"), Some("5e-5"), Some("3e-4")])),
            ("seed".to_owned(), owned(&[Some("7"), Some("7"), None])),
        ]
    );
    assert_eq!(differing_settings(&[a, a]), []);
    assert_eq!(differing_settings(&[]), []);
    assert_eq!(started().settings.len(), a.settings.len());
}

#[test]
fn a_summary_is_json() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &run(63));
    let entry = read_entry(folder.path(), folder.path()).expect("a journal");
    let json = crate::core::text::to_json(&entry.summary.expect("a run")).expect("json");
    assert!(json.contains(r#""status":"dead","model":"embedded small Korean BERT","step":63"#));
}

#[test]
fn only_what_was_added_to_a_journal_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(JOURNAL);
    write(folder.path(), &run(70));
    let mut reader = RunReader::new(folder.path(), folder.path());
    assert!(reader.has_changed());
    let step = |reader: &mut RunReader| {
        let summary = reader.read().expect("a journal").summary;
        summary.map(|run| (run.step, run.status)).map_err(|why| why.reason)
    };
    assert_eq!(step(&mut reader), Ok((70, RunStatus::Dead)));
    assert!(!reader.has_changed());
    // The first line is overwritten in place: it is not read again when the journal grows.
    let whole = [run(80), ending()].concat();
    let line = |event| crate::core::text::to_json(event).expect("json") + "\n";
    let text: String = whole.iter().map(line).collect();
    let marked = text.replacen("\"event\":\"started\"", "\"event\":\"unknown\"", 1);
    fs::write(&file, &marked).expect("a file");
    assert!(reader.has_changed());
    assert_eq!(step(&mut reader), Ok((80, RunStatus::Finished)));
    let entry = read_entry(folder.path(), folder.path()).expect("a journal");
    assert!(entry.summary.is_err());
    // A journal that is replaced or shorter is read from its start.
    write(folder.path(), &run(3));
    assert_eq!(step(&mut reader), Ok((3, RunStatus::Dead)));
    fs::write(&file, &text[..text.len() / 2]).expect("a file");
    assert!(step(&mut reader).is_ok_and(|(step, _)| (20..60).contains(&step)));
    let short: String = text.split_inclusive('\n').take(11).collect();
    fs::write(&file, short).expect("a file");
    assert_eq!(step(&mut reader), Ok((10, RunStatus::Dead)));
}

#[test]
fn runs_are_sorted_beyond_the_limits_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    for name in ["b", "a/deep", "a", "d", "c"] {
        write(&root.join(name), &run(1));
    }
    let find = |folders, runs| scan::find_runs_up_to(root, folders, runs).expect("readable");
    let all: Vec<_> = ["a", "a/deep", "b", "c", "d"].map(|name| root.join(name)).into();
    assert_eq!(find(100, 100), all);
    // The nearest ones in the order of their names, and sorted by their paths.
    assert_eq!(find(100, 4), ["a", "b", "c", "d"].map(|name| root.join(name)));
    assert_eq!(find(3, 100), ["a", "b"].map(|name| root.join(name)));
}
