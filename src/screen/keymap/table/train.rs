//! Keys at a run: its pages, charts and panels, steering it, and what is asked about it.

use super::super::KeyContext;
use super::super::key::{char, control, key};
use super::{Binding, binding};
use crate::screen::app::action::PaletteAction;
use crate::screen::app::charts::ChartAction;
use crate::screen::app::panels::PanelAction;
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::{Action, Page};
use crossterm::event::KeyCode;

pub(super) const BINDINGS: &[Binding] = {
    use Action::{
        Chart, ClearView, Close, DrawFigures, Help, Interrupt, NextPage, Palette, Panel,
        PreviousPage, Quit, QuitWithoutSaving, RunControl, SaveModel, SaveScreen, ShowPage,
        StopAndQuit, StopAndStay, Suspend,
    };
    use ChartAction::{
        AdjustSmoothing, CursorToFirst, CursorToLast, Follow, LogY, MoveCursor, NextAxis,
        NextYRange, Pan, ResetZoom, StepCursor, ZoomIn, ZoomOut,
    };
    use KeyCode::{
        BackTab, Down, End, Enter, Esc, F, Home, Left, PageDown, PageUp, Right, Tab, Up,
    };
    use KeyContext::{
        Anywhere, Charts, Commands, ConfirmQuit, ConfirmUnsaved, Pages, Panels, Rate, Reading,
        Steering,
    };
    use PaletteAction::Open;
    use PanelAction::{
        Columns, Focus, Hide, Maximize, Move as MovePanel, Page as TurnPage, ShowAll,
    };
    use RunControlAction::{
        AskRate, DoubleRate, EvaluateNow, HalveRate, Pause, SaveNow, SetRate, StopAfterEpoch,
    };
    &[
        binding(Reading, &[char('1')], ShowPage(Page::Train), "Training: charts and scores", None),
        binding(
            Reading,
            &[char('2'), char('p')],
            ShowPage(Page::Predict),
            "Ask the model about a sentence",
            Some("ask"),
        ),
        binding(
            Reading,
            &[char('3')],
            ShowPage(Page::Settings),
            "Every setting, and why it holds",
            None,
        ),
        binding(Reading, &[char('4')], ShowPage(Page::Log), "The run in lines", None),
        binding(
            Charts,
            &[key(Left)],
            Chart(MoveCursor(-1)),
            "Move the cursor back",
            Some("cursor"),
        ),
        binding(Charts, &[key(Right)], Chart(MoveCursor(1)), "Move the cursor on", None),
        binding(Charts, &[char(',')], Chart(StepCursor(-1)), "The cursor a point back", None),
        binding(Charts, &[char('.')], Chart(StepCursor(1)), "The cursor a point on", None),
        binding(Charts, &[key(Home)], Chart(CursorToFirst), "The cursor to the first point", None),
        binding(Charts, &[key(End)], Chart(CursorToLast), "The cursor to the last point", None),
        binding(Charts, &[char('+'), char('=')], Chart(ZoomIn), "Zoom in", Some("zoom")),
        binding(Charts, &[char('-')], Chart(ZoomOut), "Zoom out", None),
        binding(Charts, &[char('[')], Chart(Pan(-1)), "Earlier steps", None),
        binding(Charts, &[char(']')], Chart(Pan(1)), "Later steps", None),
        binding(Charts, &[char('0')], Chart(ResetZoom), "The whole run", None),
        binding(Charts, &[char('f')], Chart(Follow), "Follow the run, or stay", None),
        binding(
            Charts,
            &[char('x')],
            Chart(NextAxis),
            "X axis: step, epoch, relative or wall time",
            None,
        ),
        binding(Charts, &[char('l')], Chart(LogY), "Logarithmic y axis, or linear", None),
        binding(Charts, &[char('y')], Chart(NextYRange), "Y range: usual, whole or fixed", None),
        binding(Charts, &[char('>')], Chart(AdjustSmoothing(1)), "Smooth more", None),
        binding(Charts, &[char('<')], Chart(AdjustSmoothing(-1)), "Smooth less", None),
        binding(Panels, &[key(Down)], Panel(Focus(1)), "The next panel", Some("panel")),
        binding(Panels, &[key(Up)], Panel(Focus(-1)), "The panel before", None),
        binding(Panels, &[key(PageDown)], Panel(TurnPage(1)), "The next panels", None),
        binding(Panels, &[key(PageUp)], Panel(TurnPage(-1)), "The panels before", None),
        binding(
            Panels,
            &[key(Enter), char('z')],
            Panel(Maximize),
            "One panel alone, or all again",
            Some("enlarge"),
        ),
        binding(Panels, &[char('H')], Panel(Hide), "Hide the panel", None),
        binding(Panels, &[char('U')], Panel(ShowAll), "Bring hidden panels back", None),
        binding(Panels, &[char('}')], Panel(MovePanel(1)), "Move the panel on", None),
        binding(Panels, &[char('{')], Panel(MovePanel(-1)), "Move the panel back", None),
        binding(Panels, &[char('c')], Panel(Columns), "Columns: as fit, or 1 to 4", None),
        binding(Steering, &[char(' ')], RunControl(Pause), "Pause, or go on", Some("pause")),
        binding(Steering, &[char('C')], RunControl(SaveNow), "Write a checkpoint now", None),
        binding(Steering, &[char('e')], RunControl(EvaluateNow), "Evaluate now", None),
        binding(
            Steering,
            &[char('E')],
            RunControl(StopAfterEpoch),
            "Stop after this epoch, or not",
            None,
        ),
        binding(Steering, &[char('r')], RunControl(AskRate), "Change the learning rate", None),
        binding(
            Rate,
            &[key(Enter)],
            RunControl(SetRate),
            "Go on with this rate",
            Some("change it"),
        ),
        binding(Rate, &[key(Up)], RunControl(DoubleRate), "Twice the rate", Some("double")),
        binding(Rate, &[key(Down)], RunControl(HalveRate), "Half the rate", Some("halve")),
        binding(Rate, &[key(Esc)], Close, "Leave the rate as it is", Some("leave it")),
        binding(
            Panels,
            &[key(Esc)],
            ClearView,
            "Let go of the cursor, the zoom, the panel alone",
            None,
        ),
        binding(
            Reading,
            &[char('w')],
            SaveModel,
            "Save the model, where that has not been done",
            None,
        ),
        binding(Commands, &[char('?'), char('h')], Help, "All keys", Some("help")),
        binding(
            Commands,
            &[char(':'), control('p')],
            Palette(Open),
            "Find an action by its name",
            Some("find"),
        ),
        binding(Commands, &[char('S')], SaveScreen, "Save the screen as a picture (SVG)", None),
        binding(
            Commands,
            &[char('P')],
            DrawFigures,
            "Draw curves and confusion matrix (SVG, PNG)",
            None,
        ),
        binding(Commands, &[char('q')], Quit, "Quit; asks first while training", Some("quit")),
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
        binding(Anywhere, &[control('z')], Suspend, "Back to the shell; fg or bg goes on", None),
        binding(
            KeyContext::Help,
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
            QuitWithoutSaving,
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
            QuitWithoutSaving,
            "Quit and lose the model",
            Some("lose it"),
        ),
        binding(ConfirmUnsaved, &[char('w')], SaveModel, "Save again", Some("save again")),
        binding(ConfirmUnsaved, &[char('n'), key(Esc), char('q')], Close, "Stay", Some("stay")),
    ]
};
