//! The escape sequences that acquire and release the terminal.

use super::ansi_backend::END_FRAME;
use crossterm::event::DisableBracketedPaste;
use crossterm::terminal::{Clear, ClearType, LeaveAlternateScreen};
use crossterm::{cursor, queue};

/// Enables reports of buttons, the wheel, and moves with a button down, in decimal (SGR). Mode
/// 1003, which reports every move, is not enabled, because it would only use bandwidth.
pub(super) const ENABLE_MOUSE: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";
pub(super) const DISABLE_MOUSE: &[u8] = b"\x1b[?1006l\x1b[?1002l\x1b[?1000l";

/// Resets colors and attributes.
pub(super) const RESET_STYLE: &[u8] = b"\x1b[m";

/// The escape sequences that undo those of [`super::guard::TerminalGuard::reacquire`] and of the frames.
pub(super) fn release_sequences() -> Vec<u8> {
    // A frame may have been cut off.
    let mut bytes = [END_FRAME, RESET_STYLE, DISABLE_MOUSE].concat();
    // Cleared first: after a resize, some terminals bring the alternate screen's text back.
    let _ = queue!(bytes, DisableBracketedPaste, Clear(ClearType::All));
    let _ = queue!(bytes, LeaveAlternateScreen, cursor::Show);
    bytes
}
