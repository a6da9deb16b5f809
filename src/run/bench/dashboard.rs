//! Measures how much the dashboard slows training down. The program trains alternately without a
//! screen and with the dashboard in a pseudo-terminal; the step durations are read from its
//! journal.

use crate::core::train::TrainEvent;
use crate::run::journal::JOURNAL;
use anyhow::{Context, bail, ensure};
use serde::Serialize;
use signal_hook::{consts, flag};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The first steps of each run, which are not measured because memory and caches are still cold.
const WARMUP: u64 = 5;

/// The time between two reads of the journal, long enough to cause no measurable load.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A run that writes nothing for this long counts as failed.
const TIMEOUT: Duration = Duration::from_mins(3);

/// Columns and rows of the pseudo-terminal.
const SIZE: (u16, u16) = (120, 40);

/// The cost of the dashboard; all but `rounds` are medians over the rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DashboardCost {
    /// Columns and rows of the dashboard.
    pub size: (u16, u16),
    /// The measurements of each round.
    pub rounds: Vec<BenchRound>,
    /// Milliseconds per step without a screen.
    pub without_ms_per_step: f64,
    /// Milliseconds per step with the dashboard.
    pub with_ms_per_step: f64,
    /// The relative increase of the step time with the dashboard: 0.01 is one percent.
    pub cost: f64,
    /// Bytes per second that the dashboard writes to the terminal during training.
    pub bytes_per_second: f64,
}

/// The results of one run without a screen and one with the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the same as in `DashboardCost`")]
pub struct BenchRound {
    pub without_ms_per_step: f64,
    pub with_ms_per_step: f64,
    pub cost: f64,
    pub bytes_per_second: f64,
}

/// Measures `rounds` rounds with runs of `steps` steps on `threads` threads, and calls `progress`
/// after each round. No run is left running.
///
/// # Errors
/// If a run cannot be started, fails or hangs, or after SIGHUP, SIGINT or SIGTERM.
pub fn measure(
    rounds: usize,
    steps: usize,
    threads: usize,
    progress: impl FnMut(&str),
) -> anyhow::Result<DashboardCost> {
    let program = std::env::current_exe().context("the path of this program is unknown")?;
    let (interrupted, restored) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
    for signal in [consts::SIGHUP, consts::SIGINT, consts::SIGTERM] {
        flag::register_conditional_default(signal, restored.clone())?;
        flag::register(signal, interrupted.clone())?;
    }
    let runs = BenchRuns { program: &program, setsid: setsid(), steps: steps as u64, threads };
    let cost = measure_runs(&runs, rounds, &interrupted, progress);
    // From here on, signals have their default effect again.
    restored.store(true, Ordering::SeqCst);
    cost
}

fn measure_runs(
    runs: &BenchRuns,
    rounds: usize,
    interrupted: &AtomicBool,
    mut progress: impl FnMut(&str),
) -> anyhow::Result<DashboardCost> {
    ensure!(rounds > 0 && runs.steps > WARMUP, "a run needs more than {WARMUP} steps");
    let run = |has_dashboard| runs.start(has_dashboard)?.follow(runs.steps, interrupted);
    let mut measured: Vec<BenchRound> = Vec::new();
    for number in 1..=rounds {
        // The order alternates, so that changes over time affect both kinds of run equally.
        let dashboard_first = number % 2 == 0;
        let (first, second) = (run(dashboard_first)?, run(!dashboard_first)?);
        let (with, without) = if dashboard_first { (first, second) } else { (second, first) };
        let ((with_ms_per_step, bytes_per_second), (without_ms_per_step, _)) = (with, without);
        progress(&format!(
            "round {number} of {rounds}: {without_ms_per_step:.2} ms a step, \
             {with_ms_per_step:.2} ms with the dashboard"
        ));
        let cost = with_ms_per_step / without_ms_per_step - 1.0;
        measured.push(BenchRound { without_ms_per_step, with_ms_per_step, cost, bytes_per_second });
    }
    let median = |value: fn(&BenchRound) -> f64| {
        let mut values: Vec<f64> = measured.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[(rounds - 1) / 2].midpoint(values[rounds / 2])
    };
    Ok(DashboardCost {
        size: dashboard_size(runs.setsid.is_some())?,
        without_ms_per_step: median(|round| round.without_ms_per_step),
        with_ms_per_step: median(|round| round.with_ms_per_step),
        cost: median(|round| round.cost),
        bytes_per_second: median(|round| round.bytes_per_second),
        rounds: measured,
    })
}

/// The columns and rows of the dashboard: [`SIZE`] in a new session, otherwise the size of this
/// process's terminal, if it has one.
#[cfg(unix)]
fn dashboard_size(has_own_session: bool) -> io::Result<(u16, u16)> {
    match File::open("/dev/tty") {
        Ok(terminal) if !has_own_session => {
            let size = rustix::termios::tcgetwinsize(&terminal)?;
            Ok((size.ws_col, size.ws_row))
        }
        _ => Ok(SIZE),
    }
}

#[cfg(not(unix))]
fn dashboard_size(_has_own_session: bool) -> io::Result<(u16, u16)> {
    Ok(SIZE)
}

/// The tool that starts a program in a new session. Without it, the dashboard would read the size
/// of this process's terminal from `/dev/tty`.
fn setsid() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join("setsid")).find(|tool| tool.is_file())
}

/// The parameters of all runs.
struct BenchRuns<'a> {
    program: &'a Path,
    setsid: Option<PathBuf>,
    steps: u64,
    threads: usize,
}

