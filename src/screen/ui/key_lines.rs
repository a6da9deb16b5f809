//! Keys with their descriptions, for dialogs and the help.

use super::theme::Theme;
use crate::core::text::wrap_width;
use crate::screen::app::{Action, State};
use crate::screen::keymap::{BINDINGS, Binding, KeyContext, is_effective};
use crate::screen::lang::Lang;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// The columns of keys with their descriptions.
#[derive(Clone, Copy)]
pub(super) struct KeyColumns {
    /// The columns of the keys.
    pub keys: usize,
    /// All columns.
    pub width: usize,
}

/// Whether a dialog offers an action: a run in another process cannot be quit without saving.
fn is_possible(state: &State, action: Action) -> bool {
    action != Action::QuitWithoutSaving || is_effective(state, action)
}

/// The keys of a context with their descriptions in at most `rows` lines or, if these
/// are too few, with the labels of the footer one after another.
pub(super) fn context_lines(
    context: KeyContext,
    columns: KeyColumns,
    rows: usize,
    state: &State,
    theme: Theme,
) -> Vec<Line<'static>> {
    let lang = state.lang;
    let is_listed =
        |binding: &&Binding| binding.context == context && is_possible(state, binding.action);
    let bindings = || BINDINGS.iter().filter(is_listed);
    let full: Vec<Line> =
        bindings().flat_map(|binding| key_lines(binding, columns, lang, theme)).collect();
    if full.len() <= rows {
        return full;
    }
    let label = |binding: &Binding| {
        let key = theme.keys(&binding.keys.first()?.name());
        Some(format!("{key} {}", lang.tr(binding.footer?)))
    };
    // A label is not broken at its spaces.
    let mut lines: Vec<String> = vec![String::new()];
    for label in bindings().filter_map(label) {
        let last = lines.len() - 1;
        match lines[last].width() {
            0 => lines[last] = label,
            used if used + 2 + label.width() <= columns.width => {
                lines[last] = format!("{}  {label}", lines[last]);
            }
            _ => lines.push(label),
        }
    }
    lines.into_iter().map(|line| Line::styled(line, theme.strong())).collect()
}

/// The keys of a binding with its description, in as many lines as it needs.
pub(super) fn key_lines(
    binding: &Binding,
    columns: KeyColumns,
    lang: Lang,
    theme: Theme,
) -> Vec<Line<'static>> {
    let names: Vec<String> = binding.keys.iter().map(|key| key.name()).collect();
    described(&theme.keys(&names.join(", ")), lang.tr(binding.help), columns, theme)
}

/// What is pressed or typed, with its description, in as many lines as it needs.
pub(super) fn described(
    keys: &str,
    text: &str,
    columns: KeyColumns,
    theme: Theme,
) -> Vec<Line<'static>> {
    let KeyColumns { keys: least, width } = columns;
    let padding = " ".repeat(least.saturating_sub(keys.width()).max(1));
    let keys = format!("  {keys}{padding}");
    let indent = 2 + least;
    let mut parts = wrap_width(text, width.saturating_sub(indent).max(8)).into_iter().peekable();
    // A description that does not fit beside wide keys is below them.
    let fits = parts.peek().is_some_and(|first| keys.width() + first.trim_end().width() <= width);
    let mut first = Line::from(Span::styled(keys, theme.strong()));
    if let Some(part) = parts.next_if(|_| fits) {
        first.push_span(Span::raw(part.to_owned()));
    }
    let rest = parts.map(|part| Line::from(format!("{}{part}", " ".repeat(indent))));
    std::iter::once(first).chain(rest).collect()
}
