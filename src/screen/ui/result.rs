//! The result of a run that has ended, instead of its progress.

use super::theme::Theme;
use super::widgets::{border_note, titled_block};
use crate::core::text::{align_left, truncate_width};
use crate::run::command_line::shell_word;
use crate::screen::app::State;
use crate::screen::app::log::Level;
use crate::screen::app::result_card::{NextCommand, ResultCard};
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Columns of the names of the lines.
const NAME: usize = 10;

/// The rows that all of the card needs, with its border.
pub(super) fn height(card: &ResultCard) -> u16 {
    (card.facts.len() + card.commands.len()).min(8) as u16 + 2
}

/// Draws the card with as many lines as there is room for, and a note in its border. The last line
/// is a command.
pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    card: &ResultCard,
    state: &State,
    theme: Theme,
    note: &str,
) {
    let mut block = titled_block(theme, state.lang.tr("result"));
    if !note.is_empty() {
        block = block.title(border_note(format!(" {note} "), theme));
    }
    let inner = block.inner(area);
    let (width, rows) = (usize::from(inner.width), usize::from(inner.height));
    let commands = card.commands.len().min(rows.saturating_sub(card.facts.len()).max(1));
    let mut lines: Vec<Line> = Vec::new();
    for fact in card.facts.iter().take(rows.saturating_sub(commands)) {
        let name = align_left(state.lang.tr(fact.name), NAME);
        let text = truncate_width(&fact.text, width.saturating_sub(NAME));
        let style = level_style(fact.level, theme);
        lines.push(Line::from(vec![Span::styled(name, theme.dim()), Span::styled(text, style)]));
    }
    for command in card.commands.iter().take(commands) {
        lines.push(command_line(command, width, state.lang, theme));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn level_style(level: Level, theme: Theme) -> Style {
    match level {
        Level::Info => Style::new(),
        Level::Result => theme.eval(),
        Level::Warning => theme.warning(),
        Level::Error => theme.error(),
    }
}

/// A command with the program's usual name.
fn command_line(command: &NextCommand, width: usize, lang: Lang, theme: Theme) -> Line<'static> {
    let words = std::iter::once("nsmc-tui".to_owned())
        .chain(command.arguments.iter().map(|word| shell_word(word)));
    let text = words.collect::<Vec<_>>().join(" ");
    let name = align_left(lang.tr("next"), NAME);
    let text = truncate_width(&text, width.saturating_sub(NAME));
    Line::from(vec![Span::styled(name, theme.dim()), Span::styled(text, theme.strong())])
}
