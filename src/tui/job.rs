//! The program as a job of a shell, which may stop it, go on with it, and go on with it in the
//! background.

use rustix::process::{Signal, getpgrp, getsid, kill_process_group};
use signal_hook::consts::SIGSTOP;
use signal_hook::low_level::raise;

/// Whether there is a shell that would go on with the program. Where there is none, it shares its
/// group with the process that began the session, and once stopped would stay so for ever.
pub(super) fn has_shell() -> bool {
    getsid(None).is_ok_and(|session| session != getpgrp())
}

/// Whether the terminal listens to this job just now; in the background it must be left alone.
pub(super) fn is_in_foreground() -> bool {
    let group = rustix::termios::tcgetpgrp(rustix::stdio::stdout());
    // Without an answer there is no job control to mind.
    group.ok().is_none_or(|group| group == getpgrp())
}

/// Asks the whole job to stop, this process with it, as the terminal does where Ctrl-Z is not ours:
/// the shell waits for `cargo run`, too.
///
/// # Errors
/// If the system refuses.
pub(super) fn ask_to_stop() -> std::io::Result<()> {
    Ok(kill_process_group(getpgrp(), Signal::TSTP)?)
}

/// Stops this process until somebody continues it.
///
/// # Errors
/// If the system refuses.
pub(super) fn stop() -> std::io::Result<()> {
    raise(SIGSTOP)
}
