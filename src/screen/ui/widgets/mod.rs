//! Building blocks that the panels share.

pub mod bar;
pub mod canvas;
pub mod chart;
pub mod text_field;

use super::theme::Theme;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Paragraph};

/// A bordered block with a title.
pub fn titled_block<'a>(theme: Theme, title: impl AsRef<str>) -> Block<'a> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.dim())
        .title(Line::styled(format!(" {} ", title.as_ref()), theme.strong()))
}

/// A note for the right end of a block's border.
pub fn border_note<'a>(text: impl Into<String>, theme: Theme) -> Line<'a> {
    Line::styled(text.into(), theme.dim()).alignment(Alignment::Right)
}

/// Draws a hint in the first row of an area that has no content yet.
pub fn draw_hint(frame: &mut Frame, area: Rect, text: &str, theme: Theme) {
    frame.render_widget(Paragraph::new(Line::styled(text, theme.dim())), area);
}

/// Draws a hint in the middle of an area that has no content yet.
pub fn draw_centered_hint(frame: &mut Frame, area: Rect, text: &str, theme: Theme) {
    let middle = Rect { y: area.y + area.height / 2, height: area.height.min(1), ..area };
    frame.render_widget(Paragraph::new(Line::styled(text, theme.dim()).centered()), middle);
}
