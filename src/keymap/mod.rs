//! One table of keys. What a key does, what the footer names and what the help lists all come
//! from here.

mod key;

pub use key::Key;

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
    /// On the settings and log pages, and in the help.
    Scrolling,
    /// In the predict pane.
    Typing,
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
            Self::Typing => "Predict",
            Self::Help => "This help",
            Self::ConfirmQuit => "When asked about quitting a run",
            Self::ConfirmUnsaved => "When the model is not saved",
        }
    }

    /// All places, in the order of the help.
    pub const ALL: [Self; 7] = [
        Self::Reading,
        Self::Typing,
        Self::Anywhere,
        Self::Scrolling,
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
        Close, Edit, Help, History, Interrupt, NextPage, PreviousPage, Quit, QuitUnsaved,
        SaveAgain, Scroll, ScrollToBottom, ScrollToTop, Show, StopAndQuit, StopAndStay, Submit,
        Suspend,
    };
    use KeyCode::{
        BackTab, Backspace, Delete, Down, End, Enter, Esc, F, Home, Left, PageDown, PageUp, Right,
        Tab, Up,
    };
    use Place::{Anywhere, ConfirmQuit, ConfirmUnsaved, Reading, Scrolling, Typing};
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
        binding(Reading, &[char('?'), char('h')], Help, "This help", Some("help")),
        binding(Reading, &[char('q')], Quit, "Quit; asks first while training", Some("quit")),
        binding(Typing, &[key(Enter)], Submit, "Classify the sentence", Some("classify")),
        binding(Typing, &[key(Up)], History(1), "An earlier sentence", Some("earlier")),
        binding(Typing, &[key(Down)], History(-1), "A later sentence", None),
        binding(
            Typing,
            &[key(Left), control('b')],
            Edit(InputRequest::GoToPrevChar),
            "A character back",
            None,
        ),
        binding(
            Typing,
            &[key(Right), control('f')],
            Edit(InputRequest::GoToNextChar),
            "A character on",
            None,
        ),
        binding(
            Typing,
            &[control_key(Left), alt(KeyCode::Char('b'))],
            Edit(InputRequest::GoToPrevWord),
            "A word back",
            None,
        ),
        binding(
            Typing,
            &[control_key(Right), alt(KeyCode::Char('f'))],
            Edit(InputRequest::GoToNextWord),
            "A word on",
            None,
        ),
        binding(
            Typing,
            &[key(Home), control('a')],
            Edit(InputRequest::GoToStart),
            "To the beginning",
            None,
        ),
        binding(Typing, &[key(End), control('e')], Edit(InputRequest::GoToEnd), "To the end", None),
        binding(
            Typing,
            &[key(Backspace), control('h')],
            Edit(InputRequest::DeletePrevChar),
            "Delete the character before",
            None,
        ),
        binding(
            Typing,
            &[key(Delete), control('d')],
            Edit(InputRequest::DeleteNextChar),
            "Delete the character behind",
            None,
        ),
        binding(
            Typing,
            &[control('w'), alt(Backspace)],
            Edit(InputRequest::DeletePrevWord),
            "Delete the word before",
            None,
        ),
        binding(Typing, &[control('u')], Edit(InputRequest::DeleteLine), "Delete the line", None),
        binding(
            Typing,
            &[control('k')],
            Edit(InputRequest::DeleteTillEnd),
            "Delete to the end",
            None,
        ),
        binding(Typing, &[key(Esc)], Close, "Back to training", Some("back")),
        binding(Anywhere, &[key(Tab)], NextPage, "The next page", Some("next page")),
        binding(Anywhere, &[key(BackTab)], PreviousPage, "The page before", None),
        binding(Anywhere, &[key(F(1))], Help, "This help", Some("help")),
        binding(
            Anywhere,
            &[control('c')],
            Interrupt,
            "Quit; pressed again: stop the run, save and quit",
            None,
        ),
        binding(Anywhere, &[control('z')], Suspend, "Back to the shell; fg or bg goes on", None),
        binding(Scrolling, &[key(Up), char('k')], Scroll(-1), "A line up", Some("scroll")),
        binding(Scrolling, &[key(Down), char('j')], Scroll(1), "A line down", None),
        binding(Scrolling, &[key(PageUp)], Scroll(-10), "Ten lines up", None),
        binding(Scrolling, &[key(PageDown), char(' ')], Scroll(10), "Ten lines down", None),
        binding(Scrolling, &[key(Home), char('g')], ScrollToTop, "To the top", None),
        binding(Scrolling, &[key(End), char('G')], ScrollToBottom, "To the bottom", None),
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
    match (state.overlay, state.page) {
        (Some(Overlay::Help), _) => &[Place::Help, Place::Scrolling, Place::Anywhere],
        (Some(Overlay::ConfirmQuit), _) => &[Place::ConfirmQuit, Place::Anywhere],
        (Some(Overlay::ConfirmUnsaved), _) => &[Place::ConfirmUnsaved, Place::Anywhere],
        (None, Page::Predict) => &[Place::Typing, Place::Anywhere],
        (None, Page::Train) => &[Place::Reading, Place::Anywhere],
        (None, Page::Settings | Page::Log) => &[Place::Reading, Place::Scrolling, Place::Anywhere],
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
            if places(state)[0] == Place::Typing
                && (event.modifiers - KeyModifiers::SHIFT).is_empty() =>
        {
            Some(Action::Edit(InputRequest::InsertChar(c)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states() -> Vec<State> {
        let mut states = Vec::new();
        for page in Page::ALL {
            for overlay in [
                None,
                Some(Overlay::Help),
                Some(Overlay::ConfirmQuit),
                Some(Overlay::ConfirmUnsaved),
            ] {
                states.push(State { page, overlay, ..State::default() });
            }
        }
        states
    }

    #[test]
    fn no_key_means_two_things_in_one_state() {
        for state in states() {
            let mut seen: Vec<(Key, Action)> = Vec::new();
            for binding in BINDINGS.iter().filter(|b| places(&state).contains(&b.place)) {
                for key in binding.keys {
                    let before = seen.iter().find(|(other, _)| other == key);
                    assert!(
                        before.is_none_or(|(_, action)| *action == binding.action),
                        "{} means two things on {:?} under {:?}",
                        key.name(),
                        state.page,
                        state.overlay
                    );
                    seen.push((*key, binding.action));
                }
            }
        }
    }

    #[test]
    fn every_key_does_what_its_line_says() {
        for state in states() {
            for binding in BINDINGS.iter().filter(|b| places(&state).contains(&b.place)) {
                for key in binding.keys {
                    let event = KeyEvent::new(key.code, key.modifiers);
                    assert_eq!(action(&state, event), Some(binding.action));
                }
            }
        }
    }

    #[test]
    fn letters_are_typed_in_the_predict_pane_only() {
        let press = |page, c, modifiers| {
            let state = State { page, ..State::default() };
            action(&state, KeyEvent::new(KeyCode::Char(c), modifiers))
        };
        let insert = |c| Some(Action::Edit(InputRequest::InsertChar(c)));
        for c in ['q', '1', '?', '가', 'Q', ' '] {
            assert_eq!(press(Page::Predict, c, KeyModifiers::NONE), insert(c));
        }
        assert_eq!(press(Page::Predict, 'A', KeyModifiers::SHIFT), insert('A'));
        assert_eq!(press(Page::Predict, 'x', KeyModifiers::CONTROL), None);
        assert_eq!(press(Page::Train, '가', KeyModifiers::NONE), None);
    }

    #[test]
    fn every_binding_is_explained() {
        assert!(BINDINGS.iter().all(|b| !b.help.is_empty() && !b.keys.is_empty()));
        assert!(BINDINGS.iter().all(|b| Place::ALL.contains(&b.place)));
    }
}
