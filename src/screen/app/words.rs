//! Which words of an answered text lead to its class: whether they are shown, which one is chosen, and
//! what the probability is with another word in its place.
//!
//! The text is that of the answer on the screen, also while it is being typed. It is explained once
//! nothing was typed for [`WORDS_DELAY`] and no answer is awaited; the run ends an explanation early if
//! something else is asked meanwhile, and it is asked for again later.

use super::editor;
use crate::core::attribution::{ExplainMethod, TextPart, WordAttributions};
use crate::core::predict::Prediction;
use crate::run::protocol::{Answer, Explanation};
use tui_input::{Input, InputRequest};

/// Seconds without a change of the text after which its words are explained.
pub const WORDS_DELAY: f64 = 0.4;

/// Seconds after which integrated gradients are renewed while the model is trained.
const GRADIENTS_RENEWAL: f64 = 15.0;

/// An action on the words of an answered text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordsAction {
    /// Show which words lead to the class, or no longer.
    Toggle,
    /// Find them by occlusion instead of integrated gradients, or the other way round.
    SwitchMethod,
    /// Choose the next word (1) or the previous one (-1), to see the probability without it. Beyond
    /// the last word and the first, none is chosen.
    Choose(isize),
    /// Type another word in place of the chosen one.
    Replace,
    /// Ask about the text with the typed word.
    ApplyReplacement,
    /// Stop typing another word.
    CancelReplacement,
}

/// Another word in place of the chosen one.
#[derive(Clone, Debug, PartialEq)]
pub struct Replaced {
    /// The other word; empty if the chosen one is left out.
    pub word: String,
    /// The prediction of the text with it, or why there is none; `None` until it is known.
    pub outcome: Option<Result<Prediction, String>>,
    /// The prediction of the text without the change by the same model, which may still be trained.
    pub before: Option<Prediction>,
    /// The step of the model, if it is still trained.
    pub step: Option<u64>,
    /// The text with it, and without the change.
    text: String,
    original: String,
}

/// Which answer is explained, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Asked {
    /// The step of the answer.
    step: Option<u64>,
    method: ExplainMethod,
    /// In seconds since the program started.
    at: f64,
}

/// The explanation of an answered text.
#[derive(Clone, Debug, Default)]
pub struct Words {
    is_hidden: bool,
    /// How words are found.
    method: ExplainMethod,
    /// Whether an explanation is awaited.
    is_awaited: bool,
    explanation: Option<Explanation>,
    /// What was explained, and what is being explained.
    explained: Asked,
    asked: Asked,
    /// The chosen word, counted from 0.
    chosen: Option<usize>,
    /// The word in place of the chosen one, while it is typed.
    typed: Option<Input>,
    /// The word that was put in place of the chosen one last.
    replaced: Option<Replaced>,
}

impl Words {
    /// Chooses a word, or none.
    fn choose(&mut self, word: Option<usize>) {
        self.chosen = word;
        self.typed = None;
        self.replaced = None;
    }

    /// Whether the answer to a text by the model at a step is to be explained: words are shown, no
    /// explanation is awaited, and it is not the one that was explained last. Integrated gradients, which
    /// take as long as a step, are renewed seldom while the model is trained.
    pub fn is_wanted(&self, text: &str, step: Option<u64>, now: f64) -> bool {
        let known = self.explanation.as_ref().filter(|known| known.text == text);
        let explained = self.explained;
        let is_recent = step.is_some()
            && explained.method == ExplainMethod::IntegratedGradients
            && now < explained.at + GRADIENTS_RENEWAL;
        let is_current = explained.method == self.method && (explained.step == step || is_recent);
        !(self.is_hidden || self.is_awaited || known.is_some() && is_current)
    }

    /// The step of the model by which words are known, if it is still trained: that of the answer which was to
    /// be explained, or a later one.
    pub fn step(&self) -> Option<u64> {
        self.explanation.as_ref()?.step
    }

    /// How words are found.
    pub fn method(&self) -> ExplainMethod {
        self.method
    }

    /// Notes that an explanation of the answer by the model at a step is asked for.
    pub fn ask(&mut self, step: Option<u64>, now: f64) {
        self.is_awaited = true;
        self.asked = Asked { step, method: self.method, at: now };
    }

    /// Whether an explanation is awaited.
    pub fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    /// Keeps an explanation, unless it was cancelled.
    pub fn push(&mut self, explanation: Explanation) {
        self.is_awaited = false;
        if explanation.is_cancelled() {
            return;
        }
        self.explained = self.asked;
        let is_same = self.known().is_some_and(|known| {
            let text = |part: &TextPart| part.text.clone();
            explanation
                .outcome
                .as_ref()
                .is_ok_and(|new| known.parts.iter().map(text).eq(new.parts.iter().map(text)))
        });
        self.explanation = Some(explanation);
        // The chosen word stays chosen while the model changes.
        if !is_same {
            self.choose(None);
        }
    }

    /// Keeps the answer about the text with another word, unless another word is chosen by now.
    pub fn push_replaced(&mut self, answer: Answer) {
        let Some(replaced) = &mut self.replaced else { return };
        if replaced.before.is_none() && replaced.original == answer.text {
            replaced.before = answer.outcome.ok();
        } else if replaced.text == answer.text {
            replaced.step = answer.step;
            replaced.outcome = Some(answer.outcome);
        }
    }

