//! Runs the trials of a sweep, each in a process of its own.

use super::plan::{PlanError, SweepPlan};
use super::table::{SweepTable, promoted};
use super::trial::{OUTPUT, Trial, TrialState, last_line};
use crate::core::atomic_write::{remove_leftovers, write_atomically};
use crate::core::text::display_path;
use crate::run::options::run_toml;
use crate::run::run_index::RunReader;
use crate::run::{is_locked, lock_output_dir};
use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGSTOP, SIGTSTP};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// The options of a trial, in its folder.
const OPTIONS: &str = "options.toml";

/// How often processes and signals are looked at.
const TICK: Duration = Duration::from_millis(100);

/// How often the journals of running trials are read.
const READ_INTERVAL: Duration = Duration::from_millis(500);

/// How trials are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepJobs {
    /// How many at once.
    pub count: usize,
    /// Whether each has a device of its own. Trials that an earlier process of the sweep has started
    /// are then waited for first, because their devices are not known.
    pub have_devices: bool,
    /// Whether trials that failed in an earlier call are tried again.
    pub retry_failed: bool,
}

/// What the process of a trial needs.
#[derive(Debug)]
pub struct TrialStart {
    /// The folder of the run, which exists.
    pub folder: PathBuf,
    /// The file with its options.
    pub options: PathBuf,
    /// What it prints goes there.
    pub output: File,
    /// The number of its job, from 0 to one less than the number of jobs.
    pub job: usize,
}

/// What starts processes, receives signals and shows progress.
pub trait SweepHost {
    /// Starts the process of a trial.
    ///
    /// # Errors
    /// If it cannot be started.
    fn start(&mut self, start: TrialStart) -> std::io::Result<Child>;

    /// Waits for signals, at most this long: SIGINT and SIGTERM, which end the sweep, and SIGTSTP.
    fn signals(&mut self, longest: Duration) -> Vec<i32>;

    /// A trial has begun, or has ended.
    fn report(&mut self, trial: &Trial, state: &TrialState);

    /// The results have changed.
    fn show(&mut self, table: &SweepTable);
}

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepEnd {
    /// Every trial is finished or failed.
    Complete,
    /// The signal of this number ended it before.
    Signalled(u8),
}

/// A sweep that is run.
#[derive(Debug)]
pub struct SweepRunner<'a> {
    folder: &'a Path,
    plan: &'a SweepPlan,
    jobs: SweepJobs,
    trials: Vec<(Trial, TrialState)>,
    /// What is known of each trial besides, in the same order.
    runs: Vec<TrialRun>,
    stopped_by: Option<u8>,
    _lock: File,
}

#[derive(Debug)]
struct TrialRun {
    folder: PathBuf,
    reader: RunReader,
    process: Option<TrialProcess>,
}

#[derive(Debug)]
struct TrialProcess {
    child: Child,
    job: usize,
    /// The length of the output of earlier processes.
    printed_before: u64,
}

/// Locks the folder of a sweep, which is created if necessary, until the file is dropped.
///
/// # Errors
/// If another process runs the sweep, or the folder cannot be used.
pub fn lock_sweep(folder: &Path) -> anyhow::Result<File> {
    let shown = display_path(folder);
    if is_locked(folder) {
        return Err(PlanError::Request(format!(
            "{shown}: another process runs this sweep. Wait for its end, or pass another --output-dir"
        ))
        .into());
    }
    Ok(lock_output_dir(folder).map_err(|error| {
        let remedy = "Pass another --output-dir, or change its permissions";
        PlanError::File(format!("{shown}: the sweep cannot be saved there. {remedy}: {error}"))
    })?)
}

impl<'a> SweepRunner<'a> {
    /// Reads what the trials of a sweep have done so far. The folder has been locked with
    /// [`lock_sweep`].
    pub fn new(folder: &'a Path, plan: &'a SweepPlan, jobs: SweepJobs, lock: File) -> Self {
        remove_leftovers(folder);
        let (trials, runs) = (Vec::new(), Vec::new());
        let mut runner = Self { folder, plan, jobs, trials, runs, stopped_by: None, _lock: lock };
        let all: Vec<usize> = (0..plan.configurations.len()).collect();
        runner.add(plan.trials_of(&all, 0));
        runner.add_rungs();
        runner
    }

    /// The results so far.
    pub fn table(&self) -> SweepTable {
        SweepTable::new(self.plan, &self.trials)
    }

    /// Runs the trials that are left to do, until all are settled or a signal ends the sweep.
    ///
    /// # Errors
    /// If the options of a trial are invalid.
    pub fn run(&mut self, host: &mut impl SweepHost) -> anyhow::Result<SweepEnd> {
        let mut read_at = Instant::now();
        host.show(&self.table());
        loop {
            let reads = read_at.elapsed() >= READ_INTERVAL;
            if reads {
                read_at = Instant::now();
            }
            let mut has_changed = self.poll(reads, host);
            self.add_rungs();
            if self.stopped_by.is_none() {
                has_changed |= self.start_next(host)?;
            }
            if has_changed {
                host.show(&self.table());
            }
            let all_settled = self.trials.iter().all(|(_, state)| state.is_settled());
            let has_processes = self.runs.iter().any(|run| run.process.is_some());
            match self.stopped_by {
                _ if all_settled => return Ok(SweepEnd::Complete),
                Some(signal) if !has_processes => return Ok(SweepEnd::Signalled(signal)),
                _ => {}
            }
            for signal in host.signals(TICK) {
                self.handle(signal);
            }
        }
    }

