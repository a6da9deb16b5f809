//! Which lines of the log are shown: a minimum level, a filter, and a search.
//!
//! Lines are identified by serial numbers, which stay valid when older lines are dropped. The lists
//! of shown and matching lines are updated with each new line, so that drawing does not depend on
//! the length of the log.

use super::{Level, Log, LogLine, Query};
use crate::screen::app::editor;
use std::collections::VecDeque;
use tui_input::{Input, InputRequest};

/// An action on the log page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogAction {
    /// Raise the minimum level; after the highest, show all levels again.
    NextLevel,
    /// Open the input for a search.
    Search,
    /// Open the input for a filter.
    Filter,
    /// Apply the typed text.
    ApplyInput,
    /// Discard the typed text.
    CancelInput,
    /// Go to the next match (1) or the previous one (-1), wrapping around.
    GoToMatch(isize),
    /// Clear levels, filter and search.
    ShowAll,
    /// Copy the current match, or else the lowest visible line.
    Copy,
}

/// The purpose of a typed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A search.
    Search,
    /// A filter.
    Filter,
}

/// A search or a filter that is being typed.
#[derive(Clone, Debug)]
pub struct LogInput {
    /// Its purpose.
    pub purpose: Purpose,
    /// What is typed.
    pub line: Input,
    /// The lowest visible line before typing began; `None` if the view followed the latest line.
    anchor: Option<usize>,
    /// The filter before typing began.
    filter: String,
}

/// Which lines of the log are shown.
#[derive(Clone, Debug, Default)]
pub struct LogView {
    /// The lowest level shown.
    pub level: Level,
    /// The filter; an empty one shows all lines.
    pub filter: Query,
    /// The search.
    pub search: Query,
    /// The search or filter that is being typed.
    pub input: Option<LogInput>,
    /// Serial numbers of the first and the last line that are fully visible, if known.
    pub visible: Option<(usize, usize)>,
    /// Serial numbers of the lines shown.
    shown: VecDeque<usize>,
    /// Serial numbers of the shown lines that match the search.
    matches: VecDeque<usize>,
    /// The current match.
    current: Option<usize>,
}

impl LogView {
    /// Adds a new line and returns whether it is shown.
    pub(super) fn push(&mut self, serial: usize, line: &LogLine) -> bool {
        let passes =
            line.level >= self.level && (self.filter.is_empty() || self.filter.matches(&line.text));
        if passes {
            self.shown.push_back(serial);
            if self.search.matches(&line.text) {
                self.matches.push_back(serial);
            }
        }
        passes
    }

    /// Removes the oldest line.
    pub(super) fn remove(&mut self, serial: usize) {
        for serials in [&mut self.shown, &mut self.matches] {
            if serials.front() == Some(&serial) {
                serials.pop_front();
            }
        }
    }

    /// The number of lines shown.
    pub fn shown_count(&self) -> usize {
        self.shown.len()
    }

    /// The number of the current match, from 1 (0 without one), and the number of matches.
    pub fn match_position(&self) -> (usize, usize) {
        let found = self.current.and_then(|current| self.matches.binary_search(&current).ok());
        (found.map_or(0, |index| index + 1), self.matches.len())
    }
}

impl Log {
    /// The line at an index among those shown, with its serial number.
    pub fn shown(&self, index: usize) -> Option<(usize, &LogLine)> {
        let serial = *self.view.shown.get(index)?;
        Some((serial, self.lines.get(serial.checked_sub(self.first)?)?))
    }

    /// Whether the line with this serial number is the current match.
    pub fn is_current_match(&self, serial: usize) -> bool {
        self.view.current == Some(serial)
    }

    /// Whether a text is being typed.
    pub fn is_typing(&self) -> bool {
        self.view.input.is_some()
    }

    /// Closes the input; what is typed so far is already applied.
    pub fn stop_typing(&mut self) {
        self.view.input = None;
    }

    /// Applies an action.
    pub fn apply(&mut self, action: LogAction) {
        match action {
            LogAction::NextLevel => {
                self.view.level = match self.view.level {
                    Level::Info => Level::Result,
                    Level::Result => Level::Warning,
                    Level::Warning => Level::Error,
                    Level::Error => Level::Info,
                };
                self.refresh();
            }
            LogAction::Search => self.open_input(Purpose::Search),
            LogAction::Filter => self.open_input(Purpose::Filter),
            LogAction::ApplyInput => {
                self.apply_typed();
                self.stop_typing();
            }
            LogAction::CancelInput => self.cancel_input(),
            LogAction::GoToMatch(direction) => self.go_to_match(direction),
            LogAction::ShowAll => {
                (self.view.level, self.view.filter) = (Level::Info, Query::default());
                (self.view.search, self.view.current) = (Query::default(), None);
                self.refresh();
            }
            // Copying is an effect outside of the state.
            LogAction::Copy => {}
        }
    }

