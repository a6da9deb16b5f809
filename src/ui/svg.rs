//! A screen as an SVG picture.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

const CELL_WIDTH: f64 = 8.4;
const CELL_HEIGHT: f64 = 18.0;
const MARGIN: f64 = 14.0;
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d8dee9";

/// Draws every cell of a buffer, a run of like cells at a time.
pub fn render(buffer: &Buffer) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let width = f64::from(columns) * CELL_WIDTH + 2.0 * MARGIN;
    let height = f64::from(rows) * CELL_HEIGHT + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"'JetBrains Mono','D2Coding',\
         'Noto Sans Mono CJK KR','DejaVu Sans Mono',monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            let first = &buffer[(column, row)];
            let start = column;
            let mut text = String::new();
            while column < columns && alike(&buffer[(column, row)], first) {
                let symbol = buffer[(column, row)].symbol();
                text.push_str(symbol);
                column += (symbol.width() as u16).max(1);
            }
            write_run(&mut svg, first, &text, (start, row), column - start);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn alike(a: &Cell, b: &Cell) -> bool {
    (a.fg, a.bg, a.modifier) == (b.fg, b.bg, b.modifier)
}

fn write_run(svg: &mut String, cell: &Cell, text: &str, (column, row): (u16, u16), cells: u16) {
    let reversed = cell.modifier.contains(Modifier::REVERSED);
    if text.trim().is_empty() && !reversed {
        return;
    }
    let (x, y) = (MARGIN + f64::from(column) * CELL_WIDTH, MARGIN + f64::from(row) * CELL_HEIGHT);
    let width = f64::from(cells) * CELL_WIDTH;
    let mut fill = colour(cell.fg);
    if reversed {
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT}\" fill=\"{fill}\"/>"
        );
        fill = BACKGROUND;
    }
    let weight = if cell.modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let opacity = if cell.modifier.contains(Modifier::DIM) { " opacity=\"0.6\"" } else { "" };
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{fill}\"{weight}{opacity} textLength=\"{width:.1}\" \
         lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\">{escaped}</text>",
        y + CELL_HEIGHT * 0.75
    );
}

fn colour(colour: Color) -> &'static str {
    match colour {
        Color::Black => "#2e3440",
        Color::Red | Color::LightRed => "#e0616b",
        Color::Green | Color::LightGreen => "#8fce72",
        Color::Yellow | Color::LightYellow => "#ecc45c",
        Color::Blue | Color::LightBlue => "#6f9fe0",
        Color::Magenta | Color::LightMagenta => "#c98bdb",
        Color::Cyan | Color::LightCyan => "#56c8d8",
        Color::DarkGray => "#6b7485",
        Color::Gray => "#aab2c0",
        _ => FOREGROUND,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn text_is_escaped_and_wide_characters_take_two_cells() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "<영화>&", Style::new().fg(Color::Cyan));
        let svg = render(&buffer);
        assert!(svg.contains("&lt;영화&gt;&amp;"), "{svg}");
        let width = 7.0 * CELL_WIDTH;
        assert!(svg.contains(&format!("textLength=\"{width:.1}\"")), "{svg}");
        assert_eq!(svg.matches("<text").count(), 1);
    }
}
