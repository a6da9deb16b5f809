//! What messages do.

use super::*;
use crate::core::train::event::Failed;
use crate::core::train::fixtures::{ending, failure, run};
use crate::run::protocol::Answer;
use crate::run::system_metrics::SystemSample;
use crate::screen::app::log_view::LogAction;
use crate::screen::app::replay::Replay;

fn told(events: Vec<TrainEvent>) -> State {
    let mut state = State::default();
    tell(&mut state, events);
    state
}

fn tell(state: &mut State, events: Vec<TrainEvent>) {
    for event in events {
        update(state, Message::Report(RunReport::Event(event)));
    }
}

fn doing(state: &mut State, activity: Activity) -> Vec<Effect> {
    update(state, Message::Report(RunReport::Activity(activity)))
}

fn press(state: &mut State, action: Action) -> Vec<Effect> {
    update(state, Message::Action(action))
}

#[test]
fn a_run_is_folded_into_charts_and_tables() {
    let state = told(run(200));
    assert_eq!(state.history.loss.len(), 200);
    assert_eq!(state.epochs.len(), 3);
    assert!(state.epochs.iter().all(|row| row.train.is_some() && row.eval.is_some()));
    assert_eq!(state.history.eval_loss.len(), 3);
    assert_eq!(state.best.as_ref().map(|best| best.step), Some(189));
    assert_eq!(state.steps_done(), 200);
}

#[test]
fn quitting_while_training_asks_first() {
    let mut state = told(run(5));
    doing(&mut state, Activity::Training);
    assert!(press(&mut state, Action::Quit).is_empty());
    assert_eq!(state.overlay, Some(Overlay::ConfirmQuit));
    press(&mut state, Action::Close);
    assert_eq!(state.overlay, None);
    press(&mut state, Action::Quit);
    let stop = Effect::Send(Command::Stop { evaluate: false });
    assert_eq!(press(&mut state, Action::StopAndQuit), [stop]);
    tell(&mut state, ending());
    assert_eq!(doing(&mut state, Activity::Idle), [Effect::Quit]);
}

#[test]
fn control_c_asks_then_stops_then_leaves_at_once() {
    let mut state = told(run(5));
    doing(&mut state, Activity::Training);
    assert!(press(&mut state, Action::Interrupt).is_empty());
    let stop = Effect::Send(Command::Stop { evaluate: false });
    assert_eq!(press(&mut state, Action::Interrupt), [stop]);
    assert!(press(&mut state, Action::Quit).is_empty(), "a q too many loses nothing");
    assert_eq!(press(&mut state, Action::Interrupt), [Effect::Quit]);
}

#[test]
fn a_signal_stops_and_saves_and_a_second_one_leaves() {
    let mut state = told(run(5));
    doing(&mut state, Activity::Training);
    let stop = Effect::Send(Command::Stop { evaluate: false });
    assert_eq!(update(&mut state, Message::Terminate), [stop]);
    assert_eq!(update(&mut state, Message::Terminate), [Effect::Quit]);
}

#[test]
fn before_training_and_after_it_quitting_just_leaves() {
    let mut state = State::default();
    press(&mut state, Action::Quit);
    assert_eq!(press(&mut state, Action::StopAndQuit), [Effect::Quit]);
    let mut state = told([run(630), ending()].concat());
    doing(&mut state, Activity::Idle);
    assert_eq!(press(&mut state, Action::Quit), [Effect::Quit]);
}

#[test]
fn a_question_open_when_the_run_ends_is_withdrawn() {
    let mut state = told(run(630));
    doing(&mut state, Activity::Training);
    press(&mut state, Action::Quit);
    tell(&mut state, ending());
    assert!(doing(&mut state, Activity::Idle).is_empty());
    assert_eq!(state.overlay, None);
}

#[test]
fn a_model_that_could_not_be_saved_is_not_left_without_asking() {
    let mut state = told(run(630));
    doing(&mut state, Activity::Training);
    press(&mut state, Action::Quit);
    press(&mut state, Action::StopAndQuit);
    let [_, finished] = &ending()[..] else { return };
    let unsaved =
        TrainEvent::Failed(Failed { message: "disk full".to_owned(), hint: None, step: 630 });
    tell(&mut state, vec![unsaved, finished.clone()]);
    assert!(doing(&mut state, Activity::Idle).is_empty(), "it would be lost");
    assert_eq!(state.overlay, Some(Overlay::ConfirmUnsaved));
    press(&mut state, Action::Close);
    assert!(press(&mut state, Action::Quit).is_empty());
    assert_eq!(state.overlay, Some(Overlay::ConfirmUnsaved));
    press(&mut state, Action::Close);
    assert_eq!(press(&mut state, Action::SaveAgain), [Effect::Send(Command::SaveModel)]);
    tell(&mut state, ending()[..1].to_vec());
    doing(&mut state, Activity::Idle);
    assert!(state.failed.is_none());
    assert_eq!(press(&mut state, Action::Quit), [Effect::Quit]);
}

