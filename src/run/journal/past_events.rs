//! The events of a journal up to the step that a run is resumed after.

use super::step_of;
use crate::core::text::to_json;
use crate::core::train::event::{Evaluated, TrainEvent};
use crate::run::event_lines::{EventLine, EventLines};
use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::path::Path;

/// The most cells of the confusion matrices of a history that is held in memory.
const MAX_CELLS: usize = 1 << 24;

/// The events of a run up to a step.
#[derive(Debug, Default)]
pub(in crate::run) struct PastEvents {
    /// The events in their order: steps, epochs, evaluations, checkpoints, warnings and commands.
    pub events: Vec<TrainEvent>,
    /// Their lines, as they are in the file.
    pub lines: Vec<u8>,
    /// The first line that is not an event in its order, and the reason.
    pub damaged: Option<(u64, String)>,
    /// The number of such lines; they are left out.
    pub damaged_lines: u64,
    /// Cells of the confusion matrices in memory.
    cells: usize,
    last_evaluation: Option<usize>,
}

impl PastEvents {
    /// Reads a journal for a run that is resumed after `step`: steps, epochs, evaluations,
    /// checkpoints, warnings and commands up to `step`. Starts and ends are left out, because the
    /// resumed run reports new ones.
    ///
    /// A checkpoint may have been written before or after the evaluation of its step, so
    /// `keep_at_step` decides which events at exactly `step` remain; the step itself always
    /// remains. The resumed run reports the dropped events again.
    ///
    /// Reading is lenient: damaged lines are left out and counted, an incomplete last line is left
    /// out, and a missing journal is empty.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(
        file: &Path,
        step: u64,
        keep_at_step: impl Fn(&TrainEvent) -> bool,
    ) -> io::Result<Self> {
        let mut past = Self::default();
        let mut lines = match File::open(file) {
            Ok(file) => EventLines::new(BufReader::new(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(past),
            Err(error) => return Err(error),
        };
        while let Some(EventLine { event, is_complete }) = lines.next()? {
            let event = match event {
                Ok(event) => event,
                Err(_) if !is_complete => break,
                Err(reason) => {
                    past.damaged.get_or_insert((lines.line, reason));
                    past.damaged_lines += 1;
                    continue;
                }
            };
            let Some(at) = step_of(&event) else { continue };
            let is_kept = match event {
                TrainEvent::Step(_) => at <= step,
                _ => at < step || (at == step && keep_at_step(&event)),
            };
            if is_kept {
                past.lines.extend_from_slice(lines.bytes());
                if !is_complete {
                    past.lines.push(b'\n');
                }
                past.remember(event);
            }
        }
        Ok(past)
    }

    /// Adds an event at the end.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn push(&mut self, event: TrainEvent) -> io::Result<()> {
        self.lines.extend_from_slice(to_json(&event)?.as_bytes());
        self.lines.push(b'\n');
        self.remember(event);
        Ok(())
    }

    /// The last step.
    pub fn last_step(&self) -> u64 {
        let steps = self.events.iter().rev();
        let mut steps = steps.filter_map(|event| match event {
            TrainEvent::Step(step) => Some(step.step),
            _ => None,
        });
        steps.next().unwrap_or_default()
    }

    /// Adds an event to the history in memory. If the confusion matrices of many evaluations are
    /// very large together, only the last of them remains complete in memory.
    fn remember(&mut self, event: TrainEvent) {
        let cells = |evaluated: &Evaluated| evaluated.metrics.eval_confusion.counts.len().pow(2);
        if let TrainEvent::Evaluated(evaluated) = &event {
            self.cells += cells(evaluated);
            let previous = self.last_evaluation.replace(self.events.len());
            let previous = previous.and_then(|at| self.events.get_mut(at));
            if self.cells > MAX_CELLS
                && let Some(TrainEvent::Evaluated(previous)) = previous
            {
                self.cells -= cells(previous);
                previous.metrics.eval_confusion.counts = Vec::new();
            }
        }
        self.events.push(event);
    }
}
