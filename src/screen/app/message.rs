//! What the state is told, and what it has the program do.

use super::charts::ChartAction;
use super::layout::FrameLayout;
use super::log_view::LogAction;
use super::mouse::Mouse;
use super::palette::{Entry, PaletteAction};
use super::panels::PanelAction;
use super::runs::RunsAction;
use super::state::Page;
use super::steer::SteerAction;
use crate::run::worker::{Command, Report};
use std::path::PathBuf;
use tui_input::InputRequest;

/// Something a key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Show a page.
    Show(Page),
    /// Show the next page.
    NextPage,
    /// Show the page before.
    PreviousPage,
    /// Show the keys.
    Help,
    /// Close what lies over the page; from the predict pane, go back to training.
    Close,
    /// Leave; asks first while training.
    Quit,
    /// Leave; pressed again, whatever that takes.
    Interrupt,
    /// Give the terminal back to the shell until it continues the program.
    Suspend,
    /// End the run, save the model and leave.
    StopAndQuit,
    /// End the run, evaluate and save the model, and stay.
    StopAndStay,
    /// Leave at once, without saving the model.
    QuitUnsaved,
    /// Try again to save the model.
    SaveAgain,
    /// Move the view by so many lines, down if positive.
    Scroll(isize),
    /// Move the view to its beginning.
    ScrollToTop,
    /// Move the view to its end.
    ScrollToBottom,
    /// Ask the model about the line.
    Submit,
    /// An earlier question (1) or a later one (-1).
    History(isize),
    /// Edit the line.
    Edit(InputRequest),
    /// Look at the charts otherwise.
    Chart(ChartAction),
    /// Arrange the panels otherwise.
    Panel(PanelAction),
    /// Steer the run.
    Steer(SteerAction),
    /// Let go of the cursor, the zoom or the panel that fills the page.
    LetGo,
    /// Look at parts of the log.
    Log(LogAction),
    /// Save the screen as a picture.
    SaveScreen,
    /// Draw the curves and the confusion matrix into the run's folder.
    DrawFigures,
    /// Open the list of all that can be done, or choose from it.
    Palette(PaletteAction),
    /// Compare runs.
    Runs(RunsAction),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A key that does something.
    Action(Action),
    /// The mouse did something.
    Mouse(Mouse),
    /// Choose from all that can be done here.
    Choose(Vec<Entry>),
    /// A text was pasted.
    Paste(String),
    /// The run reports.
    Report(Report),
    /// Pictures were written into these files, or why not.
    Pictured(Result<Vec<String>, String>),
    /// A signal asks the program to end.
    Terminate,
    /// A frame was drawn, with this layout.
    Drawn(FrameLayout),
    /// So many seconds have passed since the program started.
    Tick(f64),
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Tell the run.
    Send(Command),
    /// Make a picture.
    Picture(Picture),
    /// Give the terminal back to the shell.
    Suspend,
    /// Leave the dashboard.
    Quit,
}

/// A picture of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Of the screen, into the run's folder, if there is one.
    Screen {
        /// Where the run lies.
        folder: Option<PathBuf>,
    },
    /// Of the curves and the confusion matrix of the run in a folder, into it.
    Figures {
        /// Where the run lies.
        folder: PathBuf,
    },
}
