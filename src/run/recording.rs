//! The events of a recorded run, from its journal or from the output of `train --json`. They are
//! read and validated one by one, never all into memory.

use super::event_lines::{EventLine, EventLines, EventPosition};
use super::journal::JOURNAL;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::TrainEvent;
use crate::core::train::event::{Started, Step};
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// An error of reading a recorded run.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// There is no such file or folder, or it has no events.
    #[error(
        "{0}: {1}. Name the folder of a run (its --output-dir) or a file that nsmc-tui train \
         --json wrote"
    )]
    Missing(String, &'static str),
    /// An I/O error.
    #[error("{0}: {1}")]
    System(String, std::io::Error),
    /// A line is not an event of a run.
    #[error("{file}:{line}: {reason}. {}", remedy(*line))]
    Line {
        /// The file.
        file: String,
        /// The line number, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// The run failed before its first step.
    #[error("{0}: the run failed before it began: {1}")]
    NeverBegan(String, String),
}

fn remedy(line: u64) -> &'static str {
    if line == 1 {
        "Name the folder of a run, or a file that nsmc-tui train --json wrote"
    } else {
        "A copy without this line and the lines after it can be replayed"
    }
}

/// A recorded run.
#[derive(Debug)]
pub struct Recording {
    file: PathBuf,
    /// The start of the run.
    started: Started,
    /// The line of the start, if the file has one.
    started_line: Option<u64>,
    /// The number of complete lines. A run that is still training appends more.
    lines: u64,
}

/// The results of the first pass over a file.
#[derive(Clone, Debug, Default)]
struct RecordingOutline {
    started: Option<(u64, Started)>,
    /// Whether there are events before the start, as in the journal of a run that was resumed.
    has_history: bool,
    first: Option<Step>,
    last: Option<Step>,
    /// The classes and the samples of the last evaluation.
    evaluated: Option<(usize, u64)>,
    failed: Option<String>,
}

impl Recording {
    /// Reads a whole journal, or the journal in a folder, because the start of a run may be in the
    /// middle.
    ///
    /// # Errors
    /// If it does not exist, cannot be read, has no events, or contains anything but events in the
    /// order of a run. An incomplete last line is ignored.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let file = find(path)?;
        let mut reader = EventReader::open(&file)?;
        let (mut outline, mut complete) = (RecordingOutline::default(), 0);
        while let Some(event) = reader.next()? {
            outline.push(reader.lines.line, event).map_err(|reason| reader.error(reason))?;
            complete = reader.lines.line;
        }
        if complete == 0 {
            return Err(RecordingError::Missing(display(path), NO_EVENTS));
        }
        let (started_line, started) = outline.start(&file)?;
        Ok(Self { file, started, started_line, lines: complete })
    }

    /// Leaves out the events after the first `lines`.
    #[must_use]
    pub fn limited_to(mut self, lines: u64) -> Self {
        self.lines = self.lines.min(lines);
        self
    }

    /// The events: the start first, then the others in the order in which they happened.
    ///
    /// # Errors
    /// If the file can no longer be opened.
    pub fn events(&self) -> Result<RecordedEvents, RecordingError> {
        Ok(RecordedEvents {
            started: Some(self.started.clone()),
            started_line: self.started_line,
            reader: EventReader::open(&self.file)?,
            last: self.lines,
        })
    }
}

/// Why a file without events cannot be replayed.
const NO_EVENTS: &str = "it has no events, so no run has started";

/// The file of a recording: a plain file, or the journal in a folder.
fn find(path: &Path) -> Result<PathBuf, RecordingError> {
    let missing = |what| RecordingError::Missing(display(path), what);
    let file = if path.is_dir() { path.join(JOURNAL) } else { path.to_owned() };
    match std::fs::metadata(&file) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(missing("not a plain file, and it has to be read twice")),
        Err(_) if path.is_dir() => return Err(missing("no events.jsonl in it")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(missing("no such file or folder"));
        }
        Err(error) => return Err(RecordingError::System(display(&file), error)),
    }
    Ok(file)
}

