//! Turns the cells that changed into as few bytes as will do, and keeps them until a frame is
//! whole. A frame that changes nothing has none.

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use std::io::{self, Write};

/// What begins and ends a frame, so that a terminal that knows of it shows the frame at once
/// (<https://gist.github.com/christianparpart/d8a62cc1ab659194337d73e399004036>); others ignore it.
const BEGIN: &[u8] = b"\x1b[?2026h";
pub(super) const END: &[u8] = b"\x1b[?2026l";

/// The size of a terminal that does not know it, such as a serial line.
const USUAL: Size = Size { width: 80, height: 24 };

/// Attributes that show on a blank cell, too.
const SEEN_ON_BLANKS: Modifier =
    Modifier::REVERSED.union(Modifier::UNDERLINED).union(Modifier::CROSSED_OUT);

/// How the next character will look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    foreground: Color,
    background: Color,
    modifier: Modifier,
}

/// Draws for a terminal into memory.
#[derive(Debug, Default)]
pub(super) struct AnsiBackend {
    bytes: Vec<u8>,
    look: Look,
    /// Where the cursor is; the column, or both, may not be known.
    row: Option<u16>,
    column: Option<u16>,
    /// Whether the cursor is shown, if that is known.
    shown: Option<bool>,
}

impl AnsiBackend {
    /// What is to be sent to the terminal since this was last asked; nothing, if nothing changed.
    pub fn take(&mut self) -> Vec<u8> {
        if !self.bytes.is_empty() {
            self.bytes.extend_from_slice(END);
        }
        std::mem::take(&mut self.bytes)
    }

    /// Where the next bytes go.
    fn paper(&mut self) -> &mut Vec<u8> {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(BEGIN);
        }
        &mut self.bytes
    }

    fn go(&mut self, column: u16, row: u16) -> io::Result<()> {
        if self.row != Some(row) {
            write!(self.paper(), "\x1b[{};{}H", row + 1, column + 1)?;
        } else if self.column != Some(column) {
            write!(self.paper(), "\x1b[{}G", column + 1)?;
        }
        (self.row, self.column) = (Some(row), Some(column));
        Ok(())
    }

    fn set_look(&mut self, look: Look) -> io::Result<()> {
        if self.look == look {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.look, look);
        let out = self.paper();
        if look == Look::default() {
            return out.write_all(b"\x1b[m");
        }
        out.extend_from_slice(b"\x1b[");
        write_modifiers(out, before.modifier, look.modifier)?;
        if before.foreground != look.foreground {
            write_colour(out, look.foreground, 30)?;
        }
        if before.background != look.background {
            write_colour(out, look.background, 40)?;
        }
        // The last parameter's semicolon becomes the end.
        out.pop();
        out.write_all(b"m")
    }

    fn write_cell(&mut self, cell: &Cell) -> io::Result<()> {
        let look = Look { foreground: cell.fg, background: cell.bg, modifier: cell.modifier };
        let symbol = cell.symbol();
        let differs = (look.modifier | self.look.modifier).intersects(SEEN_ON_BLANKS)
            || look.background != self.look.background;
        // Nobody sees the colour of a blank.
        if symbol != " " || differs {
            self.set_look(look)?;
        }
        self.paper().extend_from_slice(symbol.as_bytes());
        self.column = self.column.and_then(|column| Some(column + cells(symbol)?));
        Ok(())
    }
}

/// How far the cursor moves by a symbol; `None` where terminals may disagree.
fn cells(symbol: &str) -> Option<u16> {
    let mut characters = symbol.chars();
    match (characters.next()?, characters.next()) {
        (' '..='~' | '·' | '…' | '•' | '\u{2500}'..='\u{259f}' | '\u{2800}'..='\u{28ff}', None) => {
            Some(1)
        }
        // Hangul, kana and the common ideographs.
        ('\u{ac00}'..='\u{d7a3}' | '\u{3041}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}', None) => {
            Some(2)
        }
        _ => None,
    }
}

/// Each attribute with the parameter that sets it and the one that takes it back.
const ATTRIBUTES: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

/// Writes the parameters that lead from some attributes to others, each with a semicolon behind.
fn write_modifiers(out: &mut Vec<u8>, before: Modifier, after: Modifier) -> io::Result<()> {
    let mut held = before;
    for (modifier, _, off) in ATTRIBUTES {
        if held.contains(modifier) && !after.contains(modifier) {
            write!(out, "{off};")?;
            // What shares the parameter goes with it.
            let gone = ATTRIBUTES.iter().filter(|(_, _, other)| *other == off);
            held -= gone.fold(Modifier::empty(), |gone, (modifier, _, _)| gone | *modifier);
        }
    }
    for (modifier, on, _) in ATTRIBUTES {
        if after.contains(modifier) && !held.contains(modifier) {
            write!(out, "{on};")?;
        }
    }
    Ok(())
}

/// Writes the parameters of a colour, with a semicolon behind; `base` is 30 for the foreground, 40
/// for the background.
fn write_colour(out: &mut Vec<u8>, colour: Color, base: u8) -> io::Result<()> {
    let number = match colour {
        Color::Reset => base + 9,
        Color::Black => base,
        Color::Red => base + 1,
        Color::Green => base + 2,
        Color::Yellow => base + 3,
        Color::Blue => base + 4,
        Color::Magenta => base + 5,
        Color::Cyan => base + 6,
        Color::Gray => base + 7,
        Color::DarkGray => base + 60,
        Color::LightRed => base + 61,
        Color::LightGreen => base + 62,
        Color::LightYellow => base + 63,
        Color::LightBlue => base + 64,
        Color::LightMagenta => base + 65,
        Color::LightCyan => base + 66,
        Color::White => base + 67,
        Color::Indexed(number) => return write!(out, "{};5;{number};", base + 8),
        Color::Rgb(r, g, b) => return write!(out, "{};2;{r};{g};{b};", base + 8),
    };
    write!(out, "{number};")
}

impl Backend for AnsiBackend {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        for (column, row, cell) in content {
            self.go(column, row)?;
            self.write_cell(cell)?;
        }
        // Some terminals fill with the present colour what they clear or add when resized.
        self.set_look(Look::default())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.shown != Some(false) {
            self.paper().extend_from_slice(b"\x1b[?25l");
            self.shown = Some(false);
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.shown != Some(true) {
            self.paper().extend_from_slice(b"\x1b[?25h");
            self.shown = Some(true);
        }
        Ok(())
    }

    /// Where it was last put: the terminal is never asked, it may not answer.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::new(self.column.unwrap_or(0), self.row.unwrap_or(0)))
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        self.go(x, y)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    /// Clears all of the screen and takes nothing for known; the whole screen is all that is ever
    /// cleared.
    fn clear_region(&mut self, _region: ClearType) -> io::Result<()> {
        *self = Self { bytes: std::mem::take(&mut self.bytes), ..Self::default() };
        self.paper().extend_from_slice(b"\x1b[m\x1b[2J");
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout())?;
        let known = size.ws_col > 0 && size.ws_row > 0;
        Ok(if known { Size::new(size.ws_col, size.ws_row) } else { USUAL })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::default() })
    }

    /// A frame is sent when it is whole; see [`AnsiBackend::take`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "ansi_backend_tests.rs"]
mod tests;
