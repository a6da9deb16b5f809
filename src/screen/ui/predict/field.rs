//! The text field of the predict page.

use crate::core::text::{display_path, truncate_width};
use crate::screen::app::State;
use crate::screen::app::text_area::{MAX_CHARS, rows};
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::text_field::TextField;
use crate::screen::ui::widgets::{border_note, titled_block};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use std::path::Path;
use tui_input::Input;

/// The columns before each row of the text.
const PREFIX: u16 = 2;

/// The most rows of the text that are shown at once.
const MAX_ROWS: u16 = 8;

/// As [`MAX_ROWS`], on a small screen.
const MAX_ROWS_FRAMELESS: u16 = 3;

/// The columns of the text in a field of this width.
fn columns(width: u16, theme: Theme) -> usize {
    let border = if theme.is_frameless() { 0 } else { 2 };
    usize::from(width.saturating_sub(border + PREFIX))
}

/// The rows that the field takes of an area.
pub(super) fn height(area: Rect, state: &State, theme: Theme) -> u16 {
    let most = if theme.is_frameless() {
        (area.height / 4).clamp(1, MAX_ROWS_FRAMELESS)
    } else {
        (area.height / 3).clamp(1, MAX_ROWS)
    };
    let rows = rows::rows(state.prompt.input.text(), columns(area.width, theme)).len();
    let border = if theme.is_frameless() {
        u16::from(insert_note(state).is_some() || state.words.is_typing())
    } else {
        2
    };
    u16::try_from(rows).unwrap_or(most).min(most) + border
}

/// Draws the field, scrolled so that the caret is visible. Returns the columns of its text.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) -> usize {
    let input = &state.prompt.input;
    let columns = columns(area.width, theme);
    let rows = rows::rows(input.text(), columns);
    let (row, column) = rows::position(input.text(), &rows, input.caret());
    let note = insert_note(state).map(|note| border_note(note, theme).style(theme.warning()));
    let border = match (theme.is_frameless(), &note) {
        (true, None) => 0,
        (true, Some(_)) => 1,
        (false, _) => 2,
    };
    let visible = usize::from(area.height.saturating_sub(border)).max(1);
    let first = (row + 1).saturating_sub(visible);

    let title = state.lang.tr("text");
    let title = if rows.len() > visible {
        format!("{title} {}/{}", row + 1, rows.len())
    } else {
        title.to_owned()
    };
    let block = match (note, model_note(state)) {
        (Some(note), _) if theme.is_frameless() => Block::new().title(note),
        (None, _) if theme.is_frameless() => Block::new(),
        (Some(note), _) => titled_block(theme, title).title_bottom(note),
        (None, Some(note)) => {
            let is_untrained = state.asked_model.as_ref().is_some_and(|asked| asked.is_untrained);
            let note = border_note(note, theme);
            let note = if is_untrained { note.style(theme.warning()) } else { note };
            titled_block(theme, title).title_bottom(note)
        }
        (None, None) => titled_block(theme, title),
    };
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let mut lines = Vec::new();
    for (index, range) in rows.iter().enumerate().skip(first).take(visible) {
        let prefix = if index == 0 { "> " } else { "  " };
        let text = if input.text().is_empty() {
            Span::styled(placeholder(state), theme.dim())
        } else {
            Span::raw(rows::drawn(&input.text()[range.clone()]))
        };
        lines.push(Line::from(vec![Span::styled(prefix, theme.train()), text]));
    }
    frame.render_widget(Paragraph::new(lines), inner);
    if state.overlay.is_none() {
        // The terminal's own cursor, so that an input method composes in the right place.
        let x = inner.x + PREFIX + column as u16;
        let y = inner.y + (row - first) as u16;
        let right = inner.right().saturating_sub(1);
        frame.set_cursor_position(Position::new(x.min(right), y));
    }
    columns
}

/// Draws the field for another word in place of a word. Returns the columns of its text.
pub(super) fn draw_word(
    frame: &mut Frame,
    area: Rect,
    word: &str,
    typed: &Input,
    state: &State,
    theme: Theme,
) -> usize {
    let title = state.lang.tr_with("in place of {0}", &[&truncate_width(word.trim(), 30)]);
    let block = titled_block(theme, title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let field = TextField {
        prefix: "> ",
        input: typed,
        placeholder: state.lang.tr("another word and Enter; without one it is left out"),
        focused: state.overlay.is_none(),
    };
    field.draw(frame, inner, theme);
    columns(area.width, theme)
}

fn placeholder(state: &State) -> &str {
    if state.reads_pairs() {
        state.lang.tr("type two texts with ||| between them and press Enter")
    } else {
        state.lang.tr("type a review")
    }
}

/// A note on what was changed of the inserted text.
fn insert_note(state: &State) -> Option<String> {
    let (lang, note) = (state.lang, state.prompt.input.note());
    let mut parts = Vec::new();
    if note.cut {
        parts.push(lang.tr_with("cut to {0} characters", &[&MAX_CHARS]));
    }
    if note.left_out > 0 {
        parts.push(lang.tr_with("invisible characters left out: {0}", &[&note.left_out]));
    }
    if note.composed {
        parts.push(lang.tr("characters composed (NFC)").to_owned());
    }
    (!parts.is_empty()).then(|| format!(" {} ", parts.join(" · ")))
}

/// A note on the model that answers.
pub(super) fn model_note(state: &State) -> Option<String> {
    let lang = state.lang;
    if let Some(asked) = &state.asked_model {
        let name = truncate_width(&display_path(Path::new(&asked.name)), 40);
        if asked.is_untrained {
            let text = " {0} has an untrained head: its answers mean nothing ";
            return Some(lang.tr_with(text, &[&name]));
        }
        return Some(lang.tr_with(" answers with {0} ", &[&name]));
    }
    if let Some(reason) = state.why_no_model() {
        return Some(format!(" {} ", lang.tr(reason)));
    }
    if state.replay.is_some() {
        return Some(lang.tr(" answers with the saved model, on the CPU ").to_owned());
    }
    if state.started.is_none() {
        return Some(lang.tr(" available once the model is loaded ").to_owned());
    }
    let step = state.steps_done();
    state.is_running().then(|| lang.tr_with(" predicts with the model at step {0} ", &[&step]))
}

#[cfg(test)]
#[path = "field_tests.rs"]
mod tests;
