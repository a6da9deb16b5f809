//! The actions of a page, for the command palette.

use super::synonyms::{words_of, words_of_panel};
use super::{BINDINGS, KeyContext, action, active_contexts, is_effective};
use crate::screen::app::action::PaletteAction;
use crate::screen::app::palette::PaletteEntry;
use crate::screen::app::panels::{Panel, PanelAction};
use crate::screen::app::{Action, Message, Page, State};
use crate::screen::lang::Lang;
use crossterm::event::KeyEvent;

/// The message for a key event; `None` if the key has no action in this state.
pub fn message(state: &State, event: KeyEvent) -> Option<Message> {
    Some(match action(state, event)? {
        Action::Palette(PaletteAction::Open) => Message::OpenPalette(commands(state)),
        action => Message::Action(action),
    })
}

/// A title in English and in the language of the dashboard.
fn titles(english: &str, lang: Lang) -> Vec<String> {
    vec![english.to_owned(), lang.tr(english).to_owned()]
}

/// The actions that have an effect in a state, in the order of the key binding table, each listed
/// once with all its keys, the panels, and the requests that the run does not take now. Switching pages
/// is included, editing text is not.
pub fn commands(state: &State) -> Vec<PaletteEntry> {
    let is_active = |context: KeyContext| active_contexts(state).contains(&context);
    let has_run = state.pages().contains(&Page::Train);
    let mut entries: Vec<PaletteEntry> = Vec::new();
    let mut refused: Vec<PaletteEntry> = Vec::new();
    for binding in BINDINGS {
        let is_page =
            matches!(binding.action, Action::ShowPage(page) if state.pages().contains(&page));
        // The palette controls the run where its keys are typed as text, too.
        let controls =
            matches!(binding.context, KeyContext::RunControl | KeyContext::RunCommands) && has_run;
        let is_effective = is_page || is_effective(state, binding.action);
        let is_refused = controls && !is_effective && state.has_keys();
        let is_available = is_active(binding.context) || is_page || controls;
        if !(is_available && (is_effective || is_refused))
            || matches!(binding.action, Action::Edit(_) | Action::Palette(_))
        {
            continue;
        }
        let refusal = is_refused.then(|| state.lang.tr(state.why_not_controlled()).to_owned());
        let entries = if is_refused { &mut refused } else { &mut entries };
        let keys = binding.keys.iter().map(|key| key.name());
        // The pages of a saved model have no keys of their own.
        let has_keys = is_page && state.asked_model.is_none() || is_active(binding.context);
        let keys = keys.filter(|_| has_keys);
        match entries.iter_mut().find(|entry| entry.action == binding.action) {
            Some(entry) => entry.keys.extend(keys),
            None => entries.push(PaletteEntry {
                name: state.lang.tr(binding.help).to_owned(),
                english: binding.help.to_owned(),
                titles: match binding.action {
                    Action::ShowPage(page) => titles(page.title(), state.lang),
                    _ => Vec::new(),
                },
                words: [words_of(binding.action).to_owned()]
                    .into_iter()
                    .chain(binding.footer.into_iter().flat_map(|label| titles(label, Lang::Korean)))
                    .collect::<Vec<_>>()
                    .join(" "),
                keys: keys.collect(),
                refusal,
                action: binding.action,
            }),
        }
    }
    if has_run {
        let has_probes = state.panels.has_probes;
        let panels = Panel::ALL.into_iter().filter(|panel| has_probes || *panel != Panel::Probes);
        entries.extend(panels.map(|panel| {
            let title = panel.title();
            PaletteEntry {
                name: state.lang.tr_with("Panel: {0}", &[&state.lang.tr(title)]),
                english: format!("Panel: {title}"),
                titles: titles(title, state.lang),
                words: words_of_panel(panel).to_owned(),
                keys: Vec::new(),
                refusal: None,
                action: Action::Panel(PanelAction::Show(panel)),
            }
        }));
    }
    entries.extend(refused);
    entries
}
