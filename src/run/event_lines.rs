//! Reads the events of a run from lines of JSON, one bounded line at a time, and validates them.

use crate::core::text::{sanitize_for_terminal, truncate_width};
use crate::core::train::TrainEvent;
use crate::core::train::event::{MAX_LISTED_GPUS, MAX_LISTED_RANKS};
use serde_json::Value;
use std::borrow::Cow;
use std::io::{self, BufRead, Read};

/// The most bytes of a line. The longest is an evaluation of a model with the most classes, whose
/// confusion matrix has their number squared.
pub(super) const LONGEST_LINE: u64 = 32 << 20;

/// The highest count that is accepted; sums of such counts do not overflow.
const MAX_COUNT: u64 = 1 << 40;

/// The highest number of classes that is accepted.
const MAX_CLASSES: usize = 1 << 12;

/// A line of a file of events.
#[derive(Debug)]
pub(super) struct EventLine {
    /// The event, with its texts sanitized for the terminal, or why there is none.
    pub event: Result<TrainEvent, String>,
    /// Whether nothing can be added to the line: it ends with a newline, or it is too long.
    pub is_complete: bool,
}

/// A position between two lines of a file of events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EventPosition {
    /// Lines before it.
    pub line: u64,
    /// Bytes before it.
    pub bytes: u64,
    /// The last step before it.
    last_step: u64,
}

/// Reads lines of events.
#[derive(Debug)]
pub(super) struct EventLines<R> {
    reader: R,
    /// Lines read.
    pub line: u64,
    /// Bytes of the lines read.
    bytes_read: u64,
    /// The last step.
    last_step: u64,
    bytes: Vec<u8>,
}

impl<R: BufRead> EventLines<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, line: 0, bytes_read: 0, last_step: 0, bytes: Vec::new() }
    }

    /// Continues to read lines where another reader has ended.
    pub fn continued(reader: R, after: &EventPosition) -> Self {
        let EventPosition { line, bytes: bytes_read, last_step } = *after;
        Self { reader, line, bytes_read, last_step, bytes: Vec::new() }
    }

    /// The position after the current line.
    pub fn position(&self) -> EventPosition {
        EventPosition { line: self.line, bytes: self.bytes_read, last_step: self.last_step }
    }

    /// The bytes of the current line, with its newline; the start of a line that is too long.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads the next line; `None` at the end of the file. An event that does not follow the events
    /// before it is an error of its line.
    ///
    /// # Errors
    /// I/O errors.
    pub fn next(&mut self) -> io::Result<Option<EventLine>> {
        self.bytes.clear();
        let limit = LONGEST_LINE + 1;
        self.reader.by_ref().take(limit).read_until(b'\n', &mut self.bytes)?;
        if self.bytes.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        self.bytes_read += self.bytes.len() as u64;
        let is_complete = self.bytes.ends_with(b"\n");
        if self.bytes.len() as u64 == limit && !is_complete {
            self.skip_line()?;
            let reason = "a line of more than 32 MiB is not an event".to_owned();
            return Ok(Some(EventLine { event: Err(reason), is_complete: true }));
        }
        let event = parse(&self.bytes)
            .map_err(|reason| format!("not an event of a run ({reason})"))
            .and_then(|event| check(&event, self.last_step).map(|()| event));
        match &event {
            Ok(TrainEvent::Step(step)) => self.last_step = step.step,
            // The steps after it are computed again.
            Ok(TrainEvent::RolledBack(rolled_back)) => self.last_step = rolled_back.step,
            _ => {}
        }
        Ok(Some(EventLine { event, is_complete }))
    }

    /// Skips the rest of a line, without keeping it.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let skipped = end.map_or(buffer.len(), |end| end + 1);
            self.reader.consume(skipped);
            self.bytes_read += skipped as u64;
            if end.is_some() {
                return Ok(());
            }
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

/// Sanitizes all texts of a value for the terminal.
pub(super) fn sanitize_texts(value: &mut Value) {
    match value {
        Value::String(text) => *text = sanitize_for_terminal(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(sanitize_texts),
        Value::Object(values) => values.values_mut().for_each(sanitize_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

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
        TrainEvent::Finished(finished) => {
            let early = finished.early_stopping.iter();
            let early = early.flat_map(|early| [early.evaluations, early.best_step.unwrap_or(0)]);
            (early.chain([finished.global_step]).collect(), finished.metrics.epoch)
        }
        TrainEvent::CommandApplied(applied) => (vec![applied.step], applied.epoch),
        TrainEvent::RolledBack(back) if back.step > last || back.failed_step <= back.step => {
            return Err(format!("back to step {} after step {last}", back.step));
        }
        TrainEvent::RolledBack(back) => {
            (vec![back.failed_step, back.count, back.limit], back.epoch)
        }
        TrainEvent::Ranks(measured) if measured.ranks.len() > MAX_LISTED_RANKS => {
            return Err(format!("it lists {} ranks", measured.ranks.len()));
        }
        TrainEvent::Ranks(measured) => {
            let memory =
                measured.ranks.iter().flat_map(|rank| [rank.memory, rank.gpu_memory.unwrap_or(0)]);
            let mut counts: Vec<u64> = memory.map(|bytes| bytes >> 20).collect();
            counts.extend([measured.step, measured.world_size as u64]);
            (counts, 0.0)
        }
        TrainEvent::System(measured) if measured.gpus.len() > MAX_LISTED_GPUS => {
            return Err(format!("it lists {} GPUs", measured.gpus.len()));
        }
        TrainEvent::System(measured) => {
            let gpus = measured.gpus.iter().flat_map(|gpu| [gpu.memory_used, gpu.memory_total]);
            let own = [measured.memory_used, measured.memory_total, measured.process_memory];
            let counts = own.into_iter().chain(gpus).map(|bytes| bytes >> 20);
            (counts.chain([measured.step]).collect(), 0.0)
        }
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
