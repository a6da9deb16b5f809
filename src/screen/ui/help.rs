//! The help: the key bindings by page, of which a search shows a part.

use super::key_lines::{KeyColumns, described, key_lines};
use super::popup::{centered, clear};
use super::theme::Theme;
use super::widgets::text_field::TextField;
use super::widgets::{titled_block, with_note};
use crate::screen::app::State;
use crate::screen::app::panels::Panel;
use crate::screen::keymap::{
    BINDINGS, KeyContext, about_panel, help_groups, matches_panel, matches_words,
};
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

/// The columns of the help, including its border.
const WIDTH: u16 = 78;

/// The columns of the keys.
const KEYS: usize = 24;

/// The columns of the keys on a narrow screen, and the columns below which a screen is one.
const NARROW_KEYS: usize = 11;
const NARROW: usize = 64;

/// Draws the help and returns its maximum scroll position in lines.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) -> usize {
    let (lang, help) = (state.lang, &state.help);
    let search = help.search.value().trim();
    let border = if theme.is_frameless() { 0 } else { 2 };
    let width = if theme.is_frameless() { area.width } else { WIDTH.min(area.width) };
    let mut lines = lines(state, search, usize::from(width.saturating_sub(border)), theme);
    if lines.is_empty() {
        lines.push(Line::styled(format!("  {}", lang.tr("no matching key")), theme.dim()));
    }
    let has_field = help.is_typing || !search.is_empty();
    // The same size while a search is typed.
    let all = if search.is_empty() { lines.len() } else { usize::from(area.height) };
    let area = if theme.is_frameless() {
        area
    } else {
        centered(area, WIDTH, all as u16 + 2 + u16::from(has_field))
    };
    let rows_around = border.max(1) + u16::from(has_field);
    let height = usize::from(area.height.saturating_sub(rows_around));
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
        block = with_note(block, note, theme);
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

/// The bindings and panels that match a search, below the headings of their pages and contexts, in
/// `width` columns.
fn lines(state: &State, search: &str, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let lang = state.lang;
    let keys = if width < NARROW { NARROW_KEYS } else { KEYS };
    let columns = KeyColumns { keys, width };
    let mut lines = Vec::new();
    for (page, contexts) in help_groups(state) {
        let mut of_page = Vec::new();
        for context in contexts {
            let bindings = BINDINGS.iter().filter(|binding| {
                binding.context == context && matches_words(binding, lang, search)
            });
            let keys: Vec<Line> =
                bindings.flat_map(|binding| key_lines(binding, columns, lang, theme)).collect();
            // The heading of the page stands for a group of the same name.
            let title = Some(context.title()).filter(|title| *title != page);
            push_group(&mut of_page, title.map(|title| lang.tr(title)), keys, theme);
            if context == KeyContext::Panels {
                let panels = Panel::ALL.into_iter();
                let panels = panels.filter(|panel| matches_panel(*panel, lang, search));
                let panels = panels.flat_map(|panel| panel_lines(panel, columns, lang, theme));
                let title = lang.tr("Train: a panel by its name");
                push_group(&mut of_page, Some(title), panels.collect(), theme);
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

/// Adds lines below a heading, if it has one, if there are any lines.
fn push_group(
    lines: &mut Vec<Line<'static>>,
    title: Option<&str>,
    of_group: Vec<Line<'static>>,
    theme: Theme,
) {
    if !of_group.is_empty() {
        lines.extend(title.map(|title| Line::styled(format!(" {title}"), theme.dim())));
        lines.extend(of_group);
    }
}

/// What is typed to show a panel, and what it shows.
fn panel_lines(panel: Panel, columns: KeyColumns, lang: Lang, theme: Theme) -> Vec<Line<'static>> {
    let typed = format!(": {}", lang.tr(panel.title()));
    described(&typed, lang.tr(about_panel(panel)), columns, theme)
}
