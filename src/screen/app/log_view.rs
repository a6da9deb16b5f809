//! What of the log is looked at: lines from a level on, lines with a text in them, and a text
//! that is searched for. Lines are known by serial numbers, which they keep when older ones are
//! dropped; what is looked at is kept up to date line by line, so that drawing it costs no more
//! than what is drawn.

use super::editor;
use super::log::{Level, Line, Log};
use super::query::Query;
use std::collections::VecDeque;
use tui_input::{Input, InputRequest};

/// Something a key can do on the log's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogAction {
    /// Show fewer levels, and after the last one all again.
    NextLevel,
    /// Type a text to be searched for.
    Search,
    /// Type a text that all lines shown have in them.
    Filter,
    /// Keep what was typed.
    Keep,
    /// Drop what was typed.
    Drop,
    /// The next line with the text (1) or the one before (-1), round the ends.
    Match(isize),
    /// Show all lines again and search for nothing.
    ShowAll,
}

/// What a text is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is searched for.
    Search,
    /// Only lines that have it are shown.
    Filter,
}

/// A text being typed.
#[derive(Clone, Debug)]
pub struct Typing {
    /// What for.
    pub purpose: Purpose,
    /// The line.
    pub line: Input,
    /// The lowest line before, unless the tail was followed.
    anchor: Option<usize>,
    /// The filter before.
    filter: String,
}

/// What of the log is looked at.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The least level shown.
    pub level: Level,
    /// Lines shown have this in them, if it is anything.
    pub filter: Query,
    /// What is searched for.
    pub search: Query,
    /// What is being typed.
    pub typing: Option<Typing>,
    /// Serial numbers of the first and the last line that are fully visible, if known.
    pub visible: Option<(usize, usize)>,
    /// Serial numbers of the lines that are looked at.
    shown: VecDeque<usize>,
    /// Those among them that have what is searched for.
    matches: VecDeque<usize>,
    /// The match last gone to.
    current: Option<usize>,
}

impl View {
    /// Takes in a new line and says whether it is looked at.
    pub(super) fn came(&mut self, serial: usize, line: &Line) -> bool {
        let passes =
            line.level >= self.level && (self.filter.is_empty() || self.filter.is_in(&line.text));
        if passes {
            self.shown.push_back(serial);
            if self.search.is_in(&line.text) {
                self.matches.push_back(serial);
            }
        }
        passes
    }

    /// Forgets a line, the oldest.
    pub(super) fn went(&mut self, serial: usize) {
        for serials in [&mut self.shown, &mut self.matches] {
            if serials.front() == Some(&serial) {
                serials.pop_front();
            }
        }
    }

    /// How many lines are looked at.
    pub fn count(&self) -> usize {
        self.shown.len()
    }

    /// The number of the match last gone to, counted from 1 (0 if it is gone), and how many
    /// there are.
    pub fn position(&self) -> (usize, usize) {
        let found = self.current.and_then(|current| self.matches.binary_search(&current).ok());
        (found.map_or(0, |index| index + 1), self.matches.len())
    }
}

impl Log {
    /// The `index`th of the lines that are looked at, with its serial number.
    pub fn shown(&self, index: usize) -> Option<(usize, &Line)> {
        let serial = *self.view.shown.get(index)?;
        Some((serial, self.lines.get(serial.checked_sub(self.first)?)?))
    }

    /// Whether the line of this serial number is the match last gone to.
    pub fn is_current(&self, serial: usize) -> bool {
        self.view.current == Some(serial)
    }

    /// Whether a text is being typed.
    pub fn is_typing(&self) -> bool {
        self.view.typing.is_some()
    }

    /// Ends typing; what was typed so far holds already.
    pub fn stop_typing(&mut self) {
        self.view.typing = None;
    }

