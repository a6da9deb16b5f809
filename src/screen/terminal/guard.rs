//! Acquires the terminal, and restores it however the dashboard ends.

use super::ansi_backend::END_FRAME;
use super::guardian;
use super::writer::{discard_and_write, write_between_frames};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, queue};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the terminal is in raw mode and shows the alternate screen.
static ACQUIRED: AtomicBool = AtomicBool::new(false);

/// Enables reports of buttons, the wheel, and moves with a button down, in decimal (SGR). Mode
/// 1003, which reports every move, is not enabled, because it would only use bandwidth.
const ENABLE_MOUSE: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const DISABLE_MOUSE: &[u8] = b"\x1b[?1006l\x1b[?1002l\x1b[?1000l";

/// Resets colors and attributes.
const RESET_STYLE: &[u8] = b"\x1b[m";

/// Restores the terminal if it is acquired. Errors are ignored, because they cannot be handled.
pub(super) fn restore_terminal() {
    if ACQUIRED.swap(false, Ordering::SeqCst) {
        // Before raw mode ends, or pending mouse reports would be echoed.
        let _ = discard_and_write(&release_sequences());
        let _ = disable_raw_mode();
        guardian::tell_released();
    }
}

/// The escape sequences that undo those of [`TerminalGuard::reacquire`] and of the frames.
pub(super) fn release_sequences() -> Vec<u8> {
    // A frame may have been cut off.
    let mut bytes = [END_FRAME, RESET_STYLE, DISABLE_MOUSE].concat();
    // Cleared first: after a resize, some terminals bring the alternate screen's text back.
    let _ = queue!(bytes, DisableBracketedPaste, Clear(ClearType::All));
    let _ = queue!(bytes, LeaveAlternateScreen, cursor::Show);
    bytes
}

/// Restores the terminal when it is dropped. A guardian process restores it if this process ends
/// without dropping anything.
pub(super) struct TerminalGuard {
    mouse: bool,
}

impl TerminalGuard {
    /// Acquires the terminal: raw mode, alternate screen, bracketed paste and, if `mouse` is set,
    /// mouse reports.
    ///
    /// # Errors
    /// If there is no terminal.
    pub fn acquire(mouse: bool) -> std::io::Result<Self> {
        guardian::start();
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
        guardian::tell_acquired();
        enable_raw_mode()?;
        ACQUIRED.store(true, Ordering::SeqCst);
        let mut bytes = Vec::new();
        queue!(bytes, EnterAlternateScreen, EnableBracketedPaste)?;
        if self.mouse {
            bytes.extend_from_slice(ENABLE_MOUSE);
        }
        write_between_frames(&bytes)
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
