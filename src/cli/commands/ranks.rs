//! The processes of a run of several: which of them this one is, and what those do that have no front
//! end.

use super::background;
use crate::cli::output::print_to_stderr;
use crate::core::collective::Placement;
use crate::core::train::event::{Failed, TrainEvent, Warned};
use crate::run::options::{NotifyOptions, TrainOptions};
use crate::run::protocol::{Activity, RunReport};
use crate::run::ranks::{Membership, placement};
use crate::run::session::LocalKind;
use crate::run::worker::Worker;
use crossbeam_channel::RecvTimeoutError;
use rustix::process::getppid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process::ExitCode;
use std::time::Duration;

/// The most processes that are started on one machine: more are a typing error.
const MAX_PROCESSES: usize = 256;

/// The processes of a run.
pub struct Ranks {
    /// Where a launcher has placed this process.
    placement: Option<Placement>,
    /// The number of processes that this one starts, itself included.
    processes: usize,
}

impl Ranks {
    /// Finds out by the variables of launchers and by the number of `--nproc-per-node`.
    ///
    /// # Errors
    /// If they contradict each other, or the number is too large.
    pub fn find(processes: Option<usize>) -> anyhow::Result<Self> {
        anyhow::ensure!(
            processes.is_none_or(|processes| processes <= MAX_PROCESSES),
            "--nproc-per-node starts at most {MAX_PROCESSES} processes on a machine"
        );
        let placement = placement(|name| std::env::var(name).ok(), processes)?;
        Ok(Self { placement, processes: processes.unwrap_or(1) })
    }

    /// The rank of this process if it is not rank 0, which has the front end.
    pub fn other_rank(&self) -> Option<usize> {
        self.placement.as_ref().map(|placement| placement.rank).filter(|&rank| rank > 0)
    }

    /// How this process takes part; `None` in a run of one process. It starts the other processes, if
    /// no launcher does.
    ///
    /// # Errors
    /// If a process cannot be started, or rank 0 cannot wait on its port.
    pub fn membership(&self) -> anyhow::Result<Option<Membership>> {
        Ok(match &self.placement {
            Some(placement) => Some(Membership::launched(placement.clone())?),
            None if self.processes > 1 => {
                Some(Membership::starting(self.processes, || background::same_command(None))?)
            }
            None => None,
        })
    }
}

/// Trains as a rank without a front end. Problems are printed as lines of standard error that begin
/// with the rank. Signals are for rank 0, which tells the others what to do; before the run has
/// started, they end this process.
///
/// # Errors
/// If a thread cannot be started.
pub fn follow(
    options: TrainOptions,
    rank: usize,
    membership: Option<Membership>,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let notify = NotifyOptions::default();
    let worker = Worker::spawn_with(options, notify, LocalKind::Text, None, membership)?;
    let (mut has_started, mut code) = (false, ExitCode::SUCCESS);
    let parent = getppid();
    loop {
        let report = worker.channels.reports.recv_timeout(Duration::from_millis(100));
        if let Some(signal) = signals.pending().find(|_| !has_started) {
            return Ok(ExitCode::from(128 + signal as u8));
        }
        // Reading data can take minutes, in which nothing is exchanged with the other ranks.
        if !has_started && getppid() != parent {
            print_to_stderr(format_args!(
                "[rank {rank}] error: the process that started it is gone"
            ));
            return Ok(ExitCode::FAILURE);
        }
        match report {
            Ok(RunReport::Event(TrainEvent::Started(_))) => has_started = true,
            Ok(RunReport::Event(TrainEvent::Failed(Failed { message, .. }))) => {
                print_to_stderr(format_args!("[rank {rank}] error: {message}"));
                code = ExitCode::FAILURE;
            }
            Ok(RunReport::Event(TrainEvent::Warned(Warned { message, .. }))) => {
                print_to_stderr(format_args!("[rank {rank}] warning: {message}"));
            }
            Ok(RunReport::Activity(Activity::Idle)) | Err(RecvTimeoutError::Disconnected) => break,
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
    worker.join();
    Ok(code)
}
