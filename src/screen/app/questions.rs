//! What the predict page asks of the model, and when.

use super::page::Page;
use super::state::{RunLocation, State};
use super::words::WORDS_DELAY;
use crate::run::protocol::Answer;

/// Seconds after which an answer is renewed while the model is trained.
const RENEWAL: f64 = 3.0;

impl State {
    /// Whether there is a model that answers questions.
    pub fn has_model(&self) -> bool {
        let is_classifier = self.started.as_ref().is_some_and(|run| !run.labels.is_empty());
        let is_reachable = self.location != RunLocation::Unreachable;
        is_classifier && is_reachable && !self.is_pretraining() && self.why_no_model().is_none()
    }

    /// When to ask about the text being typed, in seconds since the program started.
    pub fn live_question_due(&self) -> Option<f64> {
        self.prompt.live_due().filter(|_| self.is_asked_here())
    }

    /// When to ask again about the text being typed, in seconds since the program started, because the
    /// model that has answered has been trained since. Not while words are awaited, whose computation a
    /// question would end.
    pub fn renewal_due(&self) -> Option<f64> {
        let is_due = self.is_asked_here() && !self.words.is_awaited();
        let answered_at = self.prompt.live_answered_at().filter(|_| is_due)?;
        let step = self.prompt.live_answer()?.0.step?;
        if !self.is_running() {
            // The model at the end may be another one, such as the best.
            return Some(answered_at);
        }
        (step < self.steps_done()).then_some(answered_at + RENEWAL)
    }

    /// Whether a model is asked on the page that is shown.
    fn is_asked_here(&self) -> bool {
        self.page == Page::Predict && self.has_model()
    }

    /// The answer whose words are shown or can be: that of all of the text being typed or, while
    /// nothing is typed, the latest one.
    pub fn explainable_answer(&self) -> Option<&Answer> {
        let answer = match self.prompt.live_answer() {
            Some((answer, is_current)) => Some(answer).filter(|_| is_current),
            None if self.prompt.awaits_live() => None,
            None => self.prompt.answers.first(),
        };
        answer.filter(|answer| answer.outcome.is_ok())
    }

    /// Whether the words of the shown answer are shown.
    pub fn shows_words(&self) -> bool {
        self.explainable_answer().is_some_and(|answer| self.words.of(&answer.text).is_some())
    }

    /// When to ask for the words of the shown answer, in seconds since the program started; never while
    /// an answer is awaited.
    pub fn words_due(&self) -> Option<f64> {
        let answer = self.explainable_answer().filter(|_| self.is_asked_here())?;
        let is_due = !self.prompt.awaits_answer()
            && self.words.is_wanted(&answer.text, answer.step, self.now);
        let is_typed = self.prompt.live_answer().is_some();
        let delay = if is_typed { WORDS_DELAY } else { 0.0 };
        is_due.then_some(self.prompt.changed_at() + delay)
    }

    /// When a question or the next look of the predict page is due, in seconds since the program
    /// started.
    pub fn question_due(&self) -> Option<f64> {
        let outdated = self.prompt.outdated_at().filter(|at| *at > self.now);
        let dues = [self.live_question_due(), self.words_due(), self.renewal_due(), outdated];
        dues.into_iter().flatten().reduce(f64::min)
    }

    /// Whether the answer about an earlier text has been shown for so long that it is dimmed.
    pub fn shows_outdated(&self) -> bool {
        self.prompt.outdated_at().is_some_and(|at| self.now >= at)
    }

    /// Whether one of the shown words is chosen.
    pub fn has_chosen_word(&self) -> bool {
        self.shows_words() && self.words.has_chosen()
    }
}
