//! Tests of the words of an answered text.

use super::*;
use crate::core::attribution::TextPart;

fn explained(text: &str) -> Explanation {
    let parts = text.split_inclusive(' ').map(|word| TextPart {
        text: word.to_owned(),
        contribution: (!word.starts_with('_')).then_some(0.25),
    });
    let words = WordAttributions {
        class: 1,
        score: 0.75,
        baseline: "[MASK]".to_owned(),
        parts: parts.collect(),
        integrals: None,
    };
    Explanation::new(text.to_owned(), Ok(Some(words)))
}

#[test]
fn a_word_or_none_is_chosen() {
    let mut words = Words::default();
    words.apply(WordsAction::Choose(1));
    assert_eq!(words.chosen, None, "there are no words");
    words.push(explained("a _ b"));
    let mut choose = |by| {
        words.apply(WordsAction::Choose(by));
        words.of("a _ b").and_then(|(_, chosen)| chosen)
    };
    assert_eq!([choose(1), choose(1), choose(1), choose(1)], [Some(0), Some(1), None, Some(0)]);
    assert_eq!([choose(-1), choose(-1), choose(-1)], [None, Some(1), Some(0)]);
    assert!(words.of("other").is_none());
}

#[test]
fn a_word_is_replaced_in_its_text() {
    let mut words = Words::default();
    words.apply(WordsAction::Replace);
    assert!(!words.is_typing(), "no word is chosen");
    words.push(explained("a _ b_ b"));
    words.apply(WordsAction::Choose(2));
    words.apply(WordsAction::Replace);
    words.paste("x\ny");
    words.edit(InputRequest::DeletePrevChar);
    assert_eq!(words.typed().map(|(word, typed)| (word, typed.value())), Some(("b_ ", "x ")));
    let request = words.apply(WordsAction::ApplyReplacement);
    assert_eq!(request, Some(["a _ b_ b", "a _ x b"].map(str::to_owned)));
    let answer =
        |text: &str| Answer { text: text.to_owned(), outcome: Err("no".to_owned()), step: None };
    words.push_replaced(answer("a _ b_ b"));
    let replaced = |words: &Words| words.replaced().map(|replaced| replaced.outcome.clone());
    assert_eq!(replaced(&words), Some(None), "this is the text without the change");
    words.push_replaced(answer("a _ x b"));
    assert_eq!(replaced(&words), Some(Some(Err("no".to_owned()))));
    assert_eq!(words.of("a _ b_ b").map(|(_, chosen)| chosen), Some(Some(1)));
    words.apply(WordsAction::Replace);
    words.apply(WordsAction::CancelReplacement);
    assert!(!words.is_typing() && words.replaced().is_some());
    words.apply(WordsAction::Choose(1));
    assert_eq!(replaced(&words), None, "another word is chosen");
}

#[test]
fn a_text_is_explained_once_unless_words_are_hidden() {
    let mut words = Words::default();
    assert!(words.is_wanted("a", None, 0.0));
    words.ask(None, 0.0);
    assert!(words.is_awaited() && !words.is_wanted("a", None, 0.0), "one explanation at a time");
    words.push(Explanation::new("a".to_owned(), Ok(None)));
    assert!(words.is_wanted("a", None, 0.0) && words.of("a").is_none(), "it was cancelled");
    words.push(explained("a"));
    assert!(
        !words.is_wanted("a", None, 0.0)
            && words.is_wanted("b", None, 0.0)
            && words.of("a").is_some()
    );
    words.apply(WordsAction::Toggle);
    assert!(!words.is_wanted("b", None, 0.0) && words.of("a").is_none() && !words.are_shown());
    words.apply(WordsAction::Toggle);
    words.push(Explanation::new("b".to_owned(), Err("no".to_owned())));
    assert!(!words.is_wanted("b", None, 0.0), "a failure is not repeated");
}

#[test]
fn integrated_gradients_are_renewed_seldom_and_shown_only_when_they_are_known() {
    let mut words = Words::default();
    words.ask(Some(1), 0.0);
    words.push(explained("a"));
    assert!(words.is_wanted("a", Some(2), 0.1), "occlusion is renewed with each answer");
    words.apply(WordsAction::SwitchMethod);
    assert!(words.of("a").is_none() && words.is_wanted("a", Some(1), 0.1));
    words.ask(Some(1), 0.1);
    words.push(explained("a"));
    assert!(words.of("a").is_some() && !words.is_wanted("a", Some(2), 10.0));
    assert!(words.is_wanted("a", Some(2), 20.0) && words.is_wanted("a", None, 1.0));
}

#[test]
fn words_have_the_step_of_the_model_that_explained_them() {
    let mut words = Words::default();
    words.ask(Some(5), 0.0);
    words.push(Explanation { step: Some(7), ..explained("a") });
    assert_eq!(words.step(), Some(7));
    assert!(!words.is_wanted("a", Some(5), 0.1), "the answer is explained");
}

#[test]
fn the_compared_models_word_is_the_one_at_the_same_place() {
    let mut words = Words::default();
    let mut both = explained("good film");
    let Explanation { outcome, .. } = explained("go od film");
    both.compared = outcome.ok().map(Box::new);
    if let Some(other) = &mut both.compared {
        "go".clone_into(&mut other.parts[0].text);
    }
    words.push(both);
    assert_eq!(words.of_compared("good film").map(|found| found.1), Some(None));
    words.apply(WordsAction::Choose(2));
    assert_eq!(words.of("good film").map(|found| found.1), Some(Some(1)));
    assert_eq!(words.of_compared("good film").map(|found| found.1), Some(Some(2)));
    words.apply(WordsAction::Choose(-1));
    assert_eq!(words.of_compared("good film").map(|found| found.1), Some(Some(0)));
}
