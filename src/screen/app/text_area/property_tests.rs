//! Arbitrary texts and edits.

use super::rows::{cells_of, offset_at, position, rows};
use super::*;
use proptest::prelude::*;

/// What is done to a text.
#[derive(Clone, Debug)]
pub enum Operation {
    Edit(InputRequest),
    Paste(String),
    NewLine,
    Undo,
    Redo,
    MoveRows(isize),
    MoveToStart,
    MoveToEnd,
}

/// Characters that are hard: syllables and jamo, combining marks, joiners, flags, wide and narrow
/// forms, spaces, controls, and any other.
pub fn any_char() -> impl Strategy<Value = char> {
    let hard: Vec<char> = "가각힣ㄱ\u{1100}\u{1112}\u{1161}\u{11a8}e\u{301}\u{323}\u{200d}\u{fe0f}👨👩🇰🇷🏽\
                           カｶﾞ\u{3099} \u{3000}\u{a0}\t\n\r\u{1b}\u{200b}\u{202e}क्षאل\u{644}\u{627}az"
        .chars()
        .collect();
    prop_oneof![4 => proptest::sample::select(hard), 1 => any::<char>()]
}

pub fn operations() -> impl Strategy<Value = Vec<Operation>> {
    use InputRequest as Request;
    let moves = proptest::sample::select(vec![
        Request::GoToPrevChar,
        Request::GoToNextChar,
        Request::GoToPrevWord,
        Request::GoToNextWord,
        Request::GoToStart,
        Request::GoToEnd,
        Request::DeletePrevChar,
        Request::DeleteNextChar,
        Request::DeletePrevWord,
        Request::DeleteNextWord,
        Request::DeleteLine,
        Request::DeleteFromStart,
        Request::DeleteTillEnd,
    ]);
    let operation = prop_oneof![
        6 => any_char().prop_map(|c| Operation::Edit(Request::InsertChar(c))),
        6 => moves.prop_map(Operation::Edit),
        2 => proptest::collection::vec(any_char(), 0..40)
            .prop_map(|chars| Operation::Paste(chars.into_iter().collect())),
        1 => Just(Operation::NewLine),
        2 => Just(Operation::Undo),
        1 => Just(Operation::Redo),
        2 => (-2isize..=2).prop_map(Operation::MoveRows),
        1 => Just(Operation::MoveToStart),
        1 => Just(Operation::MoveToEnd),
    ];
    proptest::collection::vec(operation, 0..60)
}

pub fn apply(area: &mut TextArea, operation: &Operation) {
    match operation {
        Operation::Edit(request) => area.edit(*request),
        Operation::Paste(text) => area.paste(text),
        Operation::NewLine => area.new_line(),
        Operation::Undo => area.undo(),
        Operation::Redo => area.redo(),
        Operation::MoveRows(by) => drop(area.move_rows(*by, 20)),
        Operation::MoveToStart => area.move_to_start(),
        Operation::MoveToEnd => area.move_to_end(),
    }
}

/// Whether an operation begins at a border of graphemes, also behind what was just typed.
fn is_from_border(operation: &Operation) -> bool {
    use InputRequest::{DeleteFromStart, DeletePrevChar, DeletePrevWord, InsertChar};
    match operation {
        Operation::Edit(request) => {
            !matches!(request, InsertChar(_) | DeletePrevChar | DeletePrevWord | DeleteFromStart)
        }
        _ => false,
    }
}

/// A text before and after the caret, edited in the simplest way.
#[derive(Clone, Debug, Default)]
struct Model {
    left: String,
    right: String,
}

impl Model {
    fn insert(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', " ");
        let is_accepted = |c: &char| {
            let text = c.to_string();
            *c == '\n' || sanitize_for_terminal(&text) == text
        };
        self.left.extend(text.chars().filter(is_accepted));
    }

    /// The start of the last word on the left: first spaces, then what is none.
    fn last_word(&self) -> usize {
        let mut graphemes: Vec<&str> = self.left.graphemes(true).collect();
        while graphemes.last().is_some_and(|last| is_space(last)) {
            graphemes.pop();
        }
        while graphemes.last().is_some_and(|last| !is_space(last)) {
            graphemes.pop();
        }
        graphemes.concat().len()
    }

    /// The start of the next word on the right.
    fn next_word(&self) -> usize {
        let word = self.right.graphemes(true).take_while(|one| !is_space(one)).map(str::len).sum();
        let rest = &self.right[word..];
        word + rest.graphemes(true).take_while(|one| is_space(one)).map(str::len).sum::<usize>()
    }

    /// Moves the caret to a byte of the text on its left.
    fn back_to(&mut self, at: usize) {
        let moved = self.left.split_off(at);
        self.right.insert_str(0, &moved);
    }

    /// Moves the caret over this many bytes of the text on its right.
    fn forward(&mut self, bytes: usize) {
        let rest = self.right.split_off(bytes);
        self.left += &std::mem::replace(&mut self.right, rest);
    }

