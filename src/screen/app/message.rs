//! What the state is updated with, and what an update asks the program to do.

use super::action::Action;
use super::layout::FrameLayout;
use super::mouse::MouseInput;
use super::palette::PaletteEntry;
use crate::run::worker::{Command, Report};
use std::path::PathBuf;

/// An event that changes the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The user pressed a key that has an action.
    Action(Action),
    /// The user used the mouse.
    Mouse(MouseInput),
    /// The command palette is to open with these entries.
    OpenPalette(Vec<PaletteEntry>),
    /// A text was pasted.
    Paste(String),
    /// The run reported something.
    Report(Report),
    /// Pictures were written to these files, or the reason why not.
    PictureSaved(Result<Vec<String>, String>),
    /// A signal asks the program to end.
    Terminate,
    /// A frame was drawn, with this layout.
    Drawn(FrameLayout),
    /// The time, in seconds since the program started.
    Tick(f64),
}

/// Something the program has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a command to the run.
    Send(Command),
    /// Write a picture.
    Picture(Picture),
    /// Give the terminal back to the shell.
    Suspend,
    /// Close the dashboard.
    Quit,
}

/// A picture to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picture {
    /// The screen.
    Screen {
        /// The folder of the run; `None` writes into the current folder.
        folder: Option<PathBuf>,
    },
    /// The curves and the confusion matrix of a run.
    Figures {
        /// The folder of the run.
        folder: PathBuf,
    },
}
