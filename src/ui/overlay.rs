//! What lies over the page: the keys, and questions before something is lost.

use super::theme::Theme;
use super::{palette, panel};
use crate::app::{Overlay, State};
use crate::keymap::{BINDINGS, Place};
use crate::text::excerpt;
use ratatui::Frame;
use ratatui::layout::{Alignment, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    match state.overlay {
        None => {}
        Some(Overlay::Help) => draw_help(frame, area, state, theme),
        Some(Overlay::Palette) => palette::draw(frame, area, state, theme),
        Some(Overlay::ConfirmQuit) => {
            let mut text = vec![format!(
                "The run is at step {} of {}.",
                state.steps_done(),
                state.started.as_ref().map_or(0, |started| started.max_steps)
            )];
            if let Some(started) = state.started.as_ref().filter(|s| s.replaces_model) {
                let folder = excerpt(&started.output_dir, 30);
                text.push(format!("Saving it replaces the model that is in {folder}."));
            }
            draw_question(frame, area, &text, Place::ConfirmQuit, theme);
        }
        Some(Overlay::LearningRate) => draw_rate(frame, area, state, theme),
        Some(Overlay::ConfirmUnsaved) => {
            let text = ["The trained model is not saved and would be lost.".to_owned()];
            draw_question(frame, area, &text, Place::ConfirmUnsaved, theme);
        }
    }
}

/// A rectangle in the middle of another.
pub(super) fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

/// Blanks what lies under a rectangle, and any wide character left of it that reaches into it.
pub(super) fn clear(frame: &mut Frame, area: Rect) {
    frame.render_widget(Clear, area);
    let Some(x) = area.x.checked_sub(1) else {
        return;
    };
    for y in area.top()..area.bottom() {
        if let Some(cell) =
            frame.buffer_mut().cell_mut((x, y)).filter(|cell| cell.symbol().width() > 1)
        {
            cell.set_symbol(" ");
        }
    }
}

/// Keys in a column of `width`, and what they do.
fn keys_line(keys: &[crate::keymap::Key], help: &str, width: usize, theme: Theme) -> Line<'static> {
    let names: Vec<String> = keys.iter().map(|key| key.name()).collect();
    Line::from(vec![
        Span::styled(format!("  {:<width$}", names.join(", ")), theme.strong()),
        Span::raw(help.to_owned()),
    ])
}

fn draw_question(frame: &mut Frame, area: Rect, text: &[String], place: Place, theme: Theme) {
    let mut lines: Vec<Line> = text.iter().map(|text| Line::from(format!("  {text}"))).collect();
    lines.push(Line::default());
    for binding in BINDINGS.iter().filter(|binding| binding.place == place) {
        lines.push(keys_line(binding.keys, binding.help, 12, theme));
    }
    let area = centred(area, 64, lines.len() as u16 + 4);
    let block = panel(theme, "quit?")
        .border_style(theme.warning())
        .padding(ratatui::widgets::Padding::vertical(1));
    clear(frame, area);
    frame.render_widget(Paragraph::new(lines).block(block).wrap(Wrap { trim: false }), area);
}

/// The learning rate that is being typed, and what it would change.
fn draw_rate(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let now = state.step.as_ref().map_or(0.0, |step| step.learning_rate);
    let typed = state.rate.input.value();
    let what = match state.rate.rate() {
        Some(_) => Span::styled("the schedule keeps its shape from there", theme.dim()),
        None if typed.is_empty() => Span::styled("such as 5e-5", theme.dim()),
        None => Span::styled("not a rate: above 0, at most 1", theme.error()),
    };
    let prompt = "  rate ";
    let mut lines = vec![
        Line::from(format!("  Step {} used {now:.3e}. The next step uses:", state.steps_done())),
        Line::default(),
        Line::from(vec![
            Span::styled(prompt, theme.dim()),
            Span::styled(format!("{typed:<22}"), theme.strong()),
            what,
        ]),
        Line::default(),
    ];
    for binding in BINDINGS.iter().filter(|binding| binding.place == Place::Rate) {
        lines.push(keys_line(binding.keys, binding.help, 12, theme));
    }
    let area = centred(area, 72, lines.len() as u16 + 4);
    let block = panel(theme, "learning rate")
        .border_style(theme.warning())
        .padding(ratatui::widgets::Padding::vertical(1));
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
    let column = prompt.len() + state.rate.input.visual_cursor();
    let column = (column as u16).min(inner.width.saturating_sub(1));
    if inner.height > 2 {
        frame.set_cursor_position(Position::new(inner.x + column, inner.y + 2));
    }
}

fn draw_help(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let mut lines = Vec::new();
    for place in Place::ALL {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::styled(format!(" {}", place.title()), theme.train()));
        for binding in BINDINGS.iter().filter(|binding| binding.place == place) {
            lines.push(keys_line(binding.keys, binding.help, 24, theme));
        }
    }
    let area = centred(area, 78, lines.len() as u16 + 2);
    let room = usize::from(area.height.saturating_sub(2));
    let limit = lines.len().saturating_sub(room);
    state.scroll_limit.set(limit);
    let scroll = state.help_scroll.min(limit);
    let mut block = panel(theme, "keys").border_style(theme.train());
    if lines.len() > room {
        let left = lines.len() - room - scroll;
        let hint = if left > 0 { format!(" ↓ {left} more ") } else { " end ".to_owned() };
        block = block.title_bottom(Line::styled(hint, theme.dim()).alignment(Alignment::Right));
    }
    let shown: Vec<Line> = lines.into_iter().skip(scroll).take(room).collect();
    clear(frame, area);
    frame.render_widget(Paragraph::new(shown).block(block), area);
}