    fn edit(&mut self, request: InputRequest) {
        use InputRequest as Request;
        let previous = self.left.graphemes(true).next_back().map_or(0, str::len);
        let next = self.right.graphemes(true).next().map_or(0, str::len);
        let line_start = self.left.rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.right.find('\n').unwrap_or(self.right.len());
        match request {
            Request::InsertChar(c) => self.insert(&c.to_string()),
            Request::GoToPrevChar => self.back_to(self.left.len() - previous),
            Request::GoToNextChar => self.forward(next),
            Request::GoToPrevWord => self.back_to(self.last_word()),
            Request::GoToNextWord => self.forward(self.next_word()),
            Request::GoToStart => self.back_to(line_start),
            Request::GoToEnd => self.forward(line_end),
            Request::DeletePrevChar => self.left.truncate(self.left.len() - previous),
            Request::DeleteNextChar => drop(self.right.drain(..next)),
            Request::DeletePrevWord => self.left.truncate(self.last_word()),
            Request::DeleteNextWord => drop(self.right.drain(..self.next_word())),
            Request::DeleteFromStart => self.left.truncate(line_start),
            Request::DeleteTillEnd if line_end == 0 => drop(self.right.drain(..next)),
            Request::DeleteTillEnd => drop(self.right.drain(..line_end)),
            Request::DeleteLine => {
                if line_end == 0 && line_start == self.left.len() {
                    self.left.pop();
                } else {
                    self.left.truncate(line_start);
                    self.right.drain(..line_end);
                }
            }
            Request::SetCursor(_) | Request::Yank => {}
        }
    }

    fn text(&self) -> String {
        format!("{}{}", self.left, self.right).nfc().collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever is typed, pasted, deleted, moved and undone: the text is that of the model, and the
    /// caret on a border of graphemes, or behind what was just typed.
    #[test]
    fn the_text_is_that_of_a_simple_model(operations in operations()) {
        let mut area = TextArea::default();
        let mut model = Model::default();
        let mut texts = vec![String::new()];
        for operation in &operations {
            if is_from_border(operation) {
                let (left, right) = area.text().split_at(border_from(area.text(), area.caret()));
                model = Model { left: left.to_owned(), right: right.to_owned() };
            }
            match operation {
                Operation::Edit(request) => model.edit(*request),
                Operation::Paste(text) => model.insert(text.trim_end_matches(['\n', '\r'])),
                Operation::NewLine => model.insert("\n"),
                Operation::MoveToStart => model.back_to(0),
                Operation::MoveToEnd => model.forward(model.right.len()),
                Operation::Undo | Operation::Redo | Operation::MoveRows(_) => {}
            }
            let before = area.text().to_owned();
            apply(&mut area, operation);
            match operation {
                Operation::Undo | Operation::Redo => {
                    prop_assert!(texts.iter().any(|text| text == area.text()));
                }
                Operation::MoveRows(_) => prop_assert_eq!(&before, area.text()),
                _ => prop_assert_eq!(&model.text(), area.text(), "{:?}", operation),
            }
            let caret = area.caret();
            let is_typed = matches!(operation, Operation::Edit(InputRequest::InsertChar(_)));
            prop_assert!(is_typed || border_from(area.text(), caret) == caret);
            prop_assert!(area.text().is_char_boundary(caret));
            prop_assert!(is_nfc(area.text()));
            texts.push(area.text().to_owned());
            let (left, right) = area.text().split_at(caret);
            model = Model { left: left.to_owned(), right: right.to_owned() };
        }
        // All changes can be taken back and made again.
        let last = area.text().to_owned();
        (0..operations.len()).for_each(|_| area.undo());
        prop_assert_eq!(area.text(), "");
        (0..2 * operations.len()).for_each(|_| area.redo());
        prop_assert!(area.text() == last || operations.iter().any(|one| matches!(one, Operation::Undo)));
    }

    /// The rows have all of the text but the line ends, and leave the last column free.
    #[test]
    fn rows_fit_and_are_the_whole_text(
        chars in proptest::collection::vec(any_char(), 0..80),
        columns in 4usize..30,
    ) {
        let mut area = TextArea::default();
        area.paste(&chars.into_iter().collect::<String>());
        let text = area.text();
        let rows = rows(text, columns);
        let whole: String = rows.iter().map(|range| &text[range.clone()]).collect();
        prop_assert_eq!(whole, text.replace('\n', ""));
        for range in &rows {
            let one_is_wide = text[range.clone()].graphemes(true).count() == 1;
            prop_assert!(cells_of(&text[range.clone()]) < columns || one_is_wide);
        }
        for (at, _) in text.grapheme_indices(true) {
            let (row, column) = position(text, &rows, at);
            prop_assert_eq!(offset_at(text, &rows, row, column), at);
        }
    }
}