    /// Does what a key asks for.
    pub fn act(&mut self, action: LogAction) {
        match action {
            LogAction::NextLevel => {
                self.view.level = match self.view.level {
                    Level::Info => Level::Result,
                    Level::Result => Level::Warning,
                    Level::Warning => Level::Error,
                    Level::Error => Level::Info,
                };
                self.sift();
            }
            LogAction::Search => self.type_for(Purpose::Search),
            LogAction::Filter => self.type_for(Purpose::Filter),
            LogAction::Keep => {
                self.typed();
                self.stop_typing();
            }
            LogAction::Drop => self.drop_typed(),
            LogAction::Match(direction) => self.go_to_match(direction),
            LogAction::ShowAll => {
                (self.view.level, self.view.filter) = (Level::Info, Query::default());
                (self.view.search, self.view.current) = (Query::default(), None);
                self.sift();
            }
        }
    }

    /// Edits the text being typed.
    pub fn edit(&mut self, request: InputRequest) {
        if let Some(typing) = &mut self.view.typing {
            editor::edit(&mut typing.line, request);
            self.typed();
        }
    }

    /// Pastes into the text being typed.
    pub fn paste(&mut self, text: &str) {
        if let Some(typing) = &mut self.view.typing {
            editor::paste(&mut typing.line, text);
            self.typed();
        }
    }

    fn type_for(&mut self, purpose: Purpose) {
        let (line, anchor) = (Input::default(), self.anchor());
        let filter = self.view.filter.text().to_owned();
        self.view.typing = Some(Typing { purpose, line, anchor, filter });
    }

    /// What is typed counts at once.
    fn typed(&mut self) {
        let Some(typing) = &self.view.typing else { return };
        let (pattern, anchor) = (Query::new(typing.line.value()), typing.anchor);
        match typing.purpose {
            Purpose::Filter => {
                self.view.filter = pattern;
                self.sift();
            }
            Purpose::Search if pattern.text() == self.view.search.text() => {}
            Purpose::Search => {
                self.view.search = pattern;
                self.sift();
                let last = self.first + self.lines.len();
                let matches = &self.view.matches;
                let above = matches.partition_point(|&at| at <= anchor.unwrap_or(last));
                self.view.current = matches.get(above.saturating_sub(1)).copied();
                match self.view.current {
                    Some(serial) => self.reveal(serial),
                    None => self.stand_at(anchor),
                }
            }
        }
    }

    fn drop_typed(&mut self) {
        let Some(typing) = self.view.typing.take() else { return };
        match typing.purpose {
            Purpose::Search => {
                (self.view.search, self.view.current) = (Query::default(), None);
            }
            Purpose::Filter => self.view.filter = Query::new(&typing.filter),
        }
        self.sift();
        self.stand_at(typing.anchor);
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

    /// Finds out anew which lines are looked at, and stays where the view is.
    fn sift(&mut self) {
        let anchor = self.anchor();
        self.view.shown.clear();
        self.view.matches.clear();
        for (index, line) in self.lines.iter().enumerate() {
            self.view.came(self.first + index, line);
        }
        self.stand_at(anchor);
    }

    /// The lowest line, unless the tail is followed.
    fn anchor(&self) -> Option<usize> {
        let below = self.scroll + 1;
        let index = self.view.shown.len().checked_sub(below).filter(|_| self.scroll > 0)?;
        self.view.shown.get(index).copied()
    }

    /// Makes a line, or the nearest above it, the lowest; without one the tail is followed.
    fn stand_at(&mut self, anchor: Option<usize>) {
        let shown = &self.view.shown;
        self.scroll = anchor.map_or(0, |serial| {
            shown.len() - shown.partition_point(|&at| at <= serial).max(1).min(shown.len())
        });
    }

    /// Moves the view so that a line is in it, if it is not.
    fn reveal(&mut self, serial: usize) {
        let is_visible = |(first, last)| (first..=last).contains(&serial);
        if !self.view.visible.is_some_and(is_visible) {
            self.stand_at(Some(serial));
            // The next frame shows other lines than the last one.
            self.view.visible = None;
        }
    }
}

#[cfg(test)]
#[path = "log_view_tests.rs"]
mod tests;
