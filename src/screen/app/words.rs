//! Which words of an answered text lead to its class: whether they are shown, and which one is chosen.

use crate::core::attribution::WordAttributions;
use crate::run::protocol::{Answer, Explanation};

/// An action on the words of an answered text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordsAction {
    /// Show which words lead to the class, or no longer.
    Toggle,
    /// Choose the next word (1) or the previous one (-1), to see the probability without it. Beyond
    /// the last word and the first, none is chosen.
    Choose(isize),
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
}

impl Words {
    /// Notes that a text was submitted.
    pub fn submit(&mut self, text: &str) {
        self.awaited = Some(text.to_owned());
        self.explanation = None;
        self.chosen = None;
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
        self.chosen = None;
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

    /// Applies an action; `latest` is the latest answered text. Returns the text to explain.
    pub fn apply(&mut self, action: WordsAction, latest: Option<&str>) -> Option<String> {
        match action {
            WordsAction::Toggle => {
                self.is_hidden = !self.is_hidden;
                let latest = latest.filter(|_| !self.is_hidden)?;
                let is_known = self.explanation.as_ref().is_some_and(|known| known.text == latest);
                (!is_known).then(|| latest.to_owned())
            }
            WordsAction::Choose(by) => {
                let outcome = self.explanation.as_ref().map(|known| &known.outcome);
                let words = outcome.and_then(|outcome| outcome.as_ref().ok());
                let parts = words.iter().flat_map(|words| &words.parts);
                let count = parts.filter(|part| part.without.is_some()).count() as isize;
                // No word counts as one before the first.
                let now = self.chosen.map_or(-1, |chosen| chosen as isize);
                let next = (now + 1 + by).rem_euclid(count + 1) - 1;
                self.chosen = usize::try_from(next).ok();
                None
            }
        }
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
        assert_eq!(words.apply(WordsAction::Toggle, Some("c")), Some("c".to_owned()));
    }
}
