//! What the mouse does, in plain types.

/// What the mouse did. Only its first button is told of; the others are the terminal's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseKind {
    /// The button went down.
    Down,
    /// The mouse moved with the button down.
    Drag,
    /// The button went up.
    Up,
    /// The wheel turned away from the user.
    ScrollUp,
    /// The wheel turned towards the user.
    ScrollDown,
    /// The wheel was tilted to the left.
    ScrollLeft,
    /// The wheel was tilted to the right.
    ScrollRight,
}

/// Something the mouse did, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// What it did.
    pub kind: MouseKind,
    /// The column, from 0 at the left.
    pub column: u16,
    /// The row, from 0 at the top.
    pub row: u16,
}