#[test]
fn a_failure_is_kept_with_what_to_do_about_it() {
    let mut state = told([run(100), vec![failure()]].concat());
    doing(&mut state, Activity::Idle);
    assert!(state.failed.is_some());
    assert!(press(&mut state, Action::Quit).is_empty(), "what was learned can still be saved");
    assert_eq!(press(&mut state, Action::SaveAgain), [Effect::Send(Command::SaveModel)]);
    tell(&mut state, ending()[..1].to_vec());
    doing(&mut state, Activity::Idle);
    assert!(state.failed.is_some(), "saved or not, the run failed");
    assert_eq!(press(&mut state, Action::Quit), [Effect::Quit]);
    let lines: Vec<&str> = state.log.lines.iter().map(|l| l.text.as_str()).collect();
    assert!(lines.contains(&"the loss is NaN at step 101"));
    assert!(lines.contains(&"Try a lower --learning-rate."));
}

#[test]
fn questions_go_out_and_answers_come_in() {
    let mut state = told(run(5));
    press(&mut state, Action::Show(Page::Predict));
    update(&mut state, Message::Paste("재밌다".to_owned()));
    let ask = Effect::Send(Command::Predict { text: "재밌다".to_owned() });
    assert_eq!(press(&mut state, Action::Submit), [ask]);
    assert_eq!(state.prompt.waiting, 1);
    let answer = Answer { text: "재밌다".to_owned(), outcome: Err("no".to_owned()) };
    update(&mut state, Message::Report(RunReport::Answer(answer)));
    assert_eq!((state.prompt.waiting, state.prompt.answers.len()), (0, 1));
}

#[test]
fn pasting_outside_the_predict_pane_does_nothing() {
    let mut state = State::default();
    update(&mut state, Message::Paste("q".to_owned()));
    assert_eq!(state.prompt.input.value(), "");
}

#[test]
fn what_is_pasted_goes_where_the_caret_is() {
    let mut state = State::default();
    let paste = |state: &mut State| update(state, Message::Paste("영화\n".to_owned()));
    press(&mut state, Action::Show(Page::Log));
    paste(&mut state);
    press(&mut state, Action::Log(LogAction::Search));
    paste(&mut state);
    assert_eq!(state.log.view.search.text(), "영화");
    press(&mut state, Action::Show(Page::Predict));
    assert!(!state.log.is_typing(), "another page has other keys");
    update(&mut state, Message::Choose(Vec::new()));
    paste(&mut state);
    assert_eq!(state.palette.line.value(), "영화");
    assert_eq!((state.prompt.input.value(), state.log.view.search.text()), ("", "영화"));
}

#[test]
fn the_list_does_not_open_over_a_question() {
    let mut state = told(run(5));
    doing(&mut state, Activity::Training);
    press(&mut state, Action::Quit);
    update(&mut state, Message::Choose(Vec::new()));
    assert_eq!(state.overlay, Some(Overlay::ConfirmQuit));
}

#[test]
fn pages_go_round() {
    let mut state = State::default();
    for page in [Page::Predict, Page::Settings, Page::Log, Page::Train] {
        press(&mut state, Action::NextPage);
        assert_eq!(state.page, page);
    }
    press(&mut state, Action::PreviousPage);
    assert_eq!(state.page, Page::Log);
}

#[test]
fn a_replay_is_left_at_once_and_has_nothing_to_save() {
    let replay = || State { replay: Some(Replay::new(20.0)), ..State::default() };
    let mut unsaved = run(630);
    unsaved.push(failure());
    for (events, activity) in
        [(run(5), Activity::Training), (unsaved, Activity::Idle), (run(5), Activity::Idle)]
    {
        for action in [Action::Quit, Action::Interrupt] {
            let mut state = replay();
            tell(&mut state, events.clone());
            doing(&mut state, activity.clone());
            assert_eq!(press(&mut state, action), [Effect::Quit], "{action:?}");
            assert_eq!(state.overlay, None);
            assert!(!state.is_unsaved());
            assert!(press(&mut state, Action::SaveAgain).is_empty());
            assert_eq!(update(&mut state, Message::Terminate), [Effect::Quit]);
        }
    }
}

#[test]
fn a_replay_keeps_the_time_of_its_run() {
    let mut state = State { replay: Some(Replay::new(20.0)), ..State::default() };
    doing(&mut state, Activity::Training);
    update(&mut state, Message::Tick(3.0));
    tell(&mut state, run(80));
    // 80 steps of an eighth of a second and an evaluation of two.
    assert_eq!(state.elapsed(), 12.0);
    update(&mut state, Message::Tick(3.02));
    assert!((state.elapsed() - 12.4).abs() < 1e-9);
    assert_eq!(state.clock_when_training_began(), None);
    doing(&mut state, Activity::Idle);
    assert_eq!(state.elapsed(), 12.0);
    assert_eq!(state.log.lines.back().map(|line| line.time.as_str()), Some("0:10"));
}

#[test]
fn what_the_machine_does_is_kept_beside_the_run() {
    let mut state = told(run(5));
    let sample = SystemSample { cpu: 0.5, elapsed: 2.0, ..SystemSample::default() };
    assert!(update(&mut state, Message::Report(RunReport::System(sample.clone()))).is_empty());
    assert_eq!(state.system.cpu.points(), [(2.0, 0.5)]);
    assert_eq!(state.system.last, Some(sample));
}
