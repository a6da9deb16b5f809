//! Keys for text input, scrolling, the log and the command palette.

use super::super::KeyContext;
use super::super::key::{alt, char, control, control_key, key, shift_key};
use super::{Binding, binding};
use crate::screen::app::Action;
use crate::screen::app::action::PaletteAction;
use crate::screen::app::log::LogAction;
use crate::screen::app::prompt::PromptAction;
use crate::screen::app::words::WordsAction;
use crossterm::event::KeyCode;
use tui_input::InputRequest;

pub(super) const BINDINGS: &[Binding] = {
    use Action::{
        Close, Edit, Palette, Prompt, PromptHistory, Scroll, ScrollToBottom, ScrollToTop, Submit,
        Words,
    };
    use KeyCode::{
        Backspace, Delete, Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Up,
    };
    use KeyContext::{
        LogInput, Predict, PredictAlone, PredictInRun, Scrolling, TextInput, WordInput,
    };
    use LogAction::{ApplyInput, CancelInput, Filter, GoToMatch, NextLevel, Search};
    use PaletteAction::{Open, Run};
    use PromptAction::{ClearOrQuit, MoveToEnd, MoveToStart, NewLine, Redo, Undo};
    &[
        // Both before Enter, which Shift-Enter is for terminals that do not tell it apart.
        binding(Predict, &[control('j'), alt(Enter)], Prompt(NewLine), "New line", None),
        binding(
            Predict,
            &[shift_key(Enter)],
            Prompt(NewLine),
            "New line, in terminals that tell it from Enter",
            None,
        ),
        binding(
            Predict,
            &[key(Enter)],
            Submit,
            "Keep the answer, or classify the text",
            Some("classify"),
        ),
        binding(Predict, &[key(Up)], PromptHistory(1), "Line up; previous text", None),
        binding(Predict, &[key(Down)], PromptHistory(-1), "Line down; next text", None),
        binding(Predict, &[control_key(Home)], Prompt(MoveToStart), "Start of the text", None),
        binding(Predict, &[control_key(End)], Prompt(MoveToEnd), "End of the text", None),
        binding(Predict, &[control('_'), control('/'), control('7')], Prompt(Undo), "Undo", None),
        binding(Predict, &[control('y')], Prompt(Redo), "Redo", None),
        binding(
            Predict,
            &[control('o')],
            Prompt(PromptAction::Copy),
            "Copy the answer to the clipboard",
            None,
        ),
        binding(
            PredictAlone,
            &[key(Esc)],
            Prompt(ClearOrQuit),
            "Deselect the word; clear the text; without one, quit",
            Some("clear, quit"),
        ),
        binding(
            Predict,
            &[control('t')],
            Words(WordsAction::Toggle),
            "Words that lead to the class on/off",
            Some("words"),
        ),
        binding(
            Predict,
            &[alt(KeyCode::Char('g'))],
            Words(WordsAction::SwitchMethod),
            "Words by integrated gradients, or by occlusion",
            None,
        ),
        binding(
            Predict,
            &[alt(Right)],
            Words(WordsAction::Choose(1)),
            "Next word: what it contributes, or the probability without it",
            Some("word"),
        ),
        binding(
            Predict,
            &[alt(Left)],
            Words(WordsAction::Choose(-1)),
            "Previous word: what it contributes, or the probability without it",
            None,
        ),
        binding(
            Predict,
            &[alt(KeyCode::Char('r'))],
            Words(WordsAction::Replace),
            "Another word in place of the chosen one",
            Some("replace"),
        ),
        binding(
            WordInput,
            &[key(Enter)],
            Words(WordsAction::ApplyReplacement),
            "Show the probability with this word",
            Some("apply"),
        ),
        binding(
            WordInput,
            &[key(Esc)],
            Words(WordsAction::CancelReplacement),
            "Keep the word",
            Some("cancel"),
        ),
        binding(
            TextInput,
            &[key(Left), control('b')],
            Edit(InputRequest::GoToPrevChar),
            "One character left",
            None,
        ),
        binding(
            TextInput,
            &[key(Right), control('f')],
            Edit(InputRequest::GoToNextChar),
            "One character right",
            None,
        ),
        binding(
            TextInput,
            &[control_key(Left), alt(KeyCode::Char('b'))],
            Edit(InputRequest::GoToPrevWord),
            "One word left",
            None,
        ),
        binding(
            TextInput,
            &[control_key(Right), alt(KeyCode::Char('f'))],
            Edit(InputRequest::GoToNextWord),
            "One word right",
            None,
        ),
        binding(
            TextInput,
            &[key(Home), control('a')],
            Edit(InputRequest::GoToStart),
            "Start of the line",
            None,
        ),
        binding(
            TextInput,
            &[key(End), control('e')],
            Edit(InputRequest::GoToEnd),
            "End of the line",
            None,
        ),
        binding(
            TextInput,
            &[key(Backspace), control('h')],
            Edit(InputRequest::DeletePrevChar),
            "Delete the previous character",
            None,
        ),
        binding(
            TextInput,
            &[key(Delete), control('d')],
            Edit(InputRequest::DeleteNextChar),
            "Delete the next character",
            None,
        ),
        binding(
            TextInput,
            &[control('w'), alt(Backspace)],
            Edit(InputRequest::DeletePrevWord),
            "Delete the previous word",
            None,
        ),
        binding(
            TextInput,
            &[alt(KeyCode::Char('d')), control_key(Delete)],
            Edit(InputRequest::DeleteNextWord),
            "Delete the next word",
            None,
        ),
        binding(
            TextInput,
            &[control('u')],
            Edit(InputRequest::DeleteLine),
            "Delete the line",
            None,
        ),
        binding(
            TextInput,
            &[control('k')],
            Edit(InputRequest::DeleteTillEnd),
            "Delete to the end of the line",
            None,
        ),
        binding(
            Predict,
            &[control('s')],
            Action::Pin,
            "Pin the sentence, or unpin it: each evaluation classifies it",
            None,
        ),
        binding(Predict, &[control('p')], Palette(Open), "Command palette", None),
        binding(
            Predict,
            &[alt(KeyCode::Char('s'))],
            Action::SaveScreen,
            "Save the screen as SVG",
            None,
        ),
        binding(
            PredictInRun,
            &[key(Esc)],
            Close,
            "Deselect the word; back to the Train page",
            Some("back"),
        ),
        binding(Scrolling, &[key(Up), char('k')], Scroll(-1), "Scroll up", Some("scroll")),
        binding(Scrolling, &[key(Down), char('j')], Scroll(1), "Scroll down", None),
        binding(Scrolling, &[key(PageUp), control('u')], Scroll(-10), "Scroll up ten lines", None),
        binding(
            Scrolling,
            &[key(PageDown), control('d'), char(' ')],
            Scroll(10),
            "Scroll down ten lines",
            None,
        ),
        binding(Scrolling, &[key(Home), char('g')], ScrollToTop, "Scroll to the top", None),
        binding(Scrolling, &[key(End), char('G')], ScrollToBottom, "Scroll to the bottom", None),
        binding(
            KeyContext::Log,
            &[char('/')],
            Action::Log(Search),
            "Search the log",
            Some("search"),
        ),
        binding(
            KeyContext::Log,
            &[char('n')],
            Action::Log(GoToMatch(1)),
            "Next match",
            Some("next match"),
        ),
        binding(KeyContext::Log, &[char('N')], Action::Log(GoToMatch(-1)), "Previous match", None),
        binding(
            KeyContext::Log,
            &[char('&')],
            Action::Log(Filter),
            "Filter lines by text (empty: all)",
            None,
        ),
        binding(
            KeyContext::Log,
            &[char('v')],
            Action::Log(NextLevel),
            "Level: all, results, warnings, errors",
            Some("level"),
        ),
        binding(
            KeyContext::Log,
            &[key(Esc)],
            Action::Log(LogAction::ShowAll),
            "Clear level, filter and search",
            Some("show all"),
        ),
        binding(
            KeyContext::Log,
            &[char('y')],
            Action::Log(LogAction::Copy),
            "Copy the match, or the lowest line",
            None,
        ),
        binding(LogInput, &[key(Enter)], Action::Log(ApplyInput), "Apply", Some("apply")),
        binding(LogInput, &[key(Esc)], Action::Log(CancelInput), "Cancel", Some("cancel")),
        binding(
            KeyContext::Palette,
            &[key(Up)],
            Palette(PaletteAction::Move(-1)),
            "Previous action",
            Some("select"),
        ),
        binding(
            KeyContext::Palette,
            &[key(Down)],
            Palette(PaletteAction::Move(1)),
            "Next action",
            None,
        ),
        binding(
            KeyContext::Palette,
            &[key(PageUp)],
            Palette(PaletteAction::MovePage(-10)),
            "Ten actions up",
            None,
        ),
        binding(
            KeyContext::Palette,
            &[key(PageDown)],
            Palette(PaletteAction::MovePage(10)),
            "Ten actions down",
            None,
        ),
        binding(
            KeyContext::Palette,
            &[key(Enter)],
            Palette(Run),
            "Run the action",
            Some("execute"),
        ),
        binding(KeyContext::Palette, &[key(Esc)], Close, "Close the palette", Some("close")),
    ]
};
