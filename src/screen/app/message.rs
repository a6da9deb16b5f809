//! Messages, which update the state, and effects, which an update requests from the program.

use super::action::Action;
use super::layout::FrameLayout;
use super::mistakes::{FileReport, FileTask};
use super::mouse::MouseInput;
use super::palette::PaletteEntry;
use crate::run::protocol::{Command, Notification, RunReport};
use crate::run::run_index::{RunEdit, RunIndexReport};
use std::path::PathBuf;

/// An event that changes the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The user pressed a key that has an action.
    Action(Action),
    /// The user used the mouse.
    Mouse(MouseInput),
    /// The command palette is opened with these entries.
    OpenPalette(Vec<PaletteEntry>),
    /// A text was pasted.
    Paste(String),
    /// The run reported something.
    Report(RunReport),
    /// The index of runs reported something.
    RunIndex(RunIndexReport),
    /// Pictures were written to these files, or the error.
    PictureSaved(Result<Vec<String>, String>),
    /// Files of the run were read or written.
    Files(FileReport),
    /// A signal requested the end of the program.
    Terminate,
    /// A text was copied to the clipboard, or the reason why not.
    Copied(Result<(), String>),
    /// A frame was drawn, with this layout.
    Drawn(FrameLayout),
    /// The time, in seconds since the program started.
    Tick(f64),
}

impl From<RunReport> for Message {
    fn from(report: RunReport) -> Self {
        Self::Report(report)
    }
}

impl From<RunIndexReport> for Message {
    fn from(report: RunIndexReport) -> Self {
        Self::RunIndex(report)
    }
}

/// A side effect that the program carries out after an update.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a command to the run.
    Send(Command),
    /// Read the curves of the run in this folder, for the comparison of runs.
    ReadCurves(PathBuf),
    /// Change a run in the list of runs.
    EditRun(RunEdit),
    /// Write a picture.
    Picture(Picture),
    /// Read or write a file of the run.
    Files(FileTask),
    /// Copy a text to the clipboard of the user's terminal.
    Copy(String),
    /// Notify the user through the terminal.
    Notify(Notification),
    /// Suspend the program and return to the shell.
    Suspend,
    /// Close the dashboard; the run continues in the background.
    Detach,
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
