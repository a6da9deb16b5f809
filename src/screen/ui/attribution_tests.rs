//! Tests of colored words.

use super::*;
use crate::core::attribution::ExplainMethod;
use crate::core::predict::Prediction;
use crate::core::train::fixtures::run;
use crate::run::protocol::{Activity, Answer, Command, Explanation, RunReport};
use crate::screen::app::prompt::PromptAction;
use crate::screen::app::words::WordsAction;
use crate::screen::app::{Action, Effect, Message, Page, State, update};
use crate::screen::ui::matrix_tests::{
    LANGUAGES, all_colors, mono_ascii, screen, state_after, text,
};
use crate::screen::ui::tests::SIZES;

fn explained(parts: &[(&str, Option<f64>)]) -> WordAttributions {
    let part = |(text, without): &(&str, Option<f64>)| TextPart {
        text: (*text).to_owned(),
        contribution: without.map(|without| 0.9 - without),
    };
    WordAttributions {
        class: 1,
        score: 0.9,
        baseline: "[MASK]".to_owned(),
        parts: parts.iter().map(part).collect(),
        integrals: None,
    }
}

fn example() -> WordAttributions {
    explained(&[
        ("정말", Some(0.8)),
        (" ", None),
        ("재미있는", Some(0.3)),
        (" ", None),
        ("지루한", Some(0.99)),
        (" ", None),
        ("영화", Some(0.9)),
    ])
}

fn labels() -> Vec<String> {
    ["negative", "positive"].map(str::to_owned).to_vec()
}

fn drawn(
    words: &WordAttributions,
    chosen: Option<usize>,
    width: usize,
    color: bool,
) -> Vec<String> {
    let WordLines { text, summary, .. } = both(words, chosen, width, color);
    text.iter().chain(&summary).map(Line::to_string).collect()
}

fn both(words: &WordAttributions, chosen: Option<usize>, width: usize, color: bool) -> WordLines {
    let labels = &labels()[..];
    let shown =
        ShownWords { words, step: None, chosen, replaced: None, is_compared: false, labels };
    lines(shown, width, Lang::English, Theme::new(color))
}

#[test]
fn words_have_the_colors_of_their_classes() {
    let theme = Theme::new(true);
    let WordLines { text, summary, .. } = both(&example(), None, 60, true);
    let style = |word: &str| {
        let span = text[0].spans.iter().find(|span| span.content == word);
        span.map(|span| span.style).unwrap_or_default()
    };
    assert_eq!(style("재미있는"), theme.class(1));
    assert_eq!(style("정말").fg, theme.class(1).fg);
    assert_ne!(style("정말"), theme.class(1), "it is not bold");
    assert_eq!(style("지루한").fg, theme.class(0).fg);
    assert_eq!(style("영화"), Style::new());
    assert_eq!(summary[0].to_string(), "words: for positive against");
}

#[test]
fn without_colors_words_have_marks() {
    let lines = drawn(&example(), None, 60, false);
    assert_eq!(lines, ["+정말 +재미있는 -지루한 영화", "words: +for positive -against"]);
}

#[test]
fn a_chosen_word_shows_the_probability_with_it_masked() {
    let lines = drawn(&example(), Some(1), 60, true);
    assert_eq!(lines[1], "재미있는 masked: positive 90.00% → 30.00% (-60.00)");
    let narrow = drawn(&example(), Some(1), 36, true);
    let narrow = narrow[1..].concat();
    assert_eq!(narrow, "재미있는 masked: positive 90.00% →30.00% (-60.00)", "nothing is cut");
}

#[test]
fn no_line_is_wider_than_the_panel() {
    let long = "가".repeat(50);
    let words = explained(&[
        ("정말", Some(0.5)),
        ("  ", None),
        (&long, Some(0.99)),
        (" a\u{1b}[2J\u{202e} ", None),
        ("e\u{301}👍🏽", Some(0.2)),
    ]);
    for width in 2..40 {
        for chosen in [None, Some(0), Some(1), Some(2)] {
            for color in [false, true] {
                for line in &drawn(&words, chosen, width, color) {
                    assert!(line.as_str().width() <= width, "{width}: {line:?}");
                    assert!(!line.contains(['\u{1b}', '\u{202e}']));
                }
                let text = both(&words, chosen, width, color).text;
                let text: String = text.iter().map(Line::to_string).collect();
                assert_eq!(text.matches('가').count(), 50, "{width}");
            }
        }
    }
}

