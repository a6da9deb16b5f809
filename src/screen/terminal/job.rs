//! The program as a job of a shell, which may stop it, go on with it, and go on with it in the
//! background.

use super::{Place, Screen, guard};
use rustix::process::{Signal, getpgrp, getsid, kill_process_group};
use signal_hook::consts::SIGSTOP;
use signal_hook::low_level::raise;

impl Screen {
    /// Gives the terminal back to the shell and has the job stopped, this process with it.
    pub(super) fn suspend(&mut self) {
        if self.place == Place::Here && has_shell() {
            self.give_back();
            if ask_to_stop().is_err() {
                // Then it never left; the next tick brings the screen back.
                self.place = Place::Away;
            }
        }
    }

    /// Stops, as [`Screen::suspend`] or somebody else has asked for.
    pub(super) fn stop(&mut self) {
        if self.place == Place::Here {
            self.give_back();
        }
        self.place = Place::Away;
        // If the system refuses, the next tick brings the screen back.
        let _ = stop_process();
    }

    pub(super) fn give_back(&mut self) {
        self.keyboard.pause();
        guard::give_back();
        self.place = Place::Leaving;
    }

    /// Takes the terminal over again, if it is there for this job, and has all of it drawn.
    pub(super) fn come_back(&mut self) -> std::io::Result<()> {
        if !is_in_foreground() {
            // It may have been stopped without a word, and not have left yet.
            self.keyboard.pause();
            self.place = Place::Away;
            return Ok(());
        }
        self.taken.again()?;
        self.terminal.clear()?;
        self.keyboard.go_on();
        self.place = Place::Here;
        Ok(())
    }
}

/// Whether there is a shell that would go on with the program. Where there is none, it shares its
/// group with the process that began the session, and once stopped would stay so for ever.
fn has_shell() -> bool {
    getsid(None).is_ok_and(|session| session != getpgrp())
}

/// Whether the terminal listens to this job just now; in the background it must be left alone.
fn is_in_foreground() -> bool {
    let group = rustix::termios::tcgetpgrp(rustix::stdio::stdout());
    // Without an answer there is no job control to mind.
    group.ok().is_none_or(|group| group == getpgrp())
}

/// Asks the whole job to stop, this process with it, as the terminal does where Ctrl-Z is not ours:
/// the shell waits for `cargo run`, too.
///
/// # Errors
/// If the system refuses.
fn ask_to_stop() -> std::io::Result<()> {
    Ok(kill_process_group(getpgrp(), Signal::TSTP)?)
}

/// Stops this process until somebody continues it.
///
/// # Errors
/// If the system refuses.
fn stop_process() -> std::io::Result<()> {
    raise(SIGSTOP)
}
