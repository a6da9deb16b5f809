//! The escape sequences with which the dashboard takes the terminal and gives it back.

use super::ansi_backend::END_FRAME;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, queue};

/// Enables reports of buttons, the wheel, and moves with a button down, in decimal (SGR). Mode
/// 1003, which reports every move, is not enabled, because it would only use bandwidth.
const ENABLE_MOUSE: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const DISABLE_MOUSE: &[u8] = b"\x1b[?1006l\x1b[?1002l\x1b[?1000l";

/// Resets colors and attributes.
const RESET_STYLE: &[u8] = b"\x1b[m";

/// The escape sequences for the alternate screen, bracketed paste and, if `mouse` is set, mouse
/// reports.
///
/// # Errors
/// None in practice, because they are written into memory.
pub(super) fn acquire_sequences(mouse: bool) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    queue!(bytes, EnterAlternateScreen, EnableBracketedPaste)?;
    if mouse {
        bytes.extend_from_slice(ENABLE_MOUSE);
    }
    Ok(bytes)
}

/// The escape sequences that undo those of [`acquire_sequences`] and of the frames.
pub(super) fn release_sequences() -> Vec<u8> {
    // A frame may have been cut off.
    let mut bytes = [END_FRAME, RESET_STYLE, DISABLE_MOUSE].concat();
    // Cleared first: after a resize, some terminals bring the alternate screen's text back.
    let _ = queue!(bytes, DisableBracketedPaste, Clear(ClearType::All));
    let _ = queue!(bytes, LeaveAlternateScreen, cursor::Show);
    bytes
}
