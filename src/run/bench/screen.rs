//! What the dashboard costs training: this very program trains by turns without a screen and with
//! the dashboard in a pseudo-terminal, and its own journal tells how long the steps took.

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

/// Steps of each run that are not counted: memory and caches are still cold.
const WARMUP: u64 = 5;

/// How often the journal is looked at: seldom enough to be no load itself.
const LOOK: Duration = Duration::from_millis(50);

/// A run that tells nothing for so long hangs, on a loaded machine too.
const PATIENCE: Duration = Duration::from_mins(3);

/// Columns and rows of the pseudo-terminal.
const SIZE: (u16, u16) = (120, 40);

/// What the dashboard costs training. The single figures are medians over the rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScreenCost {
    /// Columns and rows of the dashboard.
    pub size: (u16, u16),
    /// Each round's own figures.
    pub rounds: Vec<Round>,
    /// Milliseconds a step took without a screen.
    pub without_ms_per_step: f64,
    /// Milliseconds a step took with the dashboard.
    pub with_ms_per_step: f64,
    /// How much longer steps took with the dashboard, as a share: 0.01 is one percent.
    pub cost: f64,
    /// What the dashboard wrote to the terminal while it trained.
    pub bytes_per_second: f64,
}

/// A run without a screen and one with the dashboard, one right after the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the same as in `ScreenCost`")]
pub struct Round {
    pub without_ms_per_step: f64,
    pub with_ms_per_step: f64,
    pub cost: f64,
    pub bytes_per_second: f64,
}

/// Measures in so many rounds, by runs of so many steps on so many threads; `progress` is told of
/// each round. No run is left behind.
///
/// # Errors
/// If a run cannot be started, fails or hangs, or a signal asked for the end.
pub fn measure(
    rounds: usize,
    steps: usize,
    threads: usize,
    progress: impl FnMut(&str),
) -> anyhow::Result<ScreenCost> {
    let program = std::env::current_exe().context("this program's file is not known")?;
    let (came, over) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
    for signal in [consts::SIGHUP, consts::SIGINT, consts::SIGTERM] {
        flag::register_conditional_default(signal, over.clone())?;
        flag::register(signal, came.clone())?;
    }
    let job = Job { program: &program, setsid: setsid(), steps: steps as u64, threads };
    let cost = measure_job(&job, rounds, &came, progress);
    // From now on signals do again what they do by default.
    over.store(true, Ordering::SeqCst);
    cost
}

fn measure_job(
    job: &Job,
    rounds: usize,
    signal: &AtomicBool,
    mut progress: impl FnMut(&str),
) -> anyhow::Result<ScreenCost> {
    ensure!(rounds > 0 && job.steps > WARMUP, "a round takes more than {WARMUP} steps");
    let run = |screen| job.start(screen)?.follow(job.steps, signal);
    let mut measured: Vec<Round> = Vec::new();
    for number in 1..=rounds {
        // The order is swapped, so that what changes with time falls on both alike.
        let screen_first = number % 2 == 0;
        let (first, second) = (run(screen_first)?, run(!screen_first)?);
        let (with, without) = if screen_first { (first, second) } else { (second, first) };
        let ((with_ms_per_step, bytes_per_second), (without_ms_per_step, _)) = (with, without);
        progress(&format!(
            "round {number} of {rounds}: {without_ms_per_step:.2} ms a step, \
             {with_ms_per_step:.2} ms with the dashboard"
        ));
        let cost = with_ms_per_step / without_ms_per_step - 1.0;
        measured.push(Round { without_ms_per_step, with_ms_per_step, cost, bytes_per_second });
    }
    let median = |figure: fn(&Round) -> f64| {
        let mut figures: Vec<f64> = measured.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[(rounds - 1) / 2].midpoint(figures[rounds / 2])
    };
    let elsewhere = job.setsid.is_some() || File::open("/dev/tty").is_err();
    Ok(ScreenCost {
        size: if elsewhere { SIZE } else { crossterm::terminal::size()? },
        without_ms_per_step: median(|round| round.without_ms_per_step),
        with_ms_per_step: median(|round| round.with_ms_per_step),
        cost: median(|round| round.cost),
        bytes_per_second: median(|round| round.bytes_per_second),
        rounds: measured,
    })
}

/// The tool that starts a program in a session of its own, away from our terminal: crossterm asks
/// `/dev/tty` for its size first, and would draw in ours.
fn setsid() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join("setsid")).find(|tool| tool.is_file())
}

/// What all runs have in common.
struct Job<'a> {
    program: &'a Path,
    setsid: Option<PathBuf>,
    steps: u64,
    threads: usize,
}

