//! A line of text that is being typed.

use crate::screen::app::editor;
use crate::screen::ui::theme::Theme;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use tui_input::Input;
use unicode_width::UnicodeWidthStr;

/// A line of text that is being typed.
pub struct TextField<'a> {
    /// The characters before the text.
    pub prefix: &'a str,
    /// The text and its caret.
    pub input: &'a Input,
    /// Shown while the text is empty.
    pub placeholder: &'a str,
    /// Whether the field has the terminal's cursor.
    pub focused: bool,
}

impl TextField<'_> {
    /// Draws the field in the first row of an area, scrolled so that the caret is visible.
    pub fn draw(&self, frame: &mut Frame, area: Rect, theme: Theme) {
        let prefix = self.prefix.width() as u16;
        let columns = usize::from(area.width.saturating_sub(prefix));
        let (visible, caret) = editor::visible_part(self.input, columns);
        let text = if self.input.value().is_empty() {
            Span::styled(self.placeholder, theme.dim())
        } else {
            Span::raw(visible)
        };
        let line = Line::from(vec![Span::styled(self.prefix, theme.strong()), text]);
        frame.render_widget(Paragraph::new(line), area);
        if self.focused {
            // The terminal's own cursor, so that an input method composes in the right place.
            let x = area.x + prefix + caret as u16;
            let x = x.min(area.right().saturating_sub(1));
            frame.set_cursor_position(Position::new(x, area.y));
        }
    }
}
