//! The predict page: the text being typed, earlier texts, and the predictions.

use super::editor;
use crate::run::protocol::Answer;
use tui_input::{Input, InputRequest};

/// The maximum number of stored texts, and of stored answers.
const MAX_KEPT: usize = 200;

/// A line editor with a history.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    /// What is being typed.
    pub input: Input,
    /// The answers, latest first.
    pub answers: Vec<Answer>,
    /// The number of texts without an answer yet.
    pub pending: usize,
    /// Submitted texts, latest last.
    submitted: Vec<String>,
    /// The position in the history, counted back from the latest text; 0 is the draft.
    back: usize,
    /// The unsubmitted line, while an earlier text is shown.
    draft: String,
}

impl Prompt {
    /// Edits the line.
    pub fn edit(&mut self, request: InputRequest) {
        editor::edit(&mut self.input, request);
    }

    /// Inserts a text at the caret. Line ends become spaces, control characters are removed.
    pub fn paste(&mut self, text: &str) {
        editor::paste(&mut self.input, text);
    }

    /// Submits the line and clears it. Returns `None` if it is blank.
    pub fn submit(&mut self) -> Option<String> {
        if self.input.value().trim().is_empty() {
            return None;
        }
        let text = self.input.value_and_reset();
        self.submitted.retain(|earlier| *earlier != text);
        self.submitted.push(text.clone());
        if self.submitted.len() > MAX_KEPT {
            self.submitted.remove(0);
        }
        self.back = 0;
        self.pending += 1;
        Some(text)
    }

    /// Shows an earlier text (`1`) or a later one (`-1`).
    pub fn history(&mut self, direction: isize) {
        let target = self.back.saturating_add_signed(direction).min(self.submitted.len());
        if target == self.back {
            return;
        }
        if self.back == 0 {
            self.draft = self.input.value().to_owned();
        }
        self.back = target;
        let text = match target {
            0 => self.draft.clone(),
            back => self.submitted[self.submitted.len() - back].clone(),
        };
        self.input = Input::new(text);
    }

    /// Adds an answer.
    pub fn push_answer(&mut self, answer: Answer) {
        self.pending = self.pending.saturating_sub(1);
        self.answers.insert(0, answer);
        self.answers.truncate(MAX_KEPT);
    }

    /// The part of the line that fits into `columns` columns around the caret, and the column of
    /// the caret in it.
    pub fn visible_part(&self, columns: usize) -> (String, usize) {
        editor::visible_part(&self.input, columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::app::editor::MAX_CHARS;

    fn typed(text: &str) -> Prompt {
        let mut prompt = Prompt::default();
        prompt.paste(text);
        prompt
    }

    #[test]
    fn a_backspace_deletes_one_syllable_composed_or_not() {
        for text in ["영화다", "영화\u{1103}\u{1161}"] {
            let mut prompt = typed(text);
            prompt.edit(InputRequest::DeletePrevChar);
            assert_eq!(prompt.input.value(), "영화", "{text:?}");
        }
    }

    #[test]
    fn the_caret_column_counts_wide_characters() {
        let mut prompt = typed("한글 ab");
        assert_eq!(prompt.visible_part(40), ("한글 ab".to_owned(), 7));
        prompt.edit(InputRequest::GoToStart);
        prompt.edit(InputRequest::GoToNextChar);
        assert_eq!(prompt.visible_part(40).1, 2);
    }

    #[test]
    fn a_long_line_scrolls_by_whole_characters() {
        let prompt = typed("가나다라마");
        // Ten columns wide, caret behind the last: a field of six shows two whole syllables.
        assert_eq!(prompt.visible_part(6), ("라마".to_owned(), 4));
        assert_eq!(prompt.visible_part(5), ("라마".to_owned(), 4));
        for columns in 1..12 {
            let (shown, caret) = prompt.visible_part(columns);
            assert!(unicode_width::UnicodeWidthStr::width(shown.as_str()) <= columns);
            assert!(caret < columns, "{columns}");
        }
    }

    #[test]
    fn history_keeps_the_draft_and_does_not_repeat() {
        let mut prompt = typed("하나");
        assert_eq!(prompt.submit().as_deref(), Some("하나"));
        prompt.paste("둘");
        prompt.submit();
        prompt.paste("하나");
        prompt.submit();
        prompt.paste("draft");
        prompt.history(1);
        assert_eq!(prompt.input.value(), "하나");
        prompt.history(1);
        assert_eq!(prompt.input.value(), "둘");
        prompt.history(1);
        assert_eq!(prompt.input.value(), "둘", "there is no third");
        prompt.history(-1);
        prompt.history(-1);
        assert_eq!(prompt.input.value(), "draft");
        assert!(typed("  ").submit().is_none());
    }

    #[test]
    fn pasted_control_characters_are_removed() {
        let prompt = typed("a\u{1b}[31m\nb\tc\u{9b}\n");
        assert_eq!(prompt.input.value(), "a[31m b c");
        assert_eq!(typed(&"가".repeat(9000)).input.value().chars().count(), MAX_CHARS);
    }
}
