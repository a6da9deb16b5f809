//! The journal of a run: its events as lines of JSON, in a file in the run's folder. A resumed run
//! appends to it, so that its charts show the whole run.

mod past_events;

pub(super) use past_events::PastEvents;

use super::append_file::{AppendFile, Flushed, MAX_PENDING, open_to_append};
use crate::core::atomic_write::write_atomically;
use crate::core::text::to_json;
use crate::core::train::event::{TrainEvent, Warned};
use std::io::{self, ErrorKind};
use std::path::Path;

/// The journal's name in the folder of a run.
pub const JOURNAL: &str = "events.jsonl";

/// The room that is kept free for the mark of a gap and the end of the run, in bytes.
const MARKER_ROOM: usize = 1 << 16;

/// An open journal. Each event is written with one system call; it is guaranteed to be on disk
/// after [`Self::sync`]. Events that cannot be written are kept in bounded memory and written
/// later; a line that could be written only in part is removed first.
#[derive(Debug)]
pub struct Journal {
    file: AppendFile,
    /// The events that were given up because the memory was used up, if they are not marked yet.
    gap: Option<Gap>,
    /// The number of events that were given up since [`Self::take_lost`].
    lost: u64,
}

/// Events that are missing in a journal.
#[derive(Clone, Copy, Debug)]
struct Gap {
    count: u64,
    /// The steps of the first and the last event.
    steps: [u64; 2],
}

impl Gap {
    fn marker(self) -> TrainEvent {
        let Self { count, steps: [from, to] } = self;
        let message = format!(
            "{count} events of steps {from} to {to} are missing here: the journal could not be \
             written, and {} MiB of events is the most that is kept in memory",
            MAX_PENDING >> 20
        );
        TrainEvent::Warned(Warned { message, step: to })
    }
}

impl Journal {
    /// Creates a journal, and its folder if it is missing. An existing journal is replaced.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(file: &Path) -> io::Result<Self> {
        Self::open_now(file, Vec::new())
    }

    /// Continues the journal of a run that is resumed after `step`; see `PastEvents::read`.
    /// Returns the events that remain. The file is rewritten with the remaining events.
    ///
    /// # Errors
    /// If the file cannot be read or replaced; the journal is then either unchanged or complete.
    pub fn continue_after(
        file: &Path,
        step: u64,
        keep_at_step: impl Fn(&TrainEvent) -> bool,
    ) -> io::Result<(Self, Vec<TrainEvent>)> {
        let past = PastEvents::read(file, step, keep_at_step)?;
        Ok((Self::open_now(file, past.lines)?, past.events))
    }

    fn open_now(file: &Path, lines: Vec<u8>) -> io::Result<Self> {
        let path = file.to_path_buf();
        let mut journal = Self::new(file, move || write_atomically(&path, &lines));
        match journal.flush_now() {
            Flushed::Failed(error) => Err(error),
            Flushed::All | Flushed::Waiting => Ok(journal),
        }
    }

    /// A journal that is opened with the first event, after `prepare` has written its first lines,
    /// if any. Both are tried again with later events until they succeed.
    pub(super) fn new(
        file: &Path,
        mut prepare: impl FnMut() -> io::Result<()> + Send + 'static,
    ) -> Self {
        let file = file.to_path_buf();
        let file = AppendFile::new(move || {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            prepare()?;
            let opened = open_to_append(&file, false)?;
            let end = opened.metadata()?.len();
            Ok((opened, file.clone(), end))
        });
        Self { file, gap: None, lost: 0 }
    }

    /// Appends an event as one line.
    ///
    /// # Errors
    /// If the file cannot be written; the event is written later.
    pub fn append(&mut self, event: &TrainEvent) -> io::Result<()> {
        match self.record(event) {
            Flushed::All => Ok(()),
            Flushed::Waiting => Err(ErrorKind::WouldBlock.into()),
            Flushed::Failed(error) => Err(error),
        }
    }

    /// Appends an event as one line, after the events that could not be written before. If these
    /// use up the memory, the event is given up, and a warning in the journal marks the gap.
    pub(super) fn record(&mut self, event: &TrainEvent) -> Flushed {
        let line = match to_json(event) {
            Ok(line) => line + "\n",
            Err(error) => return Flushed::Failed(error.into()),
        };
        if !self.file.has_room(line.len() + MARKER_ROOM) {
            self.flush();
        }
        // The end of a run needs little room.
        let is_end =
            matches!(event, TrainEvent::Saved(_) | TrainEvent::Finished(_) | TrainEvent::Failed(_));
        if !is_end && !self.file.has_room(line.len() + MARKER_ROOM) {
            let step = step_of(event);
            let from = step.unwrap_or_default();
            let gap = self.gap.get_or_insert(Gap { count: 0, steps: [from, from] });
            gap.count += 1;
            gap.steps[1] = step.unwrap_or(gap.steps[1]);
            self.lost += 1;
            return self.flush();
        }
        if let Some(gap) = self.gap.take()
            && let Ok(marker) = to_json(&gap.marker())
        {
            self.file.push((marker + "\n").into_bytes());
        }
        self.file.push(line.into_bytes());
        self.flush()
    }

    /// Writes the events that could not be written before, unless an attempt failed a short time
    /// ago.
    pub(super) fn flush(&mut self) -> Flushed {
        self.file.flush()
    }

    /// Writes the events that could not be written before.
    pub(super) fn flush_now(&mut self) -> Flushed {
        self.file.flush_now()
    }

    /// The events that are not in the file yet.
    pub(super) fn pending(&self) -> Vec<TrainEvent> {
        let lines = self.file.pending();
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    /// Returns and clears the number of events that were given up.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// The file.
    pub(super) fn file(&mut self) -> &mut AppendFile {
        &mut self.file
    }

    /// Waits until all events are on disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync()
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
        TrainEvent::Ranks(ranks) => Some(ranks.step),
        TrainEvent::System(system) => Some(system.step),
        TrainEvent::RolledBack(rolled_back) => Some(rolled_back.step),
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
#[path = "journal_tests.rs"]
mod tests;