#[test]
fn words_that_were_masked_together_are_told_of() {
    let words = explained(&[("정말 재미있는", Some(0.5)), (" ", None), ("영화", Some(0.8))]);
    assert_eq!(drawn(&words, None, 60, true)[1], "words, several at once: for positive against");
}

#[test]
fn a_text_without_words_is_shown_as_it_is() {
    assert_eq!(drawn(&explained(&[]), Some(3), 30, true), ["", "words: for positive against"]);
    assert_eq!(
        drawn(&explained(&[("  ", None)]), None, 30, true)[1],
        "words: for positive against"
    );
}

const LINE: &str = "정말 재미있는 지루한 영화";

fn prediction(text: &str, positive: f64) -> Prediction {
    let tokens = ["[CLS]", "정말", "재미", "##있는", "지루한", "영화", "[SEP]"];
    Prediction {
        text: text.to_owned(),
        text_pair: None,
        label: if positive > 0.5 { "positive" } else { "negative" }.to_owned(),
        score: positive.max(1.0 - positive),
        probabilities: vec![1.0 - positive, positive],
        calibrated_probabilities: None,
        compared: None,
        logits: vec![0.0, 2.2],
        tokens: tokens.map(str::to_owned).to_vec(),
        truncated: false,
        unknown: 0,
    }
}

/// A text is answered and explained.
pub(in crate::screen::ui) fn answered(lang: Lang) -> State {
    let mut state = state_after(lang, &run(300), Activity::Training);
    state.page = Page::Predict;
    update(&mut state, Message::Paste(LINE.to_owned()));
    update(&mut state, Message::Action(Action::Submit));
    let prediction = prediction(LINE, 0.9);
    let answer = Answer { text: LINE.to_owned(), outcome: Ok(prediction), step: None };
    // While it was typed, and after Enter.
    let answer = Message::Report(RunReport::Answer(answer));
    assert_eq!(update(&mut state, answer.clone()), []);
    let effects = update(&mut state, answer);
    assert_eq!(effects, [Effect::Send(explain())]);
    let explanation = Explanation::new(LINE.to_owned(), Ok(Some(example())));
    update(&mut state, Message::Report(RunReport::Explained(explanation)));
    state
}

#[test]
fn the_page_with_words() {
    for (lang, code) in LANGUAGES {
        for size in SIZES {
            let mut state = answered(lang);
            let mut shown = text(&screen(&mut state, size, all_colors()));
            update(&mut state, Message::Action(Action::Words(WordsAction::Choose(2))));
            shown = shown + "\n" + &text(&screen(&mut state, size, mono_ascii()));
            insta::assert_snapshot!(format!("words_{code}_{}x{}", size.0, size.1), shown);
        }
    }
}

#[test]
fn another_word_in_place_of_the_chosen_one_shows_the_change() {
    let mut state = answered(Lang::English);
    let act = |state: &mut State, action| update(state, Message::Action(Action::Words(action)));
    let shown = |state: &mut State| text(&screen(state, (80, 24), all_colors()));
    assert_eq!(act(&mut state, WordsAction::Replace), []);
    assert!(shown(&mut state).contains("choose a word of the answered text first: Alt-→"));
    act(&mut state, WordsAction::Choose(2));
    act(&mut state, WordsAction::Replace);
    update(&mut state, Message::Paste("지루한".to_owned()));
    let typing = shown(&mut state);
    assert!(typing.contains("in place of 재미있는") && typing.contains("> 지루한"), "{typing}");
    let replaced = LINE.replace("재미있는", "지루한");
    let effects = act(&mut state, WordsAction::ApplyReplacement);
    assert_eq!(effects, questions(&replaced));
    assert!(shown(&mut state).contains("재미있는 → 지루한: predicting …"));
    // The model has been trained since the answer.
    let answer = Answer { text: LINE.to_owned(), outcome: Ok(prediction(LINE, 0.8)), step: None };
    update(&mut state, Message::Report(RunReport::Answer(answer)));
    let answer =
        Answer { text: replaced.clone(), outcome: Ok(prediction(&replaced, 0.25)), step: None };
    assert_eq!(update(&mut state, Message::Report(RunReport::Answer(answer))), []);
    let change = "재미있는 → 지루한: positive 80.00% → 25.00% (-55.00), now negative";
    let screen = shown(&mut state);
    assert!(screen.contains(change) && screen.contains(LINE), "{screen}");
    assert_eq!(state.prompt.answers.len(), 1, "the answer is not kept");
    act(&mut state, WordsAction::Choose(1));
    assert!(shown(&mut state).contains("지루한 masked"));
}

