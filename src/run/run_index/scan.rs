//! Finds runs and reads their journals.

use super::entry::{RunEntry, RunSummary, UnreadableRun};
use super::fingerprint::JournalFingerprint;
use super::notes::RunNotes;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::TrainEvent;
use crate::run::journal::JOURNAL;
use crate::run::metric_series::History;
use crate::run::recorder::other_computer;
use crate::run::recording::{Recording, RecordingError, RecordingFollower};
use std::path::{Path, PathBuf};

/// The most levels of folders that are searched below the root.
const MAX_DEPTH: usize = 8;

/// The most folders that are searched, so that a search of a whole file system ends.
const MAX_FOLDERS: usize = 100_000;

/// The most runs that are listed.
const MAX_RUNS: usize = 10_000;

/// The folders with a journal, at and below `root`, sorted. Symbolic links, hidden folders and
/// checkpoints are skipped. Of more runs or folders than the limits, those nearest to `root` are
/// searched, and those of the same depth in the order of their names.
///
/// # Errors
/// If `root` cannot be read; unreadable folders below it are skipped.
pub fn find_runs(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    find_runs_up_to(root, MAX_FOLDERS, MAX_RUNS)
}

pub(super) fn find_runs_up_to(
    root: &Path,
    max_folders: usize,
    max_runs: usize,
) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    std::fs::read_dir(root)?;
    let mut level = vec![root.to_path_buf()];
    let mut visited = 0;
    'levels: for _ in 0..=MAX_DEPTH {
        let mut below = Vec::new();
        for folder in level {
            visited += 1;
            if visited > max_folders || found.len() >= max_runs {
                break 'levels;
            }
            if folder.join(JOURNAL).is_file() {
                found.push(folder.clone());
            }
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let inside = entries.filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                is_folder && !name.starts_with('.') && !name.starts_with("checkpoint-")
            });
            below.extend(inside.map(|entry| entry.path()));
        }
        below.sort_unstable();
        level = below;
    }
    found.sort();
    Ok(found)
}

/// Reads the run in a folder at or below `root`; `None` if it has no journal.
pub fn read_entry(root: &Path, folder: &Path) -> Option<RunEntry> {
    RunReader::new(root, folder).read()
}

/// Reads the journal of a run again and again: each time, only what was added to it.
#[derive(Debug)]
pub struct RunReader {
    folder: PathBuf,
    /// The run's folder relative to the root of the search, sanitized for the terminal.
    name: String,
    /// The events read so far.
    progress: Option<(RecordingFollower, RunSummary)>,
    fingerprint: Option<JournalFingerprint>,
}

impl RunReader {
    /// A reader of the run in a folder at or below `root`.
    pub fn new(root: &Path, folder: &Path) -> Self {
        let below = folder.strip_prefix(root).ok().filter(|below| !below.as_os_str().is_empty());
        let name = below.unwrap_or(folder).display().to_string();
        let name = sanitize_for_terminal(&name).into_owned();
        Self { folder: folder.to_path_buf(), name, progress: None, fingerprint: None }
    }

    /// Whether the run has changed since it was last read: its journal, its notes, or the process
    /// that trains it. `false` if there is no journal.
    pub fn has_changed(&self) -> bool {
        let current = JournalFingerprint::of(&self.folder);
        current.is_some() && self.fingerprint != current
    }

    /// Reads what was added to the journal, or the whole journal if it was replaced; `None` if
    /// there is none.
    pub fn read(&mut self) -> Option<RunEntry> {
        let fingerprint = JournalFingerprint::of(&self.folder)?;
        let previous = self.fingerprint.replace(fingerprint);
        let read = self.progress.as_ref().map_or(0, |(follower, _)| follower.length());
        if !previous.is_some_and(|previous| fingerprint.is_continued(&previous, read)) {
            self.progress = None;
        }
        let summary = self.read_summary(&fingerprint).map_err(|error| {
            self.progress = None;
            let reason = sanitize_for_terminal(&error.to_string()).into_owned();
            UnreadableRun { name: self.name.clone(), reason }
        });
        Some(RunEntry { folder: self.folder.clone(), summary, fingerprint })
    }

    fn read_summary(
        &mut self,
        fingerprint: &JournalFingerprint,
    ) -> Result<RunSummary, RecordingError> {
        if self.progress.is_none() {
            let summary = RunSummary::new(self.name.clone(), fingerprint);
            self.progress = Some((RecordingFollower::new(&self.folder)?, summary));
        }
        let Some((follower, summary)) = &mut self.progress else {
            return Ok(RunSummary::new(self.name.clone(), fingerprint));
        };
        follower.read(|event| summary.apply(event))?;
        let mut summary = summary.clone();
        if let Some(event) = follower.last() {
            summary.apply(event);
        }
        summary.apply(&TrainEvent::Started(follower.started()?));
        summary.update(fingerprint);
        summary.computer = other_computer(&self.folder);
        (summary.notes, summary.notes_problem) = RunNotes::read_to_show(&self.folder);
        Ok(summary)
    }
}

/// The curves of the run in a folder, up to the first damaged line of its journal.
///
/// # Errors
/// If there is no journal, or its first line is damaged; the error is a message for the user.
pub fn read_history(folder: &Path) -> Result<History, String> {
    let recording = Recording::open(folder).map_err(|error| error.to_string())?;
    let mut history = History::default();
    for event in recording.events().map_err(|error| error.to_string())?.map_while(Result::ok) {
        history.apply(&event);
    }
    Ok(history)
}
