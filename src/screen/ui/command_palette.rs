//! The command palette: all actions of the current page, with a field to search them.

use super::popup::{centered, clear};
use super::theme::Theme;
use super::widgets::text_field::TextField;
use super::widgets::{titled_block, with_note};
use crate::core::text::{align_right, truncate_width};
use crate::screen::app::State;
use crate::screen::app::palette::{PaletteEntry, PaletteMatch};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

/// Columns of the palette, including its border.
const WIDTH: u16 = 72;

/// Columns of the keys.
const KEYS: usize = 16;

pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let palette = &state.palette;
    let mut area = area;
    if !theme.is_frameless() {
        // Placed as if all entries were shown, so that it does not move while the user types.
        area = centered(area, WIDTH, palette.entries.len() as u16 + 4);
        area.height = area.height.min(palette.matches.len().max(1) as u16 + 4);
    }
    let (hits, all) = (palette.matches.len(), palette.entries.len());
    let count = state.lang.tr_with(" {0} of {1} ", &[&hits, &all]);
    let block = titled_block(theme, state.lang.tr("actions")).border_style(theme.focus());
    let block = with_note(block, count, theme);
    let inner = block.inner(area);
    clear(frame, area);
    frame.render_widget(block, area);
    let gap = u16::from(!theme.is_frameless());
    let [line, _, list] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(gap), Constraint::Fill(1)])
            .areas(inner);
    let field = TextField {
        prefix: ": ",
        input: &palette.input,
        placeholder: state.lang.tr("type part of a name, or a key"),
        focused: true,
    };
    field.draw(frame, line, theme);
    draw_list(frame, list, state, theme);
}

fn draw_list(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let palette = &state.palette;
    let height = usize::from(area.height);
    let first = (palette.selected + 1).saturating_sub(height);
    let mut lines = Vec::new();
    for (number, found) in palette.matches.iter().enumerate().skip(first).take(height) {
        if let Some(entry) = palette.entries.get(found.entry) {
            let is_chosen = number == palette.selected;
            lines.push(entry_line(entry, found, is_chosen, usize::from(area.width), theme));
        }
    }
    if lines.is_empty() {
        lines.push(Line::styled(state.lang.tr("nothing matches"), theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// The name with the matching letters highlighted, and the keys at the right, or why it has no effect.
fn entry_line(
    entry: &PaletteEntry,
    found: &PaletteMatch,
    is_chosen: bool,
    width: usize,
    theme: Theme,
) -> Line<'static> {
    let mut spans = vec![Span::styled(if is_chosen { "▶ " } else { "  " }, theme.strong())];
    let (right, columns) = match &entry.refusal {
        Some(refusal) => (refusal.clone(), (refusal.width() + 1).min(width / 2)),
        None => (theme.keys(&entry.keys.join(", ")), KEYS.min(width / 4)),
    };
    let name = truncate_width(&entry.name, width.saturating_sub(2 + columns));
    for (number, c) in name.chars().enumerate() {
        let matches = found.indices.contains(&number);
        let style = if matches {
            theme.strong().add_modifier(Modifier::UNDERLINED)
        } else if entry.refusal.is_some() {
            theme.dim()
        } else {
            Style::new()
        };
        spans.push(Span::styled(c.to_string(), style));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let right = format!(" {}", align_right(&right, width.saturating_sub(used + 1)));
    spans.push(Span::styled(right, theme.dim()));
    let line = Line::from(spans);
    if is_chosen { line.patch_style(theme.selected()) } else { line }
}
