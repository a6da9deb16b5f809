//! The predict page: the text being typed, earlier texts, and the predictions.
//!
//! A text is asked about while it is typed: once no key was pressed for [`LIVE_DELAY`], and never
//! before the answer about an earlier text has arrived. So at most one such question waits in a run,
//! and of all texts typed meanwhile only the newest is asked about.

use super::text_area::TextArea;
use crate::core::text::sanitize_for_terminal;
use crate::run::protocol::Answer;
use std::collections::VecDeque;
use tui_input::InputRequest;

/// The maximum number of stored texts, and of stored answers.
const MAX_KEPT: usize = 200;

/// Seconds without a change of the text after which it is asked about.
pub const LIVE_DELAY: f64 = 0.15;

/// An action on the predict page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptAction {
    /// Begin a new line.
    NewLine,
    /// Take back the last change.
    Undo,
    /// Make the change again that was taken back.
    Redo,
    /// Copy the answer to the clipboard.
    Copy,
    /// Clear the text; without one, quit.
    ClearOrQuit,
}

/// A question without an answer yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// Its answer is kept in the history.
    Kept,
    /// Asked while the text is typed.
    Live,
    /// Asked with another word in the answered text.
    Replaced,
}

/// A text field with a history.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    /// What is being typed.
    pub input: TextArea,
    /// The answers, latest first.
    pub answers: Vec<Answer>,
    /// The number of submitted texts without an answer yet.
    pub pending: usize,
    /// The latest answer about the text being typed.
    live: Option<Answer>,
    /// What answers are awaited for, in the order in which they arrive.
    questions: VecDeque<Question>,
    /// The revision of the text that was seen last, and when it was new.
    seen: (u64, f64),
    /// The revision that was asked about last.
    asked: Option<u64>,
    /// Submitted texts, latest last.
    submitted: Vec<String>,
    /// The position in the history, counted back from the latest text; 0 is the draft.
    back: usize,
    /// The unsubmitted text, while an earlier one is shown.
    draft: String,
}

impl Prompt {
    /// Edits the text.
    pub fn edit(&mut self, request: InputRequest) {
        self.input.edit(request);
    }

    /// Inserts a text at the caret; see [`TextArea`].
    pub fn paste(&mut self, text: &str) {
        self.input.paste(text);
    }

    /// Submits the text and clears the field. Returns `None` if it is blank.
    pub fn submit(&mut self) -> Option<String> {
        if self.input.is_blank() {
            return None;
        }
        let text = self.input.text().to_owned();
        self.input.set("");
        self.submitted.retain(|earlier| *earlier != text);
        self.submitted.push(text.clone());
        if self.submitted.len() > MAX_KEPT {
            self.submitted.remove(0);
        }
        self.back = 0;
        self.pending += 1;
        self.questions.push_back(Question::Kept);
        self.live = None;
        Some(text)
    }

    /// Shows an earlier text (`1`) or a later one (`-1`).
    pub fn history(&mut self, direction: isize) {
        let target = self.back.saturating_add_signed(direction).min(self.submitted.len());
        if target == self.back {
            return;
        }
        if self.back == 0 {
            self.input.text().clone_into(&mut self.draft);
        }
        self.back = target;
        let text = match target {
            0 => self.draft.clone(),
            back => self.submitted[self.submitted.len() - back].clone(),
        };
        self.input.set(&text);
    }

    /// Notes at `now`, in seconds since the program started, whether the text has changed.
    pub fn note_change(&mut self, now: f64) {
        let revision = self.input.revision();
        if self.seen.0 != revision {
            self.seen = (revision, now);
            if self.input.is_blank() {
                self.live = None;
            }
        }
    }

    /// When to ask about the text being typed, in seconds since the program started; `None` if there
    /// is nothing to ask, or an answer is awaited.
    pub fn live_due(&self) -> Option<f64> {
        let is_asked = self.asked == Some(self.seen.0) || self.seen.0 == 0;
        let awaits = self.awaits_live();
        (!is_asked && !awaits && !self.input.is_blank()).then_some(self.seen.1 + LIVE_DELAY)
    }

    /// The text to ask about now, whose answer is then awaited.
    pub fn ask_live(&mut self) -> String {
        self.asked = Some(self.input.revision());
        self.questions.push_back(Question::Live);
        self.input.text().to_owned()
    }

    /// Notes that a text in which a word is replaced is asked about.
    pub fn ask_replaced(&mut self) {
        self.questions.push_back(Question::Replaced);
    }

    /// Whether the next answer is about a text in which a word is replaced; then it is no longer
    /// awaited.
    pub fn take_replaced(&mut self) -> bool {
        self.questions.pop_front_if(|next| *next == Question::Replaced).is_some()
    }

    /// Whether an answer about the text being typed is awaited.
    pub fn awaits_live(&self) -> bool {
        self.questions.contains(&Question::Live)
    }

    /// Whether any answer is awaited.
    pub fn awaits_answer(&self) -> bool {
        !self.questions.is_empty()
    }

