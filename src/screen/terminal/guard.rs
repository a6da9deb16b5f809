//! The terminal: taken over, and given back whatever happens.

use super::ansi_backend::END;
use super::writer::{write_last, write_soon};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, queue};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the terminal is ours just now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Buttons, the wheel, and moves with a button down, told in decimal. Not mode 1003, every move of
/// the mouse, which would only keep the link busy.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1002l\x1b[?1000l";

/// Gives the terminal back, if it is ours. Nothing can be done about errors here.
pub(super) fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // A frame may have been cut off.
        let mut bytes = [END, MOUSE_OFF].concat();
        // Cleared first: some terminals bring what was drawn back when they have been resized.
        let _ = queue!(bytes, DisableBracketedPaste, Clear(ClearType::All));
        let _ = queue!(bytes, LeaveAlternateScreen, cursor::Show);
        // While keys are still ours: what the mouse does must not be echoed.
        let _ = write_last(&bytes);
        let _ = disable_raw_mode();
    }
}

/// The terminal while it is ours; dropped, it is given back.
pub(super) struct TerminalGuard {
    mouse: bool,
}

impl TerminalGuard {
    /// # Errors
    /// If there is no terminal.
    pub fn take(mouse: bool) -> std::io::Result<Self> {
        let taken = Self { mouse };
        taken.again()?;
        Ok(taken)
    }

    /// Takes it over again after it was given back, or after others have used it.
    ///
    /// # Errors
    /// If there is no terminal any more.
    pub fn again(&self) -> std::io::Result<()> {
        // crossterm would believe that nothing has changed since the last time.
        disable_raw_mode()?;
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let mut bytes = Vec::new();
        queue!(bytes, EnterAlternateScreen, EnableBracketedPaste)?;
        if self.mouse {
            bytes.extend_from_slice(MOUSE_ON);
        }
        write_soon(&bytes)
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        give_back();
    }
}

/// Makes a panic of this thread give the terminal back before it is reported. Panics of other
/// threads are caught and reported by the worker; their message must not be written over the
/// screen.
pub(super) fn guard_against_panics() {
    let screen = std::thread::current().id();
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == screen {
            give_back();
            report(info);
        }
    }));
}
