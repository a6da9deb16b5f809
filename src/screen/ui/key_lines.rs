//! Keys with their descriptions, for dialogs and the help.

use super::theme::Theme;
use crate::screen::keymap::{BINDINGS, Binding, KeyContext};
use crate::screen::lang::Lang;
use ratatui::text::{Line, Span};

/// The keys of a context in a column of `width`, with their descriptions.
pub(super) fn key_lines(
    context: KeyContext,
    width: usize,
    lang: Lang,
    theme: Theme,
) -> impl Iterator<Item = Line<'static>> {
    BINDINGS
        .iter()
        .filter(move |binding| binding.context == context)
        .map(move |binding| key_line(binding, width, lang, theme))
}

/// The keys of a binding in a column of `width`, with its description.
pub(super) fn key_line(binding: &Binding, width: usize, lang: Lang, theme: Theme) -> Line<'static> {
    let names: Vec<String> = binding.keys.iter().map(|key| key.name()).collect();
    let names = theme.keys(&names.join(", "));
    Line::from(vec![
        Span::styled(format!("  {names:<width$}"), theme.strong()),
        Span::raw(lang.tr(binding.help).to_owned()),
    ])
}
