//! The processes of a sweep, its signals, and its progress on standard error.

use super::request::RunRequest;
use super::table::{LiveTable, described, lines, progress};
use crate::cli::commands::background::same_program;
use crate::cli::flags::SweepFlags;
use crate::cli::output::print_to_stderr;
use crate::run::sweep::{SweepHost, SweepPlan, SweepTable, Trial, TrialStart, TrialState};
use crate::screen::lang::Lang;
use crossbeam_channel::{Receiver, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Result};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::Duration;

/// Starts trials as processes of this program.
pub(super) struct ProcessHost<'a> {
    plan: &'a SweepPlan,
    signals: Receiver<i32>,
    devices: Vec<String>,
    /// The number of threads of each run, if several share the processor.
    threads: Option<usize>,
    environment: &'a [(OsString, Option<String>)],
    live: Option<LiveTable>,
    lang: Lang,
}

impl<'a> ProcessHost<'a> {
    /// The host of so many jobs. It handles signals from now on.
    ///
    /// # Errors
    /// If signals cannot be handled.
    pub fn new(
        flags: &SweepFlags,
        request: &'a RunRequest,
        plan: &'a SweepPlan,
        jobs: usize,
        lang: Lang,
    ) -> Result<Self> {
        let is_live = !flags.plain
            && std::io::stderr().is_terminal()
            && std::env::var_os("TERM").is_some_and(|name| name != "dumb");
        Ok(Self {
            plan,
            signals: watch_signals()?,
            devices: flags.devices.clone(),
            threads: (jobs > 1).then(|| (all_threads() / jobs).max(1)),
            environment: &request.environment,
            live: is_live.then(LiveTable::default),
            lang,
        })
    }

    /// Removes the table from the screen; the results follow on standard output.
    pub fn finish(&mut self) {
        if let Some(mut live) = self.live.take() {
            live.draw(&[]);
        }
    }
}

/// The threads that runs share: `RAYON_NUM_THREADS`, or one for each core.
fn all_threads() -> usize {
    let given = std::env::var("RAYON_NUM_THREADS").ok().and_then(|text| text.parse().ok());
    given
        .filter(|threads| *threads > 0)
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

/// Handles the signals that end or stop a sweep, and SIGHUP, which does neither.
fn watch_signals() -> Result<Receiver<i32>> {
    let (sender, receiver) = unbounded();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGTSTP, SIGHUP])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever().filter(|signal| *signal != SIGHUP) {
            if sender.send(signal).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// A flag with its value, as one argument.
fn flag(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut argument = OsString::from(name);
    argument.push("=");
    argument.push(value);
    argument
}

impl SweepHost for ProcessHost<'_> {
    fn start(&mut self, start: TrialStart) -> Result<Child> {
        let mut command = same_program()?;
        command
            .args(["train", "--plain", "--resume-from-checkpoint=auto"])
            .arg(flag("--config", &start.options))
            .arg(flag("--output-dir", &start.folder));
        if let Some(threads) = self.threads
            && !self.plan.sets("threads")
        {
            command.arg(flag("--threads", threads.to_string()));
        }
        for (name, value) in self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(device) = self.devices.get(start.job) {
            command.env("CUDA_VISIBLE_DEVICES", device);
        }
        // The signals of the terminal reach a run through the sweep alone, and so once only.
        command.process_group(0).stdin(Stdio::null());
        command.stdout(start.output.try_clone()?).stderr(start.output).spawn()
    }

    fn signals(&mut self, longest: Duration) -> Vec<i32> {
        let first = self.signals.recv_timeout(longest).ok();
        first.into_iter().chain(self.signals.try_iter()).collect()
    }

    fn report(&mut self, trial: &Trial, state: &TrialState) {
        if self.live.is_some() {
            return;
        }
        let (name, lang) = (&trial.name, self.lang);
        print_to_stderr(match state {
            TrialState::Waiting { step } => lang.tr_with("{0}: stopped at step {1}", &[name, step]),
            TrialState::Running { step: 0, .. } => {
                format!("{name}: {}", described(self.plan, trial))
            }
            TrialState::Running { step, .. } => {
                let description = described(self.plan, trial);
                lang.tr_with("{0}: {1}, resumed after step {2}", &[name, &description, step])
            }
            TrialState::Finished(value) => format!("{name}: {} {value:.4}", self.plan.metric),
            TrialState::Failed(error) => lang.tr_with("{0} failed: {1}", &[name, error]),
        });
    }

    fn show(&mut self, table: &SweepTable) {
        if let Some(live) = &mut self.live {
            let mut all = lines(table);
            all.extend(progress(table, self.lang));
            live.draw(&all);
        }
    }
}