impl Job<'_> {
    fn start(&self, screen: bool) -> anyhow::Result<Run> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(self.setsid.as_deref().unwrap_or(self.program));
        command.args(self.setsid.as_ref().map(|_| self.program)).arg("train");
        command.args(["--eval-strategy", "no", "--save-strategy", "no", "--report-to", "none"]);
        command.args(["--seed", "42", "--max-steps", &self.steps.to_string()]);
        command.args(["--threads", &self.threads.to_string(), "--output-dir"]).arg(folder.path());
        // The environment may add arguments of training, or ask for less of a screen.
        let others = |name: &str| {
            let display = ["COLORFGBG", "COLORTERM", "LANG", "LANGUAGE", "NO_COLOR"];
            ["NSMC_TUI_", "LC_"].iter().any(|prefix| name.starts_with(prefix))
                || display.contains(&name)
        };
        let kept = std::env::vars_os().filter(|(name, _)| !others(&name.to_string_lossy()));
        command.env_clear().envs(kept).env("TERM", "xterm-256color");
        // Whatever the user has arranged, the same panels are measured.
        command.env("XDG_STATE_HOME", folder.path());
        let (terminal, drawn) =
            screen.then(open_terminal).transpose().context("no pseudo-terminal")?.unzip();
        if let Some(terminal) = terminal {
            command.stdin(terminal.try_clone()?).stdout(terminal.try_clone()?).stderr(terminal);
        } else {
            command.arg("--plain").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        }
        let child = command.spawn().context("the program cannot be started")?;
        Ok(Run { child, drawn, folder })
    }
}

/// A run under way, with the bytes that its dashboard wrote, if it has one; dropped, it is ended.
struct Run {
    child: Child,
    drawn: Option<Arc<AtomicU64>>,
    folder: tempfile::TempDir,
}

impl Drop for Run {
    fn drop(&mut self) {
        // What has ended already is no concern.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Run {
    /// Waits for the last step, and no longer: milliseconds a step, and bytes drawn a second.
    fn follow(mut self, steps: u64, signal: &AtomicBool) -> anyhow::Result<(f64, f64)> {
        let path = self.folder.path().join(JOURNAL);
        let (mut journal, mut line) = (None, Vec::new());
        let (mut warm, mut heard) = (None, Instant::now());
        loop {
            ensure!(!signal.load(Ordering::SeqCst), "interrupted");
            // Asked before the journal is read, so that no last words are missed.
            let ended = self.child.try_wait()?;
            journal = journal.or_else(|| File::open(&path).ok().map(BufReader::new));
            while let Some(journal) = &mut journal {
                journal.read_until(b'\n', &mut line)?;
                if !line.ends_with(b"\n") {
                    // The rest of it is still to come.
                    break;
                }
                heard = Instant::now();
                let drawn = self.drawn.as_ref().map_or(0, |drawn| drawn.load(Ordering::Relaxed));
                match serde_json::from_slice(&std::mem::take(&mut line))
                    .context("the run's journal")?
                {
                    TrainEvent::Failed(failed) => bail!("training failed: {}", failed.message),
                    TrainEvent::Step(step) if step.step == WARMUP => {
                        warm = Some((step.elapsed, heard, drawn));
                    }
                    TrainEvent::Step(step) if step.step == steps => {
                        let (elapsed, seen, before) = warm.context("a step is missing")?;
                        ensure!(self.drawn.is_none() || drawn > 0, "no dashboard came up");
                        let ms = 1e3 * (step.elapsed - elapsed) / (steps - WARMUP) as f64;
                        return Ok((ms, (drawn - before) as f64 / (heard - seen).as_secs_f64()));
                    }
                    _ => {}
                }
            }
            if let Some(status) = ended {
                bail!("the run ended before its last step: {status}");
            }
            ensure!(heard.elapsed() < PATIENCE, "the run hangs");
            std::thread::sleep(LOOK);
        }
    }
}

/// A pseudo-terminal, for a program to draw on, and how many bytes of a dashboard came of it. They
/// are read by a thread that ends with the last program that has the terminal open.
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
            // A dashboard begins with the alternate screen.
            opened = opened || bytes[..read].windows(8).any(|place| place == b"\x1b[?1049h");
            count.fetch_add(if opened { read as u64 } else { 0 }, Ordering::Relaxed);
        }
    })?;
    Ok((terminal, drawn))
}

#[cfg(not(unix))]
fn open_terminal() -> io::Result<(File, Arc<AtomicU64>)> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has none"))
}
