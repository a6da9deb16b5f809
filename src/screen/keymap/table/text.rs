//! Keys where text is typed, scrolled, searched or chosen from.

use super::super::KeyContext;
use super::super::key::{alt, char, control, control_key, key};
use super::{Binding, binding};
use crate::screen::app::Action;
use crate::screen::app::action::PaletteAction;
use crate::screen::app::log::LogAction;
use crossterm::event::KeyCode;
use tui_input::InputRequest;

pub(super) const BINDINGS: &[Binding] = {
    use Action::{
        Close, Edit, Palette, PromptHistory, Scroll, ScrollToBottom, ScrollToTop, Submit,
    };
    use KeyCode::{
        Backspace, Delete, Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Up,
    };
    use KeyContext::{Editing, Scrolling, Searching, Typing};
    use LogAction::{ApplyInput, CancelInput, Filter, GoToMatch, NextLevel, Search};
    use PaletteAction::{Open, Run};
    &[
        binding(Typing, &[key(Enter)], Submit, "Classify the sentence", Some("classify")),
        binding(Typing, &[key(Up)], PromptHistory(1), "An earlier sentence", Some("earlier")),
        binding(Typing, &[key(Down)], PromptHistory(-1), "A later sentence", None),
        binding(
            Editing,
            &[key(Left), control('b')],
            Edit(InputRequest::GoToPrevChar),
            "A character back",
            None,
        ),
        binding(
            Editing,
            &[key(Right), control('f')],
            Edit(InputRequest::GoToNextChar),
            "A character on",
            None,
        ),
        binding(
            Editing,
            &[control_key(Left), alt(KeyCode::Char('b'))],
            Edit(InputRequest::GoToPrevWord),
            "A word back",
            None,
        ),
        binding(
            Editing,
            &[control_key(Right), alt(KeyCode::Char('f'))],
            Edit(InputRequest::GoToNextWord),
            "A word on",
            None,
        ),
        binding(
            Editing,
            &[key(Home), control('a')],
            Edit(InputRequest::GoToStart),
            "To the beginning",
            None,
        ),
        binding(
            Editing,
            &[key(End), control('e')],
            Edit(InputRequest::GoToEnd),
            "To the end",
            None,
        ),
        binding(
            Editing,
            &[key(Backspace), control('h')],
            Edit(InputRequest::DeletePrevChar),
            "Delete the character before",
            None,
        ),
        binding(
            Editing,
            &[key(Delete), control('d')],
            Edit(InputRequest::DeleteNextChar),
            "Delete the character behind",
            None,
        ),
        binding(
            Editing,
            &[control('w'), alt(Backspace)],
            Edit(InputRequest::DeletePrevWord),
            "Delete the word before",
            None,
        ),
        binding(Editing, &[control('u')], Edit(InputRequest::DeleteLine), "Delete the line", None),
        binding(
            Editing,
            &[control('k')],
            Edit(InputRequest::DeleteTillEnd),
            "Delete to the end",
            None,
        ),
        binding(Typing, &[control('p')], Palette(Open), "Find an action by its name", None),
        binding(Typing, &[key(Esc)], Close, "Back to training", Some("back")),
        binding(Scrolling, &[key(Up), char('k')], Scroll(-1), "A line up", Some("scroll")),
        binding(Scrolling, &[key(Down), char('j')], Scroll(1), "A line down", None),
        binding(Scrolling, &[key(PageUp)], Scroll(-10), "Ten lines up", None),
        binding(Scrolling, &[key(PageDown), char(' ')], Scroll(10), "Ten lines down", None),
        binding(Scrolling, &[key(Home), char('g')], ScrollToTop, "To the top", None),
        binding(Scrolling, &[key(End), char('G')], ScrollToBottom, "To the bottom", None),
        binding(
            KeyContext::Log,
            &[char('/')],
            Action::Log(Search),
            "Search the log",
            Some("search"),
        ),
        binding(KeyContext::Log, &[char('n')], Action::Log(GoToMatch(1)), "The next match", None),
        binding(
            KeyContext::Log,
            &[char('N')],
            Action::Log(GoToMatch(-1)),
            "The match before",
            None,
        ),
        binding(
            KeyContext::Log,
            &[char('&')],
            Action::Log(Filter),
            "Show only lines with a text in them; empty: all",
            None,
        ),
        binding(
            KeyContext::Log,
            &[char('v')],
            Action::Log(NextLevel),
            "Show only results, warnings, errors; then all again",
            Some("level"),
        ),
        binding(
            KeyContext::Log,
            &[key(Esc)],
            Action::Log(LogAction::ShowAll),
            "Show all lines, search for nothing",
            None,
        ),
        binding(Searching, &[key(Enter)], Action::Log(ApplyInput), "Keep it", Some("keep")),
        binding(
            Searching,
            &[key(Esc)],
            Action::Log(CancelInput),
            "Drop it; an earlier filter holds again",
            Some("drop"),
        ),
        binding(
            KeyContext::Palette,
            &[key(Up)],
            Palette(PaletteAction::Move(-1)),
            "The action above",
            Some("choose"),
        ),
        binding(
            KeyContext::Palette,
            &[key(Down)],
            Palette(PaletteAction::Move(1)),
            "The action below",
            None,
        ),
        binding(KeyContext::Palette, &[key(Enter)], Palette(Run), "Do it", Some("do it")),
        binding(KeyContext::Palette, &[key(Esc)], Close, "Close the list", Some("close")),
    ]
};