    /// Whether a level, a filter or a search is set, which [`LogAction::ShowAll`] clears.
    pub fn is_narrowed(&self) -> bool {
        let LogView { level, filter, search, .. } = &self.view;
        *level != Level::Info || !filter.is_empty() || !search.is_empty()
    }

    /// The line that [`LogAction::Copy`] copies.
    pub fn line_to_copy(&self) -> Option<String> {
        let serial = self.view.current.or(self.anchor()).or(self.view.shown.back().copied())?;
        let line = self.lines.get(serial.checked_sub(self.first)?)?;
        Some(format!("{} {}", line.time, line.text))
    }

    /// Edits the text being typed.
    pub fn edit(&mut self, request: InputRequest) {
        if let Some(input) = &mut self.view.input {
            editor::edit(&mut input.line, request);
            self.apply_typed();
        }
    }

    /// Pastes into the text being typed.
    pub fn paste(&mut self, text: &str) {
        if let Some(input) = &mut self.view.input {
            editor::paste(&mut input.line, text);
            self.apply_typed();
        }
    }

    fn open_input(&mut self, purpose: Purpose) {
        let (line, anchor) = (Input::default(), self.anchor());
        let filter = self.view.filter.text().to_owned();
        self.view.input = Some(LogInput { purpose, line, anchor, filter });
    }

    /// Applies what is typed so far.
    fn apply_typed(&mut self) {
        let Some(input) = &self.view.input else { return };
        let (query, anchor) = (Query::new(input.line.value()), input.anchor);
        match input.purpose {
            Purpose::Filter => {
                self.view.filter = query;
                self.refresh();
            }
            Purpose::Search if query.text() == self.view.search.text() => {}
            Purpose::Search => {
                self.view.search = query;
                self.refresh();
                let last = self.first + self.lines.len();
                let matches = &self.view.matches;
                let above = matches.partition_point(|&at| at <= anchor.unwrap_or(last));
                self.view.current = matches.get(above.saturating_sub(1)).copied();
                match self.view.current {
                    Some(serial) => self.reveal(serial),
                    None => self.scroll_to(anchor),
                }
            }
        }
    }

    fn cancel_input(&mut self) {
        let Some(input) = self.view.input.take() else { return };
        match input.purpose {
            Purpose::Search => {
                (self.view.search, self.view.current) = (Query::default(), None);
            }
            Purpose::Filter => self.view.filter = Query::new(&input.filter),
        }
        self.refresh();
        self.scroll_to(input.anchor);
    }

    fn go_to_match(&mut self, direction: isize) {
        let from = self.view.current.or(self.anchor()).unwrap_or(self.first + self.lines.len());
        let matches = &self.view.matches;
        let target = if direction > 0 {
            let behind = matches.partition_point(|&at| at <= from);
            matches.get(behind).or(matches.front())
        } else {
            let before = matches.partition_point(|&at| at < from);
            before.checked_sub(1).and_then(|index| matches.get(index)).or(matches.back())
        };
        if let Some(&serial) = target {
            self.view.current = Some(serial);
            self.reveal(serial);
        }
    }

    /// Recomputes the shown lines and keeps the position of the view.
    fn refresh(&mut self) {
        let anchor = self.anchor();
        self.view.shown.clear();
        self.view.matches.clear();
        for (index, line) in self.lines.iter().enumerate() {
            self.view.push(self.first + index, line);
        }
        self.scroll_to(anchor);
    }

    /// The lowest visible line; `None` if the view follows the latest line.
    fn anchor(&self) -> Option<usize> {
        let below = self.scroll + 1;
        let index = self.view.shown.len().checked_sub(below).filter(|_| self.scroll > 0)?;
        self.view.shown.get(index).copied()
    }

    /// Makes a line, or the nearest one above it, the lowest visible line; without one, follows the
    /// latest line.
    fn scroll_to(&mut self, anchor: Option<usize>) {
        let shown = &self.view.shown;
        self.scroll = anchor.map_or(0, |serial| {
            shown.len() - shown.partition_point(|&at| at <= serial).max(1).min(shown.len())
        });
    }

    /// Scrolls to a line that is not visible.
    fn reveal(&mut self, serial: usize) {
        let is_visible = |(first, last)| (first..=last).contains(&serial);
        if !self.view.visible.is_some_and(is_visible) {
            self.scroll_to(Some(serial));
            // The visible lines are unknown until the next frame.
            self.view.visible = None;
        }
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
