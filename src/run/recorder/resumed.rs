//! The files of the earlier part of a resumed run.

use crate::core::text::sanitize_for_terminal;
use crate::core::train::Checkpoint;
use crate::core::train::event::{LogEntry, Saved, TrainEvent, Warned};
use crate::run::is_same_folder;
use crate::run::journal::{JOURNAL, PastEvents};
use crate::run::tensorboard::{self, ResumePoint};
use std::io::Result;
use std::path::{Path, PathBuf};

/// The copy of a journal with damaged lines.
const DAMAGED: &str = "events.damaged.jsonl";

/// Reads the journal of a run for its resumption from a checkpoint.
#[derive(Clone, Debug)]
pub(super) struct ResumedJournal {
    /// The journal of the earlier part.
    source: PathBuf,
    /// The checkpoint's folder, as it is shown.
    checkpoint: String,
    step: u64,
    evaluated_at: Option<u64>,
}

impl ResumedJournal {
    pub fn new(checkpoint: &Checkpoint, output_dir: &Path) -> Self {
        let run = checkpoint.folder.parent();
        let run = run.filter(|run| !is_same_folder(run, output_dir)).unwrap_or(output_dir);
        let folder = checkpoint.folder.display().to_string();
        Self {
            source: run.join(JOURNAL),
            checkpoint: sanitize_for_terminal(&folder).into_owned(),
            step: checkpoint.run.progress.step,
            evaluated_at: checkpoint.run.progress.evaluated_at,
        }
    }

    /// The journal of the earlier part.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// The events up to the checkpoint. What the journal lacks because the run was killed before
    /// it was written is added: the checkpoint itself, and a warning in place of missing steps.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn read(&self) -> Result<PastEvents> {
        let is_of_the_checkpoint = |event: &TrainEvent| match event {
            TrainEvent::Evaluated(evaluated) => self.evaluated_at == Some(evaluated.step),
            TrainEvent::Checkpoint(_) | TrainEvent::Epoch(_) | TrainEvent::RolledBack(_) => true,
            _ => false,
        };
        let mut past = PastEvents::read(&self.source, self.step, is_of_the_checkpoint)?;
        let last = past.last_step();
        if last < self.step {
            let (from, step) = (last + 1, self.step);
            let message = format!("the journal has no events of steps {from} to {step}");
            past.push(TrainEvent::Warned(Warned { message, step }))?;
        }
        let is_known =
            past.events.iter().rev().any(
                |event| matches!(event, TrainEvent::Checkpoint(saved) if saved.step == self.step),
            );
        if !is_known {
            let (path, step) = (self.checkpoint.clone(), self.step);
            past.push(TrainEvent::Checkpoint(Saved { path, step, seconds: 0.0 }))?;
        }
        Ok(past)
    }

    /// Copies a journal with damaged lines, which are left out of the resumed run's. Returns the
    /// message for the user.
    pub fn keep_damaged(&self, past: &PastEvents, output_dir: &Path) -> Option<String> {
        let (line, reason) = past.damaged.as_ref()?;
        let copy = output_dir.join(DAMAGED);
        let kept = match std::fs::copy(&self.source, &copy) {
            Ok(_) => format!("a copy of the whole file is {}", copy.display()),
            Err(error) => format!("it could not be copied to {}: {error}", copy.display()),
        };
        Some(format!(
            "line {line} is {reason}; {} such lines are left out of the resumed run's journal, and \
             {kept}",
            past.damaged_lines
        ))
    }
}

/// The point from which the TensorBoard files of a run are continued.
pub(super) fn resume_point(checkpoint: &Checkpoint) -> ResumePoint {
    let progress = &checkpoint.run.progress;
    let step = progress.step;
    let of_the_step =
        |entry: &&LogEntry| entry.get("step").and_then(serde_json::Value::as_u64) == Some(step);
    ResumePoint {
        step,
        is_evaluated: progress.evaluated_at == Some(step),
        log_entries: checkpoint.state.log_history.iter().filter(of_the_step).count(),
    }
}

/// The folder with the TensorBoard files of the resumed run, if it is resumed into another folder:
/// in the run's folder, or in the folder that its checkpoints were moved from.
pub(super) fn earlier_events(
    checkpoint: &Checkpoint,
    output_dir: &Path,
    to: &Path,
) -> Option<PathBuf> {
    let logging_dir = checkpoint.run.logging_dir.as_ref()?;
    let run = checkpoint.folder.parent().filter(|run| !is_same_folder(run, output_dir))?;
    let mut places = [Some(run), run.parent()].into_iter().flatten();
    let found =
        places.find_map(|place| Some(place.join(logging_dir)).filter(|folder| folder.is_dir()));
    found.filter(|from| !is_same_folder(from, to))
}

/// Copies the event files of a folder.
///
/// # Errors
/// If a file cannot be read or written.
pub(super) fn copy_events(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if tensorboard::is_event_file(&entry.file_name()) && entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::fixtures::run;
    use crate::run::journal::Journal;

    fn resumed(folder: &Path) -> ResumedJournal {
        let checkpoint = folder.join("checkpoint-70").display().to_string();
        ResumedJournal { source: folder.join(JOURNAL), checkpoint, step: 70, evaluated_at: None }
    }

    #[test]
    fn what_a_kill_left_out_is_added() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(JOURNAL);
        let resumed = resumed(folder.path());
        let path = resumed.checkpoint.clone();
        let saved = TrainEvent::Checkpoint(Saved { path, step: 70, seconds: 0.0 });
        let mut journal = Journal::create(&file)?;
        run(80).iter().try_for_each(|event| journal.append(event))?;
        // The checkpoint was renamed, and the run killed before its line was written.
        let whole = [&run(70)[1..], std::slice::from_ref(&saved)].concat();
        assert_eq!(resumed.read()?.events, whole);

        // It is added once.
        let mut journal = Journal::create(&file)?;
        run(70).iter().chain([&saved]).try_for_each(|event| journal.append(event))?;
        assert_eq!(resumed.read()?.events, whole);

        // The last steps were only in memory.
        let mut journal = Journal::create(&file)?;
        run(40).iter().try_for_each(|event| journal.append(event))?;
        let past = resumed.read()?;
        let message = "the journal has no events of steps 41 to 70".to_owned();
        let gap = TrainEvent::Warned(Warned { message, step: 70 });
        assert_eq!(past.events, [&run(40)[1..], &[gap, saved.clone()]].concat());
        std::fs::write(&file, &past.lines)?;
        let recording = crate::run::recording::Recording::open(&file);
        assert!(recording.is_ok_and(|recording| recording.events().is_ok()));

        std::fs::remove_file(&file)?;
        assert_eq!(resumed.read()?.events.len(), 2, "there is no journal");
        Ok(())
    }

    #[test]
    fn a_damaged_journal_is_copied_and_named() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(JOURNAL);
        let mut journal = Journal::create(&file)?;
        run(70).iter().try_for_each(|event| journal.append(event))?;
        let text = std::fs::read_to_string(&file)?.replacen("\"step\":9,", "\"stop\":9,", 1);
        std::fs::write(&file, &text)?;
        let resumed = resumed(folder.path());
        let past = resumed.read()?;
        assert_eq!(past.last_step(), 70);
        let message = resumed.keep_damaged(&past, folder.path()).unwrap_or_default();
        assert!(message.starts_with("line 10 is not an event of a run (missing"), "{message}");
        assert_eq!(std::fs::read_to_string(folder.path().join(DAMAGED))?, text);
        Ok(())
    }
}