    /// The word that was put in place of the chosen one.
    pub fn replaced(&self) -> Option<&Replaced> {
        self.replaced.as_ref()
    }

    /// The chosen word, and what is being typed in its place.
    pub fn typed(&self) -> Option<(&str, &Input)> {
        let typed = self.typed.as_ref()?;
        Some((self.chosen_word()?, typed))
    }

    /// Whether a word is being typed in place of the chosen one.
    pub fn is_typing(&self) -> bool {
        self.typed.is_some()
    }

    /// Stops typing another word.
    pub fn stop_typing(&mut self) {
        self.typed = None;
    }

    /// Edits the word being typed.
    pub fn edit(&mut self, request: InputRequest) {
        if let Some(typed) = &mut self.typed {
            editor::edit(typed, request);
        }
    }

    /// Pastes into the word being typed.
    pub fn paste(&mut self, text: &str) {
        if let Some(typed) = &mut self.typed {
            editor::paste(typed, text);
        }
    }

    /// The words of the explained text.
    fn known(&self) -> Option<&WordAttributions> {
        self.explanation.as_ref()?.outcome.as_ref().ok()
    }

    /// The index of the chosen word among the parts of the text.
    fn chosen_part(&self) -> Option<usize> {
        let parts = self.known()?.parts.iter().enumerate();
        let mut words = parts.filter(|(_, part)| part.contribution.is_some());
        words.nth(self.chosen?).map(|(index, _)| index)
    }

    /// Whether a word is chosen.
    pub fn has_chosen(&self) -> bool {
        self.chosen_part().is_some()
    }

    /// Chooses no word. Returns whether one was chosen.
    pub fn deselect(&mut self) -> bool {
        let was_chosen = self.has_chosen();
        self.choose(None);
        was_chosen
    }

    /// The chosen word.
    fn chosen_word(&self) -> Option<&str> {
        Some(self.known()?.parts.get(self.chosen_part()?)?.text.as_str())
    }

    /// Puts the typed word in place of the chosen one. Returns the text as it is, and with that word.
    fn replace(&mut self) -> Option<[String; 2]> {
        let word = self.typed.take()?.value().to_owned();
        let chosen = self.chosen_part()?;
        let parts = &self.known()?.parts;
        let original: String = parts.iter().map(|part| part.text.as_str()).collect();
        let text: String = parts
            .iter()
            .enumerate()
            .map(|(index, part)| if index == chosen { word.as_str() } else { part.text.as_str() })
            .collect();
        let asked = [original.clone(), text.clone()];
        self.replaced =
            Some(Replaced { word, outcome: None, before: None, step: None, text, original });
        Some(asked)
    }

    /// The explanation of a text by the current method, if words are shown and it is known.
    fn explanation_of(&self, text: &str) -> Option<&Explanation> {
        let is_shown = !self.is_hidden && self.explained.method == self.method;
        self.explanation.as_ref().filter(|known| is_shown && known.text == text)
    }

    /// The words of a text and the chosen one, if they are shown and known.
    pub fn of(&self, text: &str) -> Option<(&WordAttributions, Option<usize>)> {
        Some((self.explanation_of(text)?.outcome.as_ref().ok()?, self.chosen))
    }

    /// Why the words of a text are not known, if they are shown and explaining it has failed.
    pub fn failure_of(&self, text: &str) -> Option<&str> {
        self.explanation_of(text)?.outcome.as_ref().err().map(String::as_str)
    }

    /// As [`Self::of`], by the compared model. Its words may differ, so the chosen one is that in which
    /// the chosen word of the first model begins.
    pub fn of_compared(&self, text: &str) -> Option<(&WordAttributions, Option<usize>)> {
        let words = self.explanation_of(text)?.compared.as_deref()?;
        let start = self.chosen_part().zip(self.known()).map(|(chosen, words)| {
            words.parts.iter().take(chosen).map(|part| part.text.len()).sum::<usize>()
        });
        Some((words, start.and_then(|start| words.word_at(start))))
    }

    /// Whether words are shown once they are known.
    pub fn are_shown(&self) -> bool {
        !self.is_hidden
    }

    /// Applies an action. Returns the texts without and with another word, if they are to be asked about.
    pub fn apply(&mut self, action: WordsAction) -> Option<[String; 2]> {
        match action {
            WordsAction::Toggle => self.is_hidden = !self.is_hidden,
            WordsAction::SwitchMethod => {
                self.is_hidden = false;
                self.method = match self.method {
                    ExplainMethod::Occlusion => ExplainMethod::IntegratedGradients,
                    ExplainMethod::IntegratedGradients => ExplainMethod::Occlusion,
                };
            }
            WordsAction::Choose(by) => {
                let parts = self.known().into_iter().flat_map(|words| &words.parts);
                let count = parts.filter(|part| part.contribution.is_some()).count() as isize;
                // No word counts as one before the first.
                let now = self.chosen.map_or(-1, |chosen| chosen as isize);
                let next = (now + 1 + by).rem_euclid(count + 1) - 1;
                self.choose(usize::try_from(next).ok());
            }
            WordsAction::Replace => self.typed = self.chosen_part().map(|_| Input::default()),
            WordsAction::ApplyReplacement => return self.replace(),
            WordsAction::CancelReplacement => self.stop_typing(),
        }
        None
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
