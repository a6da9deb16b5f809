//! The key bindings. One table defines the actions of keys, the keys in the footer and those in the
//! help.

mod commands;
mod effective;
mod key;
mod synonyms;
mod table;
mod words;

pub use commands::{commands, message};
pub use effective::{footer, is_effective};
pub use key::Key;
pub use table::BINDINGS;
pub use words::{about_panel, help_groups, matches_panel, matches_words};

use crate::screen::app::runs::RunComparison;
use crate::screen::app::{Action, Overlay, Page, State};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::InputRequest;

/// Where a key binding is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyContext {
    /// Everywhere.
    Anywhere,
    /// On the pages of a run without text input.
    RunPages,
    /// On every page without text input.
    NoTextInput,
    /// On every page, and in overlays without text input.
    AllPages,
    /// On the settings and log pages and in the help.
    Scrolling,
    /// On the predict page.
    Predict,
    /// On the predict page of a run.
    PredictInRun,
    /// On the predict page of a saved model.
    PredictAlone,
    /// While another word is typed on the predict page.
    WordInput,
    /// Wherever text is typed.
    TextInput,
    /// On the log page.
    Log,
    /// While a search or a filter of the log is typed.
    LogInput,
    /// In the command palette.
    Palette,
    /// On the mistakes page.
    Mistakes,
    /// While a search is typed on the mistakes page.
    MistakesInput,
    /// On the page that compares runs.
    Runs,
    /// While a line is typed on the page that compares runs.
    RunInput,
    /// On pages with charts.
    Charts,
    /// On the training page, for its panels.
    Panels,
    /// On the training page, to pause the run.
    RunControl,
    /// On the pages of a run without text input, to control the run.
    RunCommands,
    /// In the dialog for a learning rate.
    LearningRate,
    /// In the help.
    Help,
    /// While a search of the help is typed.
    HelpInput,
    /// In the dialog that asks whether to quit during training.
    ConfirmQuit,
    /// In the dialog that asks whether to quit without a saved model.
    ConfirmUnsaved,
    /// In the dialog that asks whether to delete a run.
    ConfirmDelete,
}

impl KeyContext {
    /// The heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Anywhere => "Anywhere",
            Self::RunPages => "Train, Settings, Log and Mistakes",
            Self::NoTextInput => "Pages without text input",
            Self::Scrolling => "Settings, Log and help",
            Self::AllPages => "All pages",
            Self::Predict => "Predict",
            Self::PredictInRun => "Predict: in a run",
            Self::PredictAlone => "Predict: a saved model",
            Self::WordInput => "Predict: another word",
            Self::TextInput => "Text input",
            Self::Log => "Log",
            Self::LogInput => "Log: search and filter",
            Self::Palette => "Command palette",
            Self::Mistakes => "Mistakes",
            Self::MistakesInput => "Mistakes: search",
            Self::Runs => "Compare runs",
            Self::RunInput => "Compare runs: input",
            Self::Charts => "Charts",
            Self::Panels => "Train: panels",
            Self::RunControl => "Train: pause",
            Self::RunCommands => "Run control",
            Self::LearningRate => "Learning rate",
            Self::Help => "Help",
            Self::HelpInput => "Help: search",
            Self::ConfirmQuit => "Quit dialog",
            Self::ConfirmUnsaved => "Unsaved model dialog",
            Self::ConfirmDelete => "Trash dialog",
        }
    }

    /// All contexts, in the order of the help.
    pub const ALL: [Self; 27] = [
        Self::RunPages,
        Self::NoTextInput,
        Self::Charts,
        Self::Panels,
        Self::RunControl,
        Self::RunCommands,
        Self::Runs,
        Self::RunInput,
        Self::Predict,
        Self::PredictInRun,
        Self::PredictAlone,
        Self::WordInput,
        Self::AllPages,
        Self::Scrolling,
        Self::Log,
        Self::LogInput,
        Self::Mistakes,
        Self::MistakesInput,
        Self::Palette,
        Self::TextInput,
        Self::Anywhere,
        Self::Help,
        Self::HelpInput,
        Self::ConfirmQuit,
        Self::ConfirmUnsaved,
        Self::ConfirmDelete,
        Self::LearningRate,
    ];
}

/// A key binding.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The keys.
    pub keys: &'static [Key],
    /// The action.
    pub action: Action,
    /// Where it is active.
    pub context: KeyContext,
    /// The description in the help.
    pub help: &'static str,
    /// The label in the footer, if it is shown there.
    pub footer: Option<&'static str>,
}

