//! One table of keys. What a key does, what the footer names and what the help lists all come
//! from here.

mod commands;
mod key;

pub use commands::{commands, message};
pub use key::Key;

use crate::app::log_view::LogAction;
use crate::app::palette::PaletteAction;
use crate::app::{Action, Overlay, Page, State};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use key::{alt, char, control, control_key, key};
use tui_input::InputRequest;

/// Where a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Everywhere.
    Anywhere,
    /// On the pages where no text is typed.
    Reading,
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
    /// In the help.
    Help,
    /// At the question whether to leave while training.
    ConfirmQuit,
    /// At the question whether to leave without a saved model.
    ConfirmUnsaved,
}

impl Place {
    /// The heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Anywhere => "Anywhere",
            Self::Reading => "Train, Settings and Log",
            Self::Scrolling => "Settings, Log and this help",
            Self::Pages => "Every page",
            Self::Typing => "Predict",
            Self::Editing => "Where text is typed",
            Self::Log => "Log",
            Self::Searching => "Searching and filtering the log",
            Self::Palette => "The list of actions",
            Self::Help => "This help",
            Self::ConfirmQuit => "When asked about quitting a run",
            Self::ConfirmUnsaved => "When the model is not saved",
        }
    }

    /// All places, in the order of the help.
    pub const ALL: [Self; 12] = [
        Self::Reading,
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
    pub place: Place,
    /// What the help says.
    pub help: &'static str,
    /// What the footer says, if it has room to.
    pub footer: Option<&'static str>,
}

const fn binding(
    place: Place,
    keys: &'static [Key],
    action: Action,
    help: &'static str,
    footer: Option<&'static str>,
) -> Binding {
    Binding { keys, action, place, help, footer }
}

/// The table.
pub const BINDINGS: &[Binding] = {
    use Action::{
        Close, Edit, Help, History, Interrupt, NextPage, Palette, PreviousPage, Quit, QuitUnsaved,
        SaveAgain, Scroll, ScrollToBottom, ScrollToTop, Show, StopAndQuit, StopAndStay, Submit,
    };
    use KeyCode::{
        BackTab, Backspace, Delete, Down, End, Enter, Esc, F, Home, Left, PageDown, PageUp, Right,
        Tab, Up,
    };
    use LogAction::{Drop, Filter, Keep, Match, NextLevel, Search, ShowAll};
    use PaletteAction::{Move, Open, Run};
    use Place::{
        Anywhere, ConfirmQuit, ConfirmUnsaved, Editing, Pages, Reading, Scrolling, Searching,
        Typing,
    };
    &[
        binding(Reading, &[char('1')], Show(Page::Train), "Training: charts and scores", None),
        binding(
            Reading,
            &[char('2'), char('p')],
            Show(Page::Predict),
            "Ask the model about a sentence",
            Some("ask"),
        ),
        binding(
            Reading,
            &[char('3')],
            Show(Page::Settings),
            "Every setting, and why it holds",
            None,
        ),
        binding(Reading, &[char('4')], Show(Page::Log), "The run in lines", None),
        binding(
            Reading,
            &[char('w')],
            SaveAgain,
            "Save the model, where that has not been done",
            None,
        ),
        binding(Reading, &[char('?'), char('h')], Help, "All keys", Some("help")),
        binding(
            Reading,
            &[char(':'), control('p')],
            Palette(Open),
            "Find an action by its name",
            Some("find"),
        ),
        binding(Reading, &[char('q')], Quit, "Quit; asks first while training", Some("quit")),
        binding(Typing, &[key(Enter)], Submit, "Classify the sentence", Some("classify")),
        binding(Typing, &[key(Up)], History(1), "An earlier sentence", Some("earlier")),
        binding(Typing, &[key(Down)], History(-1), "A later sentence", None),
        binding(
            Editing,
            &[key(Left), control('b')],
            Edit(InputRequest::GoToPrevChar),
            "A character back",
            None,
        ),
        binding(
            Editing,
            &[key(Right), control('f')],
            Edit(InputRequest::GoToNextChar),
            "A character on",
            None,
        ),
        binding(
            Editing,
            &[control_key(Left), alt(KeyCode::Char('b'))],
            Edit(InputRequest::GoToPrevWord),
            "A word back",
            None,
        ),
        binding(
            Editing,
            &[control_key(Right), alt(KeyCode::Char('f'))],
            Edit(InputRequest::GoToNextWord),
            "A word on",
            None,
        ),
        binding(
            Editing,
            &[key(Home), control('a')],
            Edit(InputRequest::GoToStart),
            "To the beginning",
            None,
        ),
        binding(
            Editing,
            &[key(End), control('e')],
            Edit(InputRequest::GoToEnd),
            "To the end",
            None,
        ),
        binding(
            Editing,
            &[key(Backspace), control('h')],
            Edit(InputRequest::DeletePrevChar),
            "Delete the character before",
            None,
        ),
        binding(
            Editing,
            &[key(Delete), control('d')],
            Edit(InputRequest::DeleteNextChar),
            "Delete the character behind",
            None,
        ),
        binding(
            Editing,
            &[control('w'), alt(Backspace)],
            Edit(InputRequest::DeletePrevWord),
            "Delete the word before",
            None,
        ),
        binding(Editing, &[control('u')], Edit(InputRequest::DeleteLine), "Delete the line", None),
        binding(
            Editing,
            &[control('k')],
            Edit(InputRequest::DeleteTillEnd),
            "Delete to the end",
            None,
        ),
        binding(Typing, &[control('p')], Palette(Open), "Find an action by its name", None),
        binding(Typing, &[key(Esc)], Close, "Back to training", Some("back")),
        binding(Pages, &[key(Tab)], NextPage, "The next page", Some("next page")),
        binding(Pages, &[key(BackTab)], PreviousPage, "The page before", None),
        binding(Pages, &[key(F(1))], Help, "All keys", Some("help")),
        binding(
            Anywhere,
            &[control('c')],
            Interrupt,
            "Quit; pressed again: stop the run, save and quit",
            None,
        ),
        binding(Scrolling, &[key(Up), char('k')], Scroll(-1), "A line up", Some("scroll")),
        binding(Scrolling, &[key(Down), char('j')], Scroll(1), "A line down", None),
        binding(Scrolling, &[key(PageUp)], Scroll(-10), "Ten lines up", None),
        binding(Scrolling, &[key(PageDown), char(' ')], Scroll(10), "Ten lines down", None),
        binding(Scrolling, &[key(Home), char('g')], ScrollToTop, "To the top", None),
        binding(Scrolling, &[key(End), char('G')], ScrollToBottom, "To the bottom", None),
        binding(Place::Log, &[char('/')], Action::Log(Search), "Search the log", Some("search")),
        binding(Place::Log, &[char('n')], Action::Log(Match(1)), "The next match", None),
        binding(Place::Log, &[char('N')], Action::Log(Match(-1)), "The match before", None),
        binding(
            Place::Log,
            &[char('&')],
            Action::Log(Filter),
            "Show only lines with a text in them; empty: all",
            None,
        ),
        binding(
            Place::Log,
            &[char('v')],
            Action::Log(NextLevel),
            "Show only results, warnings, errors; then all again",
            Some("level"),
        ),
        binding(
            Place::Log,
            &[key(Esc)],
            Action::Log(ShowAll),
            "Show all lines, search for nothing",
            None,
        ),
        binding(Searching, &[key(Enter)], Action::Log(Keep), "Keep it", Some("keep")),
        binding(
            Searching,
            &[key(Esc)],
            Action::Log(Drop),
            "Drop it; an earlier filter holds again",
            Some("drop"),
        ),
        binding(Place::Palette, &[key(Up)], Palette(Move(-1)), "The action above", Some("choose")),
        binding(Place::Palette, &[key(Down)], Palette(Move(1)), "The action below", None),
        binding(Place::Palette, &[key(Enter)], Palette(Run), "Do it", Some("do it")),
        binding(Place::Palette, &[key(Esc)], Close, "Close the list", Some("close")),
        binding(
            Place::Help,
            &[key(Esc), char('q'), char('?'), char('h'), key(Enter)],
            Close,
            "Close the help",
            Some("close"),
        ),
        binding(
            ConfirmQuit,
            &[char('y')],
            StopAndQuit,
            "Stop here, save the model and quit",
            Some("stop, save, quit"),
        ),
        binding(
            ConfirmQuit,
            &[char('s')],
            StopAndStay,
            "Stop here, evaluate, save the model and stay",
            Some("stop and stay"),
        ),
        binding(
            ConfirmQuit,
            &[char('d')],
            QuitUnsaved,
            "Quit at once and save nothing",
            Some("save nothing"),
        ),
        binding(
            ConfirmQuit,
            &[char('n'), key(Esc), char('q')],
            Close,
            "Keep training",
            Some("keep training"),
        ),
        binding(
            ConfirmUnsaved,
            &[char('y')],
            QuitUnsaved,
            "Quit and lose the model",
            Some("lose it"),
        ),
        binding(ConfirmUnsaved, &[char('w')], SaveAgain, "Save again", Some("save again")),
        binding(ConfirmUnsaved, &[char('n'), key(Esc), char('q')], Close, "Stay", Some("stay")),
    ]
};

