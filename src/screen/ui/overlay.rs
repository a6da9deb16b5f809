//! What lies over the page: the keys, and questions before something is lost.

use super::theme::Theme;
use super::{palette, panel};
use crate::core::text::truncate_width;
use crate::screen::app::{FrameLayout, Overlay, State};
use crate::screen::keymap::{BINDINGS, Place, places_of_help};
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::{Alignment, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let lang = state.lang;
    match state.overlay {
        None => {}
        Some(Overlay::Help) => {
            layout.scroll_limit = Some(draw_help(frame, area, state, theme));
        }
        Some(Overlay::Palette) => palette::draw(frame, area, state, theme),
        Some(Overlay::ConfirmQuit) => {
            let of = state.started.as_ref().map_or(0, |started| started.max_steps);
            let mut text =
                vec![lang.fill("The run is at step {0} of {1}.", &[&state.steps_done(), &of])];
            if let Some(started) = state.started.as_ref().filter(|s| s.replaces_model) {
                let folder = truncate_width(&started.output_dir, 30);
                let note = "Saving it replaces the model that is in {0}.";
                text.push(lang.fill(note, &[&folder]));
            }
            draw_question(frame, area, &text, Place::ConfirmQuit, lang, theme);
        }
        Some(Overlay::LearningRate) => draw_rate(frame, area, state, theme),
        Some(Overlay::ConfirmUnsaved) => {
            let text = lang.tr("The trained model is not saved and would be lost.");
            draw_question(frame, area, &[text.to_owned()], Place::ConfirmUnsaved, lang, theme);
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
fn keys_line(
    keys: &[crate::screen::keymap::Key],
    help: &str,
    width: usize,
    theme: Theme,
) -> Line<'static> {
    let names: Vec<String> = keys.iter().map(|key| key.name()).collect();
    Line::from(vec![
        Span::styled(format!("  {:<width$}", theme.keys(&names.join(", "))), theme.strong()),
        Span::raw(help.to_owned()),
    ])
}

fn draw_question(
    frame: &mut Frame,
    area: Rect,
    text: &[String],
    place: Place,
    lang: Lang,
    theme: Theme,
) {
    let mut lines: Vec<Line> = text.iter().map(|text| Line::from(format!("  {text}"))).collect();
    lines.push(Line::default());
    for binding in BINDINGS.iter().filter(|binding| binding.place == place) {
        lines.push(keys_line(binding.keys, lang.tr(binding.help), 12, theme));
    }
    let area = centred(area, 64, lines.len() as u16 + 4);
    let block = panel(theme, lang.tr("quit?"))
        .border_style(theme.warning())
        .padding(ratatui::widgets::Padding::vertical(1));
    clear(frame, area);
    frame.render_widget(Paragraph::new(lines).block(block).wrap(Wrap { trim: false }), area);
}

/// The learning rate that is being typed, and what it would change.
fn draw_rate(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let now = state.step.as_ref().map_or(0.0, |step| step.learning_rate);
    let typed = state.rate.input.value();
    let lang = state.lang;
    let (what, style) = match state.rate.rate() {
        Some(_) => ("the schedule keeps its shape from there", theme.dim()),
        None if typed.is_empty() => ("such as 5e-5", theme.dim()),
        None => ("not a rate: above 0, at most 1", theme.error()),
    };
    let what = Span::styled(lang.tr(what), style);
    let prompt = format!("  {} ", lang.tr("rate"));
    let before = prompt.width();
    let used = "Step {0} used {1}. The next step uses:";
    let used = lang.fill(used, &[&state.steps_done(), &format!("{now:.3e}")]);
    let mut lines = vec![
        Line::from(format!("  {used}")),
        Line::default(),
        Line::from(vec![
            Span::styled(prompt, theme.dim()),
            Span::styled(format!("{typed:<22}"), theme.strong()),
            what,
        ]),
        Line::default(),
    ];
    for binding in BINDINGS.iter().filter(|binding| binding.place == Place::Rate) {
        lines.push(keys_line(binding.keys, lang.tr(binding.help), 12, theme));
    }
    let area = centred(area, 72, lines.len() as u16 + 4);
    let block = panel(theme, lang.tr("learning rate"))
        .border_style(theme.warning())
        .padding(ratatui::widgets::Padding::vertical(1));
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
    let column = before + state.rate.input.visual_cursor();
    let column = (column as u16).min(inner.width.saturating_sub(1));
    if inner.height > 2 {
        frame.set_cursor_position(Position::new(inner.x + column, inner.y + 2));
    }
}

/// Draws the help and returns the last line that it can start at.
fn draw_help(frame: &mut Frame, area: Rect, state: &State, theme: Theme) -> usize {
    let mut lines = Vec::new();
    for place in places_of_help(state) {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::styled(format!(" {}", state.lang.tr(place.title())), theme.train()));
        for binding in BINDINGS.iter().filter(|binding| binding.place == place) {
            lines.push(keys_line(binding.keys, state.lang.tr(binding.help), 24, theme));
        }
    }
    let area = centred(area, 78, lines.len() as u16 + 2);
    let room = usize::from(area.height.saturating_sub(2));
    let limit = lines.len().saturating_sub(room);
    let scroll = state.help_scroll.min(limit);
    let mut block = panel(theme, state.lang.tr("keys")).border_style(theme.train());
    if lines.len() > room {
        let left = lines.len() - room - scroll;
        let hint = if left > 0 {
            state.lang.fill(" ↓ {0} more ", &[&left])
        } else {
            state.lang.tr(" end ").to_owned()
        };
        block = block.title_bottom(Line::styled(hint, theme.dim()).alignment(Alignment::Right));
    }
    let shown: Vec<Line> = lines.into_iter().skip(scroll).take(room).collect();
    clear(frame, area);
    frame.render_widget(Paragraph::new(shown).block(block), area);
    limit
}
