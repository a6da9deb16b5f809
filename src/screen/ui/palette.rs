//! The list of all that can be done here, with a line to find an action by its name.

use super::overlay::{centred, clear};
use super::panel;
use super::theme::Theme;
use crate::core::text::{align_right, truncate_width};
use crate::screen::app::palette::{Entry, Hit};
use crate::screen::app::{State, editor};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Columns of the list, its frame counted.
const WIDTH: u16 = 72;

/// Columns of the keys.
const KEYS: usize = 16;

pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let palette = &state.palette;
    // Where all entries would be, so that it stands still while one types.
    let mut area = centred(area, WIDTH, palette.entries.len() as u16 + 4);
    area.height = area.height.min(palette.hits.len().max(1) as u16 + 4);
    let (hits, all) = (palette.hits.len(), palette.entries.len());
    let count = Line::styled(state.lang.fill(" {0} of {1} ", &[&hits, &all]), theme.dim());
    let block = panel(theme, state.lang.tr("actions"))
        .border_style(theme.train())
        .title_bottom(count.alignment(Alignment::Right));
    let inner = block.inner(area);
    clear(frame, area);
    frame.render_widget(block, area);
    let [line, _, list] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Fill(1)])
            .areas(inner);
    draw_line(frame, line, state, theme);
    draw_list(frame, list, state, theme);
}

fn draw_line(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let prefix = ": ";
    let room = usize::from(area.width).saturating_sub(prefix.len());
    let (shown, caret) = editor::view(&state.palette.line, room);
    let text = if state.palette.line.value().is_empty() {
        Span::styled(state.lang.tr("type a part of a name, or a key"), theme.dim())
    } else {
        Span::raw(shown)
    };
    let line = Line::from(vec![Span::styled(prefix, theme.train()), text]);
    frame.render_widget(Paragraph::new(line), area);
    // The real cursor, so that an input method composes in the right place.
    let x = area.x + prefix.len() as u16 + caret as u16;
    frame.set_cursor_position(Position::new(x.min(area.right().saturating_sub(1)), area.y));
}

fn draw_list(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let palette = &state.palette;
    let room = usize::from(area.height);
    let first = (palette.chosen + 1).saturating_sub(room);
    let mut lines = Vec::new();
    for (number, hit) in palette.hits.iter().enumerate().skip(first).take(room) {
        if let Some(entry) = palette.entries.get(hit.entry) {
            let is_chosen = number == palette.chosen;
            lines.push(entry_line(entry, hit, is_chosen, usize::from(area.width), theme));
        }
    }
    if lines.is_empty() {
        lines.push(Line::styled(state.lang.tr("nothing here is called that"), theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// The name with the typed letters in it, and the keys at the right.
fn entry_line(
    entry: &Entry,
    hit: &Hit,
    is_chosen: bool,
    width: usize,
    theme: Theme,
) -> Line<'static> {
    let room = width.saturating_sub(2 + KEYS);
    let mut spans = vec![Span::styled(if is_chosen { "▶ " } else { "  " }, theme.train())];
    let name = truncate_width(entry.name, room);
    for (number, c) in name.chars().enumerate() {
        let is_typed = hit.letters.contains(&number);
        let style = if is_typed { theme.train().patch(theme.strong()) } else { Style::new() };
        spans.push(Span::styled(c.to_string(), style));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let keys = align_right(&theme.keys(&entry.keys.join(", ")), width.saturating_sub(used));
    spans.push(Span::styled(keys, theme.dim()));
    let line = Line::from(spans);
    if is_chosen { line.patch_style(theme.selected()) } else { line }
}
