//! Writes the files of a run while it trains.

use super::faults::{Faults, Recorded};
use super::place::OutputFolder;
use super::resumed::{ResumedJournal, copy_events, earlier_events, resume_point};
use super::{host, lock_output_dir, move_failed_checkpoints, now};
use crate::core::atomic_write::write_atomically;
use crate::core::text::to_json;
use crate::core::train::event::{Evaluated, LogEntry, Started};
use crate::core::train::{Checkpoint, Outcomes, TrainEvent};
use crate::run::append_file::{AppendFile, Flushed, Retry};
use crate::run::figures::{self, FigureError, FigureFile};
use crate::run::journal::{JOURNAL, Journal};
use crate::run::options::run_toml;
use crate::run::predictions::{self, EvaluationTexts, PredictionKeeper, Resumed};
use crate::run::tensorboard::{self, EventWriter};
use std::fs::File;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The number of further attempts to write the end of a run, and the pause before each.
const LAST_ATTEMPTS: u32 = 3;
const LAST_ATTEMPT_PAUSE: Duration = Duration::from_millis(20);

/// Records a run. What cannot be written is kept in bounded memory and written with later events;
/// each fault is reported once, and its end once. If the run's folder is removed or renamed, the
/// files are written again at its path.
#[derive(Debug, Default)]
pub struct Recorder {
    output_dir: PathBuf,
    logging_dir: PathBuf,
    journal: Option<Journal>,
    tensorboard: Option<EventWriter>,
    arguments: Option<Arguments>,
    predictions: Option<PredictionKeeper>,
    place: Option<OutputFolder>,
    place_retry: Retry,
    /// The lock on the folder that was created in place of a removed or renamed one.
    lock: Option<File>,
    faults: Faults,
    /// The start of the run, as the journal has it if it contains the whole run.
    started: Option<TrainEvent>,
}

/// The text of `run.toml`.
#[derive(Debug)]
struct Arguments {
    text: String,
    is_written: bool,
    retry: Retry,
}

impl Recorder {
    /// Starts a journal in `output_dir`, and event files in `logging_dir` if there is one. For a
    /// resumed run, events of steps after the checkpoint are removed, and those before it are
    /// returned.
    pub fn begin(
        output_dir: &Path,
        logging_dir: Option<&Path>,
        resume: Option<&Checkpoint>,
    ) -> (Self, Vec<TrainEvent>) {
        let mut recorder = Self { output_dir: output_dir.to_path_buf(), ..Self::default() };
        let history = recorder.begin_journal(resume, Vec::new());
        if let Some(folder) = logging_dir {
            recorder.begin_events(folder, resume);
        }
        recorder.flush();
        recorder.place = OutputFolder::open(output_dir).ok();
        (recorder, history)
    }

    /// Starts a journal with a first line, if there is one, and the events before a checkpoint.
    fn begin_journal(&mut self, resume: Option<&Checkpoint>, first: Vec<u8>) -> Vec<TrainEvent> {
        let resumed = resume.map(|checkpoint| ResumedJournal::new(checkpoint, &self.output_dir));
        let mut history = Vec::new();
        // The first lines of the file; `None` if they could not be read yet.
        let mut lines = Some(Vec::new());
        if let Some(resumed) = &resumed {
            lines = match resumed.read() {
                Ok(past) => {
                    if let Some(message) = resumed.keep_damaged(&past, &self.output_dir) {
                        self.faults.report(resumed.source(), &message);
                    }
                    history = past.events;
                    Some(past.lines)
                }
                Err(error) => {
                    let text = format!("the events before the checkpoint cannot be read: {error}");
                    self.faults.report(resumed.source(), &text);
                    None
                }
            };
        }
        let file = self.output_dir.join(JOURNAL);
        let path = file.clone();
        self.journal = Some(Journal::new(&path, move || {
            if lines.is_none()
                && let Some(resumed) = &resumed
            {
                // Nothing is replaced before it was read.
                lines = Some(resumed.read()?.lines);
            }
            write_atomically(&file, &[&first, lines.as_deref().unwrap_or_default()].concat())
        }));
        history
    }

