//! Acquires the terminal, and restores it however the dashboard ends.

use super::guardian;
use super::sequences::{acquire_sequences, release_sequences};
use super::writer::{discard_and_write, write_between_frames};
use crate::screen::lang::Lang;
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the terminal is in raw mode and shows the alternate screen.
static ACQUIRED: AtomicBool = AtomicBool::new(false);

/// Restores the terminal if it is acquired. Errors are ignored, because they cannot be handled.
pub(super) fn restore_terminal() {
    if ACQUIRED.swap(false, Ordering::SeqCst) {
        // Before raw mode ends, or pending mouse reports would be echoed.
        let _ = discard_and_write(&release_sequences());
        let _ = disable_raw_mode();
        guardian::send_released();
    }
}

/// Restores the terminal when it is dropped. A guardian process restores it if this process ends
/// without dropping anything.
pub(super) struct TerminalGuard {
    mouse: bool,
}

impl TerminalGuard {
    /// Acquires the terminal: raw mode, alternate screen, bracketed paste and, if `mouse` is set,
    /// mouse reports. The guardian process speaks `lang`.
    ///
    /// # Errors
    /// If there is no terminal.
    pub fn acquire(mouse: bool, lang: Lang) -> std::io::Result<Self> {
        guardian::start(lang);
        let guard = Self { mouse };
        guard.reacquire()?;
        Ok(guard)
    }

    /// Acquires the terminal again after it was restored, or after another program used it.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn reacquire(&self) -> std::io::Result<()> {
        // In crossterm, raw mode still counts as enabled after another program has disabled it.
        disable_raw_mode()?;
        guardian::send_acquired();
        enable_raw_mode()?;
        ACQUIRED.store(true, Ordering::SeqCst);
        write_between_frames(&acquire_sequences(self.mouse)?)
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        restore_terminal();
        guardian::end();
    }
}

/// Makes a panic of this thread restore the terminal before the message is printed. Panics of other
/// threads are not printed, because the message would overwrite the screen: the worker catches and
/// reports its own panics.
pub(super) fn install_panic_hook() {
    let screen_thread = std::thread::current().id();
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == screen_thread {
            restore_terminal();
            report(info);
        }
    }));
}
