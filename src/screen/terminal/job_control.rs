//! Job control: the shell may stop the program, and continue it in the foreground or the
//! background.

use super::{Connection, Dashboard, TerminalOwner, guard};
use rustix::process::{Signal, getpgrp, getsid, kill_process_group};
use signal_hook::consts::SIGSTOP;
use signal_hook::low_level::raise;

impl<C: Connection> Dashboard<'_, C> {
    /// Restores the terminal and stops the job, this process included.
    pub(super) fn suspend(&mut self) {
        if self.owner == TerminalOwner::Dashboard && has_shell() {
            self.release_terminal();
            if stop_job().is_err() {
                // The job is still running: the next check restores the screen.
                self.owner = TerminalOwner::Shell;
            }
        }
    }

    /// Stops this process, after [`Dashboard::suspend`] or a SIGTSTP from elsewhere.
    pub(super) fn stop(&mut self) {
        if self.owner == TerminalOwner::Dashboard {
            self.release_terminal();
        }
        self.owner = TerminalOwner::Shell;
        // If the signal cannot be sent, the next check restores the screen.
        let _ = raise(SIGSTOP);
    }

    fn release_terminal(&mut self) {
        self.input.pause();
        guard::restore_terminal();
        self.owner = TerminalOwner::Suspending;
    }

    /// Acquires the terminal again if the job is in the foreground, and redraws all of it.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub(super) fn return_to_foreground(&mut self) -> std::io::Result<()> {
        if !is_in_foreground() {
            // A SIGSTOP stops the process before it can release the terminal.
            self.input.pause();
            self.owner = TerminalOwner::Shell;
            return Ok(());
        }
        self.guard.reacquire()?;
        self.terminal.clear()?;
        self.input.resume();
        self.owner = TerminalOwner::Dashboard;
        Ok(())
    }
}

/// Whether a shell can continue the program. Without one, the process group is that of the
/// session's first process, and a stopped program would stay stopped.
fn has_shell() -> bool {
    getsid(None).is_ok_and(|session| session != getpgrp())
}

/// Whether this job is the terminal's foreground job; a background job must leave the terminal
/// alone.
fn is_in_foreground() -> bool {
    let group = rustix::termios::tcgetpgrp(rustix::stdio::stdout());
    // An error means that there is no job control.
    group.ok().is_none_or(|group| group == getpgrp())
}

/// Sends SIGTSTP to the whole process group, as the terminal does for Ctrl-Z outside raw mode: the
/// shell may wait for a parent such as `cargo run`.
fn stop_job() -> std::io::Result<()> {
    Ok(kill_process_group(getpgrp(), Signal::TSTP)?)
}
