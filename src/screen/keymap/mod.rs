//! One table of keys. What a key does, what the footer names and what the help lists all come
//! from here.

mod commands;
mod key;
mod table;

pub use commands::{commands, message};
pub use key::Key;
pub use table::BINDINGS;

use crate::screen::app::runs::RunComparison;
use crate::screen::app::{Action, Overlay, Page, State};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::InputRequest;

/// Where a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyContext {
    /// Everywhere.
    Anywhere,
    /// On the pages where no text is typed.
    Reading,
    /// On every page where no text is typed.
    Commands,
    /// On every page, and over it where nothing is typed there.
    Pages,
    /// On the settings and log pages, and in the help.
    Scrolling,
    /// In the predict pane.
    Typing,
    /// Wherever a text is typed.
    Editing,
    /// On the log's page.
    Log,
    /// Where a text is typed that is looked for in the log.
    Searching,
    /// In the list of all that can be done.
    Palette,
    /// On the page of runs side by side.
    Runs,
    /// Where words are typed that all runs shown have.
    Filtering,
    /// Where there are charts.
    Charts,
    /// On the training page, at its panels.
    Panels,
    /// On the training page, at the run itself.
    Steering,
    /// At the question for a learning rate.
    Rate,
    /// In the help.
    Help,
    /// At the question whether to leave while training.
    ConfirmQuit,
    /// At the question whether to leave without a saved model.
    ConfirmUnsaved,
}

impl KeyContext {
    /// The heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Anywhere => "Anywhere",
            Self::Reading => "Train, Settings and Log",
            Self::Commands => "Where no text is typed",
            Self::Scrolling => "Settings, Log and this help",
            Self::Pages => "Every page",
            Self::Typing => "Predict",
            Self::Editing => "Where text is typed",
            Self::Log => "Log",
            Self::Searching => "Searching and filtering the log",
            Self::Palette => "The list of actions",
            Self::Runs => "Runs side by side",
            Self::Filtering => "Filtering runs",
            Self::Charts => "Charts",
            Self::Panels => "Train: panels",
            Self::Steering => "Train: the run",
            Self::Rate => "When asked for a learning rate",
            Self::Help => "This help",
            Self::ConfirmQuit => "When asked about quitting a run",
            Self::ConfirmUnsaved => "When the model is not saved",
        }
    }

    /// All places, in the order of the help.
    pub const ALL: [Self; 19] = [
        Self::Reading,
        Self::Commands,
        Self::Charts,
        Self::Panels,
        Self::Steering,
        Self::Runs,
        Self::Filtering,
        Self::Typing,
        Self::Pages,
        Self::Scrolling,
        Self::Log,
        Self::Searching,
        Self::Palette,
        Self::Editing,
        Self::Anywhere,
        Self::Help,
        Self::ConfirmQuit,
        Self::ConfirmUnsaved,
        Self::Rate,
    ];
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Any of these keys.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// Where.
    pub context: KeyContext,
    /// What the help says.
    pub help: &'static str,
    /// What the footer says, if it has room to.
    pub footer: Option<&'static str>,
}

/// The places that hold in a state, the most particular first.
pub fn active_contexts(state: &State) -> &'static [KeyContext] {
    contexts_under(state, state.overlay)
}

/// All places in the order of the help: those of the page first.
pub fn help_contexts(state: &State) -> Vec<KeyContext> {
    let mut places = contexts_under(state, None).to_vec();
    let rest = KeyContext::ALL.into_iter().filter(|place| !places.contains(place));
    let rest: Vec<KeyContext> = rest.collect();
    places.extend(rest);
    places
}

/// As [`places`], with this over the page.
fn contexts_under(state: &State, overlay: Option<Overlay>) -> &'static [KeyContext] {
    use KeyContext::{
        Anywhere, Charts, Commands, Editing, Pages, Panels, Reading, Scrolling, Steering,
    };
    match (overlay, state.page) {
        (Some(Overlay::Help), _) => &[KeyContext::Help, Scrolling, Pages, Anywhere],
        (Some(Overlay::ConfirmQuit), _) => &[KeyContext::ConfirmQuit, Pages, Anywhere],
        (Some(Overlay::ConfirmUnsaved), _) => &[KeyContext::ConfirmUnsaved, Pages, Anywhere],
        (Some(Overlay::Palette), _) => &[KeyContext::Palette, Editing, Anywhere],
        (None, Page::Predict) => &[KeyContext::Typing, Editing, Pages, Anywhere],
        (Some(Overlay::LearningRate), _) => &[KeyContext::Rate, Editing, Anywhere],
        (None, Page::Train) => &[Reading, Commands, Charts, Panels, Steering, Pages, Anywhere],
        (None, Page::Settings) => &[Reading, Commands, Scrolling, Pages, Anywhere],
        (None, Page::Log) if state.log.is_typing() => &[KeyContext::Searching, Editing, Anywhere],
        (None, Page::Log) => &[KeyContext::Log, Reading, Commands, Scrolling, Pages, Anywhere],
        (None, Page::Runs) if state.runs.as_ref().is_some_and(RunComparison::is_typing) => {
            &[KeyContext::Filtering, Editing, Anywhere]
        }
        (None, Page::Runs) => &[KeyContext::Runs, Commands, Charts, Anywhere],
    }
}

/// What a key does in a state.
pub fn action(state: &State, event: KeyEvent) -> Option<Action> {
    for place in active_contexts(state) {
        let mut here = BINDINGS.iter().filter(|binding| binding.context == *place);
        let found = here.find(|binding| binding.keys.iter().any(|key| key.matches(event)));
        if let Some(binding) = found {
            return Some(binding.action);
        }
    }
    match event.code {
        KeyCode::Char(c)
            if active_contexts(state).contains(&KeyContext::Editing)
                && (event.modifiers - KeyModifiers::SHIFT).is_empty() =>
        {
            Some(Action::Edit(InputRequest::InsertChar(c)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod effect_tests;
#[cfg(test)]
mod scene_tests;
#[cfg(test)]
mod tests;
