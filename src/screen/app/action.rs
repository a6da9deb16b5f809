//! The actions of the user.

use super::charts::ChartAction;
use super::help::HelpAction;
use super::log::LogAction;
use super::mistakes::MistakesAction;
use super::page::Page;
use super::panels::PanelAction;
use super::prompt::PromptAction;
use super::run_control::RunControlAction;
use super::runs::RunsAction;
use super::words::WordsAction;
use tui_input::InputRequest;

/// An action, triggered by a key or from the command palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Show a page.
    ShowPage(Page),
    /// Show the next page.
    NextPage,
    /// Show the previous page.
    PreviousPage,
    /// Show the key bindings.
    Help,
    /// Search the key bindings.
    HelpSearch(HelpAction),
    /// Switch to the next theme.
    NextTheme,
    /// Close the overlay; without one, return to the first page.
    Close,
    /// Quit; asks first while training.
    Quit,
    /// Leave the run, which continues.
    Detach,
    /// Take over the keys from another front end.
    TakeKeys,
    /// Quit; a second time, stop the run, and a third time, quit at once.
    Interrupt,
    /// Suspend the program and return to the shell.
    Suspend,
    /// Stop the run, save the model and quit.
    StopAndQuit,
    /// Stop the run, evaluate and save the model, and keep the dashboard open.
    StopAndStay,
    /// Quit at once without saving the model.
    QuitWithoutSaving,
    /// Save a model that is not saved yet.
    SaveModel,
    /// Scroll by this many lines, down if positive.
    Scroll(isize),
    /// Scroll to the first line.
    ScrollToTop,
    /// Scroll to the last line.
    ScrollToBottom,
    /// Classify the typed text.
    Submit,
    /// Move up in the typed text (1) or down (-1); beyond it, recall an earlier or a later text.
    PromptHistory(isize),
    /// Edit the typed text, or copy its answer.
    Prompt(PromptAction),
    /// Edit the line of text that has the focus.
    Edit(InputRequest),
    /// Change how the charts are viewed.
    Chart(ChartAction),
    /// Arrange the panels.
    Panel(PanelAction),
    /// Control the run.
    RunControl(RunControlAction),
    /// Clear the cursor; without one, reset the zoom; else restore the maximized panel.
    ClearView,
    /// Search or filter the log.
    Log(LogAction),
    /// Save the screen as a picture.
    SaveScreen,
    /// Draw curves and confusion matrix into the folder of the run.
    DrawFigures,
    /// Open or use the command palette.
    Palette(PaletteAction),
    /// Choose and read the reviews behind the numbers.
    Mistakes(MistakesAction),
    /// Pin the typed sentence, so that each evaluation classifies it.
    Pin,
    /// Compare runs.
    Runs(RunsAction),
    /// Show which words lead to the class, or choose one.
    Words(WordsAction),
}

/// An action on the command palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaletteAction {
    /// Open it.
    Open,
    /// Select the next entry (1) or the previous one (-1), wrapping around.
    Move(isize),
    /// Move the selection by this many matches, without wrapping around.
    MovePage(isize),
    /// Run the selected entry.
    Run,
}
