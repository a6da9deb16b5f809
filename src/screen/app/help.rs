//! The help: the key bindings, of which a search shows a part.

use super::editor;
use tui_input::{Input, InputRequest};

/// An action on the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelpAction {
    /// Begin to type a search.
    Search,
    /// Stop typing and keep what is found.
    Apply,
    /// Show all bindings again.
    ShowAll,
}

/// The help.
#[derive(Clone, Debug, Default)]
pub struct Help {
    /// The first visible line.
    pub scroll: usize,
    /// The search; an empty one shows everything.
    pub search: Input,
    /// Whether the search is being typed.
    pub is_typing: bool,
}

impl Help {
    /// Whether only a part of the bindings is shown.
    pub fn is_searched(&self) -> bool {
        !self.search.value().trim().is_empty()
    }

    /// Applies an action.
    pub fn apply(&mut self, action: HelpAction) {
        self.is_typing = action == HelpAction::Search;
        if action != HelpAction::Apply {
            (self.scroll, self.search) = (0, Input::default());
        }
    }

    /// Edits the search.
    pub fn edit(&mut self, request: InputRequest) {
        editor::edit(&mut self.search, request);
        self.scroll = 0;
    }

    /// Pastes into the search.
    pub fn paste(&mut self, text: &str) {
        editor::paste(&mut self.search, text);
        self.scroll = 0;
    }
}