/// The contexts that are active in a state, the most specific first.
pub fn active_contexts(state: &State) -> &'static [KeyContext] {
    if state.layout.is_too_small {
        // Nothing that is not shown gets a key.
        return &[KeyContext::Anywhere];
    }
    contexts_under(state, state.overlay)
}

/// The contexts that are active in a state, as if `overlay` were its overlay.
fn contexts_under(state: &State, overlay: Option<Overlay>) -> &'static [KeyContext] {
    use KeyContext::{
        AllPages, Anywhere, Charts, NoTextInput, Panels, RunCommands, RunControl, RunPages,
        Scrolling, TextInput,
    };
    match (overlay, state.page) {
        (Some(Overlay::Help), _) if state.help.is_typing => {
            &[KeyContext::HelpInput, TextInput, Anywhere]
        }
        (Some(Overlay::Help), _) => &[KeyContext::Help, Scrolling, AllPages, Anywhere],
        (Some(Overlay::ConfirmQuit), _) => &[KeyContext::ConfirmQuit, AllPages, Anywhere],
        (Some(Overlay::ConfirmUnsaved), _) => &[KeyContext::ConfirmUnsaved, AllPages, Anywhere],
        (Some(Overlay::ConfirmDelete), _) => &[KeyContext::ConfirmDelete, Anywhere],
        (Some(Overlay::Palette), _) => &[KeyContext::Palette, TextInput, Anywhere],
        (None, Page::Predict) if state.words.is_typing() => {
            &[KeyContext::WordInput, TextInput, Anywhere]
        }
        (None, Page::Predict) if state.asked_model.is_some() => {
            &[KeyContext::Predict, KeyContext::PredictAlone, TextInput, AllPages, Anywhere]
        }
        (None, Page::Predict) => {
            &[KeyContext::Predict, KeyContext::PredictInRun, TextInput, AllPages, Anywhere]
        }
        (Some(Overlay::LearningRate), _) => &[KeyContext::LearningRate, TextInput, Anywhere],
        (None, Page::Train) => {
            &[RunControl, RunCommands, RunPages, NoTextInput, Charts, Panels, AllPages, Anywhere]
        }
        (None, Page::Settings) if state.asked_model.is_some() => {
            &[NoTextInput, Scrolling, AllPages, Anywhere]
        }
        (None, Page::Settings) => {
            &[RunPages, RunCommands, NoTextInput, Scrolling, AllPages, Anywhere]
        }
        (None, Page::Log) if state.log.is_typing() => &[KeyContext::LogInput, TextInput, Anywhere],
        (None, Page::Log) => {
            &[KeyContext::Log, RunPages, RunCommands, NoTextInput, Scrolling, AllPages, Anywhere]
        }
        (None, Page::Mistakes) if state.mistakes.is_typing() => {
            &[KeyContext::MistakesInput, TextInput, Anywhere]
        }
        (None, Page::Mistakes) => {
            &[KeyContext::Mistakes, RunPages, RunCommands, NoTextInput, AllPages, Anywhere]
        }
        (None, Page::Runs) if state.runs.as_ref().is_some_and(RunComparison::is_typing) => {
            &[KeyContext::RunInput, TextInput, Anywhere]
        }
        (None, Page::Runs) => &[KeyContext::Runs, NoTextInput, Charts, Anywhere],
    }
}

/// The action of a key in a state.
pub fn action(state: &State, event: KeyEvent) -> Option<Action> {
    for context in active_contexts(state) {
        let mut bindings = BINDINGS.iter().filter(|binding| binding.context == *context);
        let found = bindings.find(|binding| binding.keys.iter().any(|key| key.matches(event)));
        if let Some(binding) = found {
            return Some(binding.action);
        }
    }
    match event.code {
        KeyCode::Char(c)
            if active_contexts(state).contains(&KeyContext::TextInput)
                && (event.modifiers - KeyModifiers::SHIFT).is_empty() =>
        {
            Some(Action::Edit(InputRequest::InsertChar(c)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod confirmation_tests;
#[cfg(test)]
mod effect_tests;
#[cfg(test)]
mod footer_tests;
#[cfg(test)]
mod mistake_tests;
#[cfg(test)]
mod palette_tests;
#[cfg(test)]
mod prompt_effect_tests;
#[cfg(test)]
mod run_key_tests;
#[cfg(test)]
mod scene_tests;
#[cfg(test)]
mod tests;
