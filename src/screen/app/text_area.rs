//! A text of several lines that is being edited. The caret is on a border of graphemes, which are never
//! cut in two; only while one types, it stays behind what was typed, also where that has become one
//! grapheme with what follows, since the next character may part them again, as the second letter of a
//! flag before another flag does. The text is in Unicode's normalization form C (NFC), as the texts of
//! datasets are. Lines end with a line feed, whatever was pasted; a tab is a space.

pub mod rows;

use crate::core::text::sanitize_for_terminal;
use std::borrow::Cow;
use std::ops::Range;
use tui_input::InputRequest;
use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_segmentation::UnicodeSegmentation;

/// The maximum number of characters: more than any model reads.
pub const MAX_CHARS: usize = 8000;

/// The maximum number of changes that can be undone.
const MAX_UNDO: usize = 200;

/// What was changed of a text that was inserted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InsertNote {
    /// Characters were composed (NFC).
    pub composed: bool,
    /// The number of control characters and invisible characters that were left out.
    pub left_out: usize,
    /// The end was left out, because the text would be too long.
    pub cut: bool,
}

/// A text and a caret in it, as a byte offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Edited {
    text: String,
    caret: usize,
    /// What was changed of the texts that were inserted into it.
    note: InsertNote,
}

/// A kind of change; changes of one kind in a row are undone together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Change {
    /// None, or one that the next does not join.
    #[default]
    Other,
    Typing,
    /// Of one character.
    Deleting,
}

/// A text of several lines that is being edited.
#[derive(Clone, Debug, Default)]
pub struct TextArea {
    now: Edited,
    undo: Vec<Edited>,
    redo: Vec<Edited>,
    latest: Change,
    /// The column that moves between rows aim at.
    column: Option<usize>,
    revision: u64,
}

impl TextArea {
    /// The text.
    pub fn text(&self) -> &str {
        &self.now.text
    }

    /// The caret, as a byte offset: on a border of graphemes, or behind what was typed last.
    pub fn caret(&self) -> usize {
        self.now.caret
    }

    /// Whether the caret is on a border of graphemes.
    #[cfg(test)]
    pub fn is_at_border(&self) -> bool {
        border_from(&self.now.text, self.now.caret) == self.now.caret
    }

    /// What was changed of the texts that were inserted, since the field was empty.
    pub fn note(&self) -> InsertNote {
        self.now.note
    }

    /// A number that changes with the text.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether there is nothing to ask.
    pub fn is_blank(&self) -> bool {
        self.now.text.trim().is_empty()
    }

    /// Replaces the text, with the caret at its end.
    pub fn set(&mut self, text: &str) {
        self.begin(Change::Other);
        let before = std::mem::take(&mut self.now);
        self.put(text);
        self.end(&before);
    }

    /// Edits the text.
    pub fn edit(&mut self, request: InputRequest) {
        use InputRequest as Request;
        if !matches!(
            request,
            Request::InsertChar(_)
                | Request::DeletePrevChar
                | Request::DeletePrevWord
                | Request::DeleteFromStart
        ) {
            self.go_to_border();
        }
        let (text, caret) = (self.now.text.as_str(), self.now.caret);
        let target = match request {
            InputRequest::InsertChar(c) => return self.type_char(c),
            InputRequest::DeletePrevChar => {
                return self.delete(previous(text, caret)..caret, Change::Deleting);
            }
            InputRequest::DeleteNextChar => {
                return self.delete(caret..next(text, caret), Change::Deleting);
            }
            InputRequest::DeletePrevWord => {
                return self.delete(previous_word(text, caret)..caret, Change::Other);
            }
            InputRequest::DeleteNextWord => {
                return self.delete(caret..next_word(text, caret), Change::Other);
            }
            InputRequest::DeleteLine => return self.delete_line(),
            InputRequest::DeleteFromStart => {
                return self.delete(self.line().start..caret, Change::Other);
            }
            InputRequest::DeleteTillEnd => {
                let end = self.line().end;
                let end = if end == caret { next(text, caret) } else { end };
                return self.delete(caret..end, Change::Other);
            }
            InputRequest::GoToPrevChar => previous(text, caret),
            InputRequest::GoToNextChar => next(text, caret),
            InputRequest::GoToPrevWord => previous_word(text, caret),
            InputRequest::GoToNextWord => next_word(text, caret),
            InputRequest::GoToStart => self.line().start,
            InputRequest::GoToEnd => self.line().end,
            InputRequest::SetCursor(_) | InputRequest::Yank => return,
        };
        self.move_to(target);
    }