/// Reads a recording that may grow: each time, only the events that were added.
#[derive(Debug)]
pub(super) struct RecordingFollower {
    file: PathBuf,
    position: EventPosition,
    outline: RecordingOutline,
    /// The event in an incomplete last line, which is read again the next time.
    last: Option<TrainEvent>,
}

impl RecordingFollower {
    /// Follows the recording in a file or folder, from its start.
    ///
    /// # Errors
    /// If it is not a plain file or does not exist.
    pub fn new(path: &Path) -> Result<Self, RecordingError> {
        let (position, outline) = (EventPosition::default(), RecordingOutline::default());
        Ok(Self { file: find(path)?, position, outline, last: None })
    }

    /// The number of bytes that were read.
    pub fn length(&self) -> u64 {
        self.position.bytes
    }

    /// Calls `receive` with each event that was added, except the start of the run.
    ///
    /// # Errors
    /// See [`Recording::open`]. After an error, the recording has to be read from its start.
    pub fn read(&mut self, mut receive: impl FnMut(&TrainEvent)) -> Result<(), RecordingError> {
        let name = display(&self.file);
        let system = |error| RecordingError::System(name.clone(), error);
        let mut opened = File::open(&self.file).map_err(system)?;
        opened.seek(SeekFrom::Start(self.position.bytes)).map_err(system)?;
        let mut lines = EventLines::continued(BufReader::new(opened), &self.position);
        self.last = None;
        while let Some(EventLine { event, is_complete }) = lines.next().map_err(system)? {
            let error = |line, reason| RecordingError::Line { file: name.clone(), line, reason };
            match event {
                Ok(event) if is_complete => {
                    receive(&event);
                    let pushed = self.outline.push(lines.line, event);
                    pushed.map_err(|reason| error(lines.line, reason))?;
                    self.position = lines.position();
                }
                Err(reason) if is_complete => return Err(error(lines.line, reason)),
                event => self.last = event.ok(),
            }
        }
        Ok(())
    }

    /// The event in an incomplete last line.
    pub fn last(&self) -> Option<&TrainEvent> {
        self.last.as_ref()
    }

    /// The start of the run.
    ///
    /// # Errors
    /// If no run has started.
    pub fn started(&self) -> Result<Started, RecordingError> {
        let mut outline = self.outline.clone();
        if let Some(event) = self.last.clone() {
            let line = self.position.line + 1;
            let file = display(&self.file);
            outline.push(line, event).map_err(|reason| RecordingError::Line {
                file,
                line,
                reason,
            })?;
        } else if self.position.line == 0 {
            return Err(RecordingError::Missing(display(&self.file), NO_EVENTS));
        }
        Ok(outline.start(&self.file)?.1)
    }
}