    /// The folders of trials that processes of an earlier call are training.
    pub fn still_running(&self) -> impl Iterator<Item = &Path> {
        let all = self.trials.iter().zip(&self.runs);
        let running = all.filter(|((_, state), run)| state.is_running() && run.process.is_none());
        running.map(|(_, run)| run.folder.as_path())
    }

    fn add(&mut self, trials: Vec<Trial>) {
        for trial in trials {
            let folder = self.folder.join(&trial.name);
            let mut reader = RunReader::new(self.folder, &folder);
            let mut state = TrialState::read(&mut reader, &folder, self.plan.metric);
            if self.jobs.retry_failed && matches!(state, TrialState::Failed(_)) {
                state = TrialState::Waiting { step: 0 };
            }
            self.trials.push((trial, state));
            self.runs.push(TrialRun { folder, reader, process: None });
        }
    }

    /// Adds the trials of the next rungs of successive halving that are decided.
    fn add_rungs(&mut self) {
        while let Some(rung) = self.trials.last().map(|(trial, _)| trial.rung)
            && let Some(configurations) = promoted(self.plan, &self.trials, rung)
            && !configurations.is_empty()
        {
            self.add(self.plan.trials_of(&configurations, rung + 1));
        }
    }

    /// Looks at the processes of running trials and, with `reads`, at their journals. Returns whether
    /// anything has changed.
    fn poll(&mut self, reads: bool, host: &mut impl SweepHost) -> bool {
        let mut has_changed = false;
        for ((trial, state), run) in self.trials.iter_mut().zip(&mut self.runs) {
            if !state.is_running() {
                continue;
            }
            let ended = run.process.as_mut().and_then(|process| process.child.try_wait().ok()?);
            if ended.is_none() && !reads {
                continue;
            }
            let read = TrialState::read(&mut run.reader, &run.folder, self.plan.metric);
            let next = match (ended, &run.process) {
                (Some(status), Some(process)) => {
                    let printed_before = process.printed_before;
                    run.process = None;
                    match read {
                        TrialState::Waiting { .. } if self.stopped_by.is_none() => {
                            TrialState::Failed(ending(status, &run.folder, printed_before))
                        }
                        // It is running if a process of an earlier call was faster to lock its folder.
                        read => read,
                    }
                }
                // The journal of a resumed run may still have its earlier end.
                (_, Some(_)) if !read.is_running() => continue,
                _ => read,
            };
            if next != *state {
                *state = next;
                has_changed = true;
                if !state.is_running() {
                    host.report(trial, state);
                }
            }
        }
        has_changed
    }

    /// Starts as many of the waiting trials as there are jobs. Returns whether one was started.
    fn start_next(&mut self, host: &mut impl SweepHost) -> anyhow::Result<bool> {
        if self.jobs.have_devices && self.still_running().next().is_some() {
            return Ok(false);
        }
        let mut has_started = false;
        for at in 0..self.trials.len() {
            let running = self.trials.iter().filter(|(_, state)| state.is_running()).count();
            if running >= self.jobs.count {
                break;
            }
            let TrialState::Waiting { step } = self.trials[at].1 else { continue };
            let state = match self.start(at, host) {
                Ok(process) => {
                    self.runs[at].process = Some(process);
                    TrialState::Running { step, max_steps: 0 }
                }
                Err(error) if error.is::<PlanError>() => return Err(error),
                Err(error) => TrialState::Failed(format!("{error:#}")),
            };
            host.report(&self.trials[at].0, &state);
            self.trials[at].1 = state;
            has_started = true;
        }
        Ok(has_started)
    }

    /// Starts a trial, or resumes it.
    fn start(&self, at: usize, host: &mut impl SweepHost) -> anyhow::Result<TrialProcess> {
        let options = run_toml::write(&self.plan.options(&self.trials[at].0)?, &[]);
        let folder = self.runs[at].folder.clone();
        let prepare = || {
            std::fs::create_dir_all(&folder)?;
            write_atomically(&folder.join(OPTIONS), options.as_bytes())?;
            File::options().create(true).append(true).open(folder.join(OUTPUT))
        };
        let output = prepare().with_context(|| display_path(&folder))?;
        let printed_before = output.metadata()?.len();
        let used: Vec<usize> =
            self.runs.iter().filter_map(|run| Some(run.process.as_ref()?.job)).collect();
        let job = (0..self.jobs.count).find(|job| !used.contains(job)).unwrap_or_default();
        let options = folder.join(OPTIONS);
        let child = host.start(TrialStart { folder, options, output, job })?;
        Ok(TrialProcess { child, job, printed_before })
    }

    fn processes(&self) -> impl Iterator<Item = &Child> {
        self.runs.iter().filter_map(|run| Some(&run.process.as_ref()?.child))
    }

    fn signal_all(&self, signal: Signal) {
        for child in self.processes() {
            // Its number is not given to another process before its end is noticed here.
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    /// Passes a signal on to all processes. SIGTSTP stops them and this one, until it is continued.
    fn handle(&mut self, signal: i32) {
        if signal == SIGTSTP {
            self.signal_all(Signal::STOP);
            let _ = signal_hook::low_level::raise(SIGSTOP);
            self.signal_all(Signal::CONT);
        } else if let Some(named) = Signal::from_named_raw(signal) {
            self.stopped_by.get_or_insert(signal as u8);
            self.signal_all(named);
        }
    }
}

/// Why a process ended before its run did.
fn ending(status: ExitStatus, folder: &Path, printed_before: u64) -> String {
    if let Some(signal) = status.signal() {
        return format!("signal {signal} ended its process; the next call resumes it");
    }
    match last_line(folder, printed_before) {
        Some(line) if !status.success() => line,
        _ => "it was stopped; the next call resumes it".to_owned(),
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
