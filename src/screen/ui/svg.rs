//! Renders a screen as SVG.

use crate::core::text::escape_xml;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::collections::BTreeMap;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

const CELL_WIDTH: f64 = 8.4;
const CELL_HEIGHT: f64 = 18.0;
const MARGIN: f64 = 14.0;

/// Background and foreground of a dark terminal.
const DARK: [&str; 2] = ["#16181d", "#d8dee9"];

/// Background and foreground of a light terminal.
const LIGHT: [&str; 2] = ["#fdfdfb", "#24292f"];

/// Renders every cell of a buffer. Bars, borders and dots become shapes, so that they join in any
/// font; text is placed word by word.
pub fn render(buffer: &Buffer, light: bool) -> String {
    let defaults = if light { LIGHT } else { DARK };
    let [background, _] = defaults;
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let width = f64::from(columns) * CELL_WIDTH + 2.0 * MARGIN;
    let height = f64::from(rows) * CELL_HEIGHT + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"'JetBrains Mono','D2Coding',\
         'DejaVu Sans Mono','Noto Sans Mono CJK KR',monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{background}\"/>\n"
    );
    let mut shapes: BTreeMap<String, String> = BTreeMap::new();
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            let cell = &buffer[(column, row)];
            let origin = position(column, row);
            if let Some(path) = shape(cell.symbol(), origin) {
                shapes.entry(color(cell.fg, defaults)).or_default().push_str(&path);
                column += 1;
                continue;
            }
            let (word, cells) = word(buffer, column, row);
            write_word(&mut svg, cell, &word, origin, (cells, defaults));
            column += cells;
        }
    }
    for (color, path) in shapes {
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "<path fill=\"{color}\" d=\"{path}\"/>");
    }
    svg.push_str("</svg>\n");
    svg
}

fn position(column: u16, row: u16) -> (f64, f64) {
    (MARGIN + f64::from(column) * CELL_WIDTH, MARGIN + f64::from(row) * CELL_HEIGHT)
}

/// Text of one style from a cell on, up to a space or the next shape, and the number of its cells.
/// Spaces are included only where they are visible, in reversed text.
fn word(buffer: &Buffer, column: u16, row: u16) -> (String, u16) {
    let first = &buffer[(column, row)];
    let reversed = first.modifier.contains(Modifier::REVERSED);
    let (mut text, mut end) = (String::new(), column);
    while end < buffer.area.width {
        let cell = &buffer[(end, row)];
        let symbol = cell.symbol();
        let same_style = (cell.fg, cell.bg, cell.modifier) == (first.fg, first.bg, first.modifier);
        let breaks = symbol == " " && !reversed || shape(symbol, (0.0, 0.0)).is_some();
        if end > column && (!same_style || breaks || symbol.width() > 1) {
            break;
        }
        text.push_str(symbol);
        end += (symbol.width() as u16).max(1);
        if breaks || symbol.width() > 1 {
            break;
        }
    }
    (text, end - column)
}

fn write_word(
    svg: &mut String,
    cell: &Cell,
    text: &str,
    (x, y): (f64, f64),
    (cells, defaults): (u16, [&'static str; 2]),
) {
    let reversed = cell.modifier.contains(Modifier::REVERSED);
    let has_background = cell.bg != Color::Reset;
    if text.trim().is_empty() && !reversed && !has_background {
        return;
    }
    let width = f64::from(cells) * CELL_WIDTH;
    if has_background {
        let fill = color(cell.bg, [defaults[1], defaults[0]]);
        // Overlapping, so that no seams are seen between cells.
        let width = width + 0.5;
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT}\" fill=\"{fill}\"/>"
        );
    }
    let mut fill = color(cell.fg, defaults);
    if reversed {
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT}\" fill=\"{fill}\"/>"
        );
        defaults[0].clone_into(&mut fill);
    }
    let weight = if cell.modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let opacity = if cell.modifier.contains(Modifier::DIM) { " opacity=\"0.6\"" } else { "" };
    let escaped = escape_xml(text);
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{fill}\"{weight}{opacity} textLength=\"{width:.1}\" \
         lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\">{escaped}</text>",
        y + CELL_HEIGHT * 0.75
    );
}

