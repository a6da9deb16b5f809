//! Tests of appending to a journal, of faults, and of resuming.

use super::*;
use crate::core::train::event::{Epoch, Failed, Saved, Step};
use std::fs;

fn step(step: u64, loss: f64) -> TrainEvent {
    TrainEvent::Step(Step {
        step,
        epoch: step as f64 / 3.0,
        loss,
        grad_norm: 0.1 + 0.2,
        learning_rate: 5e-5,
        parts: None,
        samples: 32,
        pseudo_labelled: None,
        tokens: 700,
        elapsed: 1.5,
    })
}

fn epoch(epoch: u64, step: u64) -> TrainEvent {
    TrainEvent::Epoch(Epoch {
        epoch,
        step,
        train_loss: f64::INFINITY,
        train_accuracy: 0.5,
        train_f1: 0.5,
        elapsed: 2.0,
    })
}

fn saved(path: &str, step: u64) -> TrainEvent {
    TrainEvent::Checkpoint(Saved { path: path.to_owned(), step, seconds: 0.5 })
}

fn failed(step: u64) -> TrainEvent {
    TrainEvent::Failed(Failed { message: "\u{202e}ouch\n".to_owned(), hint: None, step })
}

fn write(file: &Path, events: &[TrainEvent]) -> io::Result<Journal> {
    let mut journal = Journal::create(file)?;
    events.iter().try_for_each(|event| journal.append(event))?;
    journal.sync()?;
    Ok(journal)
}

fn continued(file: &Path, step: u64) -> io::Result<Vec<TrainEvent>> {
    Ok(Journal::continue_after(file, step, |_| true)?.1)
}

#[test]
fn a_resumed_run_reads_its_history_and_continues_the_journal() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("run").join(JOURNAL);
    let past = [step(1, 0.7), step(2, 0.6), step(3, 0.5), epoch(1, 3), saved("outputs/3", 3)];
    let lost = [step(4, 0.4), failed(4)];
    write(&file, &[&past[..], &lost].concat())?;
    let (mut journal, kept) = Journal::continue_after(&file, 3, |_| true)?;
    assert_eq!(kept, past);
    journal.append(&step(4, 0.3))?;
    assert_eq!(continued(&file, 9)?, [&past[..], &[step(4, 0.3)]].concat());

    // An epoch that ended after the checkpoint of step 3 was written is reported again.
    let without = |event: &TrainEvent| matches!(event, TrainEvent::Checkpoint(_));
    let (_, kept) = Journal::continue_after(&file, 3, without)?;
    let expected = [&past[..3], &past[4..]].concat();
    assert_eq!(kept, expected);
    assert_eq!(continued(&file, 9)?, expected);
    assert_eq!(fs::read_to_string(&file)?.lines().count(), 4);
    Ok(())
}

#[test]
fn reading_ends_at_a_damaged_line() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(JOURNAL);
    let past = [step(1, 0.7), step(2, f64::NEG_INFINITY)];
    write(&file, &past)?;
    let whole = fs::read(&file)?;
    let long = "x".repeat((32 << 20) + 1);
    let tails: [&[u8]; 5] = [
        &whole[..whole.len() / 4],
        b"\n",
        b"\xff\xfe\n",
        br#"{"event":"unknown"}"#,
        long.as_bytes(),
    ];
    for tail in tails {
        fs::write(&file, [&whole[..], tail, b"\n", &whole[..]].concat())?;
        assert_eq!(continued(&file, 9)?, past);
        assert_eq!(fs::read(&file)?, whole);
    }
    // Only the newline is missing.
    fs::write(&file, &whole[..whole.len() - 1])?;
    assert_eq!(continued(&file, 9)?, past);
    assert_eq!(fs::read(&file)?, whole);

    fs::remove_file(&file)?;
    assert!(continued(&file, 9)?.is_empty());
    assert_eq!(fs::read(&file)?, b"");
    Ok(())
}