/// The command to find the words of the text.
fn explain() -> Command {
    Command::Explain { text: LINE.to_owned(), method: ExplainMethod::Occlusion }
}

/// The questions about the text as it is, and with another word.
fn questions(replaced: &str) -> [Effect; 2] {
    [LINE, replaced].map(|text| Effect::Send(Command::Predict { text: text.to_owned() }))
}

#[test]
fn words_are_colored_while_one_types_and_change_before_enter() {
    let mut state = state_after(Lang::English, &run(300), Activity::Training);
    state.page = Page::Predict;
    let tick = |state: &mut State, now| update(state, Message::Tick(now));
    tick(&mut state, 100.0);
    let asked = update(&mut state, Message::Paste(LINE.to_owned()));
    assert_eq!(asked, [Effect::Send(Command::Predict { text: LINE.to_owned() })]);
    let answer = Answer { text: LINE.to_owned(), outcome: Ok(prediction(LINE, 0.9)), step: None };
    assert_eq!(update(&mut state, Message::Report(RunReport::Answer(answer))), []);
    let shown = |state: &mut State| text(&screen(state, (80, 24), all_colors()));
    assert!(shown(&mut state).contains("words: …"), "{}", shown(&mut state));
    assert_eq!(tick(&mut state, 100.3), [], "not while one may be typing");
    let explain = [Effect::Send(explain())];
    assert_eq!(tick(&mut state, 100.41), explain);
    assert_eq!(tick(&mut state, 101.0), [], "once");
    // A run that was asked something newer ends the explanation; it is asked for again.
    let cancelled = Explanation::new(LINE.to_owned(), Ok(None));
    assert_eq!(update(&mut state, Message::Report(RunReport::Explained(cancelled))), explain);
    let explanation = Explanation::new(LINE.to_owned(), Ok(Some(example())));
    assert_eq!(update(&mut state, Message::Report(RunReport::Explained(explanation))), []);
    assert!(shown(&mut state).contains("words: for positive against"));
    update(&mut state, Message::Action(Action::Words(WordsAction::Choose(2))));
    let screen = shown(&mut state);
    assert!(screen.contains("재미있는 masked: positive 90.00% → 30.00%"), "{screen}");
    assert!(screen.contains("> 정말") && screen.contains("keep answer"), "{screen}");
    update(&mut state, Message::Action(Action::Words(WordsAction::Replace)));
    update(&mut state, Message::Paste("지루한".to_owned()));
    let replaced = LINE.replace("재미있는", "지루한");
    let effects = update(&mut state, Message::Action(Action::Words(WordsAction::ApplyReplacement)));
    assert_eq!(effects, questions(&replaced));
    let answer = Answer { text: LINE.to_owned(), outcome: Ok(prediction(LINE, 0.9)), step: None };
    update(&mut state, Message::Report(RunReport::Answer(answer)));
    let answer =
        Answer { text: replaced.clone(), outcome: Ok(prediction(&replaced, 0.25)), step: None };
    update(&mut state, Message::Report(RunReport::Answer(answer)));
    assert!(shown(&mut state).contains("positive 90.00% → 25.00% (-65.00), now negative"));
    // Enter keeps the answer with its words; nothing is asked again.
    assert_eq!(update(&mut state, Message::Action(Action::Submit)), []);
    assert_eq!((state.prompt.answers.len(), state.prompt.pending), (1, 0));
    assert!(state.shows_words());
    // Another text has no words until it is explained.
    update(&mut state, Message::Paste("새 글".to_owned()));
    assert!(!state.shows_words());
}

#[test]
fn words_of_both_models_are_shown() {
    let mut state = crate::screen::ui::predict_page_tests::compared(Lang::Korean);
    let text_of = "다시 보고 싶은 영화";
    let part = |text: &str, without: f64| TextPart {
        text: text.to_owned(),
        contribution: Some(0.9 - without),
    };
    let words = |second| WordAttributions {
        parts: vec![part("다시 ", 0.9), part("보고 싶은 ", second), part("영화", 0.9)],
        ..explained(&[])
    };
    let mut explanation = Explanation::new(text_of.to_owned(), Ok(Some(words(0.2))));
    explanation.compared = Some(Box::new(words(0.95)));
    update(&mut state, Message::Report(RunReport::Explained(explanation)));
    update(&mut state, Message::Action(Action::Words(WordsAction::Choose(2))));
    for size in SIZES {
        let shown = text(&screen(&mut state, size, all_colors()));
        for part in ["20.00%", "95.00%"] {
            assert!(shown.contains(part), "{part} at {size:?}: {shown}");
        }
    }
}