impl RecordingOutline {
    fn push(&mut self, line: u64, event: TrainEvent) -> Result<(), String> {
        match event {
            TrainEvent::Started(_) if self.started.is_some() => {
                return Err("another run starts here".to_owned());
            }
            TrainEvent::Started(started) => self.started = Some((line, started)),
            other => {
                self.has_history |= self.started.is_none();
                match other {
                    TrainEvent::Step(step) => {
                        if self.first.is_none() {
                            self.first = Some(step.clone());
                        }
                        self.last = Some(step);
                    }
                    TrainEvent::Evaluated(evaluated) => {
                        let metrics = &evaluated.metrics;
                        let classes = metrics.eval_confusion.counts.len();
                        self.evaluated = Some((classes, metrics.eval_samples));
                    }
                    TrainEvent::Failed(failed) => self.failed = Some(failed.message),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The start of the run, and its line.
    fn start(self, file: &Path) -> Result<(Option<u64>, Started), RecordingError> {
        let (line, mut started) = match (self.started, &self.last, self.failed) {
            (Some((line, started)), ..) if !self.has_history => return Ok((Some(line), started)),
            (Some((line, mut started)), ..) => {
                let note =
                    format!("was interrupted, and resumed after step {}", started.resumed_at);
                started.notes.push(note);
                (Some(line), started)
            }
            (None, Some(last), _) => (None, start_from_steps(last, self.evaluated, file)),
            (None, None, Some(message)) => {
                return Err(RecordingError::NeverBegan(display(file), message));
            }
            (None, None, None) => {
                let what = "it has no steps, so no run has started";
                return Err(RecordingError::Missing(display(file), what));
            }
        };
        // The whole run is replayed, not only the part after it was resumed.
        let first = self.first.filter(|first| first.step > 1);
        started.resumed_at = first.as_ref().map_or(0, |first| first.step - 1);
        started.resumed_elapsed = first.map_or(0.0, |first| first.elapsed);
        Ok((line, started))
    }
}

/// Reconstructs the start of a run whose journal has none because the process was killed during a
/// resumption.
fn start_from_steps(last: &Step, evaluated: Option<(usize, u64)>, file: &Path) -> Started {
    let (classes, eval_samples) = evaluated.unwrap_or_default();
    let per_epoch = (last.step as f64 / last.epoch.max(1e-9)).round().max(1.0) as u64;
    Started {
        model: "a model that the journal does not name".to_owned(),
        architecture: "of unknown shape".to_owned(),
        parameters: 0,
        labels: (0..classes).map(|class| format!("class {class}")).collect(),
        train_samples: 0,
        eval_samples: eval_samples as usize,
        steps_per_epoch: per_epoch.min(last.step),
        max_steps: last.step,
        num_train_epochs: last.epoch.ceil(),
        eval_steps: 0,
        save_steps: 0,
        logging_steps: 50,
        output_dir: display(file.parent().unwrap_or(file)),
        replaces_model: false,
        settings: Vec::new(),
        resumed_at: 0,
        resumed_elapsed: 0.0,
        notes: vec!["the journal does not have the start of the run".to_owned()],
    }
}

/// A path that is safe to print.
fn display(path: &Path) -> String {
    sanitize_for_terminal(&path.display().to_string()).into_owned()
}

/// The events of a recorded run, the start first.
pub struct RecordedEvents {
    started: Option<Started>,
    started_line: Option<u64>,
    reader: EventReader,
    last: u64,
}

impl Iterator for RecordedEvents {
    type Item = Result<TrainEvent, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(started) = self.started.take() {
            return Some(Ok(TrainEvent::Started(started)));
        }
        while self.reader.lines.line < self.last {
            let event = self.reader.next().transpose()?;
            if event.is_err() {
                // An error is the last item.
                self.last = 0;
            }
            if Some(self.reader.lines.line) != self.started_line {
                return Some(event);
            }
        }
        None
    }
}

/// Reads and validates the events of a file.
#[derive(Debug)]
struct EventReader {
    lines: EventLines<BufReader<File>>,
    file: String,
}

impl EventReader {
    fn open(file: &Path) -> Result<Self, RecordingError> {
        let name = display(file);
        let opened = File::open(file);
        let opened = opened.map_err(|error| RecordingError::System(name.clone(), error))?;
        Ok(Self { lines: EventLines::new(BufReader::new(opened)), file: name })
    }

    fn error(&self, reason: String) -> RecordingError {
        RecordingError::Line { file: self.file.clone(), line: self.lines.line, reason }
    }

    /// The next event; `None` at the end of the file or at an incomplete last line.
    fn next(&mut self) -> Result<Option<TrainEvent>, RecordingError> {
        let read = self.lines.next();
        let line = read.map_err(|error| RecordingError::System(self.file.clone(), error))?;
        match line {
            Some(EventLine { event: Ok(event), .. }) => Ok(Some(event)),
            None | Some(EventLine { is_complete: false, .. }) => Ok(None),
            Some(EventLine { event: Err(reason), .. }) => Err(self.error(reason)),
        }
    }
}

#[cfg(test)]
#[path = "recording_tests.rs"]
mod tests;
