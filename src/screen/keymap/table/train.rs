//! Keys for a run: pages, charts, panels, run control and dialogs.

use super::super::KeyContext;
use super::super::key::{char, control, key};
use super::{Binding, binding};
use crate::screen::app::action::PaletteAction;
use crate::screen::app::charts::ChartAction;
use crate::screen::app::help::HelpAction;
use crate::screen::app::panels::PanelAction;
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::{Action, Page};
use crossterm::event::KeyCode;

pub(super) const BINDINGS: &[Binding] = {
    use Action::{
        Chart, ClearView, Close, Detach, DrawFigures, Help, HelpSearch, Interrupt, NextPage,
        NextTheme, Palette, Panel, PreviousPage, Quit, QuitWithoutSaving, SaveModel, SaveScreen,
        ShowPage, StopAndQuit, StopAndStay, Suspend, TakeKeys,
    };
    use ChartAction::{
        AdjustSmoothing, CursorToFirst, CursorToLast, Follow, LogY, MoveCursor, NextAxis,
        NextYRange, Pan, ResetZoom, StepCursor, ZoomIn, ZoomOut,
    };
    use KeyCode::{
        BackTab, Down, End, Enter, Esc, F, Home, Left, PageDown, PageUp, Right, Tab, Up,
    };
    use KeyContext::{
        AllPages, Anywhere, Charts, ConfirmQuit, ConfirmUnsaved, LearningRate, NoTextInput, Panels,
        RunCommands, RunControl, RunPages,
    };
    use PaletteAction::Open;
    use PanelAction::{
        Columns, Focus, FocusFirst, FocusLast, Hide, Maximize, Move as MovePanel,
        Open as OpenPanel, Page as TurnPage, ShowAll,
    };
    use RunControlAction::{
        AskRate, DoubleRate, EvaluateNow, HalveRate, Pause, SaveNow, SetRate, StopAfterEpoch,
    };
    &[
        binding(
            RunPages,
            &[char('1')],
            ShowPage(Page::Train),
            "Train page: charts and metrics",
            None,
        ),
        binding(
            RunPages,
            &[char('2'), char('p')],
            ShowPage(Page::Predict),
            "Predict page: classify a text",
            Some("predict"),
        ),
        binding(
            RunPages,
            &[char('3')],
            ShowPage(Page::Settings),
            "Settings page: values and their sources",
            None,
        ),
        binding(RunPages, &[char('4')], ShowPage(Page::Log), "Log page", None),
        binding(
            RunPages,
            &[char('5')],
            ShowPage(Page::Mistakes),
            "Mistakes page: the reviews behind the numbers",
            Some("mistakes"),
        ),
        binding(
            Charts,
            &[key(Left)],
            Chart(MoveCursor(-1)),
            "Move the cursor left",
            Some("cursor"),
        ),
        binding(Charts, &[key(Right)], Chart(MoveCursor(1)), "Move the cursor right", None),
        binding(Charts, &[char(',')], Chart(StepCursor(-1)), "Previous point", None),
        binding(Charts, &[char('.')], Chart(StepCursor(1)), "Next point", None),
        binding(Charts, &[key(Home)], Chart(CursorToFirst), "First point", None),
        binding(Charts, &[key(End)], Chart(CursorToLast), "Last point", None),
        binding(Charts, &[char('+'), char('=')], Chart(ZoomIn), "Zoom in", Some("zoom")),
        binding(Charts, &[char('-')], Chart(ZoomOut), "Zoom out", None),
        binding(Charts, &[char('[')], Chart(Pan(-1)), "Pan to earlier steps", None),
        binding(Charts, &[char(']')], Chart(Pan(1)), "Pan to later steps", None),
        binding(Charts, &[char('0')], Chart(ResetZoom), "Reset zoom", None),
        binding(Charts, &[char('f')], Chart(Follow), "Follow the latest steps on/off", None),
        binding(
            Charts,
            &[char('x')],
            Chart(NextAxis),
            "X axis: step, epoch, time since the start, time of day",
            None,
        ),
        binding(Charts, &[char('l')], Chart(LogY), "Toggle logarithmic y axis", None),
        binding(Charts, &[char('y')], Chart(NextYRange), "Y range: typical, full or fixed", None),
        binding(Charts, &[char('>')], Chart(AdjustSmoothing(1)), "More smoothing", None),
        binding(Charts, &[char('<')], Chart(AdjustSmoothing(-1)), "Less smoothing", None),
        binding(Panels, &[key(Down), char('j')], Panel(Focus(1)), "Next panel", Some("panel")),
        binding(Panels, &[key(Up), char('k')], Panel(Focus(-1)), "Previous panel", None),
        binding(Panels, &[char('g')], Panel(FocusFirst), "First panel", None),
        binding(Panels, &[char('G')], Panel(FocusLast), "Last panel", None),
        binding(
            Panels,
            &[key(PageDown), control('d')],
            Panel(TurnPage(1)),
            "Next page of panels",
            None,
        ),
        binding(
            Panels,
            &[key(PageUp), control('u')],
            Panel(TurnPage(-1)),
            "Previous page of panels",
            None,
        ),
        binding(
            Panels,
            &[key(Enter)],
            Panel(OpenPanel),
            "Maximize or restore panel; of the confusion matrix, show the reviews of a cell",
            Some("maximize"),
        ),
        binding(Panels, &[char('z')], Panel(Maximize), "Maximize or restore panel", None),
        binding(Panels, &[char('H')], Panel(Hide), "Hide panel", None),
        binding(
            Panels,
            &[char('U')],
            Panel(ShowAll),
            "Show hidden panels; again: their first order",
            None,
        ),
        binding(Panels, &[char('}')], Panel(MovePanel(1)), "Move panel forward", None),
        binding(Panels, &[char('{')], Panel(MovePanel(-1)), "Move panel backward", None),
        binding(Panels, &[char('c')], Panel(Columns), "Number of columns: automatic, 1 to 4", None),
        binding(
            RunControl,
            &[char(' ')],
            Action::RunControl(Pause),
            "Pause or resume",
            Some("pause"),
        ),
        binding(
            RunCommands,
            &[char('o')],
            Action::RunControl(Pause),
            "Pause or resume, also on the other pages",
            Some("pause"),
        ),
        binding(
            RunCommands,
            &[char('C')],
            Action::RunControl(SaveNow),
            "Save a checkpoint now",
            None,
        ),
        binding(RunCommands, &[char('e')], Action::RunControl(EvaluateNow), "Evaluate now", None),
        binding(
            RunCommands,
            &[char('E')],
            Action::RunControl(StopAfterEpoch),
            "Stop after this epoch, or cancel",
            None,
        ),
        binding(
            RunCommands,
            &[char('r')],
            Action::RunControl(AskRate),
            "Change the learning rate",
            None,
        ),
        binding(
            LearningRate,
            &[key(Enter)],
            Action::RunControl(SetRate),
            "Set the learning rate",
            Some("set"),
        ),
        binding(
            LearningRate,
            &[key(Up)],
            Action::RunControl(DoubleRate),
            "Double the rate",
            Some("double"),
        ),
        binding(
            LearningRate,
            &[key(Down)],
            Action::RunControl(HalveRate),
            "Halve the rate",
            Some("halve"),
        ),
        binding(LearningRate, &[key(Esc)], Close, "Cancel", Some("cancel")),
        binding(
            Panels,
            &[key(Esc)],
            ClearView,
            "Clear cursor, zoom or maximized panel; back to the list of runs",
            Some("clear"),
        ),
        binding(
            RunPages,
            &[char('d')],
            Detach,
            "Leave the run running; nsmc-tui attach comes back",
            Some("leave"),
        ),
        binding(
            RunPages,
            &[char('K')],
            TakeKeys,
            "Take over the keys from another viewer",
            Some("take the keys"),
        ),
        binding(RunPages, &[char('w')], SaveModel, "Save the model if it is not saved", None),
        binding(NoTextInput, &[char('?'), char('h')], Help, "Key bindings", Some("help")),
        binding(
            NoTextInput,
            &[char(':'), control('p')],
            Palette(Open),
            "Command palette",
            Some("commands"),
        ),
        binding(NoTextInput, &[char('T')], NextTheme, "Next theme", None),
        binding(NoTextInput, &[char('S')], SaveScreen, "Save the screen as SVG", None),
        binding(
            NoTextInput,
            &[char('P')],
            DrawFigures,
            "Export curves and confusion matrix (SVG, PNG)",
            None,
        ),
        binding(NoTextInput, &[char('q')], Quit, "Quit (asks during training)", Some("quit")),
        binding(AllPages, &[key(Tab)], NextPage, "Next page", Some("next page")),
        binding(AllPages, &[key(BackTab)], PreviousPage, "Previous page", None),
        binding(AllPages, &[key(F(1))], Help, "Key bindings", Some("help")),
        binding(
            Anywhere,
            &[control('c')],
            Interrupt,
            "Quit; during a run, again: stop, save and quit",
            None,
        ),
        binding(
            Anywhere,
            &[control('z')],
            Suspend,
            "Suspend to the shell (resume with fg or bg)",
            None,
        ),
        binding(
            KeyContext::Help,
            &[char('/')],
            HelpSearch(HelpAction::Search),
            "Search the help",
            Some("search"),
        ),
        binding(
            KeyContext::HelpInput,
            &[key(Enter)],
            HelpSearch(HelpAction::Apply),
            "Apply",
            Some("apply"),
        ),
        binding(
            KeyContext::HelpInput,
            &[key(Esc)],
            HelpSearch(HelpAction::ShowAll),
            "Cancel",
            Some("cancel"),
        ),
        binding(
            KeyContext::Help,
            &[key(Esc), char('q'), char('?'), char('h'), key(Enter)],
            Close,
            "Close help",
            Some("close"),
        ),
        binding(
            ConfirmQuit,
            &[char('d')],
            Detach,
            "Leave the run running; attach comes back",
            Some("leave"),
        ),
        binding(
            ConfirmQuit,
            &[char('y')],
            StopAndQuit,
            "Stop, save the model and quit",
            Some("stop, save, quit"),
        ),
        binding(
            ConfirmQuit,
            &[char('s')],
            StopAndStay,
            "Stop, evaluate, save the model and stay",
            Some("stop and stay"),
        ),
        binding(
            ConfirmQuit,
            &[char('x')],
            QuitWithoutSaving,
            "Quit now without saving",
            Some("quit without saving"),
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
            QuitWithoutSaving,
            "Quit and discard the model",
            Some("discard"),
        ),
        binding(ConfirmUnsaved, &[char('w')], SaveModel, "Try to save again", Some("save again")),
        binding(ConfirmUnsaved, &[char('n'), key(Esc), char('q')], Close, "Stay", Some("stay")),
    ]
};