#[test]
fn a_line_that_ends_with_a_space_keeps_its_words_apart() {
    for (text, width, expected) in [
        ("aa bb cc", 5, vec!["aa bb", "cc"]),
        ("aa bb cc", 6, vec!["aa bb ", "cc"]),
        ("aa bbbb cc", 5, vec!["aa ", "bbbb ", "cc"]),
        ("영화를 보며 만화만도 남도", 11, vec!["영화를 보며", "만화만도 ", "남도"]),
        ("aaaaaaa", 3, vec!["aaa", "aaa", "a"]),
        ("aaa   ", 3, vec!["aaa"]),
    ] {
        let lines: Vec<String> = plain(text, width).iter().map(ToString::to_string).collect();
        assert_eq!(lines, expected, "{text:?} in {width}");
    }
}

/// The words by integrated gradients: each contributes half of what it does by occlusion.
fn integrated() -> WordAttributions {
    let mut words = example();
    for part in &mut words.parts {
        part.contribution = part.contribution.map(|value| value / 2.0);
    }
    words.integrals = Some(TokenIntegrals {
        tokens: vec![0.0, 0.05, 0.35, -0.05, -0.04, 0.0, 0.0],
        baseline_score: 0.5902,
        gap: 0.0002,
    });
    words
}

#[test]
fn integrated_gradients_show_points_and_their_sum_check() {
    let shown = drawn(&integrated(), None, 80, true);
    assert_eq!(shown[1], "integrated gradients: for positive against");
    assert_eq!(shown[2], "sum +31.00 = 90.00% − 59.02% without any word, gap +0.020");
    let shown = drawn(&integrated(), Some(1), 80, false);
    assert_eq!(shown[1], "재미있는 contributes +30.00 points for positive");
    assert!(shown[2].starts_with("sum +31.00"), "{shown:?}");
    let mut words = integrated();
    words.integrals.as_mut().expect("by gradients").gap = -2e-6;
    let shown = drawn(&words, None, 80, true);
    assert!(shown[2].ends_with("gap 0"), "without a sign: {shown:?}");
}

#[test]
fn the_line_of_the_chosen_word_is_known() {
    for width in 2..40 {
        for (chosen, word) in ["정말", "재미있는", "지루한", "영화"].into_iter().enumerate()
        {
            let WordLines { text, chosen_line, .. } = both(&example(), Some(chosen), width, true);
            let line = text[chosen_line.expect("a word is chosen")].to_string();
            let end = word.chars().last().expect("a word");
            assert!(line.contains(end), "{word} in {width}: {line}");
        }
        assert_eq!(both(&example(), None, width, true).chosen_line, None);
    }
}

#[test]
fn escape_deselects_a_word_first() {
    let mut state = answered(Lang::English);
    for escape in [Action::Close, Action::Prompt(PromptAction::ClearOrQuit)] {
        update(&mut state, Message::Action(Action::Words(WordsAction::Choose(1))));
        assert!(state.words.has_chosen());
        assert_eq!(update(&mut state, Message::Action(escape)), []);
        assert_eq!((state.words.has_chosen(), state.page), (false, Page::Predict), "{escape:?}");
    }
    update(&mut state, Message::Action(Action::Close));
    assert_eq!(state.page, Page::Train);
}

#[test]
fn the_page_with_words_by_integrated_gradients() {
    for (lang, code) in LANGUAGES {
        let mut state = answered(lang);
        // Each method is asked for once.
        let switch = Message::Action(Action::Words(WordsAction::SwitchMethod));
        let command =
            Command::Explain { text: LINE.to_owned(), method: ExplainMethod::IntegratedGradients };
        assert_eq!(update(&mut state, switch.clone()), [Effect::Send(command)]);
        let waiting = text(&screen(&mut state, (80, 24), all_colors()));
        assert!(!state.shows_words() && waiting.contains(": …"), "{waiting}");
        let explanation = Explanation::new(LINE.to_owned(), Ok(Some(integrated())));
        update(&mut state, Message::Report(RunReport::Explained(explanation)));
        for size in SIZES {
            let shown = text(&screen(&mut state, size, all_colors()));
            insta::assert_snapshot!(format!("integrals_{code}_{}x{}", size.0, size.1), shown);
        }
        assert_eq!(update(&mut state, switch), [Effect::Send(explain())]);
    }
}
