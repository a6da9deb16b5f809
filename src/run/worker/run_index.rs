//! A thread that finds the runs below a folder for the dashboard, reads their journals and, on
//! request, their curves, and searches again every few seconds.

use super::Worker;
use crate::run::run_index::{
    JournalFingerprint, RunIndexChannels, RunIndexCommand, RunIndexReport, RunReader, find_runs,
    read_history,
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The shortest time between the starts of two searches.
const SCAN_INTERVAL: Duration = Duration::from_secs(3);

/// The time until the next search, as a multiple of the time that the last one took.
const SCAN_COST_FACTOR: u32 = 10;

/// Starts the thread that indexes the runs below `root`.
///
/// # Errors
/// If no thread can be started.
pub fn start(root: PathBuf) -> std::io::Result<Worker<RunIndexChannels>> {
    let (report, reports) = unbounded();
    let (commands, command) = unbounded();
    let thread = std::thread::Builder::new().name("run index".to_owned()).spawn(move || {
        let known = BTreeMap::new();
        let mut watcher =
            RunIndexWatcher { root, known, is_complete: false, is_edited: false, report, command };
        // The thread exits when the receiver is dropped.
        let _ = watcher.run();
    })?;
    Ok(Worker { channels: RunIndexChannels { reports, commands }, thread, hub: None })
}

struct RunIndexWatcher {
    root: PathBuf,
    known: BTreeMap<PathBuf, RunReader>,
    /// Whether the first search is complete.
    is_complete: bool,
    /// Whether a run was changed since the last search.
    is_edited: bool,
    report: Sender<RunIndexReport>,
    command: Receiver<RunIndexCommand>,
}

/// The front end has dropped its ends of the channels.
struct Disconnected;

impl RunIndexWatcher {
    fn run(&mut self) -> Result<(), Disconnected> {
        loop {
            let began = Instant::now();
            self.is_edited = false;
            self.scan()?;
            // Many folders take a long time to search, so the interval grows with the duration.
            let next = Instant::now() + SCAN_INTERVAL.max(began.elapsed() * SCAN_COST_FACTOR);
            while !self.is_edited {
                match self.command.recv_deadline(next) {
                    Ok(command) => self.handle(command)?,
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return Err(Disconnected),
                }
            }
        }
    }

    /// Reports new, changed and removed runs. Commands are handled in between.
    fn scan(&mut self) -> Result<(), Disconnected> {
        // If the folder cannot be read, the known runs stay listed.
        let Ok(folders) = find_runs(&self.root) else { return Ok(()) };
        for folder in &folders {
            let root = &self.root;
            let reader =
                self.known.entry(folder.clone()).or_insert_with(|| RunReader::new(root, folder));
            if reader.has_changed()
                && let Some(entry) = reader.read()
            {
                self.send(RunIndexReport::Updated(Box::new(entry)))?;
            }
            while let Ok(command) = self.command.try_recv() {
                self.handle(command)?;
            }
        }
        // A run beyond the limits of a search is not gone.
        let is_gone = |known: &&PathBuf| {
            folders.binary_search(known).is_err() && JournalFingerprint::of(known).is_none()
        };
        let gone: Vec<PathBuf> = self.known.keys().filter(is_gone).cloned().collect();
        for folder in gone {
            self.known.remove(&folder);
            self.send(RunIndexReport::Removed(folder))?;
        }
        if !std::mem::replace(&mut self.is_complete, true) {
            self.send(RunIndexReport::Complete)?;
        }
        Ok(())
    }

    fn handle(&mut self, command: RunIndexCommand) -> Result<(), Disconnected> {
        match command {
            RunIndexCommand::ReadCurves(folder) => self.read_curves(&folder),
            RunIndexCommand::Edit(edit) => {
                let outcome = edit.apply(&self.root);
                self.is_edited |= outcome.is_ok();
                self.send(RunIndexReport::Edited(edit, outcome))
            }
        }
    }

    fn read_curves(&mut self, folder: &Path) -> Result<(), Disconnected> {
        let read = read_history(folder).map(Box::new);
        self.send(RunIndexReport::Curves(folder.to_path_buf(), read))
    }

    fn send(&self, report: RunIndexReport) -> Result<(), Disconnected> {
        self.report.send(report).map_err(|_| Disconnected)
    }
}
