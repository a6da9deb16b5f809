//! A run's events read back, from its journal or from what `train --json` printed: one after the
//! other, never all in memory. What the file says is not believed before it is checked.

use super::journal::{JOURNAL, LONGEST_LINE};
use crate::core::text::{sanitize_for_terminal, truncate_width};
use crate::core::train::TrainEvent;
use crate::core::train::event::{Evaluated, Started, Step};
use serde_json::Value;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Why a run cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// There is nothing of this name, or nothing in it.
    #[error(
        "{0}: {1}. Name the folder of a run (its --output-dir) or a file that nsmc-tui train \
         --json wrote"
    )]
    Missing(String, &'static str),
    /// The system refuses.
    #[error("{0}: {1}")]
    System(String, std::io::Error),
    /// A line is no event of a run.
    #[error("{file}:{line}: {reason}. {}", remedy(*line))]
    Line {
        /// The file.
        file: String,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The run failed before it took a step.
    #[error("{0}: the run failed before it began: {1}")]
    NeverBegan(String, String),
}

fn remedy(line: u64) -> &'static str {
    if line == 1 {
        "Name the folder of a run, or a file that nsmc-tui train --json wrote"
    } else {
        "A copy without this line and those behind it can be replayed"
    }
}

/// A run that was written down.
#[derive(Debug)]
pub struct Recording {
    file: PathBuf,
    /// What comes first.
    started: Started,
    /// The line it is from, if the file says it at all.
    started_line: Option<u64>,
    /// How many lines are whole; a run under way writes more.
    lines: u64,
}

/// What is learned of a file at the first reading.
#[derive(Default)]
struct Outline {
    started: Option<(u64, Started)>,
    /// Whether events stand before the start, as in the journal of a run that was resumed.
    went_before: bool,
    first: Option<Step>,
    last: Option<Step>,
    evaluated: Option<Evaluated>,
    failed: Option<String>,
}

impl Recording {
    /// Reads a journal, or that in a folder, once through: what is told first of a run may stand
    /// in the middle.
    ///
    /// # Errors
    /// If it is not there, cannot be read, holds no event, or holds anything else but events in
    /// the order of a run. A last line that is torn is the end.
    pub fn open(place: &Path) -> Result<Self, RecordingError> {
        let missing = |what| RecordingError::Missing(shown(place), what);
        let file = if place.is_dir() { place.join(JOURNAL) } else { place.to_owned() };
        match std::fs::metadata(&file) {
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(missing("not a plain file, and it has to be read twice")),
            Err(_) if place.is_dir() => return Err(missing("no events.jsonl in it")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(missing("no such file or folder"));
            }
            Err(error) => return Err(RecordingError::System(shown(&file), error)),
        }
        let mut lines = Lines::open(&file)?;
        let (mut outline, mut whole) = (Outline::default(), 0);
        while let Some(event) = lines.next()? {
            outline.take(lines.line, event).map_err(|reason| lines.wrong(reason))?;
            whole = lines.line;
        }
        if whole == 0 {
            return Err(missing("it holds no event, so no run had begun"));
        }
        let (started_line, started) = outline.beginning(&file)?;
        Ok(Self { file, started, started_line, lines: whole })
    }

    /// The events: the start first, the others in the order in which they happened.
    ///
    /// # Errors
    /// If the file can no longer be opened.
    pub fn events(&self) -> Result<Events, RecordingError> {
        Ok(Events {
            started: Some(self.started.clone()),
            started_line: self.started_line,
            lines: Lines::open(&self.file)?,
            last: self.lines,
        })
    }
}

