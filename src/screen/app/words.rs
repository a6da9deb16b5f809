//! Which words of an answered text lead to its class: whether they are shown, which one is chosen, and
//! what the probability is with another word in its place.

use super::editor;
use super::state::State;
use crate::core::attribution::WordAttributions;
use crate::core::predict::Prediction;
use crate::run::protocol::{Answer, Explanation};
use tui_input::{Input, InputRequest};

/// An action on the words of an answered text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordsAction {
    /// Show which words lead to the class, or no longer.
    Toggle,
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

/// What an action on words asks the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordsRequest {
    /// Which words of this text lead to its class.
    Explain(String),
    /// The prediction of this text, in which a word is replaced.
    Predict(String),
}

/// Another word in place of the chosen one.
#[derive(Clone, Debug, PartialEq)]
pub struct Replaced {
    /// The other word; empty if the chosen one is left out.
    pub word: String,
    /// The prediction of the text with it, or why there is none; `None` until it is known.
    pub outcome: Option<Result<Prediction, String>>,
    /// The text with it.
    text: String,
}

/// The explanation of an answered text.
#[derive(Clone, Debug, Default)]
pub struct Words {
    is_hidden: bool,
    /// The submitted text that is explained once its answer has arrived.
    awaited: Option<String>,
    explanation: Option<Explanation>,
    /// The chosen word, counted from 0.
    chosen: Option<usize>,
    /// The word in place of the chosen one, while it is typed.
    typed: Option<Input>,
    /// The word that was put in place of the chosen one last.
    replaced: Option<Replaced>,
}

impl Words {
    /// Notes that a text was submitted.
    pub fn submit(&mut self, text: &str) {
        self.awaited = Some(text.to_owned());
        self.explanation = None;
        self.choose(None);
    }

    /// Chooses a word, or none.
    fn choose(&mut self, word: Option<usize>) {
        self.chosen = word;
        self.typed = None;
        self.replaced = None;
    }

    /// Notes an answer; returns the text to explain, if it is that of the submitted one.
    pub fn answered(&mut self, answer: &Answer) -> Option<String> {
        if self.is_hidden || answer.outcome.is_err() {
            return None;
        }
        self.awaited.take_if(|text| *text == answer.text)
    }

    /// Keeps an explanation.
    pub fn push(&mut self, explanation: Explanation) {
        self.explanation = Some(explanation);
        self.choose(None);
    }

    /// Keeps the answer about the text with another word, unless another word is chosen by now.
    pub fn push_replaced(&mut self, answer: Answer) {
        if let Some(replaced) = &mut self.replaced
            && replaced.text == answer.text
        {
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
        let mut words = parts.filter(|(_, part)| part.without.is_some());
        words.nth(self.chosen?).map(|(index, _)| index)
    }

    /// The chosen word.
    fn chosen_word(&self) -> Option<&str> {
        Some(self.known()?.parts.get(self.chosen_part()?)?.text.as_str())
    }

    /// Puts the typed word in place of the chosen one. Returns the text with it.
    fn replace(&mut self) -> Option<String> {
        let word = self.typed.take()?.value().to_owned();
        let chosen = self.chosen_part()?;
        let parts = self.known()?.parts.iter().enumerate();
        let text: String = parts
            .map(|(index, part)| if index == chosen { word.as_str() } else { part.text.as_str() })
            .collect();
        self.replaced = Some(Replaced { word, outcome: None, text: text.clone() });
        Some(text)
    }

    /// The words of a text and the chosen one, if they are shown and known.
    pub fn of(&self, text: &str) -> Option<(&WordAttributions, Option<usize>)> {
        let known = self.explanation.as_ref().filter(|known| !self.is_hidden && known.text == text);
        Some((known?.outcome.as_ref().ok()?, self.chosen))
    }

    /// Whether words are shown once they are known.
    pub fn are_shown(&self) -> bool {
        !self.is_hidden
    }

    /// Applies an action; `latest` is the latest answered text.
    pub fn apply(&mut self, action: WordsAction, latest: Option<&str>) -> Option<WordsRequest> {
        match action {
            WordsAction::Toggle => {
                self.is_hidden = !self.is_hidden;
                let latest = latest.filter(|_| !self.is_hidden)?;
                let is_known = self.explanation.as_ref().is_some_and(|known| known.text == latest);
                (!is_known).then(|| WordsRequest::Explain(latest.to_owned()))
            }
            WordsAction::Choose(by) => {
                let parts = self.known().into_iter().flat_map(|words| &words.parts);
                let count = parts.filter(|part| part.without.is_some()).count() as isize;
                // No word counts as one before the first.
                let now = self.chosen.map_or(-1, |chosen| chosen as isize);
                let next = (now + 1 + by).rem_euclid(count + 1) - 1;
                self.choose(usize::try_from(next).ok());
                None
            }
            WordsAction::Replace => {
                self.typed = self.chosen_part().map(|_| Input::default());
                None
            }
            WordsAction::ApplyReplacement => self.replace().map(WordsRequest::Predict),
            WordsAction::CancelReplacement => {
                self.stop_typing();
                None
            }
        }
    }
}

impl State {
    /// Whether the words of the answered text are shown.
    pub fn shows_words(&self) -> bool {
        let latest = self.prompt.answers.first();
        let is_shown = self.prompt.live_answer().is_none() && !self.prompt.awaits_live();
        is_shown && latest.is_some_and(|answer| self.words.of(&answer.text).is_some())
    }