    fn begin_events(&mut self, folder: &Path, resume: Option<&Checkpoint>) {
        self.logging_dir = folder.to_path_buf();
        let point = resume.map(resume_point);
        let mut earlier =
            resume.and_then(|checkpoint| earlier_events(checkpoint, &self.output_dir, folder));
        let to = folder.to_path_buf();
        let prepare = move || {
            if let Some(from) = &earlier {
                copy_events(from, &to)?;
            }
            earlier = None;
            point.map_or(Ok(()), |point| tensorboard::truncate_after(&to, point).map(drop))
        };
        let writer = EventWriter::new(folder, now(), &host(), std::process::id(), prepare);
        self.tensorboard = Some(writer);
    }

    /// Keeps the outcomes of evaluations of these texts from now on, or none without texts. For a
    /// resumed run, those up to the checkpoint remain.
    pub fn keep_predictions(
        &mut self,
        texts: Option<EvaluationTexts>,
        resume: Option<&Checkpoint>,
    ) {
        let resumed = resume.and_then(|checkpoint| {
            let step = checkpoint.run.progress.step;
            checkpoint.folder.parent().map(|run| Resumed { run, step })
        });
        let (keeper, begun) = PredictionKeeper::begin(&self.output_dir, texts, resumed);
        self.predictions = keeper;
        if let Err(error) = begun {
            let folder = self.output_dir.join(predictions::FOLDER);
            self.faults.failed(Recorded::Predictions, &folder, &error);
        }
    }

    /// Keeps the outcomes of an evaluation.
    pub fn predictions(&mut self, evaluated: &Evaluated, outcomes: &Outcomes) {
        // Nothing is written into a folder that another run has made in place of a removed one.
        self.keep_place();
        let Some(keeper) = &self.predictions else { return };
        let folder = self.output_dir.join(predictions::FOLDER);
        match keeper.keep(evaluated.step, evaluated.epoch, outcomes) {
            Ok(()) => self.faults.written(Recorded::Predictions, &folder, || 0),
            Err(error) => self.faults.failed(Recorded::Predictions, &folder, &error),
        }
    }

    /// Removes what was recorded of steps after a checkpoint, from which the run continues after step
    /// `failed`. Later checkpoints are moved to another folder, with a copy of the journal. Returns the
    /// number of events in the journal.
    pub fn roll_back(&mut self, checkpoint: &Checkpoint, failed: u64) -> u64 {
        if let Some(journal) = &mut self.journal {
            let flushed = journal.flush_now();
            self.note_journal_flush(&flushed);
        }
        self.flush();
        let step = checkpoint.run.progress.step;
        if let Err(error) = move_failed_checkpoints(&self.output_dir, step, failed) {
            let text = format!("checkpoints after step {step} cannot be moved: {error}");
            self.faults.report(&self.output_dir.clone(), &text);
        }
        if let Some(Err(error)) = self.predictions.as_ref().map(|kept| kept.truncate_after(step)) {
            let text = format!("predictions after step {step} cannot be removed: {error}");
            self.faults.report(&self.output_dir.join(predictions::FOLDER), &text);
        }
        let mut events = 0;
        if self.journal.take().is_some() {
            // The journal is that of one run, whose start would be removed with its later steps.
            let started = self.started.as_ref().and_then(|started| to_json(started).ok());
            let first = started.map(|line| line + "\n").unwrap_or_default();
            events = u64::from(!first.is_empty());
            events += self.begin_journal(Some(checkpoint), first.into_bytes()).len() as u64;
        }
        if self.tensorboard.take().is_some() {
            self.begin_events(&self.logging_dir.clone(), Some(checkpoint));
        }
        self.flush();
        events
    }

