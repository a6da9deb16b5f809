//! The runs below a folder, for the dashboard: a thread that looks for them, reads what is known of
//! each and, when asked, their curves, and looks again every few seconds.

use super::Worker;
use crate::run::metric_series::History;
use crate::run::run_index::{Found, Seen, curves, find, look, summarise};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(3);

/// The times that looking takes, until it is done again.
const REST: u32 = 10;

/// What is learned of the runs below a folder.
#[derive(Clone, Debug, PartialEq)]
pub enum RunIndexReport {
    /// A run that was not known, or has gone on.
    Found(Box<Found>),
    /// A run that is no longer there.
    Gone(PathBuf),
    /// The folder was looked through.
    Complete,
    /// The curves of a run, or why there are none.
    Curves(PathBuf, Result<Box<History>, String>),
}

/// A command to the index of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunIndexCommand {
    /// Read the curves of the run in this folder.
    ReadCurves(PathBuf),
}

/// A front end's ends of the two channels to the index of runs.
#[derive(Clone, Debug)]
pub struct RunIndexChannels {
    /// What is found.
    pub reports: Receiver<RunIndexReport>,
    /// Commands to the index. Dropping this ends its thread.
    pub commands: Sender<RunIndexCommand>,
}

/// Starts to look for runs.
///
/// # Errors
/// If no thread can be started.
pub fn start(root: PathBuf) -> std::io::Result<Worker<RunIndexChannels>> {
    let (report, reports) = unbounded();
    let (commands, command) = unbounded();
    let thread = std::thread::Builder::new().name("catalogue".to_owned()).spawn(move || {
        let known = BTreeMap::new();
        let mut catalogue = Catalogue { root, known, is_complete: false, report, command };
        // It ends when nobody is left to listen.
        let _ = catalogue.keep();
    })?;
    Ok(Worker { channels: RunIndexChannels { reports, commands }, thread })
}

struct Catalogue {
    root: PathBuf,
    known: BTreeMap<PathBuf, Seen>,
    /// Whether the folder was looked through once.
    is_complete: bool,
    report: Sender<RunIndexReport>,
    command: Receiver<RunIndexCommand>,
}

/// Whoever listened is gone.
struct Gone;

impl Catalogue {
    fn keep(&mut self) -> Result<(), Gone> {
        loop {
            let began = Instant::now();
            self.look_through()?;
            // Long journals of runs under way are not read all the time.
            let next = Instant::now() + LOOK.max(began.elapsed() * REST);
            loop {
                match self.command.recv_deadline(next) {
                    Ok(command) => self.apply(command)?,
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return Err(Gone),
                }
            }
        }
    }

    /// Tells of what is new, has changed or is gone. Commands are obeyed in between.
    fn look_through(&mut self) -> Result<(), Gone> {
        // A folder that cannot be read just now keeps what is known of it.
        let Ok(folders) = find(&self.root) else { return Ok(()) };
        for folder in &folders {
            let seen = look(folder);
            if seen.is_none() || seen == self.known.get(folder).copied() {
                continue;
            }
            if let Some(found) = summarise(&self.root, folder) {
                self.known.insert(folder.clone(), found.seen);
                self.tell(RunIndexReport::Found(Box::new(found)))?;
            }
            while let Ok(command) = self.command.try_recv() {
                self.apply(command)?;
            }
        }
        let gone = |known: &&PathBuf| folders.binary_search(known).is_err();
        let gone: Vec<PathBuf> = self.known.keys().filter(gone).cloned().collect();
        for folder in gone {
            self.known.remove(&folder);
            self.tell(RunIndexReport::Gone(folder))?;
        }
        if !std::mem::replace(&mut self.is_complete, true) {
            self.tell(RunIndexReport::Complete)?;
        }
        Ok(())
    }

    fn apply(&mut self, command: RunIndexCommand) -> Result<(), Gone> {
        match command {
            RunIndexCommand::ReadCurves(folder) => self.read_curves(&folder),
        }
    }

    fn read_curves(&mut self, folder: &Path) -> Result<(), Gone> {
        let read = curves(folder).map(Box::new);
        self.tell(RunIndexReport::Curves(folder.to_path_buf(), read))
    }

    fn tell(&self, report: RunIndexReport) -> Result<(), Gone> {
        self.report.send(report).map_err(|_| Gone)
    }
}