/// The SVG path of a character that is drawn as a shape.
fn shape(symbol: &str, (x, y): (f64, f64)) -> Option<String> {
    let c = symbol.chars().next()?;
    let rectangle = |x: f64, y: f64, width: f64, height: f64| {
        format!("M{x:.1} {y:.1}h{width:.1}v{height:.1}h-{width:.1}z")
    };
    let (middle_x, middle_y) = (x + CELL_WIDTH / 2.0, y + CELL_HEIGHT / 2.0);
    match c {
        '█' => Some(rectangle(x, y + 2.0, CELL_WIDTH, CELL_HEIGHT - 4.0)),
        // A bar of one to seven eighths.
        '▉'..='▏' => {
            let eighths = 8 - (u32::from(c) - u32::from('█'));
            let width = CELL_WIDTH * f64::from(eighths) / 8.0;
            Some(rectangle(x, y + 2.0, width, CELL_HEIGHT - 4.0))
        }
        '▄' => Some(rectangle(x, middle_y, CELL_WIDTH, CELL_HEIGHT / 2.0)),
        '\u{2800}'..='\u{28ff}' => Some(braille(u32::from(c) - 0x2800, x, y)),
        _ => {
            let (left, right, up, down) = strokes(c)?;
            let mut path = String::new();
            if left || right {
                let from = if left { x } else { middle_x - 0.5 };
                let to = if right { x + CELL_WIDTH } else { middle_x + 0.5 };
                path += &rectangle(from, middle_y - 0.5, to - from, 1.0);
            }
            if up || down {
                let from = if up { y } else { middle_y };
                let to = if down { y + CELL_HEIGHT } else { middle_y };
                path += &rectangle(middle_x - 0.5, from, 1.0, to - from);
            }
            Some(path)
        }
    }
}

/// The path of the dots of a Braille pattern: bits 0 to 2 and 6 are the left column from the top, 3
/// to 5 and 7 the right one.
fn braille(bits: u32, x: f64, y: f64) -> String {
    let dots = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
    let mut path = String::new();
    for (bit, (column, row)) in dots.into_iter().enumerate() {
        if bits >> bit & 1 == 1 {
            let x = x + CELL_WIDTH * (0.25 + 0.5 * f64::from(column)) - 0.9;
            let y = y + CELL_HEIGHT * (0.125 + 0.25 * f64::from(row)) - 0.9;
            let _ = write!(path, "M{x:.1} {y:.1}h1.8v1.8h-1.8z");
        }
    }
    path
}

/// Where a border character extends from the center of its cell: left, right, up, down.
fn strokes(c: char) -> Option<(bool, bool, bool, bool)> {
    match c {
        '─' => Some((true, true, false, false)),
        '│' => Some((false, false, true, true)),
        '╭' | '┌' => Some((false, true, false, true)),
        '╮' | '┐' => Some((true, false, false, true)),
        '╰' | '└' => Some((false, true, true, false)),
        '╯' | '┘' => Some((true, false, true, false)),
        _ => None,
    }
}

fn color(color: Color, defaults: [&'static str; 2]) -> String {
    let named = match color {
        Color::Rgb(r, g, b) => return format!("#{r:02x}{g:02x}{b:02x}"),
        Color::Black => "#2e3440",
        Color::Red | Color::LightRed => "#e0616b",
        Color::Green | Color::LightGreen => "#8fce72",
        Color::Yellow | Color::LightYellow => "#ecc45c",
        Color::Blue | Color::LightBlue => "#6f9fe0",
        Color::Magenta | Color::LightMagenta => "#c98bdb",
        Color::Cyan | Color::LightCyan => "#56c8d8",
        Color::DarkGray => "#6b7485",
        Color::Gray => "#aab2c0",
        _ => defaults[1],
    };
    named.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn text_is_escaped_and_wide_characters_take_two_cells() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "<영화>& ok", Style::new().fg(Color::Cyan));
        let svg = render(&buffer, false);
        for (text, cells) in
            [("&lt;", 1.0), ("영", 2.0), ("화", 2.0), ("&gt;&amp;", 2.0), ("ok", 2.0)]
        {
            let length = format!("textLength=\"{:.1}\"", cells * CELL_WIDTH);
            let line = svg.lines().find(|line| line.contains(&format!(">{text}</text>")));
            assert!(line.is_some_and(|line| line.contains(&length)), "{text} in {svg}");
        }
    }

    #[test]
    fn borders_bars_and_dots_are_shapes() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        buffer.set_string(0, 0, "╭─█▏⣿▉", Style::new());
        let svg = render(&buffer, false);
        assert!(!svg.contains("<text"), "{svg}");
        // Two paths for the corner, one for the line, one for each bar and one for each of eight
        // dots.
        let paths: String = svg.lines().filter(|line| line.starts_with("<path")).collect();
        assert_eq!(paths.matches('M').count(), 2 + 1 + 3 + 8);
        assert!(svg.contains(&format!("h{:.1}v", CELL_WIDTH * 7.0 / 8.0)));
    }
}
