//! Tests of faults during a run.

use super::*;
use crate::core::train::event::{Logged, Saved, training_entry};
use crate::core::train::fixtures::{ending, run, step};
use crate::run::recording::Recording;
use crate::run::tensorboard::tests::events_in;
use std::fs;
use std::time::Instant;

fn events(output_dir: &Path) -> Vec<TrainEvent> {
    let recording = Recording::open(output_dir).expect("a journal");
    recording.events().expect("events").collect::<std::result::Result<_, _>>().expect("events")
}

/// Writes with a pause after it, after which another attempt is due.
fn record(recorder: &mut Recorder, events: &[TrainEvent]) {
    for event in events {
        recorder.record(event);
    }
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn recording_begins_when_the_files_can_be_created() -> Result<()> {
    let root = tempfile::tempdir()?;
    let (output_dir, logging_dir) = (root.path().join("outputs"), root.path().join("logs"));
    fs::create_dir_all(output_dir.join(JOURNAL).join("blocks"))?;
    fs::create_dir_all(output_dir.join(run_toml::NAME).join("blocks"))?;
    fs::write(&logging_dir, "blocks")?;
    let (mut recorder, history) = Recorder::begin(&output_dir, Some(&logging_dir), None);
    recorder.arguments(&output_dir, "seed = 1\n");
    assert!(history.is_empty());
    let reported = recorder.take_problems();
    assert_eq!(reported.len(), 3, "{reported:?}");
    for (message, name) in reported.iter().zip(["events.jsonl: ", "logs: ", "run.toml: "]) {
        assert!(message.contains(name), "{message}");
    }
    assert!(
        reported[0].contains("the run continues") && reported[0].contains("16 MiB"),
        "{reported:?}"
    );
    let whole = [run(70), ending()].concat();
    record(&mut recorder, &whole[..40]);
    let entry = training_entry(&step(50, 0.5, 6.25), f64::INFINITY);
    record(&mut recorder, &[TrainEvent::Logged(Logged { elapsed: 6.25, entry })]);
    assert_eq!(recorder.take_problems(), [""; 0], "a fault is reported once");

    // The figures have the events that are only in memory.
    assert_eq!(recorder.figures().expect("figures").len(), 2);

    fs::remove_dir_all(output_dir.join(JOURNAL))?;
    fs::remove_dir_all(output_dir.join(run_toml::NAME))?;
    fs::remove_file(&logging_dir)?;
    record(&mut recorder, &whole[40..]);
    let reported = recorder.take_problems();
    assert_eq!(reported.len(), 3, "{reported:?}");
    assert!(
        reported.iter().all(|reported| reported.contains("written again; nothing is missing")),
        "{reported:?}"
    );
    assert_eq!(events(&output_dir), whole);
    assert_eq!(fs::read_to_string(output_dir.join(run_toml::NAME))?, "seed = 1\n");
    let tags: Vec<(String, Option<f32>)> = events_in(&logging_dir);
    assert_eq!(tags[0], ("args/text_summary".to_owned(), None));
    let loss = tags.iter().find(|(tag, _)| tag == "train/loss").and_then(|(_, value)| *value);
    assert!(loss.is_some_and(f32::is_nan), "{tags:?}");
    Ok(())
}

#[test]
fn writes_that_fail_are_made_up_for() -> Result<()> {
    let root = tempfile::tempdir()?;
    let whole = [run(70), ending()].concat();
    let (mut recorder, _) = Recorder::begin(root.path(), None, None);
    record(&mut recorder, &whole[..10]);
    let read_only = File::open(root.path().join(JOURNAL))?;
    let journal = recorder.journal.as_mut().expect("a journal");
    let good = journal.file().exchange_handle(read_only).expect("an open file");
    record(&mut recorder, &whole[10..30]);
    assert_eq!(recorder.take_problems().len(), 1);
    let journal = recorder.journal.as_mut().expect("a journal");
    journal.file().exchange_handle(good);
    record(&mut recorder, &whole[30..]);
    let reported = recorder.take_problems();
    assert!(reported.len() == 1 && reported[0].contains("nothing is missing"), "{reported:?}");
    assert_eq!(events(root.path()), whole);
    Ok(())
}

#[test]
fn what_a_fault_kept_is_written_when_the_program_ends() -> Result<()> {
    let root = tempfile::tempdir()?;
    let (mut recorder, _) = Recorder::begin(root.path(), None, None);
    record(&mut recorder, &run(5));
    let read_only = File::open(root.path().join(JOURNAL))?;
    let journal = recorder.journal.as_mut().expect("a journal");
    let good = journal.file().exchange_handle(read_only).expect("an open file");
    record(&mut recorder, &run(9)[6..]);
    record(&mut recorder, &ending());
    let reported = recorder.take_problems();
    assert!(
        reported.len() == 1 && reported[0].contains("not written before the end is lost"),
        "{reported:?}"
    );
    // The disk has room again, and the program ends.
    recorder.journal.as_mut().expect("a journal").file().exchange_handle(good);
    drop(recorder);
    assert_eq!(events(root.path()), [run(9), ending()].concat());
    Ok(())
}

#[test]
fn a_removed_folder_is_noticed_and_the_whole_journal_written_again() -> Result<()> {
    let root = tempfile::tempdir()?;
    let output_dir = root.path().join("outputs");
    let logging_dir = output_dir.join("runs/now");
    let (mut recorder, _) = Recorder::begin(&output_dir, Some(&logging_dir), None);
    recorder.arguments(&output_dir, "seed = 1\n");
    let whole = [run(70), ending()].concat();
    record(&mut recorder, &whole[..10]);
    fs::remove_dir_all(&output_dir)?;
    record(&mut recorder, &whole[10..30]);
    let reported = recorder.take_problems();
    assert!(
        reported.len() == 1 && reported[0].contains("outputs: the folder was removed"),
        "{reported:?}"
    );
    let moved = root.path().join("moved");
    fs::rename(&output_dir, &moved)?;
    record(&mut recorder, &whole[30..]);
    let reported = recorder.take_problems();
    assert!(reported.len() == 1 && reported[0].contains("the folder was moved to"), "{reported:?}");
    assert!(
        cfg!(not(target_os = "linux")) || reported[0].contains("/moved during"),
        "{reported:?}"
    );
    assert_eq!(events(&output_dir), whole);
    assert_eq!(events(&moved), whole[..30]);
    assert_eq!(events_in(&logging_dir).len(), 1);
    assert!(output_dir.join(run_toml::NAME).is_file());
    // Another run cannot begin there.
    assert!(lock_output_dir(&output_dir).is_err());
    Ok(())
}

#[test]
fn a_removed_journal_is_written_again_but_not_over_another_file() -> Result<()> {
    let root = tempfile::tempdir()?;
    let file = root.path().join(JOURNAL);
    let (mut recorder, _) = Recorder::begin(root.path(), None, None);
    let whole = run(20);
    record(&mut recorder, &whole[..5]);
    fs::remove_file(&file)?;
    record(&mut recorder, &whole[5..9]);
    assert_eq!(recorder.take_problems().len(), 1);
    assert_eq!(events(root.path()), whole[..9]);
    fs::remove_file(&file)?;
    fs::write(&file, "another\n")?;
    record(&mut recorder, &whole[9..15]);
    let reported = recorder.take_problems();
    assert!(
        reported.len() == 1 && reported[0].contains("another file has taken its place"),
        "{reported:?}"
    );
    assert_eq!(fs::read_to_string(&file)?, "another\n");
    fs::remove_file(&file)?;
    record(&mut recorder, &whole[15..]);
    assert_eq!(recorder.take_problems().len(), 2);
    assert_eq!(events(root.path()), whole);
    Ok(())
}

#[test]
fn a_checkpoint_is_on_disk() -> Result<()> {
    // What `sync` does cannot be observed; that it does not fail on usual files can.
    let root = tempfile::tempdir()?;
    let (mut recorder, _) = Recorder::begin(root.path(), Some(&root.path().join("logs")), None);
    record(&mut recorder, &run(3));
    let saved = Saved { path: "checkpoint-3".to_owned(), step: 3, seconds: 0.0 };
    record(&mut recorder, &[TrainEvent::Checkpoint(saved)]);
    assert!(recorder.take_problems().is_empty());
    Ok(())
}