    /// Whether one of the shown words is chosen.
    pub fn has_chosen_word(&self) -> bool {
        self.shows_words() && self.words.chosen_part().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::attribution::TextPart;
    use crate::core::predict::Prediction;

    fn explained(text: &str) -> Explanation {
        let parts = text.split_inclusive(' ').map(|word| TextPart {
            text: word.to_owned(),
            without: (!word.starts_with('_')).then_some(0.5),
        });
        let words = WordAttributions {
            class: 1,
            score: 0.75,
            baseline: "[MASK]".to_owned(),
            parts: parts.collect(),
        };
        Explanation { text: text.to_owned(), outcome: Ok(words) }
    }

    #[test]
    fn a_word_or_none_is_chosen() {
        let mut words = Words::default();
        words.apply(WordsAction::Choose(1), None);
        assert_eq!(words.chosen, None, "there are no words");
        words.push(explained("a _ b"));
        let mut choose = |by| {
            words.apply(WordsAction::Choose(by), None);
            words.of("a _ b").and_then(|(_, chosen)| chosen)
        };
        assert_eq!([choose(1), choose(1), choose(1), choose(1)], [Some(0), Some(1), None, Some(0)]);
        assert_eq!([choose(-1), choose(-1), choose(-1)], [None, Some(1), Some(0)]);
        assert!(words.of("other").is_none());
    }

    #[test]
    fn a_word_is_replaced_in_its_text() {
        let mut words = Words::default();
        words.apply(WordsAction::Replace, None);
        assert!(!words.is_typing(), "no word is chosen");
        words.push(explained("a _ b_ b"));
        words.apply(WordsAction::Choose(2), None);
        words.apply(WordsAction::Replace, None);
        words.paste("x\ny");
        words.edit(InputRequest::DeletePrevChar);
        assert_eq!(words.typed().map(|(word, typed)| (word, typed.value())), Some(("b_ ", "x ")));
        let request = words.apply(WordsAction::ApplyReplacement, None);
        assert_eq!(request, Some(WordsRequest::Predict("a _ x b".to_owned())));
        let answer = |text: &str| Answer { text: text.to_owned(), outcome: Err("no".to_owned()) };
        words.push_replaced(answer("a _ b_ b"));
        let replaced = |words: &Words| words.replaced().map(|replaced| replaced.outcome.clone());
        assert_eq!(replaced(&words), Some(None), "this is another text");
        words.push_replaced(answer("a _ x b"));
        assert_eq!(replaced(&words), Some(Some(Err("no".to_owned()))));
        assert_eq!(words.of("a _ b_ b").map(|(_, chosen)| chosen), Some(Some(1)));
        words.apply(WordsAction::Replace, None);
        words.apply(WordsAction::CancelReplacement, None);
        assert!(!words.is_typing() && words.replaced().is_some());
        words.apply(WordsAction::Choose(1), None);
        assert_eq!(replaced(&words), None, "another word is chosen");
    }

    #[test]
    fn the_submitted_text_is_explained_unless_words_are_hidden() {
        let answer = |text: &str, fails: bool| {
            let prediction = Prediction {
                text: text.to_owned(),
                text_pair: None,
                label: String::new(),
                score: 1.0,
                probabilities: Vec::new(),
                calibrated_probabilities: None,
                compared: None,
                logits: Vec::new(),
                tokens: Vec::new(),
                truncated: false,
                unknown: 0,
            };
            let outcome = if fails { Err("no".to_owned()) } else { Ok(prediction) };
            Answer { text: text.to_owned(), outcome }
        };
        let mut words = Words::default();
        words.submit("a");
        assert_eq!(words.answered(&answer("b", false)), None);
        assert_eq!(words.answered(&answer("a", true)), None);
        assert_eq!(words.answered(&answer("a", false)), Some("a".to_owned()));
        assert_eq!(words.answered(&answer("a", false)), None, "only once");
        words.push(explained("a"));
        assert_eq!(words.apply(WordsAction::Toggle, Some("a")), None);
        assert!(words.of("a").is_none() && !words.are_shown());
        words.submit("c");
        assert_eq!(words.answered(&answer("c", false)), None);
        let request = words.apply(WordsAction::Toggle, Some("c"));
        assert_eq!(request, Some(WordsRequest::Explain("c".to_owned())));
    }
}
