//! The events of a recorded run, from its journal or from the output of `train --json`. They are
//! read and validated one by one, never all into memory.

use super::journal::{JOURNAL, LONGEST_LINE};
use crate::core::text::{sanitize_for_terminal, truncate_width};
use crate::core::train::TrainEvent;
use crate::core::train::event::{Evaluated, Started, Step};
use serde_json::Value;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
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
#[derive(Default)]
struct RecordingOutline {
    started: Option<(u64, Started)>,
    /// Whether there are events before the start, as in the journal of a run that was resumed.
    has_history: bool,
    first: Option<Step>,
    last: Option<Step>,
    evaluated: Option<Evaluated>,
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
        let mut reader = EventReader::open(&file)?;
        let (mut outline, mut complete) = (RecordingOutline::default(), 0);
        while let Some(event) = reader.next()? {
            outline.push(reader.line, event).map_err(|reason| reader.error(reason))?;
            complete = reader.line;
        }
        if complete == 0 {
            return Err(missing("it has no events, so no run has started"));
        }
        let (started_line, started) = outline.start(&file)?;
        Ok(Self { file, started, started_line, lines: complete })
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
                    TrainEvent::Evaluated(evaluated) => self.evaluated = Some(evaluated),
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
            (None, Some(last), _) => (None, start_from_steps(last, self.evaluated.as_ref(), file)),
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
fn start_from_steps(last: &Step, evaluated: Option<&Evaluated>, file: &Path) -> Started {
    let classes = evaluated.map_or(0, |e| e.metrics.eval_confusion.counts.len());
    let per_epoch = (last.step as f64 / last.epoch.max(1e-9)).round().max(1.0) as u64;
    Started {
        model: "a model that the journal does not name".to_owned(),
        architecture: "of unknown shape".to_owned(),
        parameters: 0,
        labels: (0..classes).map(|class| format!("class {class}")).collect(),
        train_samples: 0,
        eval_samples: evaluated.map_or(0, |e| e.metrics.eval_samples as usize),
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
        while self.reader.line < self.last {
            let event = self.reader.next().transpose()?;
            if event.is_err() {
                // An error is the last item.
                self.last = 0;
            }
            if Some(self.reader.line) != self.started_line {
                return Some(event);
            }
        }
        None
    }
}

/// Reads and validates the events of a file.
#[derive(Debug)]
struct EventReader {
    reader: BufReader<File>,
    file: String,
    /// Lines read.
    line: u64,
    /// The last step.
    step: u64,
    bytes: Vec<u8>,
}

impl EventReader {
    fn open(file: &Path) -> Result<Self, RecordingError> {
        let name = display(file);
        let opened = File::open(file);
        let opened = opened.map_err(|error| RecordingError::System(name.clone(), error))?;
        Ok(Self { reader: BufReader::new(opened), file: name, line: 0, step: 0, bytes: Vec::new() })
    }

    fn error(&self, reason: String) -> RecordingError {
        RecordingError::Line { file: self.file.clone(), line: self.line, reason }
    }

    /// The next event; `None` at the end of the file or at an incomplete last line.
    fn next(&mut self) -> Result<Option<TrainEvent>, RecordingError> {
        self.bytes.clear();
        let limit = LONGEST_LINE + 1;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.bytes);
        read.map_err(|error| RecordingError::System(self.file.clone(), error))?;
        if self.bytes.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        if self.bytes.len() as u64 == limit {
            return Err(self.error("a line of more than a megabyte is not an event".to_owned()));
        }
        let is_complete = self.bytes.ends_with(b"\n");
        match parse(&self.bytes) {
            Ok(event) => {
                check(&event, self.step).map_err(|reason| self.error(reason))?;
                if let TrainEvent::Step(step) = &event {
                    self.step = step.step;
                }
                Ok(Some(event))
            }
            Err(_) if !is_complete => Ok(None),
            Err(reason) => Err(self.error(format!("not an event of a run ({reason})"))),
        }
    }
}

/// Parses an event and sanitizes all its texts for the terminal.
fn parse(line: &[u8]) -> Result<TrainEvent, String> {
    let why = |error: serde_json::Error| {
        let text = error.to_string();
        // The parser's position is relative to this line, so it is left out.
        truncate_width(text.split(" at line ").next().unwrap_or_default(), 100)
    };
    let text = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
    let text = text.trim_end_matches(['\n', '\r']);
    // Most lines have neither escapes nor unprintable characters, so their texts have none.
    if !text.contains('\\') && matches!(sanitize_for_terminal(text), Cow::Borrowed(_)) {
        return serde_json::from_str(text).map_err(why);
    }
    let mut value: Value = serde_json::from_str(text).map_err(why)?;
    sanitize_texts(&mut value);
    serde_json::from_value(value).map_err(why)
}

fn sanitize_texts(value: &mut Value) {
    match value {
        Value::String(text) => *text = sanitize_for_terminal(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(sanitize_texts),
        Value::Object(values) => values.values_mut().for_each(sanitize_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The highest count that is accepted; sums of such counts do not overflow.
const MAX_COUNT: u64 = 1 << 40;

/// The highest number of classes that is accepted.
const MAX_CLASSES: usize = 1 << 12;

/// Validates an event that follows step `last`.
///
/// # Errors
/// If this program cannot have written the event; the error gives the reason.
fn check(event: &TrainEvent, last: u64) -> Result<(), String> {
    if event.elapsed().is_some_and(|elapsed| !(0.0..=1e9).contains(&elapsed)) {
        return Err("its time is out of range".to_owned());
    }
    let (counts, epoch) = match event {
        TrainEvent::Started(started) => (
            vec![
                started.train_samples as u64,
                started.eval_samples as u64,
                started.steps_per_epoch,
                started.max_steps,
                started.eval_steps,
                started.save_steps,
                started.resumed_at,
            ],
            started.num_train_epochs,
        ),
        TrainEvent::Step(step) if step.step <= last => {
            return Err(format!("step {} after step {last}", step.step));
        }
        TrainEvent::Step(step) => {
            (vec![step.step, step.samples as u64, step.tokens as u64], step.epoch)
        }
        TrainEvent::Epoch(epoch) => (vec![epoch.step], epoch.epoch as f64),
        TrainEvent::Evaluated(evaluated) | TrainEvent::BestLoaded(evaluated) => {
            let matrix = &evaluated.metrics.eval_confusion.counts;
            if matrix.len() > MAX_CLASSES || matrix.iter().any(|row| row.len() != matrix.len()) {
                return Err("its confusion matrix is not square".to_owned());
            }
            let mut counts: Vec<u64> = matrix.iter().flatten().copied().collect();
            counts.extend([evaluated.step, evaluated.metrics.eval_samples]);
            (counts, evaluated.epoch)
        }
        TrainEvent::Finished(finished) => (vec![finished.global_step], finished.metrics.epoch),
        TrainEvent::CommandApplied(applied) => (vec![applied.step], applied.epoch),
        TrainEvent::Logged(_)
        | TrainEvent::EvaluationProgress(_)
        | TrainEvent::SavingCheckpoint => {
            return Err("it does not belong into a journal".to_owned());
        }
        TrainEvent::Checkpoint(_)
        | TrainEvent::Warned(_)
        | TrainEvent::Saved(_)
        | TrainEvent::Failed(_) => (Vec::new(), 0.0),
    };
    let is_valid = counts.iter().all(|count| *count <= MAX_COUNT) && (0.0..=1e12).contains(&epoch);
    if is_valid { Ok(()) } else { Err("one of its numbers is out of range".to_owned()) }
}

#[cfg(test)]
#[path = "recording_tests.rs"]
mod tests;
