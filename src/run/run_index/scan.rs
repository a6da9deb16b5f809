//! Finds runs and reads their journals.

use super::entry::{RunEntry, RunSummary, UnreadableRun};
use super::fingerprint::JournalFingerprint;
use crate::core::text::sanitize_for_terminal;
use crate::run::journal::JOURNAL;
use crate::run::metric_series::History;
use crate::run::recording::Recording;
use std::path::{Path, PathBuf};

/// The most levels of folders that are searched below the root.
const MAX_DEPTH: usize = 8;

/// The most folders that are searched, so that a search of a whole file system ends.
const MAX_FOLDERS: usize = 100_000;

/// The most runs that are listed.
const MAX_RUNS: usize = 10_000;

/// The folders with a journal, at and below `root`, sorted. Symbolic links, hidden folders and
/// checkpoints are skipped.
///
/// # Errors
/// If `root` cannot be read; unreadable folders below it are skipped.
pub fn find_runs(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    std::fs::read_dir(root)?;
    let mut level = vec![root.to_path_buf()];
    let mut visited = 0;
    for _ in 0..=MAX_DEPTH {
        let mut below = Vec::new();
        for folder in level {
            visited += 1;
            if visited > MAX_FOLDERS || found.len() >= MAX_RUNS {
                return Ok(found);
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
        level = below;
    }
    found.sort();
    Ok(found)
}

/// Reads the run in a folder at or below `root`; `None` if it has no journal.
pub fn read_entry(root: &Path, folder: &Path) -> Option<RunEntry> {
    let fingerprint = JournalFingerprint::of(folder)?;
    let below = folder.strip_prefix(root).ok().filter(|below| !below.as_os_str().is_empty());
    let name = below.unwrap_or(folder).display().to_string();
    let name = sanitize_for_terminal(&name).into_owned();
    let summary = read_summary(folder, &name, &fingerprint).map_err(|reason| {
        let reason = sanitize_for_terminal(&reason).into_owned();
        UnreadableRun { name, reason }
    });
    Some(RunEntry { folder: folder.to_path_buf(), summary, fingerprint })
}

fn read_summary(
    folder: &Path,
    name: &str,
    fingerprint: &JournalFingerprint,
) -> Result<RunSummary, String> {
    let recording = Recording::open(folder).map_err(|error| error.to_string())?;
    let mut summary = RunSummary::new(name.to_owned(), fingerprint);
    for event in recording.events().map_err(|error| error.to_string())? {
        summary.apply(event.map_err(|error| error.to_string())?);
    }
    Ok(summary)
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
