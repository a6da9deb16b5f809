//! A ratatui backend that encodes the changed cells in few bytes and buffers them until the frame
//! is complete. A frame without changes is empty.

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use std::io::{self, Write};

/// Synchronized output: a terminal that supports it shows the frame at once, others ignore it
/// (<https://gist.github.com/christianparpart/d8a62cc1ab659194337d73e399004036>).
const BEGIN_FRAME: &[u8] = b"\x1b[?2026h";
pub(super) const END_FRAME: &[u8] = b"\x1b[?2026l";

/// The assumed size of a terminal that reports none, such as a serial line.
const DEFAULT_SIZE: Size = Size { width: 80, height: 24 };

/// Attributes that are visible on a blank cell.
const VISIBLE_ON_BLANKS: Modifier =
    Modifier::REVERSED.union(Modifier::UNDERLINED).union(Modifier::CROSSED_OUT);

/// The colors and attributes of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CellStyle {
    foreground: Color,
    background: Color,
    /// The color of the underline; the default where there is none.
    underline: Color,
    modifier: Modifier,
}

/// Encodes frames into memory.
#[derive(Debug, Default)]
pub(super) struct AnsiBackend {
    bytes: Vec<u8>,
    /// The current style of the terminal.
    style: CellStyle,
    /// The cursor's position; `None` if it is unknown.
    row: Option<u16>,
    column: Option<u16>,
    /// Whether the cursor is visible, if that is known.
    cursor_visible: Option<bool>,
}

impl AnsiBackend {
    /// Returns the bytes of the frame, which are empty if nothing changed, and starts the next
    /// frame.
    pub fn take_frame(&mut self) -> Vec<u8> {
        if !self.bytes.is_empty() {
            self.bytes.extend_from_slice(END_FRAME);
        }
        std::mem::take(&mut self.bytes)
    }

    /// The buffer of the frame's bytes. Starts synchronized output if the buffer is empty.
    fn frame(&mut self) -> &mut Vec<u8> {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(BEGIN_FRAME);
        }
        &mut self.bytes
    }

    fn move_to(&mut self, column: u16, row: u16) -> io::Result<()> {
        if self.row != Some(row) {
            write!(self.frame(), "\x1b[{};{}H", row + 1, column + 1)?;
        } else if self.column != Some(column) {
            write!(self.frame(), "\x1b[{}G", column + 1)?;
        }
        (self.row, self.column) = (Some(row), Some(column));
        Ok(())
    }

    fn set_style(&mut self, style: CellStyle) -> io::Result<()> {
        if self.style == style {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.style, style);
        let out = self.frame();
        if style == CellStyle::default() {
            return out.write_all(b"\x1b[m");
        }
        out.extend_from_slice(b"\x1b[");
        write_modifiers(out, before.modifier, style.modifier)?;
        if before.foreground != style.foreground {
            write_color(out, style.foreground, 30)?;
        }
        if before.background != style.background {
            write_color(out, style.background, 40)?;
        }
        if before.underline != style.underline {
            write_underline_color(out, style.underline)?;
        }
        // Replaces the last parameter's semicolon.
        out.pop();
        out.write_all(b"m")
    }

    fn write_cell(&mut self, cell: &Cell) -> io::Result<()> {
        let is_underlined = cell.modifier.contains(Modifier::UNDERLINED);
        let style = CellStyle {
            foreground: cell.fg,
            background: cell.bg,
            underline: if is_underlined { cell.underline_color } else { Color::Reset },
            modifier: cell.modifier,
        };
        let symbol = cell.symbol();
        let differs = (style.modifier | self.style.modifier).intersects(VISIBLE_ON_BLANKS)
            || style.background != self.style.background;
        // The foreground color of a blank is invisible.
        if symbol != " " || differs {
            self.set_style(style)?;
        }
        self.frame().extend_from_slice(symbol.as_bytes());
        self.column = self.column.and_then(|column| Some(column + advance(symbol)?));
        Ok(())
    }
}

/// The columns by which a symbol moves the cursor; `None` where terminals disagree.
fn advance(symbol: &str) -> Option<u16> {
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

/// Each attribute with the SGR parameters that set and reset it.
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

/// Writes the SGR parameters that change the attributes, each followed by a semicolon.
fn write_modifiers(out: &mut Vec<u8>, before: Modifier, after: Modifier) -> io::Result<()> {
    let mut active = before;
    for (modifier, _, off) in ATTRIBUTES {
        if active.contains(modifier) && !after.contains(modifier) {
            write!(out, "{off};")?;
            // The parameter resets every attribute that shares it (bold and dim).
            let reset = ATTRIBUTES.iter().filter(|(_, _, other)| *other == off);
            active -= reset.fold(Modifier::empty(), |reset, (modifier, _, _)| reset | *modifier);
        }
    }
    for (modifier, on, _) in ATTRIBUTES {
        if after.contains(modifier) && !active.contains(modifier) {
            write!(out, "{on};")?;
        }
    }
    Ok(())
}

/// Writes the SGR parameters of a color, followed by a semicolon; `base` is 30 for the foreground,
/// 40 for the background.
fn write_color(out: &mut Vec<u8>, color: Color, base: u8) -> io::Result<()> {
    let number = match color {
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

/// Writes the SGR parameter of the underline's color, followed by a semicolon. It is one parameter
/// with subparameters (ITU-T T.416), which a terminal without colored underlines ignores.
fn write_underline_color(out: &mut Vec<u8>, color: Color) -> io::Result<()> {
    let number = match color {
        Color::Reset => return write!(out, "59;"),
        Color::Rgb(r, g, b) => return write!(out, "58:2::{r}:{g}:{b};"),
        Color::Indexed(number) => number,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    write!(out, "58:5:{number};")
}

impl Backend for AnsiBackend {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        for (column, row, cell) in content {
            self.move_to(column, row)?;
            self.write_cell(cell)?;
        }
        // Some terminals fill what they clear, or add when resized, with the current background.
        self.set_style(CellStyle::default())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor_visible != Some(false) {
            self.frame().extend_from_slice(b"\x1b[?25l");
            self.cursor_visible = Some(false);
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.cursor_visible != Some(true) {
            self.frame().extend_from_slice(b"\x1b[?25h");
            self.cursor_visible = Some(true);
        }
        Ok(())
    }

    /// The last known position. The terminal is not asked for it, because it may not answer.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::new(self.column.unwrap_or(0), self.row.unwrap_or(0)))
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        self.move_to(x, y)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    /// Clears the whole screen, whatever the region, and resets the recorded state of the terminal.
    fn clear_region(&mut self, _region: ClearType) -> io::Result<()> {
        *self = Self { bytes: std::mem::take(&mut self.bytes), ..Self::default() };
        self.frame().extend_from_slice(b"\x1b[m\x1b[2J");
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout())?;
        let known = size.ws_col > 0 && size.ws_row > 0;
        Ok(if known { Size::new(size.ws_col, size.ws_row) } else { DEFAULT_SIZE })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::default() })
    }

    /// Does nothing: frames are fetched with [`AnsiBackend::take_frame`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "ansi_backend_tests.rs"]
mod tests;