/// The places that hold in a state, the most particular first.
pub fn places(state: &State) -> &'static [Place] {
    use Place::{Anywhere, Editing, Pages, Reading, Scrolling};
    match (state.overlay, state.page) {
        (Some(Overlay::Help), _) => &[Place::Help, Scrolling, Pages, Anywhere],
        (Some(Overlay::ConfirmQuit), _) => &[Place::ConfirmQuit, Pages, Anywhere],
        (Some(Overlay::ConfirmUnsaved), _) => &[Place::ConfirmUnsaved, Pages, Anywhere],
        (Some(Overlay::Palette), _) => &[Place::Palette, Editing, Anywhere],
        (None, Page::Predict) => &[Place::Typing, Editing, Pages, Anywhere],
        (None, Page::Train) => &[Reading, Pages, Anywhere],
        (None, Page::Settings) => &[Reading, Scrolling, Pages, Anywhere],
        (None, Page::Log) if state.log.is_typing() => &[Place::Searching, Editing, Anywhere],
        (None, Page::Log) => &[Place::Log, Reading, Scrolling, Pages, Anywhere],
    }
}

/// What a key does in a state.
pub fn action(state: &State, event: KeyEvent) -> Option<Action> {
    for place in places(state) {
        let mut here = BINDINGS.iter().filter(|binding| binding.place == *place);
        let hit = here.find(|binding| binding.keys.iter().any(|key| key.matches(event)));
        if let Some(binding) = hit {
            return Some(binding.action);
        }
    }
    match event.code {
        KeyCode::Char(c)
            if places(state).contains(&Place::Editing)
                && (event.modifiers - KeyModifiers::SHIFT).is_empty() =>
        {
            Some(Action::Edit(InputRequest::InsertChar(c)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