    /// Inserts a line end.
    pub fn new_line(&mut self) {
        self.insert("\n", Change::Other);
    }

    /// Inserts a pasted text. Line ends at its end are left out.
    pub fn paste(&mut self, text: &str) {
        let text = text.trim_end_matches(['\n', '\r']);
        self.insert(text, Change::Other);
    }

    /// Takes back the last change.
    pub fn undo(&mut self) {
        self.go_to_border();
        if let Some(before) = self.undo.pop() {
            self.redo.push(std::mem::replace(&mut self.now, before));
            self.restored();
        }
    }

    /// Makes the change again that was taken back last.
    pub fn redo(&mut self) {
        self.go_to_border();
        if let Some(after) = self.redo.pop() {
            self.undo.push(std::mem::replace(&mut self.now, after));
            self.restored();
        }
    }

    /// Moves the caret by rows in a field of `columns` columns. Returns `false` if there is no such
    /// row.
    pub fn move_rows(&mut self, by: isize, columns: usize) -> bool {
        self.go_to_border();
        let text = self.now.text.as_str();
        let rows = rows::rows(text, columns);
        let (row, column) = rows::position(text, &rows, self.now.caret);
        let Some(target) = row.checked_add_signed(by).filter(|row| *row < rows.len()) else {
            return false;
        };
        let column = self.column.unwrap_or(column);
        let target = rows::offset_at(text, &rows, target, column);
        self.move_to(target);
        self.column = Some(column);
        true
    }

    /// Moves the caret to the start of the text.
    pub fn move_to_start(&mut self) {
        self.move_to(0);
    }

    /// Moves the caret to the end of the text.
    pub fn move_to_end(&mut self) {
        self.move_to(self.now.text.len());
    }

    /// Puts the caret on a border of graphemes, if it is not on one.
    fn go_to_border(&mut self) {
        self.now.caret = border_from(&self.now.text, self.now.caret);
    }

    fn type_char(&mut self, c: char) {
        self.insert(c.encode_utf8(&mut [0; 4]), Change::Typing);
        if c.is_whitespace() {
            // Words are undone one by one.
            self.latest = Change::Other;
        }
    }

    fn insert(&mut self, text: &str, change: Change) {
        self.begin(change);
        let before = self.now.clone();
        if before.text.is_empty() {
            self.now.note = InsertNote::default();
        }
        self.put(text);
        self.end(&before);
    }

    /// Inserts a text at the caret, without the characters that are not accepted.
    fn put(&mut self, text: &str) {
        let mut room = MAX_CHARS.saturating_sub(self.now.text.chars().count());
        let mut accepted = String::new();
        for c in text.replace("\r\n", "\n").chars() {
            let c = match c {
                '\r' => '\n',
                '\t' => ' ',
                c => c,
            };
            let is_hidden = c != '\n'
                && matches!(sanitize_for_terminal(c.encode_utf8(&mut [0; 4])), Cow::Owned(_));
            if is_hidden {
                self.now.note.left_out += 1;
            } else if room == 0 {
                self.now.note.cut = true;
            } else {
                room -= 1;
                accepted.push(c);
            }
        }
        let Edited { text, caret, .. } = &mut self.now;
        text.insert_str(*caret, &accepted);
        *caret += accepted.len();
    }

    /// Removes a range of bytes between two borders of graphemes.
    fn delete(&mut self, range: Range<usize>, change: Change) {
        if range.is_empty() {
            return;
        }
        self.begin(change);
        let before = self.now.clone();
        self.now.text.replace_range(range.clone(), "");
        self.now.caret = range.start;
        self.now.note.cut = false;
        self.end(&before);
    }

