//! Mouse input, independent of the terminal library.

/// What the mouse did. Only the first button is used; the others are left to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseKind {
    /// The button was pressed.
    Down,
    /// The mouse moved with the button pressed.
    Drag,
    /// The button was released.
    Up,
    /// The wheel turned away from the user.
    ScrollUp,
    /// The wheel turned towards the user.
    ScrollDown,
    /// The wheel tilted to the left.
    ScrollLeft,
    /// The wheel tilted to the right.
    ScrollRight,
}

/// A mouse event and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MouseInput {
    /// What happened.
    pub kind: MouseKind,
    /// The column, from 0 at the left.
    pub column: u16,
    /// The row, from 0 at the top.
    pub row: u16,
}
