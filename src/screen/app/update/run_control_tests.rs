//! Actions on the run under way.

use super::*;
use crate::core::train::event::{Step, TrainEvent};
use crate::core::train::fixtures::{run, step};
use crate::run::protocol::{Activity, RunReport};
use crate::screen::app::{Action, Message, update};
use tui_input::{Input, InputRequest};

fn training() -> State {
    let mut state = State::default();
    update(&mut state, Message::Tick(10.0));
    for event in run(20) {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    update(&mut state, Message::Report(RunReport::Activity(Activity::Training)));
    state
}

fn press(state: &mut State, action: RunControlAction) -> Vec<Effect> {
    update(state, Message::Action(Action::RunControl(action)))
}

fn sends(command: Command) -> Vec<Effect> {
    vec![Effect::Send(command)]
}

fn apply_effect(state: &mut State, effect: CommandEffect) {
    let applied = CommandApplied { step: 20, epoch: 0.3, elapsed: 2.5, effect };
    let event = TrainEvent::CommandApplied(applied);
    update(state, Message::Report(RunReport::Event(event)));
}

#[test]
fn actions_send_requests_and_the_run_confirms_them() {
    let mut state = training();
    assert_eq!(press(&mut state, RunControlAction::Pause), sends(Command::Pause));
    assert_eq!(state.paused_at, None, "not before the run confirms it");
    apply_effect(&mut state, CommandEffect::Paused);
    assert_eq!(press(&mut state, RunControlAction::Pause), sends(Command::Resume));
    assert_eq!(press(&mut state, RunControlAction::SaveNow), sends(Command::SaveCheckpoint));
    assert_eq!(press(&mut state, RunControlAction::EvaluateNow), sends(Command::Evaluate));
    assert_eq!(
        press(&mut state, RunControlAction::StopAfterEpoch),
        sends(Command::StopAfterEpoch { enabled: true })
    );
    // Again before the run has applied it: that is cancelled.
    let mut hasty = state.clone();
    assert_eq!(
        press(&mut hasty, RunControlAction::StopAfterEpoch),
        sends(Command::StopAfterEpoch { enabled: false })
    );
    for enabled in [true, false] {
        apply_effect(&mut hasty, CommandEffect::StopAfterEpoch { enabled });
    }
    assert_eq!((hasty.stop_after_epoch, hasty.requests.stop_after_epoch), (false, None));
    apply_effect(&mut state, CommandEffect::StopAfterEpoch { enabled: true });
    assert_eq!(
        press(&mut state, RunControlAction::StopAfterEpoch),
        sends(Command::StopAfterEpoch { enabled: false })
    );
    assert_eq!(state.applied_commands.len(), 2);
}

#[test]
fn a_pause_is_taken_back_before_it_begins() {
    let mut state = training();
    assert_eq!(press(&mut state, RunControlAction::Pause), sends(Command::Pause));
    assert_eq!(press(&mut state, RunControlAction::Pause), sends(Command::Resume));
    apply_effect(&mut state, CommandEffect::Paused);
    apply_effect(&mut state, CommandEffect::Resumed { seconds: 0.0 });
    assert_eq!(state.requests.pause, None, "both have happened");
    assert_eq!(press(&mut state, RunControlAction::Pause), sends(Command::Pause));
    apply_effect(&mut state, CommandEffect::Paused);
    assert_eq!(press(&mut state, RunControlAction::Pause), sends(Command::Resume));
}

#[test]
fn the_clock_stops_while_the_run_is_paused() {
    let mut state = training();
    update(&mut state, Message::Tick(12.5));
    assert_eq!(state.elapsed(), 2.5);
    apply_effect(&mut state, CommandEffect::Paused);
    update(&mut state, Message::Tick(100.0));
    assert_eq!(state.elapsed(), 2.5);
    apply_effect(&mut state, CommandEffect::Resumed { seconds: 87.5 });
    update(&mut state, Message::Tick(101.0));
    assert_eq!(state.elapsed(), 3.5);
}

#[test]
fn a_rate_is_typed_and_set() {
    let mut state = training();
    // Step 316 is the one after 315 of 630 steps, at half the peak.
    let latest = Step { learning_rate: 3e-4 * 316.0 / 630.0, ..step(315, 0.5, 3.0) };
    update(&mut state, Message::Report(RunReport::Event(TrainEvent::Step(latest))));
    press(&mut state, RunControlAction::AskRate);
    assert_eq!(state.rate_input.input.value(), "1.5e-4");
    press(&mut state, RunControlAction::DoubleRate);
    assert_eq!(state.rate_input.input.value(), "3e-4");
    press(&mut state, RunControlAction::HalveRate);
    press(&mut state, RunControlAction::HalveRate);
    assert_eq!(state.rate_input.input.value(), "7.5e-5");
    let edit = |state: &mut State, request| {
        update(state, Message::Action(Action::Edit(request)));
    };
    edit(&mut state, InputRequest::DeleteLine);
    for c in "x가2\u{1b}e-5 ".chars() {
        edit(&mut state, InputRequest::InsertChar(c));
    }
    assert_eq!(state.rate_input.input.value(), "2e-5");
    assert_eq!(
        press(&mut state, RunControlAction::SetRate),
        sends(Command::SetLearningRate { rate: 2e-5 })
    );
    assert_eq!(state.overlay, None);
}

#[test]
fn a_rate_that_is_not_edited_stays_that_of_the_next_step() {
    let mut state = training();
    let train = |state: &mut State, number, learning_rate| {
        let next = Step { learning_rate, ..step(number, 0.5, 3.0) };
        update(state, Message::Report(RunReport::Event(TrainEvent::Step(next))));
    };
    press(&mut state, RunControlAction::AskRate);
    let before = state.rate_input.value();
    train(&mut state, 21, 1.25e-4);
    let next = LearningRateInput::new(next_rate(&state).expect("a rate").rate).value();
    assert!(state.rate_input.value() == next && next != before, "{before:?} {next:?}");
    assert!(state.rate_input.is_unchanged());
    press(&mut state, RunControlAction::DoubleRate);
    let doubled = state.rate_input.value();
    train(&mut state, 22, 1e-4);
    assert_eq!(state.rate_input.value(), doubled, "it was edited");
}

#[test]
fn an_invalid_rate_is_not_sent() {
    let mut state = training();
    press(&mut state, RunControlAction::AskRate);
    for text in ["", "e", "0", "-1", "2", "1e999", "1e-400", "."] {
        state.rate_input.input = Input::new(text.to_owned());
        assert_eq!(press(&mut state, RunControlAction::SetRate), [], "{text}");
        assert_eq!(state.overlay, Some(Overlay::LearningRate));
    }
    for _ in 0..100 {
        state.rate_input.edit(InputRequest::InsertChar('1'));
    }
    assert!(state.rate_input.input.value().len() <= 20);
}

#[test]
fn a_finished_run_cannot_be_controlled() {
    let mut state = training();
    press(&mut state, RunControlAction::AskRate);
    update(&mut state, Message::Report(RunReport::Activity(Activity::Idle)));
    assert_eq!(state.overlay, None);
    let notice = state.notice.take().map(|notice| notice.text);
    assert_eq!(notice.as_deref(), Some("the run has ended"), "the rate is not set");
    for action in [RunControlAction::Pause, RunControlAction::SaveNow, RunControlAction::AskRate] {
        assert_eq!(press(&mut state, action), []);
    }
    assert_eq!(state.overlay, None);
}

#[test]
fn a_request_that_the_run_no_longer_hears_has_an_outcome() {
    let mut state = training();
    press(&mut state, RunControlAction::EvaluateNow);
    apply_effect(&mut state, CommandEffect::EvaluationRequested);
    assert!(state.requests.evaluation);
    state.notice = None;
    update(&mut state, Message::Report(RunReport::Activity(Activity::Idle)));
    let notice = state.notice.take().map(|notice| notice.text);
    assert_eq!(notice.as_deref(), Some("the run has ended"));
}

#[test]
fn typing_replaces_a_rate_that_was_filled_in() {
    let mut state = training();
    press(&mut state, RunControlAction::AskRate);
    assert!(state.rate_input.is_filled_in && !state.rate_input.input.value().is_empty());
    for c in "5e-5".chars() {
        state.rate_input.edit(InputRequest::InsertChar(c));
    }
    assert_eq!(state.rate_input.input.value(), "5e-5");
    press(&mut state, RunControlAction::AskRate);
    state.rate_input.edit(InputRequest::GoToPrevChar);
    let before = state.rate_input.input.value().to_owned();
    state.rate_input.edit(InputRequest::InsertChar('1'));
    assert_eq!(state.rate_input.input.value().len(), before.len() + 1, "the caret was moved");
    press(&mut state, RunControlAction::AskRate);
    state.rate_input.edit(InputRequest::DeletePrevChar);
    assert_eq!(state.rate_input.input.value(), "");
    press(&mut state, RunControlAction::AskRate);
    state.rate_input.edit(InputRequest::InsertChar('x'));
    assert!(state.rate_input.is_filled_in, "other characters change nothing");
}

#[test]
fn enter_without_a_change_changes_nothing_and_says_so() {
    let mut state = training();
    // The prefilled rate, that of the next step, is rounded: 8.959_8…e-5.
    let rate = 8.974_358_974e-5;
    let next = TrainEvent::Step(Step { learning_rate: rate, ..step(21, 0.5, 3.0) });
    update(&mut state, Message::Report(RunReport::Event(next)));
    let same = |state: &mut State| {
        assert!(state.rate_input.is_unchanged());
        assert_eq!(press(state, RunControlAction::SetRate), []);
        let notice = state.notice.as_ref().map(|notice| notice.text.as_str());
        assert_eq!((state.overlay, notice), (None, Some("the learning rate is not changed")));
    };
    press(&mut state, RunControlAction::AskRate);
    assert_eq!(state.rate_input.input.value(), "8.96e-5");
    same(&mut state);
    press(&mut state, RunControlAction::AskRate);
    press(&mut state, RunControlAction::DoubleRate);
    assert!(!state.rate_input.is_unchanged());
    let doubled = press(&mut state, RunControlAction::SetRate);
    assert!(
        matches!(doubled[..], [Effect::Send(Command::SetLearningRate { rate })] if rate > 1.79e-4)
    );
}

#[test]
fn a_request_to_evaluate_again_is_answered_with_the_numbers() {
    let mut state = State::default();
    for event in crate::core::train::fixtures::run(126) {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    let effect = CommandEffect::AlreadyEvaluated;
    let applied = CommandApplied { step: 126, epoch: 2.0, elapsed: 20.0, effect };
    update(&mut state, Message::Report(RunReport::Event(TrainEvent::CommandApplied(applied))));
    let said = state.notice.map(|notice| notice.text).unwrap_or_default();
    assert!(said.starts_with("evaluation at step 126: loss 0."), "{said}");
    assert!(said.contains(", accuracy 0."), "{said}");
}
