//! The overlays of a page: the help, the input for a learning rate, and confirmations before work
//! is lost.

use super::key_lines::{KeyColumns, context_lines};
use super::popup::{centered, clear};
use super::theme::Theme;
use super::widgets::titled_block;
use super::{command_palette, help};
use crate::core::text::{display_path, truncate_width, wrap_width};
use crate::screen::app::next_rate::next_rate;
use crate::screen::app::run_control::shortest;
use crate::screen::app::{FrameLayout, Overlay, State};
use crate::screen::keymap::KeyContext;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Padding, Paragraph};
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

/// The columns of the keys of a dialog.
const KEYS: usize = 12;

/// A line of a dialog.
struct DialogLine {
    line: Line<'static>,
    /// The number of the text that it is a part of; `None` if the dialog cannot be used without it.
    text: Option<usize>,
}

/// Where a dialog is, and what it may take of the screen.
struct Dialog {
    /// All of it.
    area: Rect,
    /// The columns and the most rows of its content.
    size: (usize, usize),
    theme: Theme,
}

impl Dialog {
    /// A dialog of at most `width` columns over the area. Without borders it takes all of it.
    fn over(area: Rect, width: u16, theme: Theme) -> Self {
        let (width, rows_around) =
            if theme.is_frameless() { (area.width, 1) } else { (width.min(area.width), 4) };
        let border = if theme.is_frameless() { 0 } else { 2 };
        let size = (width.saturating_sub(border), area.height.saturating_sub(rows_around));
        let size = (usize::from(size.0), usize::from(size.1));
        Self { area: Rect { width, ..area }, size, theme }
    }

    /// Draws it in the middle of `area`, and returns the area of its content.
    fn draw(self, frame: &mut Frame, area: Rect, title: &str, lines: Vec<DialogLine>) -> Rect {
        let theme = self.theme;
        let lines: Vec<Line> = lines.into_iter().map(|line| line.line).collect();
        let mut block = titled_block(theme, title).border_style(theme.warning());
        let mut place = self.area;
        if !theme.is_frameless() {
            place = centered(area, self.area.width, lines.len() as u16 + 4);
            block = block.padding(Padding::vertical(1));
        }
        let inner = block.inner(place);
        clear(frame, place);
        frame.render_widget(Paragraph::new(lines).block(block), place);
        inner
    }

    /// A text with its number, indented, in as many lines as it needs.
    fn text(&self, number: usize, text: &str) -> Vec<DialogLine> {
        let width = self.size.0.saturating_sub(4).max(8);
        let line =
            |line: &str| DialogLine { line: Line::from(format!("  {line}")), text: Some(number) };
        wrap_width(text, width).into_iter().map(line).collect()
    }

    /// The content: the lines, and below them the keys of a context. Where there is too little room, the
    /// keys are abbreviated, and then the texts with the highest numbers are left out.
    fn content(
        &self,
        mut lines: Vec<DialogLine>,
        context: KeyContext,
        state: &State,
    ) -> Vec<DialogLine> {
        let (width, rows) = self.size;
        let columns = KeyColumns { keys: KEYS, width };
        let left = rows.saturating_sub(lines.len());
        let keys = context_lines(context, columns, left, state, self.theme);
        if keys.len() < left {
            lines.push(DialogLine { line: Line::default(), text: Some(usize::MAX) });
        }
        while lines.len() + keys.len() > rows
            && let Some(text) = lines.iter().filter_map(|line| line.text).max()
        {
            lines.retain(|line| line.text != Some(text));
        }
        lines.extend(keys.into_iter().map(|line| DialogLine { line, text: None }));
        lines
    }
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
    let dialog = Dialog::over(area, 64, theme);
    let lines =
        text.iter().enumerate().flat_map(|(number, text)| dialog.text(number, text)).collect();
    let lines = dialog.content(lines, context, state);
    dialog.draw(frame, area, title, lines);
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
        1 => text.push(lang.tr("1 more run is inside it.").to_owned()),
        inside => text.push(lang.tr_with("{0} more runs are inside it.", &[&inside])),
    }
    text.push(lang.tr("Its space is free once you remove it there.").to_owned());
    let title = lang.tr("to the trash?");
    draw_question(frame, area, title, &text, KeyContext::ConfirmDelete, state, theme);
}

/// Draws the field for a new learning rate.
fn draw_learning_rate(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let (lang, rate_input) = (state.lang, &state.rate_input);
    let next = next_rate(state);
    let typed = rate_input.input.value();
    let (hint, style) = match (rate_input.value(), next) {
        (Some(_), _) if rate_input.is_unchanged() => {
            (lang.tr("the present rate: Enter changes nothing").to_owned(), theme.dim())
        }
        (Some(rate), Some(next)) => {
            let factor = format!("{:.3}", rate / next.rate);
            let hint = "the rest of the schedule is multiplied by {0}, too";
            (lang.tr_with(hint, &[&factor]), theme.dim())
        }
        (Some(_), None) => {
            (lang.tr("the rest of the schedule is scaled to it").to_owned(), theme.dim())
        }
        (None, _) if typed.is_empty() => (lang.tr("such as 5e-5").to_owned(), theme.dim()),
        (None, _) => (lang.tr("must be above 0 and at most 1").to_owned(), theme.error()),
    };
    let dialog = Dialog::over(area, 72, theme);
    // Marked as selected, since typing replaces it.
    let typed_style = if rate_input.is_filled_in { theme.selected() } else { theme.strong() };
    let prompt = format!("  {} ", lang.tr("rate"));
    let before = prompt.width();
    let is_peak = next.is_some_and(|next| next.is_peak);
    let asked = if is_peak { "The peak of the schedule:" } else { "The next step uses:" };
    let mut used = lang.tr(asked).to_owned();
    if let Some(step) = &state.step {
        let rate = shortest(step.learning_rate);
        let text = lang.tr_with("Step {0} used {1}.", &[&step.step, &rate]);
        used = format!("{text} {used}");
    }
    let mut lines = dialog.text(2, &used);
    let field =
        vec![Span::styled(prompt, theme.dim()), Span::styled(typed.to_owned(), typed_style)];
    lines.push(DialogLine { line: Line::from(field), text: None });
    let hint = dialog.text(1, &hint).into_iter();
    lines.extend(hint.map(|text| DialogLine { line: text.line.style(style), ..text }));
    let lines = dialog.content(lines, KeyContext::LearningRate, state);
    let row = lines.iter().position(|line| line.text.is_none()).unwrap_or(0) as u16;
    let inner = dialog.draw(frame, area, lang.tr("learning rate"), lines);
    let column = before + rate_input.input.visual_cursor();
    let column = (column as u16).min(inner.width.saturating_sub(1));
    if inner.height > row {
        frame.set_cursor_position(Position::new(inner.x + column, inner.y + row));
    }
}
