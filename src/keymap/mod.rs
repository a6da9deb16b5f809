//! One table of keys. What a key does, what the footer names and what the help lists all come
//! from here.

mod key;
mod table;

pub use key::Key;
pub use table::BINDINGS;

use crate::app::{Action, Overlay, Page, State};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::InputRequest;

/// Where a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Everywhere.
    Anywhere,
    /// On the pages where no text is typed.
    Reading,
    /// On the training page, at the charts.
    Charts,
    /// On the training page, at its panels.
    Panels,
    /// On the training page, at the run itself.
    Steering,
    /// At the question for a learning rate.
    Rate,
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
            Self::Charts => "Train: charts",
            Self::Panels => "Train: panels",
            Self::Steering => "Train: the run",
            Self::Rate => "When asked for a learning rate",
            Self::Scrolling => "Settings, Log and this help",
            Self::Typing => "Predict",
            Self::Help => "This help",
            Self::ConfirmQuit => "When asked about quitting a run",
            Self::ConfirmUnsaved => "When the model is not saved",
        }
    }

    /// All places, in the order of the help.
    pub const ALL: [Self; 11] = [
        Self::Reading,
        Self::Charts,
        Self::Panels,
        Self::Steering,
        Self::Typing,
        Self::Anywhere,
        Self::Scrolling,
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
    pub place: Place,
    /// What the help says.
    pub help: &'static str,
    /// What the footer says, if it has room to.
    pub footer: Option<&'static str>,
}

/// The places that hold in a state, the most particular first.
pub fn places(state: &State) -> &'static [Place] {
    match (state.overlay, state.page) {
        (Some(Overlay::Help), _) => &[Place::Help, Place::Scrolling, Place::Anywhere],
        (Some(Overlay::ConfirmQuit), _) => &[Place::ConfirmQuit, Place::Anywhere],
        (Some(Overlay::ConfirmUnsaved), _) => &[Place::ConfirmUnsaved, Place::Anywhere],
        (Some(Overlay::LearningRate), _) => &[Place::Rate, Place::Anywhere],
        (None, Page::Predict) => &[Place::Typing, Place::Anywhere],
        (None, Page::Train) => {
            &[Place::Reading, Place::Charts, Place::Panels, Place::Steering, Place::Anywhere]
        }
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
            if [Place::Typing, Place::Rate].contains(&places(state)[0])
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
                Some(Overlay::LearningRate),
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