#[test]
fn events_after_a_damaged_line_are_kept_and_the_line_is_counted() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(JOURNAL);
    let past = [step(1, 0.7), step(2, 0.6), epoch(1, 2), step(3, 0.5)];
    write(&file, &past)?;
    let whole = fs::read_to_string(&file)?;
    let damaged = whole.replacen("\"step\":2", "\"step\"\u{0}2", 1);
    fs::write(&file, &damaged)?;
    let read = PastEvents::read(&file, 9, |_| true)?;
    assert_eq!(read.events, [&past[..1], &past[2..]].concat());
    assert_eq!(read.damaged_lines, 1);
    assert!(read.damaged.is_some_and(|(line, why)| line == 2 && why.contains("not an event")));
    assert_eq!(fs::read_to_string(&file)?, damaged, "reading changes nothing");
    Ok(())
}

#[test]
fn numbers_that_are_not_finite_and_matrices_of_many_classes_survive_a_resumption() -> io::Result<()>
{
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(JOURNAL);
    let evaluation = |step, classes: usize, rate| {
        let mut evaluated = crate::core::train::fixtures::evaluated(step, 1.0, 0.75, 9.0);
        evaluated.metrics.eval_samples_per_second = rate;
        evaluated.metrics.eval_confusion.counts = vec![vec![7; classes]; classes];
        TrainEvent::Evaluated(evaluated)
    };
    // All cells of 725 classes: the line of a dense matrix is longer than a megabyte.
    let past = [step(1, 0.7), evaluation(1, 725, f64::INFINITY), step(2, 0.6)];
    write(&file, &past)?;
    assert_eq!(continued(&file, 9)?, past);
    assert!(fs::metadata(&file)?.len() > 1 << 20);

    // A line of an earlier version.
    let old = fs::read_to_string(&file)?.replace("\"Infinity\"", "null");
    fs::write(&file, &old)?;
    assert_eq!(continued(&file, 9)?.len(), 3);
    assert_eq!(fs::read_to_string(&file)?, old, "lines are copied as they are");
    Ok(())
}

#[test]
fn the_matrices_of_many_evaluations_do_not_fill_the_memory() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(JOURNAL);
    let mut evaluated = crate::core::train::fixtures::evaluated(1, 1.0, 0.75, 9.0);
    evaluated.metrics.eval_confusion = crate::core::train::metrics::Confusion::new(1000);
    let evaluated = TrainEvent::Evaluated(evaluated);
    write(&file, &[&vec![evaluated.clone(); 40][..], &[step(1, 0.7)]].concat())?;
    assert!(fs::metadata(&file)?.len() < 1 << 20);
    let past = PastEvents::read(&file, 9, |_| true)?;
    let complete = past.events.iter().filter(|event| **event == evaluated).count();
    assert!((1..=18).contains(&complete), "{complete}");
    assert_eq!(past.events[39], evaluated, "the last one is complete");
    assert_eq!(past.lines, fs::read(&file)?);
    Ok(())
}

#[test]
fn events_beyond_the_memory_leave_a_marked_gap() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(JOURNAL);
    let mut journal = write(&file, &[step(1, 0.7)])?;
    let good = journal.file().exchange_handle(fs::File::open(&file)?).expect("an open file");
    let long = |step| TrainEvent::Warned(Warned { message: "x".repeat(1 << 20), step });
    for at in 2..30 {
        assert!(!matches!(journal.record(&long(at)), Flushed::All));
    }
    journal.file().exchange_handle(good);
    assert!(matches!(journal.flush_now(), Flushed::All));
    assert!(matches!(journal.record(&step(30, 0.6)), Flushed::All));
    assert_eq!(journal.take_lost(), 13);
    let events = continued(&file, 99)?;
    assert_eq!(events.len(), 18);
    assert!(matches!(&events[1], TrainEvent::Warned(warned) if warned.step == 2));
    let TrainEvent::Warned(gap) = &events[16] else { panic!("no gap: {:?}", events[16]) };
    assert!(gap.message.starts_with("13 events of steps 17 to 29 are missing"), "{gap:?}");
    assert_eq!(events[17], step(30, 0.6));
    Ok(())
}

#[test]
fn each_event_is_one_line_that_is_safe_to_print() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(JOURNAL);
    write(&file, &[step(1, 0.5)])?;
    write(&file, &[failed(7)])?;
    let line = r#"{"event":"failed","message":"\u202eouch\n","hint":null,"step":7}"#;
    assert_eq!(fs::read_to_string(&file)?, format!("{line}\n"));
    Ok(())
}