impl Outline {
    fn take(&mut self, line: u64, event: TrainEvent) -> Result<(), String> {
        match event {
            TrainEvent::Started(_) if self.started.is_some() => {
                return Err("here another run begins".to_owned());
            }
            TrainEvent::Started(started) => self.started = Some((line, started)),
            other => {
                self.went_before |= self.started.is_none();
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

    /// What holds for the run, and the line that says so.
    fn beginning(self, file: &Path) -> Result<(Option<u64>, Started), RecordingError> {
        let (line, mut started) = match (self.started, &self.last, self.failed) {
            (Some((line, started)), ..) if !self.went_before => return Ok((Some(line), started)),
            (Some((line, mut started)), ..) => {
                let note = format!("was cut off, and went on after step {}", started.resumed_at);
                started.notes.push(note);
                (Some(line), started)
            }
            (None, Some(last), _) => (None, stand_in(last, self.evaluated.as_ref(), file)),
            (None, None, Some(message)) => {
                return Err(RecordingError::NeverBegan(shown(file), message));
            }
            (None, None, None) => {
                let what = "it holds no step, so no run had begun";
                return Err(RecordingError::Missing(shown(file), what));
            }
        };
        // The whole of the run is played, not only what came after it was resumed.
        let first = self.first.filter(|first| first.step > 1);
        started.resumed_at = first.as_ref().map_or(0, |first| first.step - 1);
        started.resumed_elapsed = first.map_or(0.0, |first| first.elapsed);
        Ok((line, started))
    }
}

/// What can be told of a run whose journal does not say how it began: of one that was killed just
/// as it was resumed.
fn stand_in(last: &Step, evaluated: Option<&Evaluated>, file: &Path) -> Started {
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
        output_dir: shown(file.parent().unwrap_or(file)),
        replaces_model: false,
        settings: Vec::new(),
        resumed_at: 0,
        resumed_elapsed: 0.0,
        notes: vec!["the journal does not say how the run began".to_owned()],
    }
}

/// A path, fit to be shown.
fn shown(path: &Path) -> String {
    sanitize_for_terminal(&path.display().to_string()).into_owned()
}

/// A run's events, the start first.
pub struct Events {
    started: Option<Started>,
    started_line: Option<u64>,
    lines: Lines,
    last: u64,
}

impl Iterator for Events {
    type Item = Result<TrainEvent, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(started) = self.started.take() {
            return Some(Ok(TrainEvent::Started(started)));
        }
        while self.lines.line < self.last {
            let event = self.lines.next().transpose()?;
            if event.is_err() {
                // One word on it is enough.
                self.last = 0;
            }
            if Some(self.lines.line) != self.started_line {
                return Some(event);
            }
        }
        None
    }
}

/// The lines of a file, each checked.
#[derive(Debug)]
struct Lines {
    reader: BufReader<File>,
    file: String,
    /// Lines read.
    line: u64,
    /// The last step.
    step: u64,
    bytes: Vec<u8>,
}

impl Lines {
    fn open(file: &Path) -> Result<Self, RecordingError> {
        let name = shown(file);
        let opened = File::open(file);
        let opened = opened.map_err(|error| RecordingError::System(name.clone(), error))?;
        Ok(Self { reader: BufReader::new(opened), file: name, line: 0, step: 0, bytes: Vec::new() })
    }

    fn wrong(&self, reason: String) -> RecordingError {
        RecordingError::Line { file: self.file.clone(), line: self.line, reason }
    }

    /// The next event; none at the end, which may be a torn line.
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
            return Err(self.wrong("a line of more than a megabyte is no event".to_owned()));
        }
        let whole = self.bytes.ends_with(b"\n");
        match parse(&self.bytes) {
            Ok(event) => {
                check(&event, self.step).map_err(|reason| self.wrong(reason))?;
                if let TrainEvent::Step(step) = &event {
                    self.step = step.step;
                }
                Ok(Some(event))
            }
            Err(_) if !whole => Ok(None),
            Err(reason) => Err(self.wrong(format!("no event of a run ({reason})"))),
        }
    }
}

/// An event, with all its texts fit to be shown.
fn parse(line: &[u8]) -> Result<TrainEvent, String> {
    let why = |error: serde_json::Error| {
        let text = error.to_string();
        // It would count the lines within the line.
        truncate_width(text.split(" at line ").next().unwrap_or_default(), 100)
    };
    let text = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
    let text = text.trim_end_matches(['\n', '\r']);
    // Without an escape and without anything unprintable in the line there is none in its texts.
    if !text.contains('\\') && matches!(sanitize_for_terminal(text), Cow::Borrowed(_)) {
        return serde_json::from_str(text).map_err(why);
    }
    let mut value: Value = serde_json::from_str(text).map_err(why)?;
    make_printable(&mut value);
    serde_json::from_value(value).map_err(why)
}

fn make_printable(value: &mut Value) {
    match value {
        Value::String(text) => *text = sanitize_for_terminal(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(make_printable),
        Value::Object(values) => values.values_mut().for_each(make_printable),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Numbers beyond this are no counts of this program's, and could not be added up.
const MOST: u64 = 1 << 40;

/// The most classes.
const CLASSES: usize = 1 << 12;

/// Whether this program can have written it after `last` steps; if not, why.
fn check(event: &TrainEvent, last: u64) -> Result<(), String> {
    if event.elapsed().is_some_and(|elapsed| !(0.0..=1e9).contains(&elapsed)) {
        return Err("no time of a run".to_owned());
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
            if matrix.len() > CLASSES || matrix.iter().any(|row| row.len() != matrix.len()) {
                return Err("no confusion matrix".to_owned());
            }
            let mut counts: Vec<u64> = matrix.iter().flatten().copied().collect();
            counts.extend([evaluated.step, evaluated.metrics.eval_samples]);
            (counts, evaluated.epoch)
        }
        TrainEvent::Finished(finished) => (vec![finished.global_step], finished.metrics.epoch),
        TrainEvent::Steered(steered) => (vec![steered.step], steered.epoch),
        TrainEvent::Checkpoint(_)
        | TrainEvent::Warned(_)
        | TrainEvent::Saved(_)
        | TrainEvent::Failed(_) => (Vec::new(), 0.0),
    };
    let sound = counts.iter().all(|count| *count <= MOST) && (0.0..=1e12).contains(&epoch);
    if sound { Ok(()) } else { Err("a number that no run counts to".to_owned()) }
}

#[cfg(test)]
#[path = "recording_tests.rs"]
mod tests;