    /// Writes the run's arguments to `run.toml` and to TensorBoard.
    pub fn arguments(&mut self, output_dir: &Path, text: &str) {
        self.output_dir = output_dir.to_path_buf();
        let retry = Retry::default();
        self.arguments = Some(Arguments { text: text.to_owned(), is_written: false, retry });
        if let Some(writer) = &mut self.tensorboard {
            // Markdown displays indented text verbatim.
            let indented = format!("    {}", text.replace('\n', "\n    "));
            writer.text("args", 0, now(), &indented);
        }
        self.flush();
    }

    /// Records an event: journaled events in the journal, log entries in TensorBoard's event files.
    /// They are on disk after a checkpoint and at the end of a run.
    pub fn record(&mut self, event: &TrainEvent) {
        self.keep_place();
        if let TrainEvent::Started(started) = event {
            let (resumed_at, resumed_elapsed) = (0, 0.0);
            let started = Started { resumed_at, resumed_elapsed, ..started.clone() };
            self.started = Some(TrainEvent::Started(started));
        }
        if let TrainEvent::Logged(logged) = event {
            self.log_scalars(&logged.entry);
        }
        if event.is_journaled()
            && let Some(journal) = &mut self.journal
        {
            let flushed = journal.record(event);
            self.note_journal_flush(&flushed);
        }
        self.flush();
        let is_end = matches!(event, TrainEvent::Finished(_) | TrainEvent::Failed(_));
        if is_end {
            self.end();
        }
        if is_end || matches!(event, TrainEvent::Checkpoint(_) | TrainEvent::Saved(_)) {
            self.sync();
        }
    }

    fn log_scalars(&mut self, entry: &LogEntry) {
        // JSON has no number that is not finite.
        let number = |name: &str| match entry.get(name) {
            Some(serde_json::Value::Null) => Some(f64::NAN),
            value => value.and_then(serde_json::Value::as_f64),
        };
        let step = entry.get("step").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let scalars: Vec<(String, f64)> = entry
            .keys()
            .filter(|name| *name != "step")
            .filter_map(|name| Some((tensorboard::tag(name), number(name)?)))
            .collect();
        if let Some(writer) = &mut self.tensorboard {
            writer.scalars(step, now(), &scalars);
        }
    }

    /// Writes what could not be written before.
    fn flush(&mut self) {
        if let Some(journal) = &mut self.journal {
            let flushed = journal.flush();
            self.note_journal_flush(&flushed);
        }
        if let Some(writer) = &mut self.tensorboard {
            let flushed = writer.flush();
            let place = writer.file().path().unwrap_or(&self.logging_dir).to_path_buf();
            let lost = || writer.take_lost();
            self.faults.note_flush(Recorded::TensorBoard, &place, &flushed, lost);
        }
        if let Some(arguments) = &mut self.arguments
            && !arguments.is_written
            && arguments.retry.is_due()
        {
            let file = self.output_dir.join(run_toml::NAME);
            let write = || write_atomically(&file, arguments.text.as_bytes());
            match arguments.retry.attempt(write) {
                Ok(()) => {
                    arguments.is_written = true;
                    self.faults.written(Recorded::Arguments, &file, || 0);
                }
                Err(error) => self.faults.failed(Recorded::Arguments, &file, &error),
            }
        }
    }

    fn note_journal_flush(&mut self, flushed: &Flushed) {
        if let Some(journal) = &mut self.journal {
            let place = self.output_dir.join(JOURNAL);
            self.faults.note_flush(Recorded::Journal, &place, flushed, || journal.take_lost());
        }
    }

    /// Makes further attempts to write what is pending, because no event follows.
    fn end(&mut self) {
        let files = [Recorded::Journal, Recorded::TensorBoard, Recorded::Arguments];
        for _ in 0..LAST_ATTEMPTS {
            if !files.iter().any(|file| self.faults.is_present(*file)) {
                return;
            }
            std::thread::sleep(LAST_ATTEMPT_PAUSE);
            for file in self.append_files().into_iter().flatten() {
                file.retry_now();
            }
            if let Some(arguments) = &mut self.arguments {
                arguments.retry = Retry::default();
            }
            self.flush();
        }
    }

