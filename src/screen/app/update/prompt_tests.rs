use crate::core::train::TrainEvent;
use crate::core::train::event::Probe;
use crate::core::train::fixtures::{evaluated, run};
use crate::run::protocol::{Activity, Answer, Command, RunReport};
use crate::screen::app::prompt::PromptAction;
use crate::screen::app::replay::Replay;
use crate::screen::app::state::{AskedModel, RunLocation};
use crate::screen::app::words::WordsAction;
use crate::screen::app::{Action, Effect, Message, Page, State, update};
use tui_input::InputRequest;

/// The predict page during a run.
fn page() -> State {
    let mut state = State { page: Page::Predict, ..State::default() };
    for event in run(5) {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    update(&mut state, Message::Report(RunReport::Activity(Activity::Training)));
    state
}

fn type_at(state: &mut State, text: &str, now: f64) -> Vec<Effect> {
    let mut effects = update(state, Message::Tick(now));
    for c in text.chars() {
        let edit = Message::Action(Action::Edit(InputRequest::InsertChar(c)));
        effects.extend(update(state, edit));
    }
    effects
}

fn tick(state: &mut State, now: f64) -> Vec<Effect> {
    update(state, Message::Tick(now))
}

fn ask(text: &str) -> Vec<Effect> {
    vec![Effect::Send(Command::Predict { text: text.to_owned() })]
}

fn answer_at(state: &mut State, text: &str, now: f64) -> Vec<Effect> {
    let mut effects = tick(state, now);
    let answer = Answer { text: text.to_owned(), outcome: Err("no".to_owned()), step: None };
    effects.extend(update(state, Message::Report(RunReport::Answer(answer))));
    effects
}

#[test]
fn a_text_is_asked_about_while_it_is_typed_one_question_at_a_time() {
    let mut state = page();
    assert_eq!(type_at(&mut state, "재", 1.0), ask("재"), "the first key, at once");
    assert_eq!(type_at(&mut state, "밌다", 1.01), [], "the model has not answered yet");
    assert_eq!(answer_at(&mut state, "재", 1.02), [], "the next question waits a little");
    assert!(state.live_question_due().is_some_and(|due| (due - 1.04).abs() < 1e-9));
    assert_eq!(tick(&mut state, 1.04), ask("재밌다"), "only the newest text is asked about");
    assert_eq!(tick(&mut state, 1.1), [], "it is asked once");
    assert_eq!(type_at(&mut state, "!", 1.5), []);
    assert_eq!(answer_at(&mut state, "재밌다", 9.0), ask("재밌다!"));
    assert_eq!(answer_at(&mut state, "재밌다!", 9.1), []);
    assert_eq!(tick(&mut state, 20.0), []);
    assert_eq!(state.prompt.answers.len(), 0, "only Enter keeps an answer");
    assert_eq!(update(&mut state, Message::Action(Action::Submit)), [], "it is known");
    assert_eq!(state.prompt.answers.len(), 1);
    // Enter before the answer asks about the text again, and that answer is kept.
    assert_eq!(type_at(&mut state, "좋다", 30.0), ask("좋"));
    assert_eq!(update(&mut state, Message::Action(Action::Submit)), ask("좋다"));
    answer_at(&mut state, "좋", 30.1);
    answer_at(&mut state, "좋다", 30.1);
    assert_eq!(state.prompt.answers.len(), 2);
}

#[test]
fn an_earlier_answer_is_dimmed_only_if_the_next_one_takes_long() {
    let mut state = page();
    type_at(&mut state, "재", 1.0);
    answer_at(&mut state, "재", 1.01);
    type_at(&mut state, "밌", 1.2);
    assert!(!state.shows_outdated());
    assert!(state.question_due().is_some_and(|due| (due - 1.35).abs() < 1e-9));
    tick(&mut state, 1.36);
    assert!(state.shows_outdated());
    answer_at(&mut state, "재밌", 1.4);
    assert!(!state.shows_outdated());
}

#[test]
fn an_answer_is_renewed_while_the_model_is_trained_and_at_its_end() {
    let mut state = page();
    let answer = |state: &mut State, step: u64, now: f64| {
        tick(state, now);
        let outcome = Err("no".to_owned());
        let answer = Answer { text: "재".to_owned(), outcome, step: Some(step) };
        update(state, Message::Report(RunReport::Answer(answer)))
    };
    assert_eq!(type_at(&mut state, "재", 1.0), ask("재"));
    answer(&mut state, 5, 1.01);
    assert_eq!(tick(&mut state, 60.0), [], "the model is that of the answer");
    let steps = run(9).into_iter().filter(|event| matches!(event, TrainEvent::Step(_)));
    for event in steps {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    state.prompt.input.edit(InputRequest::GoToStart);
    assert_eq!(tick(&mut state, 61.0), [], "asked with the step");
    answer(&mut state, 9, 62.0);
    let later = run(20).into_iter().filter(|event| matches!(event, TrainEvent::Step(_)));
    for event in later {
        assert_eq!(update(&mut state, Message::Report(RunReport::Event(event))), []);
    }
    assert_eq!(tick(&mut state, 64.9), [], "not at each step");
    assert!(state.question_due().is_some_and(|due| (due - 65.0).abs() < 1e-9));
    assert_eq!(tick(&mut state, 65.1), ask("재"));
    answer(&mut state, 20, 65.2);
    assert_eq!(tick(&mut state, 99.0), []);
    let ended = update(&mut state, Message::Report(RunReport::Activity(Activity::Idle)));
    assert_eq!(ended, ask("재"), "the model of the end may be another one");
    let outcome = Err("no".to_owned());
    let last = Answer { text: "재".to_owned(), outcome, step: None };
    assert_eq!(update(&mut state, Message::Report(RunReport::Answer(last))), []);
    assert_eq!(tick(&mut state, 200.0), []);
}

#[test]
fn nothing_is_asked_without_a_model_or_on_another_page() {
    let without: [fn(&mut State); 5] = [
        |state| state.started = None,
        |state| state.replay = Some(Replay::new(1.0)),
        |state| state.location = RunLocation::Unreachable,
        |state| state.page = Page::Train,
        |state| {
            if let Some(started) = &mut state.started {
                started.labels.clear();
            }
        },
    ];
    for change in without {
        let mut state = page();
        change(&mut state);
        type_at(&mut state, "재밌다", 1.0);
        assert_eq!((tick(&mut state, 2.0), state.live_question_due()), (Vec::new(), None));
    }
}

#[test]
fn up_and_down_move_in_the_text_and_then_through_the_history() {
    let mut state = page();
    type_at(&mut state, "먼저", 1.0);
    update(&mut state, Message::Action(Action::Submit));
    update(&mut state, Message::Paste("하나\n둘".to_owned()));
    let press = |state: &mut State, action| {
        update(state, Message::Action(action));
        (state.prompt.input.text().to_owned(), state.prompt.input.caret())
    };
    assert_eq!(press(&mut state, Action::PromptHistory(1)), ("하나\n둘".to_owned(), 3));
    assert_eq!(press(&mut state, Action::PromptHistory(1)), ("먼저".to_owned(), 6));
    assert_eq!(press(&mut state, Action::PromptHistory(-1)), ("하나\n둘".to_owned(), 10));
}

#[test]
fn a_saved_model_has_two_pages_and_quits_from_an_empty_field() {
    let mut state = State { asked_model: Some(AskedModel::default()), ..page() };
    state.activity = Activity::Idle;
    let press = |state: &mut State, action| update(state, Message::Action(action));
    for expected in [Page::Settings, Page::Predict] {
        press(&mut state, Action::NextPage);
        assert_eq!(state.page, expected);
    }
    press(&mut state, Action::ShowPage(Page::Train));
    assert_eq!(state.page, Page::Predict, "there is no such page");
    state.prompt.paste("재밌다");
    let clear_or_quit = Action::Prompt(PromptAction::ClearOrQuit);
    assert_eq!(press(&mut state, clear_or_quit), []);
    assert_eq!(state.prompt.input.text(), "");
    assert_eq!(press(&mut state, clear_or_quit), [Effect::Quit]);
}

#[test]
fn a_sentence_is_pinned_and_unpinned_by_the_same_key() {
    let mut state = page();
    state.prompt.paste("재밌다");
    let pin = Message::Action(Action::Pin);
    let text = || "재밌다".to_owned();
    let press = |state: &mut State| update(state, pin.clone()).into_iter().next();
    let sent = |command| Some(Effect::Send(command));
    assert_eq!(press(&mut state), sent(Command::Pin { text: text() }));
    let mut evaluation = evaluated(5, 1.0, 0.6, 9.5);
    let probe = Probe { text: text(), label: String::new(), probabilities: vec![0.3, 0.7] };
    evaluation.probes = vec![probe];
    update(&mut state, Message::Report(RunReport::Event(TrainEvent::Evaluated(evaluation))));
    assert_eq!(press(&mut state), sent(Command::Unpin { text: text() }));
    assert_eq!(press(&mut state), sent(Command::Pin { text: text() }), "before an evaluation");
    assert_eq!(press(&mut state), sent(Command::Unpin { text: text() }));
    let evaluation = TrainEvent::Evaluated(evaluated(6, 1.2, 0.6, 11.5));
    update(&mut state, Message::Report(RunReport::Event(evaluation)));
    assert_eq!(press(&mut state), sent(Command::Pin { text: text() }));
}

#[test]
fn copying_says_what_came_of_it() {
    let mut state = page();
    let copy = Message::Action(Action::Prompt(PromptAction::Copy));
    assert_eq!(update(&mut state, copy), []);
    let notice = |state: &State| state.notice.as_ref().map(|notice| notice.text.clone());
    assert_eq!(notice(&state).as_deref(), Some("there is nothing to copy yet"));
    update(&mut state, Message::Copied(Ok(())));
    assert_eq!(notice(&state).as_deref(), Some("copied to the terminal's clipboard"));
    update(&mut state, Message::Copied(Err("this terminal has no clipboard".to_owned())));
    assert_eq!(notice(&state).as_deref(), Some("this terminal has no clipboard"));
}

#[test]
fn choosing_a_word_before_any_is_known_says_why_there_is_none() {
    let mut state = page();
    let choose = |state: &mut State| {
        let next = Action::Words(WordsAction::Choose(1));
        assert_eq!(update(state, Message::Action(next)), []);
        state.notice.take().map(|notice| notice.text).unwrap_or_default()
    };
    assert_eq!(choose(&mut state), "there is no answered text whose words are known");
    state.words.ask(None, 0.0);
    assert_eq!(choose(&mut state), "the words of the answered text are being computed");
    state.words.apply(WordsAction::Toggle);
    assert_eq!(choose(&mut state), "the words of the answered text are hidden");
}

#[test]
fn a_notice_ends_by_itself_also_after_the_run() {
    let mut state = page();
    update(&mut state, Message::Report(RunReport::Activity(Activity::Idle)));
    update(&mut state, Message::Copied(Ok(())));
    update(&mut state, Message::Tick(5.0));
    assert!(state.notice.is_some());
    update(&mut state, Message::Tick(9.0));
    assert_eq!(state.notice, None);
}