    /// Removes the line with the caret; an empty one together with the line end before it.
    fn delete_line(&mut self) {
        let line = self.line();
        if line.is_empty() {
            self.delete(line.start.saturating_sub(1)..line.end, Change::Other);
        } else {
            self.delete(line, Change::Other);
        }
    }

    /// The line with the caret, without its end.
    fn line(&self) -> Range<usize> {
        let (before, after) = self.now.text.split_at(self.now.caret);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = after.find('\n').map_or(self.now.text.len(), |at| self.now.caret + at);
        start..end
    }

    fn move_to(&mut self, caret: usize) {
        self.now.caret = caret;
        self.latest = Change::Other;
        self.column = None;
    }

    /// Begins a change: what is there now can be restored, unless the change continues the last one.
    fn begin(&mut self, change: Change) {
        if change == Change::Other || change != self.latest {
            self.undo.push(self.now.clone());
            if self.undo.len() > MAX_UNDO {
                self.undo.remove(0);
            }
        }
        self.latest = change;
        self.column = None;
    }

    /// Ends a change: the text is composed, and the caret put on a border of graphemes.
    fn end(&mut self, before: &Edited) {
        if !is_nfc(&self.now.text) {
            let caret = self.now.text[..self.now.caret].nfc().map(char::len_utf8).sum();
            let text: String = self.now.text.nfc().collect();
            let note = InsertNote { composed: true, ..self.now.note };
            self.now = Edited { text, caret, note };
        }
        if self.latest != Change::Typing || !self.now.text.is_char_boundary(self.now.caret) {
            self.go_to_border();
        }
        if self.now.text == before.text {
            // Nothing to undo. A change that continued the last one did not add to the list.
            if self.undo.last() == Some(before) {
                self.undo.pop();
                self.latest = Change::Other;
            }
        } else {
            self.redo.clear();
            self.revision += 1;
            if self.now.text.is_empty() {
                self.now.note = InsertNote::default();
            }
        }
    }

    fn restored(&mut self) {
        self.go_to_border();
        self.latest = Change::Other;
        self.column = None;
        self.revision += 1;
    }
}

/// The first border of graphemes at or after an offset.
fn border_from(text: &str, offset: usize) -> usize {
    let mut borders = text.grapheme_indices(true).map(|(at, _)| at);
    borders.find(|at| *at >= offset).unwrap_or(text.len())
}

/// The border before a border.
fn previous(text: &str, caret: usize) -> usize {
    let borders = text.grapheme_indices(true).map(|(at, _)| at);
    borders.take_while(|at| *at < caret).last().unwrap_or(0)
}

/// The border after a border.
fn next(text: &str, caret: usize) -> usize {
    let mut borders = text.grapheme_indices(true).map(|(at, _)| at);
    borders.find(|at| *at > caret).unwrap_or(text.len())
}

/// The start of the word before the caret, or of the one that it is in.
fn previous_word(text: &str, caret: usize) -> usize {
    let mut target = caret;
    let mut is_in_word = false;
    for (at, grapheme) in text[..caret].grapheme_indices(true).rev() {
        let is_space = is_space(grapheme);
        if is_space && is_in_word {
            break;
        }
        is_in_word |= !is_space;
        target = at;
    }
    target
}

/// The start of the word after the caret.
fn next_word(text: &str, caret: usize) -> usize {
    let mut has_passed_space = false;
    for (at, grapheme) in text[caret..].grapheme_indices(true) {
        let is_space = is_space(grapheme);
        if !is_space && has_passed_space {
            return caret + at;
        }
        has_passed_space |= is_space;
    }
    text.len()
}

fn is_space(grapheme: &str) -> bool {
    grapheme.chars().all(char::is_whitespace)
}

#[cfg(test)]
pub(crate) mod property_tests;
#[cfg(test)]
#[path = "text_area_tests.rs"]
mod tests;