    /// Adds an answer.
    pub fn push_answer(&mut self, answer: Answer) {
        if self.questions.pop_front() == Some(Question::Live) {
            self.live = Some(answer).filter(|_| !self.input.is_blank());
            return;
        }
        self.pending = self.pending.saturating_sub(1);
        self.answers.insert(0, answer);
        self.answers.truncate(MAX_KEPT);
    }

    /// The latest answer about the text being typed, and whether it is about all of the text as it
    /// is now.
    pub fn live_answer(&self) -> Option<(&Answer, bool)> {
        let answer = self.live.as_ref()?;
        Some((answer, answer.text == self.input.text()))
    }

    /// The answer that is shown: that of the text being typed, or else the latest one.
    pub fn shown_answer(&self) -> Option<&Answer> {
        match self.live_answer() {
            Some((answer, _)) => Some(answer),
            None => self.answers.first(),
        }
    }

    /// The line of the shown answer, as `nsmc-tui predict` prints it.
    pub fn answer_line(&self) -> Option<String> {
        let answer = self.shown_answer()?;
        let prediction = answer.outcome.as_ref().ok()?;
        let label = sanitize_for_terminal(&prediction.label);
        let text = sanitize_for_terminal(&answer.text);
        Some(format!("{label}\t{:.4}\t{text}", prediction.score))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::app::text_area::MAX_CHARS;

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
            assert_eq!(prompt.input.text(), "영화", "{text:?}");
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
        assert_eq!(prompt.input.text(), "하나");
        prompt.history(1);
        assert_eq!(prompt.input.text(), "둘");
        prompt.history(1);
        assert_eq!(prompt.input.text(), "둘", "there is no third");
        prompt.history(-1);
        prompt.history(-1);
        assert_eq!(prompt.input.text(), "draft");
        assert!(typed("  ").submit().is_none());
    }

    fn answer(text: &str) -> Answer {
        Answer { text: text.to_owned(), outcome: Err("no".to_owned()) }
    }

    /// Types a character at a time in seconds.
    fn type_at(prompt: &mut Prompt, c: char, now: f64) {
        prompt.edit(InputRequest::InsertChar(c));
        prompt.note_change(now);
    }

    #[test]
    fn the_newest_text_is_asked_about_after_a_pause() {
        let mut prompt = Prompt::default();
        prompt.note_change(0.0);
        assert_eq!(prompt.live_due(), None, "there is no text");
        type_at(&mut prompt, ' ', 1.0);
        assert_eq!(prompt.live_due(), None, "it is blank");
        type_at(&mut prompt, '가', 1.1);
        type_at(&mut prompt, '나', 1.2);
        prompt.note_change(1.3);
        assert_eq!(prompt.live_due(), Some(1.2 + LIVE_DELAY));
        assert_eq!(prompt.ask_live(), " 가나");
        for (c, now) in [('다', 2.0), ('라', 3.0)] {
            type_at(&mut prompt, c, now);
            assert_eq!(prompt.live_due(), None, "one question at a time");
        }
        prompt.push_answer(answer(" 가나"));
        assert_eq!(prompt.live_answer(), Some((&answer(" 가나"), false)));
        assert_eq!(prompt.live_due(), Some(3.0 + LIVE_DELAY));
        assert_eq!(prompt.ask_live(), " 가나다라");
        prompt.push_answer(answer(" 가나다라"));
        assert_eq!(prompt.live_answer(), Some((&answer(" 가나다라"), true)));
        assert_eq!((prompt.live_due(), prompt.answers.len()), (None, 0));
    }

    #[test]
    fn answers_are_told_apart_by_their_order() {
        let mut prompt = Prompt::default();
        type_at(&mut prompt, '가', 1.0);
        prompt.ask_live();
        assert_eq!(prompt.submit().as_deref(), Some("가"));
        type_at(&mut prompt, '나', 2.0);
        assert!(prompt.awaits_answer() && prompt.awaits_live());
        prompt.push_answer(answer("가"));
        assert_eq!((prompt.pending, prompt.answers.len()), (1, 0), "the first one is not kept");
        prompt.ask_replaced();
        assert!(!prompt.take_replaced(), "an earlier answer is awaited");
        prompt.push_answer(answer("가"));
        assert_eq!((prompt.pending, prompt.answers.len()), (0, 1));
        assert!(prompt.take_replaced() && !prompt.take_replaced());
        assert!(!prompt.awaits_answer());
        prompt.edit(InputRequest::DeleteLine);
        prompt.note_change(3.0);
        assert_eq!(prompt.shown_answer(), Some(&answer("가")));
        assert_eq!(prompt.live_answer(), None, "the field is empty");
    }

    #[test]
    fn pasted_control_characters_are_removed() {
        let prompt = typed("a\u{1b}[31m\nb\tc\u{9b}\n");
        assert_eq!(prompt.input.text(), "a[31m\nb c");
        assert_eq!(prompt.input.note().left_out, 2);
        assert_eq!(typed(&"가".repeat(9000)).input.text().chars().count(), MAX_CHARS);
    }
}