    fn sync(&mut self) {
        let place = self.output_dir.join(JOURNAL);
        let files = [
            (Recorded::Journal, place, self.journal.as_mut().map(Journal::file)),
            (
                Recorded::TensorBoard,
                self.logging_dir.clone(),
                self.tensorboard.as_mut().map(EventWriter::file),
            ),
        ];
        for (recorded, place, file) in files {
            let outcome = file.map_or(Ok(()), |file| file.sync());
            let is_supported = !outcome.as_ref().is_err_and(is_unsupported);
            self.faults.synced(recorded, &place, if is_supported { outcome } else { Ok(()) });
        }
    }

    /// Writes the files again at their paths if the folder, or one of them, was removed or renamed.
    fn keep_place(&mut self) {
        // The files first: a folder that is renamed now is then noticed as a whole.
        let are_files_in_place =
            self.append_files().iter().flatten().all(|file| file.is_in_place());
        let moved = self.place.as_ref().filter(|place| !place.is_in_place());
        let to = moved.map(OutputFolder::now);
        if to.is_none() && are_files_in_place {
            self.faults.written(Recorded::Folder, &self.output_dir, || 0);
            return;
        }
        if !self.place_retry.is_due() {
            return;
        }
        let mut retry = std::mem::take(&mut self.place_retry);
        let restored = retry.attempt(|| self.restore(to.is_some()));
        self.place_retry = retry;
        let text = match (&restored, &to) {
            (Ok(()), Some(Some(to))) => format!(
                "the folder was moved to {} during the run. It is created again with the journal; \
                 later checkpoints and the model are written here, earlier checkpoints are there",
                to.display()
            ),
            (Ok(()), Some(None)) => "the folder was removed during the run. It is created again \
                                     with the journal; earlier checkpoints are gone"
                .to_owned(),
            (Ok(()), None) => "a file of the recording was removed or replaced during the run. It \
                               is written again from its start"
                .to_owned(),
            (Err(error), _) => {
                return self.faults.failed(Recorded::Folder, &self.output_dir, error);
            }
        };
        self.faults.report(&self.output_dir, &text);
        self.faults.written(Recorded::Folder, &self.output_dir, || 0);
    }

    fn restore(&mut self, is_folder_gone: bool) -> Result<()> {
        if is_folder_gone {
            // Another run may have begun there.
            self.lock = Some(lock_output_dir(&self.output_dir)?);
            self.place = Some(OutputFolder::open(&self.output_dir)?);
            if let Some(arguments) = &mut self.arguments {
                arguments.is_written = false;
            }
        }
        for file in self.append_files().into_iter().flatten() {
            if !file.is_in_place() {
                file.restore()?;
            }
        }
        Ok(())
    }

    fn append_files(&mut self) -> [Option<&mut AppendFile>; 2] {
        let tensorboard = self.tensorboard.as_mut().map(EventWriter::file);
        [self.journal.as_mut().map(Journal::file), tensorboard]
    }

    /// Draws the figures of the run, with the events that are not in the journal yet.
    ///
    /// # Errors
    /// If the run has no steps, or a figure cannot be drawn.
    pub fn figures(&self) -> std::result::Result<Vec<FigureFile>, FigureError> {
        let pending = self.journal.as_ref().map(Journal::pending).unwrap_or_default();
        figures::draw_with(&self.output_dir, pending)
    }

    /// Returns and clears the messages about faults since the last call.
    pub fn take_problems(&mut self) -> Vec<String> {
        self.faults.take_messages()
    }
}

/// Whether a file system cannot flush files.
fn is_unsupported(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput)
}

#[cfg(test)]
#[path = "recording_files_tests.rs"]
mod tests;
