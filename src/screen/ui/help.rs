//! The help: the key bindings by page, of which a search shows a part.

use super::key_lines::key_line;
use super::popup::{centered, clear};
use super::theme::Theme;
use super::widgets::text_field::TextField;
use super::widgets::{border_note, titled_block};
use crate::screen::app::State;
use crate::screen::keymap::{BINDINGS, help_groups, matches_words};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

/// Draws the help and returns its maximum scroll position in lines.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) -> usize {
    let (lang, help) = (state.lang, &state.help);
    let search = help.search.value().trim();
    let mut lines = lines(state, search, theme);
    if lines.is_empty() {
        lines.push(Line::styled(format!("  {}", lang.tr("no matching key")), theme.dim()));
    }
    let has_field = help.is_typing || !search.is_empty();
    // The same size while a search is typed.
    let all = if search.is_empty() { lines.len() } else { usize::from(area.height) };
    let area = centered(area, 78, all as u16 + 2 + u16::from(has_field));
    let height = usize::from(area.height.saturating_sub(2 + u16::from(has_field)));
    let limit = lines.len().saturating_sub(height);
    let scroll = help.scroll.min(limit);
    let mut block = titled_block(theme, lang.tr("keys")).border_style(theme.focus());
    if lines.len() > height {
        let below = lines.len() - height - scroll;
        let note = if below > 0 {
            lang.tr_with(" ↓ {0} more ", &[&below])
        } else {
            lang.tr(" end ").to_owned()
        };
        block = block.title_bottom(border_note(note, theme));
    }
    let mut inner = block.inner(area);
    clear(frame, area);
    frame.render_widget(block, area);
    if has_field && inner.height > 0 {
        let field = TextField {
            prefix: "/ ",
            input: &help.search,
            placeholder: lang.tr("type a word, such as pause or panel"),
            focused: help.is_typing,
        };
        field.draw(frame, Rect { height: 1, ..inner }, theme);
        (inner.y, inner.height) = (inner.y + 1, inner.height - 1);
    }
    let shown: Vec<Line> = lines.into_iter().skip(scroll).take(height).collect();
    frame.render_widget(Paragraph::new(shown), inner);
    limit
}

/// The bindings that match a search, below the headings of their pages and contexts.
fn lines(state: &State, search: &str, theme: Theme) -> Vec<Line<'static>> {
    let lang = state.lang;
    let mut lines = Vec::new();
    for (page, contexts) in help_groups(state) {
        let mut of_page = Vec::new();
        for context in contexts {
            let bindings = BINDINGS.iter().filter(|binding| {
                binding.context == context && matches_words(binding, lang, search)
            });
            let keys: Vec<Line> =
                bindings.map(|binding| key_line(binding, 24, lang, theme)).collect();
            if !keys.is_empty() {
                of_page.push(Line::styled(format!(" {}", lang.tr(context.title())), theme.dim()));
                of_page.extend(keys);
            }
        }
        if !of_page.is_empty() {
            if !lines.is_empty() {
                lines.push(Line::default());
            }
            lines.push(Line::styled(format!(" {}", lang.tr(page)), theme.strong()));
            lines.extend(of_page);
        }
    }
    lines
}
