//! All that can be done on a page, for the list that is searched by name.

use super::{BINDINGS, KeyContext, action, active_contexts};
use crate::screen::app::action::PaletteAction;
use crate::screen::app::palette::PaletteEntry;
use crate::screen::app::{Action, Message, State};
use crossterm::event::KeyEvent;

/// What a key tells the state.
pub fn message(state: &State, event: KeyEvent) -> Option<Message> {
    Some(match action(state, event)? {
        Action::Palette(PaletteAction::Open) => Message::OpenPalette(commands(state)),
        action => Message::Action(action),
    })
}

/// What can be done in a state, in the order of the table, each once with all its keys: what holds
/// on the page, and the other pages. Editing a text is left to its keys.
pub fn commands(state: &State) -> Vec<PaletteEntry> {
    let here = |place: KeyContext| active_contexts(state).contains(&place);
    let mut entries: Vec<PaletteEntry> = Vec::new();
    for binding in BINDINGS {
        let is_page =
            matches!(binding.action, Action::ShowPage(page) if state.pages().contains(&page));
        let holds = here(binding.context) || is_page;
        if !holds || matches!(binding.action, Action::Edit(_) | Action::Palette(_)) {
            continue;
        }
        let keys = binding.keys.iter().map(|key| key.name());
        match entries.iter_mut().find(|entry| entry.action == binding.action) {
            Some(entry) => entry.keys.extend(keys),
            None => entries.push(PaletteEntry {
                name: state.lang.tr(binding.help),
                english: binding.help,
                keys: keys.collect(),
                action: binding.action,
            }),
        }
    }
    entries
}
