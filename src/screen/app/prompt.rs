//! The predict page: the text being typed, earlier texts, and the predictions.
//!
//! A text is asked about while it is typed: at once, but never before the answer about an earlier text
//! has arrived. So at most one such question waits in a run, and of all texts typed meanwhile only the
//! newest is asked about. A model whose answers take long gets time to train between them: the next
//! question waits `PAUSE_FACTOR` times as long as the last answer took, at most `MAX_PAUSE`.

use super::text_area::TextArea;
use crate::core::text::sanitize_for_terminal;
use crate::run::protocol::Answer;
use std::collections::VecDeque;
use tui_input::InputRequest;

/// The maximum number of stored texts, and of stored answers.
const MAX_KEPT: usize = 200;

/// The least time from a question about the text being typed to the next one, as a multiple of the time
/// that the last answer took.
const PAUSE_FACTOR: f64 = 2.0;

/// The most seconds from a question about the text being typed to the next one, once it is answered.
pub const MAX_PAUSE: f64 = 0.15;

/// Seconds after a change of the text from which its earlier answer is shown as out of date. Most
/// answers arrive before.
pub const OUTDATED_AFTER: f64 = 0.15;

/// An action on the predict page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptAction {
    /// Begin a new line.
    NewLine,
    /// Move to the start of the text.
    MoveToStart,
    /// Move to the end of the text.
    MoveToEnd,
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
    /// Asked with another word in the answered text, or without the change to compare it with.
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
    /// The revision that was asked about last, and when.
    asked: Option<(u64, f64)>,
    /// When the latest answer about the text being typed arrived.
    answered_at: f64,
    /// The seconds from a question to the next one.
    pause: f64,
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

    /// Submits the text and clears the field. Returns it if it is to be asked about: it is not blank,
    /// and has no answer yet that can be kept.
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
        if let Some(answer) = self.live.take().filter(|answer| answer.text == text)
            && self.pending == 0
        {
            self.keep(answer);
            return None;
        }
        self.pending += 1;
        self.questions.push_back(Question::Kept);
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
        let is_asked = self.asked.is_some_and(|(revision, _)| revision == self.seen.0);
        let is_due = !is_asked && self.seen.0 != 0 && !self.awaits_live();
        let next = self.asked.map_or(0.0, |(_, at)| at + self.pause);
        (is_due && !self.input.is_blank()).then_some(self.seen.1.max(next))
    }

    /// The text to ask about at `now`, in seconds since the program started; its answer is then awaited.
    pub fn ask_live(&mut self, now: f64) -> String {
        self.asked = Some((self.input.revision(), now));
        self.questions.push_back(Question::Live);
        self.input.text().to_owned()
    }

    /// When the text was changed last, in seconds since the program started.
    pub fn changed_at(&self) -> f64 {
        self.seen.1
    }

    /// Notes that a text in which a word is replaced is asked about, or that text without the change.
    pub fn ask_replaced(&mut self) {
        self.questions.push_back(Question::Replaced);
    }

    /// Whether the next answer is about a text in which a word is replaced; then it is no longer
    /// awaited.
    pub fn take_replaced(&mut self) -> bool {
        self.questions.pop_front_if(|next| *next == Question::Replaced).is_some()
    }

    /// When the answer about all of the text being typed arrived, in seconds since the program started,
    /// if nothing is awaited.
    pub fn live_answered_at(&self) -> Option<f64> {
        let (_, is_current) = self.live_answer()?;
        (is_current && !self.awaits_answer()).then_some(self.answered_at)
    }

    /// Makes the question about the text being typed due again, because the model has changed.
    pub fn ask_again(&mut self) {
        self.asked = None;
    }

    /// Whether an answer about the text being typed is awaited.
    pub fn awaits_live(&self) -> bool {
        self.questions.contains(&Question::Live)
    }

    /// Whether any answer is awaited.
    pub fn awaits_answer(&self) -> bool {
        !self.questions.is_empty()
    }

    /// Adds an answer that arrives at `now`, in seconds since the program started.
    pub fn push_answer(&mut self, answer: Answer, now: f64) {
        if self.questions.pop_front() == Some(Question::Live) {
            let took = self.asked.map_or(0.0, |(_, at)| now - at);
            self.pause = (PAUSE_FACTOR * took).clamp(0.0, MAX_PAUSE);
            self.live = Some(answer).filter(|_| !self.input.is_blank());
            self.answered_at = now;
            return;
        }
        self.pending = self.pending.saturating_sub(1);
        self.keep(answer);
    }

    fn keep(&mut self, answer: Answer) {
        self.answers.insert(0, answer);
        self.answers.truncate(MAX_KEPT);
    }

    /// When the shown answer becomes out of date, in seconds since the program started, if it is about
    /// an earlier text.
    pub fn outdated_at(&self) -> Option<f64> {
        let (_, is_current) = self.live_answer()?;
        (!is_current).then_some(self.seen.1 + OUTDATED_AFTER)
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
        Answer { text: text.to_owned(), outcome: Err("no".to_owned()), step: None }
    }

    /// Types a character at a time in seconds.
    fn type_at(prompt: &mut Prompt, c: char, now: f64) {
        prompt.edit(InputRequest::InsertChar(c));
        prompt.note_change(now);
    }

    #[test]
    fn the_newest_text_is_asked_about_at_once() {
        let mut prompt = Prompt::default();
        prompt.note_change(0.0);
        assert_eq!(prompt.live_due(), None, "there is no text");
        type_at(&mut prompt, ' ', 1.0);
        assert_eq!(prompt.live_due(), None, "it is blank");
        type_at(&mut prompt, '가', 1.1);
        type_at(&mut prompt, '나', 1.2);
        prompt.note_change(1.3);
        assert_eq!(prompt.live_due(), Some(1.2), "at once");
        assert_eq!(prompt.ask_live(1.25), " 가나");
        for (c, now) in [('다', 1.26), ('라', 1.27)] {
            type_at(&mut prompt, c, now);
            assert_eq!(prompt.live_due(), None, "one question at a time");
        }
        prompt.push_answer(answer(" 가나"), 1.28);
        assert_eq!(prompt.live_answer(), Some((&answer(" 가나"), false)));
        assert_eq!(prompt.outdated_at(), Some(1.27 + OUTDATED_AFTER));
        let due = |prompt: &Prompt| prompt.live_due().map(|due| (due * 1e3).round());
        assert_eq!(due(&prompt), Some(1310.0), "after twice the time of the answer");
        assert_eq!(prompt.ask_live(1.31), " 가나다라");
        type_at(&mut prompt, '마', 1.4);
        prompt.push_answer(answer(" 가나다라"), 2.31);
        assert_eq!(due(&prompt), Some(1460.0), "at most the longest pause");
        prompt.edit(InputRequest::DeletePrevChar);
        assert_eq!(prompt.outdated_at(), None);
        prompt.edit(InputRequest::InsertChar('마'));
        prompt.note_change(2.5);
        assert_eq!(prompt.ask_live(2.5), " 가나다라마");
        prompt.push_answer(answer(" 가나다라마"), 2.51);
        assert_eq!(prompt.live_answer(), Some((&answer(" 가나다라마"), true)));
        assert_eq!((prompt.live_due(), prompt.answers.len()), (None, 0));
        assert_eq!(prompt.submit(), None, "the answer is known");
        assert_eq!((prompt.pending, prompt.answers.len()), (0, 1));
        assert_eq!(prompt.answers[0], answer(" 가나다라마"));
    }

    #[test]
    fn answers_are_told_apart_by_their_order() {
        let mut prompt = Prompt::default();
        type_at(&mut prompt, '가', 1.0);
        prompt.ask_live(1.0);
        assert_eq!(prompt.submit().as_deref(), Some("가"));
        type_at(&mut prompt, '나', 2.0);
        assert!(prompt.awaits_answer() && prompt.awaits_live());
        prompt.push_answer(answer("가"), 3.0);
        assert_eq!((prompt.pending, prompt.answers.len()), (1, 0), "the first one is not kept");
        prompt.ask_replaced();
        assert!(!prompt.take_replaced(), "an earlier answer is awaited");
        prompt.push_answer(answer("가"), 3.0);
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
