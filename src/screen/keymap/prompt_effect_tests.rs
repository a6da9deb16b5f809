//! The effects of keys on the predict page.

use super::effect_tests::Check;
use super::scene_tests::{answered, chosen_word, word_chosen};
use super::*;
use crate::run::protocol::Command;
use crate::screen::app::prompt::PromptAction;
use crate::screen::app::words::WordsAction;
use crate::screen::app::{Effect, Message, update};

/// Whether `request` correctly edits "정말 재미있는 영화" with the caret before "는 영화".
pub fn edited(before: &State, after: &State, request: InputRequest) -> bool {
    let line = |state: &State| {
        let input = &state.prompt.input;
        let (left, right) = input.text().split_at(input.caret());
        format!("{left}|{right}")
    };
    assert_eq!(line(before), "정말 재미있|는 영화");
    let expected = match request {
        InputRequest::GoToPrevChar => "정말 재미|있는 영화",
        InputRequest::GoToNextChar => "정말 재미있는| 영화",
        InputRequest::GoToPrevWord => "정말 |재미있는 영화",
        InputRequest::GoToNextWord => "정말 재미있는 |영화",
        InputRequest::GoToStart => "|정말 재미있는 영화",
        InputRequest::GoToEnd => "정말 재미있는 영화|",
        InputRequest::DeletePrevChar => "정말 재미|는 영화",
        InputRequest::DeleteNextChar => "정말 재미있| 영화",
        InputRequest::DeletePrevWord => "정말 |는 영화",
        InputRequest::DeleteNextWord => "정말 재미있|영화",
        InputRequest::DeleteLine => "|",
        InputRequest::DeleteTillEnd => "정말 재미있|",
        other => panic!("no binding should have {other:?}"),
    };
    line(after) == expected
}

/// Checks an action on "정말 재미있|는 영화".
pub fn prompt_check(state: &mut State, action: PromptAction) -> Check {
    let text = |state: &State| state.prompt.input.text().to_owned();
    match action {
        PromptAction::NewLine => Box::new(move |_, after, _| text(after) == "정말 재미있\n는 영화"),
        PromptAction::MoveToStart => Box::new(|_, after, _| after.prompt.input.caret() == 0),
        PromptAction::MoveToEnd => {
            Box::new(|_, after, _| after.prompt.input.caret() == after.prompt.input.text().len())
        }
        PromptAction::Undo => Box::new(move |_, after, _| text(after).is_empty()),
        PromptAction::Redo => {
            update(state, Message::Action(Action::Prompt(PromptAction::Undo)));
            Box::new(move |_, after, _| text(after) == "정말 재미있는 영화")
        }
        PromptAction::Copy => {
            *state = answered();
            Box::new(|_, _, effects| {
                effects == [Effect::Copy("positive\t0.7500\t정말 재미있는 영화".to_owned())]
            })
        }
        PromptAction::ClearOrQuit => {
            Box::new(move |_, after, effects| text(after).is_empty() && effects.is_empty())
        }
    }
}

/// Checks an action on the words of an answered text.
pub fn words_check(state: &mut State, action: WordsAction) -> Check {
    match action {
        WordsAction::Toggle => Box::new(|before, after, effects| {
            before.words.are_shown() && !after.words.are_shown() && effects.is_empty()
        }),
        WordsAction::SwitchMethod => Box::new(|before, after, effects| {
            let notice = after.notice.as_ref().is_some_and(|notice| !notice.text.is_empty());
            before.words.method() != after.words.method() && notice && effects.len() <= 1
        }),
        WordsAction::Choose(by) => {
            *state = word_chosen();
            Box::new(move |before, after, _| {
                chosen_word(after) == chosen_word(before).map(|word| word + by)
            })
        }
        WordsAction::Replace => {
            *state = word_chosen();
            Box::new(|before, after, _| !before.words.is_typing() && after.words.is_typing())
        }
        WordsAction::ApplyReplacement => Box::new(|_, after, effects| {
            let asked = |effect: &Effect| match effect {
                Effect::Send(Command::Predict { text }) => Some(text.clone()),
                _ => None,
            };
            // Also without the change, by the same model.
            let texts: Vec<String> = effects.iter().filter_map(asked).collect();
            !after.words.is_typing() && texts.len() == 2 && texts[1] == "a정말 재미있는 영화c"
        }),
        WordsAction::CancelReplacement => Box::new(|before, after, effects| {
            before.words.is_typing() && !after.words.is_typing() && effects.is_empty()
        }),
    }
}
