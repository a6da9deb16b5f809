//! The overlays of a page: the help, the input for a learning rate, and confirmations before work
//! is lost.

use super::key_lines::key_lines;
use super::popup::{centered, clear};
use super::theme::Theme;
use super::widgets::titled_block;
use super::{command_palette, help};
use crate::core::text::{display_path, truncate_width};
use crate::screen::app::{FrameLayout, Overlay, State};
use crate::screen::keymap::KeyContext;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Padding, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

/// Draws the overlay, if one is open.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let lang = state.lang;
    match state.overlay {
        None => {}
        Some(Overlay::Help) => {
            layout.scroll_limit = Some(help::draw(frame, area, state, theme));
        }
        Some(Overlay::Palette) => command_palette::draw(frame, area, state, theme),
        Some(Overlay::ConfirmQuit) => {
            let of = state.started.as_ref().map_or(0, |started| started.max_steps);
            let mut text =
                vec![lang.tr_with("The run is at step {0} of {1}.", &[&state.steps_done(), &of])];
            if let Some(started) = state.started.as_ref().filter(|s| s.replaces_model) {
                let folder = truncate_width(&started.output_dir, 30);
                let note = "Saving replaces the model in {0}.";
                text.push(lang.tr_with(note, &[&folder]));
            }
            let title = lang.tr("quit?");
            draw_question(frame, area, title, &text, KeyContext::ConfirmQuit, state, theme);
        }
        Some(Overlay::LearningRate) => draw_learning_rate(frame, area, state, theme),
        Some(Overlay::ConfirmDelete) => draw_delete(frame, area, state, theme),
        Some(Overlay::ConfirmUnsaved) => {
            let text = lang.tr("The trained model is not saved and will be lost.");
            let (title, text) = (lang.tr("quit?"), [text.to_owned()]);
            draw_question(frame, area, title, &text, KeyContext::ConfirmUnsaved, state, theme);
        }
    }
}

/// Draws a dialog in the middle of the area, and returns the area of its content.
fn draw_dialog(
    frame: &mut Frame,
    area: Rect,
    width: u16,
    title: &str,
    lines: Vec<Line>,
    theme: Theme,
) -> Rect {
    let area = centered(area, width, lines.len() as u16 + 4);
    let block =
        titled_block(theme, title).border_style(theme.warning()).padding(Padding::vertical(1));
    let inner = block.inner(area);
    clear(frame, area);
    frame.render_widget(Paragraph::new(lines).block(block).wrap(Wrap { trim: false }), area);
    inner
}

fn draw_question(
    frame: &mut Frame,
    area: Rect,
    title: &str,
    text: &[String],
    context: KeyContext,
    state: &State,
    theme: Theme,
) {
    let mut lines: Vec<Line> = text.iter().map(|text| Line::from(format!("  {text}"))).collect();
    lines.push(Line::default());
    lines.extend(key_lines(context, 12, state.lang, theme));
    draw_dialog(frame, area, 64, title, lines, theme);
}

/// Draws the question whether to delete a run.
fn draw_delete(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let lang = state.lang;
    let Some((runs, folder)) =
        state.runs.as_ref().and_then(|runs| Some((runs, runs.deleting.as_ref()?)))
    else {
        return;
    };
    let folder = truncate_width(&display_path(folder), 44);
    let mut text = vec![lang.tr_with("Move {0} to .trash?", &[&folder])];
    match runs.runs_inside_deleted() {
        0 => {}
        inside => text.push(lang.tr_with("{0} more runs are inside it.", &[&inside])),
    }
    text.push(lang.tr("Its space is free once you remove it there.").to_owned());
    let title = lang.tr("delete?");
    draw_question(frame, area, title, &text, KeyContext::ConfirmDelete, state, theme);
}

/// Draws the field for a new learning rate.
fn draw_learning_rate(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let current = state.step.as_ref().map_or(0.0, |step| step.learning_rate);
    let typed = state.rate_input.input.value();
    let lang = state.lang;
    let (hint, style) = match state.rate_input.value() {
        Some(_) => ("the rest of the schedule is scaled to it", theme.dim()),
        None if typed.is_empty() => ("such as 5e-5", theme.dim()),
        None => ("must be above 0 and at most 1", theme.error()),
    };
    let hint = Span::styled(lang.tr(hint), style);
    // Marked as selected, since typing replaces it.
    let typed_style = if state.rate_input.is_filled_in { theme.selected() } else { theme.strong() };
    let prompt = format!("  {} ", lang.tr("rate"));
    let before = prompt.width();
    let used = "Step {0} used {1}. The next step uses:";
    let used = lang.tr_with(used, &[&state.steps_done(), &format!("{current:.3e}")]);
    let mut lines = vec![
        Line::from(format!("  {used}")),
        Line::default(),
        Line::from(vec![
            Span::styled(prompt, theme.dim()),
            Span::styled(typed.to_owned(), typed_style),
            Span::raw(" ".repeat(22usize.saturating_sub(typed.len()))),
            hint,
        ]),
        Line::default(),
    ];
    lines.extend(key_lines(KeyContext::LearningRate, 12, lang, theme));
    let inner = draw_dialog(frame, area, 72, lang.tr("learning rate"), lines, theme);
    let column = before + state.rate_input.input.visual_cursor();
    let column = (column as u16).min(inner.width.saturating_sub(1));
    if inner.height > 2 {
        frame.set_cursor_position(Position::new(inner.x + column, inner.y + 2));
    }
}