impl BenchRuns<'_> {
    fn start(&self, has_dashboard: bool) -> anyhow::Result<BenchRun> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(self.setsid.as_deref().unwrap_or(self.program));
        command.args(self.setsid.as_ref().map(|_| self.program)).arg("train");
        command.args(["--eval-strategy", "no", "--save-strategy", "no", "--report-to", "none"]);
        command.args(["--seed", "42", "--max-steps", &self.steps.to_string()]);
        command.args(["--threads", &self.threads.to_string(), "--output-dir"]).arg(folder.path());
        // These variables change the training arguments or the screen.
        let is_dropped = |name: &str| {
            let display = ["COLORFGBG", "COLORTERM", "LANG", "LANGUAGE", "NO_COLOR"];
            ["NSMC_TUI_", "LC_"].iter().any(|prefix| name.starts_with(prefix))
                || display.contains(&name)
        };
        let kept = std::env::vars_os().filter(|(name, _)| !is_dropped(&name.to_string_lossy()));
        command.env_clear().envs(kept).env("TERM", "xterm-256color");
        // An empty state folder gives the default panels, whatever the user's preferences are.
        command.env("XDG_STATE_HOME", folder.path());
        let (terminal, drawn) = has_dashboard
            .then(open_terminal)
            .transpose()
            .context("no pseudo-terminal can be opened")?
            .unzip();
        if let Some(terminal) = terminal {
            command.stdin(terminal.try_clone()?).stdout(terminal.try_clone()?).stderr(terminal);
        } else {
            command.arg("--plain").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        }
        let child = command.spawn().context("the program cannot be started")?;
        Ok(BenchRun { child, drawn, folder })
    }
}

/// A running process, and the bytes its dashboard has written, if it has one. Dropping it kills the
/// process.
struct BenchRun {
    child: Child,
    drawn: Option<Arc<AtomicU64>>,
    folder: tempfile::TempDir,
}

impl Drop for BenchRun {
    fn drop(&mut self) {
        // A process that has already exited is not an error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl BenchRun {
    /// Waits for the last step, then kills the process. Returns the milliseconds per step and the
    /// bytes drawn per second.
    fn follow(mut self, steps: u64, interrupted: &AtomicBool) -> anyhow::Result<(f64, f64)> {
        let path = self.folder.path().join(JOURNAL);
        let (mut journal, mut line) = (None, Vec::new());
        let (mut start, mut last_event) = (None, Instant::now());
        loop {
            ensure!(!interrupted.load(Ordering::SeqCst), "interrupted");
            // The status is read first, so that the journal's last lines are not missed.
            let exit_status = self.child.try_wait()?;
            journal = journal.or_else(|| File::open(&path).ok().map(BufReader::new));
            while let Some(journal) = &mut journal {
                journal.read_until(b'\n', &mut line)?;
                if !line.ends_with(b"\n") {
                    // The line is not complete yet.
                    break;
                }
                last_event = Instant::now();
                let drawn = self.drawn.as_ref().map_or(0, |drawn| drawn.load(Ordering::Relaxed));
                match serde_json::from_slice(&std::mem::take(&mut line))
                    .context("the run's journal")?
                {
                    TrainEvent::Failed(failed) => bail!("training failed: {}", failed.message),
                    TrainEvent::Step(step) if step.step == WARMUP => {
                        start = Some((step.elapsed, last_event, drawn));
                    }
                    TrainEvent::Step(step) if step.step == steps => {
                        let (elapsed, seen, before) = start.context("a step is missing")?;
                        ensure!(self.drawn.is_none() || drawn > 0, "the dashboard did not start");
                        let ms = 1e3 * (step.elapsed - elapsed) / (steps - WARMUP) as f64;
                        return Ok((
                            ms,
                            (drawn - before) as f64 / (last_event - seen).as_secs_f64(),
                        ));
                    }
                    _ => {}
                }
            }
            if let Some(status) = exit_status {
                bail!("the run ended before its last step: {status}");
            }
            ensure!(last_event.elapsed() < TIMEOUT, "the run wrote nothing for {TIMEOUT:?}");
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

/// A pseudo-terminal for a program, and the number of bytes that the program has written. A thread
/// reads them until the last program closes the terminal.
#[cfg(unix)]
fn open_terminal() -> io::Result<(File, Arc<AtomicU64>)> {
    use rustix::fs::{Mode, OFlags, open};
    use rustix::io::{FdFlags, fcntl_setfd};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    fcntl_setfd(&master, FdFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = File::from(open(ptsname(&master, Vec::new())?, flags, Mode::empty())?);
    let (ws_col, ws_row) = SIZE;
    tcsetwinsize(&terminal, Winsize { ws_col, ws_row, ws_xpixel: 0, ws_ypixel: 0 })?;
    let drawn = Arc::<AtomicU64>::default();
    let (mut master, count) = (File::from(master), drawn.clone());
    std::thread::Builder::new().name("terminal".to_owned()).spawn(move || {
        let (mut bytes, mut opened) = ([0; 4096], false);
        while let Ok(read @ 1..) = master.read(&mut bytes) {
            // The dashboard's first output enters the alternate screen.
            opened = opened || bytes[..read].windows(8).any(|bytes| bytes == b"\x1b[?1049h");
            count.fetch_add(if opened { read as u64 } else { 0 }, Ordering::Relaxed);
        }
    })?;
    Ok((terminal, drawn))
}

#[cfg(not(unix))]
fn open_terminal() -> io::Result<(File, Arc<AtomicU64>)> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no pseudo-terminals"))
}
