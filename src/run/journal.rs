//! The journal of a run: its events as lines of JSON, in a file in the run's folder. A resumed run
//! appends to it, so that its charts show the whole run.

use crate::core::atomic_write::write_atomically;
use crate::core::text::to_json;
use crate::core::train::event::TrainEvent;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;

/// The journal's name in the folder of a run.
pub const JOURNAL: &str = "events.jsonl";

/// The most bytes of a line. A longer line was not written by this program.
pub(super) const LONGEST_LINE: u64 = 1 << 20;

/// An open journal. Each event is written with one system call; it is guaranteed to be on disk
/// after [`Self::sync`].
#[derive(Debug)]
pub struct Journal {
    file: File,
    /// Where the next line begins.
    end: u64,
}

impl Journal {
    /// Creates a journal, and its folder if it is missing. An existing journal is replaced.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(file: &Path) -> io::Result<Self> {
        Self::begin_with(file, &[])
    }

    /// Continues the journal of a run that is resumed after `step`. Returns the events that remain,
    /// in their order: steps, epochs, evaluations and checkpoints up to `step`. Starts and ends are
    /// dropped, because the resumed run reports new ones. The file is rewritten with the remaining
    /// events.
    ///
    /// A checkpoint may have been written before or after the evaluation of its step, so
    /// `keep_at_step` decides which events at exactly `step` remain; the step itself always
    /// remains. The resumed run reports the dropped events again.
    ///
    /// Reading is lenient: it ends at the first line that is not an event, such as a truncated one,
    /// and a missing journal counts as empty.
    ///
    /// # Errors
    /// If the file cannot be read or replaced; the journal is then either unchanged or complete.
    pub fn continue_after(
        file: &Path,
        step: u64,
        keep_at_step: impl Fn(&TrainEvent) -> bool,
    ) -> io::Result<(Self, Vec<TrainEvent>)> {
        let mut kept = Vec::new();
        for_each_event(file, |event| {
            let Some(at) = step_of(&event) else { return };
            let is_kept = match event {
                TrainEvent::Step(_) => at <= step,
                _ => at < step || (at == step && keep_at_step(&event)),
            };
            if is_kept {
                kept.push(event);
            }
        })?;
        let mut lines = String::new();
        for event in &kept {
            lines.push_str(&to_json(event)?);
            lines.push('\n');
        }
        Ok((Self::begin_with(file, lines.as_bytes())?, kept))
    }

    /// Appends an event as one line. A line that could be written only in part, as on a full disk,
    /// is removed.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append(&mut self, event: &TrainEvent) -> io::Result<()> {
        let mut line = to_json(event)?;
        line.push('\n');
        let written = self.file.write_all(line.as_bytes());
        if written.is_ok() {
            self.end += line.len() as u64;
        } else {
            // The write error is reported, not an error of this call.
            let _ = self.file.set_len(self.end);
        }
        written
    }

    /// Waits until all events are on disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn begin_with(file: &Path, lines: &[u8]) -> io::Result<Self> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        write_atomically(file, lines)?;
        let file = OpenOptions::new().append(true).open(file)?;
        Ok(Self { file, end: lines.len() as u64 })
    }
}

/// Reads the journal line by line, up to the first line that is not an event.
fn for_each_event(file: &Path, mut receive: impl FnMut(TrainEvent)) -> io::Result<()> {
    let mut reader = match File::open(file) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        match serde_json::from_slice(&line) {
            Ok(event) => receive(event),
            Err(_) => return Ok(()),
        }
    }
}

/// The number of steps done at an event; `None` for the start and the end of a run and for events
/// that are not journaled.
fn step_of(event: &TrainEvent) -> Option<u64> {
    match event {
        TrainEvent::Step(step) => Some(step.step),
        TrainEvent::Epoch(epoch) => Some(epoch.step),
        TrainEvent::Evaluated(evaluated) => Some(evaluated.step),
        TrainEvent::Checkpoint(saved) => Some(saved.step),
        TrainEvent::Warned(warned) => Some(warned.step),
        TrainEvent::CommandApplied(applied) => Some(applied.step),
        TrainEvent::Started(_)
        | TrainEvent::Logged(_)
        | TrainEvent::EvaluationProgress(_)
        | TrainEvent::SavingCheckpoint
        | TrainEvent::BestLoaded(_)
        | TrainEvent::Saved(_)
        | TrainEvent::Finished(_)
        | TrainEvent::Failed(_) => None,
    }
}

#[cfg(test)]
mod tests {
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
            samples: 32,
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
        let long = format!(r#"{{"event":"saved","path":"{}","step":2}}"#, "x".repeat(1 << 20));
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
    fn each_event_is_one_line_that_is_safe_to_print() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(JOURNAL);
        write(&file, &[step(1, 0.5)])?;
        write(&file, &[failed(7)])?;
        let line = r#"{"event":"failed","message":"\u202eouch\n","hint":null,"step":7}"#;
        assert_eq!(fs::read_to_string(&file)?, format!("{line}\n"));
        Ok(())
    }
}
