//! Runs in the foreground that can leave it: the process that the shell has started waits for another
//! one, which trains and draws the dashboard. Once that one leaves the terminal, the waiting process
//! ends, and the shell has its prompt back, while the run continues.

use super::background;
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use signal_hook::consts::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGSTOP, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2,
};
use signal_hook::iterator::Signals;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The signals that are passed on to the process that trains.
const PASSED_ON: [i32; 6] = [SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1];

/// How long the process that trains may take to restore the terminal before it stops.
const STOP_TIME: Duration = Duration::from_secs(1);

/// How often the process that trains checks whether the waiting one is stopped.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// Starts the same command in a process that can leave the terminal, and waits until it ends or
/// leaves.
///
/// # Errors
/// If the process cannot be started.
pub fn wait_for_run() -> anyhow::Result<ExitCode> {
    // Handled from before there is a process that they could be meant for.
    let mut signals = Signals::new(PASSED_ON.iter().chain(&[SIGCHLD, SIGTSTP, SIGUSR2]))?;
    let mut process = background::same_command(Some("--foreground"))?.spawn()?;
    let pid = Pid::from_child(&process);
    loop {
        let pending: Vec<i32> = signals.wait().collect();
        // A process that is continued is not to be stopped by what it has missed meanwhile.
        let is_continued = pending.contains(&SIGCONT);
        let mut is_stopping = false;
        for signal in pending {
            match signal {
                // It has left the terminal.
                SIGUSR2 => return Ok(ExitCode::SUCCESS),
                SIGCHLD => {
                    if let Some(status) = process.try_wait()? {
                        let code = status.code().or_else(|| status.signal().map(|n| 128 + n));
                        let code = code.map(|code| ExitCode::from(code as u8));
                        return Ok(code.unwrap_or(ExitCode::FAILURE));
                    }
                    is_stopping |= is_stopped(pid);
                }
                SIGTSTP if is_continued => {}
                SIGTSTP => {
                    // The terminal stops both, a user perhaps only this one.
                    if !stops_soon(pid) {
                        let _ = kill_process(pid, Signal::TSTP);
                        stops_soon(pid);
                    }
                    is_stopping = true;
                }
                signal => {
                    if let Some(signal) = Signal::from_named_raw(signal) {
                        // If it has just ended, the next signal says so.
                        let _ = kill_process(pid, signal);
                    }
                }
            }
        }
        // Once for all signals of one stop.
        if is_stopping && !is_continued {
            stop();
        }
    }
}

/// Ends and stops this process with the waiting one, until [`leave`]: for the user they are one.
///
/// # Errors
/// If a thread cannot be started.
pub fn follow_parent() -> std::io::Result<()> {
    let parent = getppid();
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    std::thread::Builder::new().name("parent".to_owned()).spawn(move || {
        // After it has left, this process has another parent.
        let mut checked = Instant::now();
        while let Some(pid) = parent.filter(|_| getppid() == parent) {
            // After a long time, this process was stopped itself and has been continued.
            let was_stopped = checked.elapsed() > CHECK_INTERVAL + STOP_TIME;
            if is_stopped(pid) && was_stopped {
                let _ = kill_process(pid, Signal::CONT);
            } else if is_stopped(pid) {
                let _ = signal_hook::low_level::raise(SIGTSTP);
            }
            checked = Instant::now();
            std::thread::sleep(CHECK_INTERVAL);
        }
    })?;
    Ok(())
}

/// Stops this process, after the one that trains has restored the terminal.
fn stop() {
    let _ = signal_hook::low_level::raise(SIGSTOP);
}

/// Waits until a process is stopped; returns whether it is.
fn stops_soon(pid: Pid) -> bool {
    let began = Instant::now();
    while began.elapsed() < STOP_TIME {
        if is_stopped(pid) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Whether a process is stopped, as by `kill -STOP`.
fn is_stopped(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid()));
    // The state follows the name, which is in parentheses and may contain any character.
    stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
}

/// Leaves the terminal and lets the waiting process end. The dashboard is closed.
pub fn leave(folder: &Path) {
    let _ = set_parent_process_death_signal(None);
    background::leave_session(folder);
    if let Some(parent) = getppid() {
        let _ = kill_process(parent, Signal::USR2);
    }
}
