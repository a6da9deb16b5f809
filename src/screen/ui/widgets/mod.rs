//! Building blocks that the panels share.

pub mod bar;
pub mod canvas;
pub mod chart;
pub mod text_field;

use super::theme::Theme;
use crate::core::text::wrap_width;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Paragraph};

/// A block with a title, and a border if the theme has any.
pub fn titled_block<'a>(theme: Theme, title: impl AsRef<str>) -> Block<'a> {
    if theme.is_frameless() {
        return Block::new().title(Line::styled(title.as_ref().to_owned(), theme.strong()));
    }
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.dim())
        .title(Line::styled(format!(" {} ", title.as_ref()), theme.strong()))
}

/// A note for the right end of a block's border.
pub fn border_note<'a>(text: impl Into<String>, theme: Theme) -> Line<'a> {
    Line::styled(text.into(), theme.dim()).alignment(Alignment::Right)
}

/// The block with a note in its lower border or, without borders, at the right of its title.
pub fn with_note(block: Block<'_>, text: impl Into<String>, theme: Theme) -> Block<'_> {
    let note = border_note(text, theme);
    if theme.is_frameless() { block.title(note) } else { block.title_bottom(note) }
}

/// Draws a hint at the top of an area that has no content yet.
pub fn draw_hint(frame: &mut Frame, area: Rect, text: &str, theme: Theme) {
    let lines = wrapped(text, usize::from(area.width).max(1), theme.dim());
    frame.render_widget(Paragraph::new(lines), area);
}

/// Draws a hint in the middle of an area that has no content yet.
pub fn draw_centered_hint(frame: &mut Frame, area: Rect, text: &str, theme: Theme) {
    let middle = Rect { y: area.y + area.height / 2, height: area.height.min(1), ..area };
    frame.render_widget(Paragraph::new(Line::styled(text, theme.dim()).centered()), middle);
}

/// A text in lines of at most `width` columns.
pub fn wrapped(text: &str, width: usize, style: Style) -> Vec<Line<'static>> {
    let lines = wrap_width(text, width).into_iter();
    lines.map(|line| Line::styled(line.trim_end().to_owned(), style)).collect()
}

/// Characters of a sparkline, from the lowest to the highest value.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The character for a share of the height from 0 to 1.
pub fn level(share: f64) -> char {
    LEVELS[(share.clamp(0.0, 1.0) * 7.0).round() as usize]
}

/// A line of values, one a cell, from the lowest to the highest of them; blank where there is none.
pub fn sparkline(values: &[Option<f64>]) -> String {
    let known = || values.iter().flatten().copied().filter(|value| value.is_finite());
    let low = known().fold(f64::INFINITY, f64::min);
    let high = known().fold(f64::NEG_INFINITY, f64::max);
    let cell = |value: &Option<f64>| match value {
        Some(value) if value.is_finite() => {
            level((value - low) / (high - low).max(f64::MIN_POSITIVE))
        }
        _ => ' ',
    };
    values.iter().map(cell).collect()
}

/// The history of a value as an area of `rows` lines from the lowest to the highest value of a range,
/// with the latest value at the right and at most one value a cell.
pub fn area_graph(values: &[f64], [low, high]: [f64; 2], width: usize, rows: usize) -> Vec<String> {
    let shown = &values[values.len().saturating_sub(width)..];
    let line = |row: usize| {
        let below = (rows - 1 - row) as f64;
        let cell = |value: &f64| {
            let share = if high > low { (value - low) / (high - low) } else { 0.0 };
            let share = share.clamp(0.0, 1.0);
            let eighths = ((share * rows as f64 - below) * 8.0).round();
            match eighths {
                ..1.0 if row + 1 == rows => LEVELS[0],
                ..1.0 => ' ',
                _ => LEVELS[(eighths.min(8.0) - 1.0) as usize],
            }
        };
        " ".repeat(width - shown.len()) + &shown.iter().map(cell).collect::<String>()
    };
    (0..rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_spans_its_values() {
        assert_eq!(sparkline(&[Some(1.0), None, Some(2.0), Some(f64::NAN), Some(3.0)]), "▁ ▅ █");
        assert_eq!(sparkline(&[Some(2.0), Some(2.0)]), "▁▁");
    }

    #[test]
    fn a_graph_fills_its_rows_by_value() {
        let graph = area_graph(&[0.0, 0.25, 0.5, 1.0], [0.0, 1.0], 5, 2);
        assert_eq!(graph, ["    █", " ▁▄██"]);
        assert_eq!(area_graph(&[3.0, 3.5, 4.0], [3.0, 4.0], 3, 1), ["▁▄█"]);
        assert_eq!(area_graph(&[0.5; 9], [0.0, 0.0], 3, 1), ["▁▁▁"]);
    }
}
