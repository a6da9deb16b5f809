//! A thread that finds the runs below a folder for the dashboard, reads their journals and, on
//! request, their curves, and searches again every few seconds.

use super::Worker;
use crate::run::run_index::{
    JournalFingerprint, RunIndexChannels, RunIndexCommand, RunIndexReport, RunReader, find_runs,
    read_history,
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The shortest time between the starts of two searches.
const SCAN_INTERVAL: Duration = Duration::from_secs(3);

/// The time until the next search, as a multiple of the time that the last one took.
const SCAN_COST_FACTOR: u32 = 10;

/// The time until curves are read again, as a multiple of the time that it took: the whole journal of a
/// run that goes on is read.
const CURVES_COST_FACTOR: u32 = 10;

/// Starts the thread that indexes the runs below `root`.
///
/// # Errors
/// If no thread can be started.
pub fn start(root: PathBuf) -> std::io::Result<Worker<RunIndexChannels>> {
    let (report, reports) = unbounded();
    let (commands, command) = unbounded();
    let thread = std::thread::Builder::new().name("run index".to_owned()).spawn(move || {
        // The thread exits when the receiver is dropped.
        let _ = RunIndexWatcher::new(root, report, command).run();
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
    /// When the curves of each run may be read again.
    curves_due: BTreeMap<PathBuf, Instant>,
    /// The runs whose curves are to be read again as soon as they may.
    postponed: BTreeSet<PathBuf>,
    report: Sender<RunIndexReport>,
    command: Receiver<RunIndexCommand>,
}

/// The front end has dropped its ends of the channels.
struct Disconnected;

impl RunIndexWatcher {
    fn new(
        root: PathBuf,
        report: Sender<RunIndexReport>,
        command: Receiver<RunIndexCommand>,
    ) -> Self {
        Self {
            root,
            known: BTreeMap::new(),
            is_complete: false,
            is_edited: false,
            curves_due: BTreeMap::new(),
            postponed: BTreeSet::new(),
            report,
            command,
        }
    }

    fn run(&mut self) -> Result<(), Disconnected> {
        loop {
            let began = Instant::now();
            self.is_edited = false;
            self.scan()?;
            // Many folders take a long time to search, so the interval grows with the duration.
            let next = Instant::now() + SCAN_INTERVAL.max(began.elapsed() * SCAN_COST_FACTOR);
            while !self.is_edited {
                let due = self.postponed.iter().filter_map(|folder| self.curves_due.get(folder));
                let until = due.min().map_or(next, |due| next.min(*due));
                match self.command.recv_deadline(until) {
                    Ok(command) => self.handle(command)?,
                    Err(RecvTimeoutError::Timeout) => {
                        self.read_postponed()?;
                        if Instant::now() >= next {
                            break;
                        }
                    }
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
            self.curves_due.remove(&folder);
            self.postponed.remove(&folder);
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

    /// Reads the curves of a run, at once or when they may be read again.
    fn read_curves(&mut self, folder: &Path) -> Result<(), Disconnected> {
        let began = Instant::now();
        if self.curves_due.get(folder).is_some_and(|due| *due > began) {
            self.postponed.insert(folder.to_path_buf());
            return Ok(());
        }
        let read = read_history(folder).map(Box::new);
        let due = Instant::now() + began.elapsed() * CURVES_COST_FACTOR;
        self.curves_due.insert(folder.to_path_buf(), due);
        self.send(RunIndexReport::Curves(folder.to_path_buf(), read))
    }

    /// Reads the curves that were postponed until now.
    fn read_postponed(&mut self) -> Result<(), Disconnected> {
        for folder in std::mem::take(&mut self.postponed) {
            self.read_curves(&folder)?;
        }
        Ok(())
    }

    fn send(&self, report: RunIndexReport) -> Result<(), Disconnected> {
        self.report.send(report).map_err(|_| Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::run_index::tests::write_run;

    #[test]
    fn curves_that_are_asked_for_again_are_read_later() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("a");
        write_run(&folder);
        let (report, reports) = unbounded();
        let (_commands, command) = unbounded();
        let mut watcher = RunIndexWatcher::new(root.path().to_path_buf(), report, command);
        let is_read = || matches!(reports.try_recv(), Ok(RunIndexReport::Curves(_, Ok(_))));
        assert!(watcher.read_curves(&folder).is_ok() && is_read(), "at once");
        watcher.curves_due.insert(folder.clone(), Instant::now() + Duration::from_mins(1));
        assert!(watcher.read_curves(&folder).is_ok() && !is_read(), "it is postponed");
        assert!(watcher.read_postponed().is_ok() && !is_read(), "it is not due");
        watcher.curves_due.insert(folder.clone(), Instant::now());
        assert!(watcher.read_postponed().is_ok() && is_read());
        assert!(watcher.postponed.is_empty());
    }
}
