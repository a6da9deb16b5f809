//! Updates by messages.

use super::*;
use crate::core::train::event::{Failed, RolledBack, Setting, TrainEvent};
use crate::core::train::fixtures::{ending, evaluated, failure, run, started};
use crate::run::protocol::{Answer, Notification, NotifyEvent, RunReport};
use crate::run::system_metrics::SystemSample;
use crate::screen::app::log::LogAction;
use crate::screen::app::replay::Replay;

fn after(events: Vec<TrainEvent>) -> State {
    let mut state = State::default();
    push(&mut state, events);
    state
}

fn push(state: &mut State, events: Vec<TrainEvent>) {
    for event in events {
        update(state, Message::Report(RunReport::Event(event)));
    }
}

fn set_activity(state: &mut State, activity: Activity) -> Vec<Effect> {
    update(state, Message::Report(RunReport::Activity(activity)))
}

fn press(state: &mut State, action: Action) -> Vec<Effect> {
    update(state, Message::Action(action))
}

#[test]
fn events_update_charts_and_tables() {
    let state = after(run(200));
    assert_eq!(state.history.loss.len(), 200);
    assert_eq!(state.epochs.len(), 3);
    assert!(state.epochs.iter().all(|row| row.train.is_some() && row.eval.is_some()));
    assert_eq!(state.history.eval_loss.len(), 3);
    assert_eq!(state.best.as_ref().map(|best| best.step), Some(189));
    assert_eq!(state.steps_done(), 200);
}

#[test]
fn a_rollback_removes_what_belongs_to_later_steps() {
    let mut state = after(run(200));
    let back = RolledBack {
        step: 130,
        epoch: 130.0 / 63.0,
        failed_step: 201,
        learning_rate: 1e-4,
        count: 1,
        limit: 3,
        elapsed: 99.0,
    };
    push(&mut state, vec![TrainEvent::RolledBack(back)]);
    assert_eq!(state.steps_done(), 130);
    assert_eq!((state.history.loss.len(), state.history.eval_loss.len()), (130, 2));
    assert_eq!(state.epochs.len(), 2);
    let steps = [&state.best, &state.evaluated].map(|found| found.as_ref().map(|it| it.step));
    assert_eq!(steps, [Some(126), Some(126)]);
    let line = state.log.lines.back().map(|line| line.text.clone()).unwrap_or_default();
    assert!(line.starts_with("step 201 was not finite: continued from the checkpoint"), "{line}");
}

#[test]
fn notifications_ring_and_problems_are_logged() {
    for (event, logged) in [
        (NotifyEvent::Stall, "no progress since step 7"),
        (NotifyEvent::Spike, "step 7: the loss is far above its usual range"),
        (NotifyEvent::Disk, "the disk has room for fewer than two checkpoints"),
        (NotifyEvent::Finished, ""),
    ] {
        let notification = Notification {
            event,
            run: "outputs".to_owned(),
            message: "text".to_owned(),
            step: 7,
            max_steps: 9,
            seconds: 61.0,
            loss: None,
            eval_loss: None,
            eval_accuracy: None,
        };
        let mut state = State::default();
        let report = RunReport::Notification(notification.clone());
        let effects = update(&mut state, Message::Report(report));
        assert_eq!(effects, [Effect::Notify(notification)]);
        let line = state.log.lines.back().map(|line| line.text.clone()).unwrap_or_default();
        assert_eq!(line, logged);
    }
}

#[test]
fn the_best_evaluation_of_pretraining_has_the_lowest_loss() {
    let mut started = started();
    let (name, value, reason) = ("objective".to_owned(), "mlm".to_owned(), "flag".to_owned());
    started.settings.push(Setting { name, value, reason });
    let mut state = after(vec![TrainEvent::Started(started)]);
    for (step, loss) in [(10, 8.5), (20, 8.0), (30, 8.2)] {
        let mut evaluation = evaluated(step, 1.0, step as f64 / 100.0, 1.0);
        evaluation.metrics.eval_loss = loss;
        push(&mut state, vec![TrainEvent::Evaluated(evaluation)]);
    }
    assert_eq!(state.best.as_ref().map(|best| best.step), Some(20));
    assert!(!state.is_language_model(), "it has classes");
}

#[test]
fn quitting_while_training_asks_first() {
    let mut state = after(run(5));
    set_activity(&mut state, Activity::Training);
    assert!(press(&mut state, Action::Quit).is_empty());
    assert_eq!(state.overlay, Some(Overlay::ConfirmQuit));
    press(&mut state, Action::Close);
    assert_eq!(state.overlay, None);
    press(&mut state, Action::Quit);
    let stop = Effect::Send(Command::Stop { evaluate: false });
    assert_eq!(press(&mut state, Action::StopAndQuit), [stop]);
    push(&mut state, ending());
    assert_eq!(set_activity(&mut state, Activity::Idle), [Effect::Quit]);
}

#[test]
fn control_c_asks_then_stops_then_quits_at_once() {
    let mut state = after(run(5));
    set_activity(&mut state, Activity::Training);
    assert!(press(&mut state, Action::Interrupt).is_empty());
    let stop = Effect::Send(Command::Stop { evaluate: false });
    assert_eq!(press(&mut state, Action::Interrupt), [stop]);
    assert!(
        press(&mut state, Action::Quit).is_empty(),
        "a second q does not quit before the model is saved"
    );
    assert_eq!(press(&mut state, Action::Interrupt), [Effect::Quit]);
}

#[test]
fn a_signal_stops_the_run_and_a_second_one_quits() {
    let mut state = after(run(5));
    set_activity(&mut state, Activity::Training);
    let stop = Effect::Send(Command::Stop { evaluate: false });
    assert_eq!(update(&mut state, Message::Terminate), [stop]);
    assert_eq!(update(&mut state, Message::Terminate), [Effect::Quit]);
}

#[test]
fn before_and_after_training_quitting_does_not_ask() {
    let mut state = State::default();
    press(&mut state, Action::Quit);
    assert_eq!(press(&mut state, Action::StopAndQuit), [Effect::Quit]);
    let mut state = after([run(630), ending()].concat());
    set_activity(&mut state, Activity::Idle);
    assert_eq!(press(&mut state, Action::Quit), [Effect::Quit]);
}

#[test]
fn an_open_question_closes_when_the_run_ends() {
    let mut state = after(run(630));
    set_activity(&mut state, Activity::Training);
    press(&mut state, Action::Quit);
    push(&mut state, ending());
    assert!(set_activity(&mut state, Activity::Idle).is_empty());
    assert_eq!(state.overlay, None);
}

#[test]
fn quitting_with_an_unsaved_model_asks_first() {
    let mut state = after(run(630));
    set_activity(&mut state, Activity::Training);
    press(&mut state, Action::Quit);
    press(&mut state, Action::StopAndQuit);
    let [_, finished] = &ending()[..] else { return };
    let unsaved =
        TrainEvent::Failed(Failed { message: "disk full".to_owned(), hint: None, step: 630 });
    push(&mut state, vec![unsaved, finished.clone()]);
    assert!(set_activity(&mut state, Activity::Idle).is_empty(), "it would be lost");
    assert_eq!(state.overlay, Some(Overlay::ConfirmUnsaved));
    press(&mut state, Action::Close);
    assert!(press(&mut state, Action::Quit).is_empty());
    assert_eq!(state.overlay, Some(Overlay::ConfirmUnsaved));
    press(&mut state, Action::Close);
    assert_eq!(press(&mut state, Action::SaveModel), [Effect::Send(Command::SaveModel)]);
    push(&mut state, ending()[..1].to_vec());
    set_activity(&mut state, Activity::Idle);
    assert!(state.failed.is_none());
    assert_eq!(press(&mut state, Action::Quit), [Effect::Quit]);
}

#[test]
fn a_failure_is_logged_with_its_hint() {
    let mut state = after([run(100), vec![failure()]].concat());
    set_activity(&mut state, Activity::Idle);
    assert!(state.failed.is_some());
    assert!(press(&mut state, Action::Quit).is_empty(), "the trained weights can still be saved");
    assert_eq!(press(&mut state, Action::SaveModel), [Effect::Send(Command::SaveModel)]);
    push(&mut state, ending()[..1].to_vec());
    set_activity(&mut state, Activity::Idle);
    assert!(state.failed.is_some(), "the run stays failed");
    assert_eq!(press(&mut state, Action::Quit), [Effect::Quit]);
    let lines: Vec<&str> = state.log.lines.iter().map(|l| l.text.as_str()).collect();
    assert!(lines.contains(&"the loss is NaN at step 101"));
    assert!(lines.contains(&"Try a lower --learning-rate."));
}

#[test]
fn texts_are_sent_and_answers_are_kept() {
    let mut state = after(run(5));
    press(&mut state, Action::ShowPage(Page::Predict));
    let ask = Effect::Send(Command::Predict { text: "재밌다".to_owned() });
    let typed = update(&mut state, Message::Paste("재밌다".to_owned()));
    assert_eq!(typed, std::slice::from_ref(&ask), "while it is typed");
    assert_eq!(press(&mut state, Action::Submit), [ask]);
    assert_eq!(state.prompt.pending, 1);
    let answer = Answer { text: "재밌다".to_owned(), outcome: Err("no".to_owned()), step: None };
    for _ in 0..2 {
        update(&mut state, Message::Report(RunReport::Answer(answer.clone())));
    }
    assert_eq!((state.prompt.pending, state.prompt.answers.len()), (0, 1));
}

#[test]
fn pasting_on_a_page_without_input_does_nothing() {
    let mut state = State::default();
    update(&mut state, Message::Paste("q".to_owned()));
    assert_eq!(state.prompt.input.text(), "");
}

#[test]
fn a_paste_goes_into_the_focused_input() {
    let mut state = State::default();
    let paste = |state: &mut State| update(state, Message::Paste("영화\n".to_owned()));
    press(&mut state, Action::ShowPage(Page::Log));
    paste(&mut state);
    press(&mut state, Action::Log(LogAction::Search));
    paste(&mut state);
    assert_eq!(state.log.view.search.text(), "영화");
    press(&mut state, Action::ShowPage(Page::Predict));
    assert!(!state.log.is_typing(), "changing the page closes the input");
    update(&mut state, Message::OpenPalette(Vec::new()));
    paste(&mut state);
    assert_eq!(state.palette.input.value(), "영화");
    assert_eq!((state.prompt.input.text(), state.log.view.search.text()), ("", "영화"));
}

#[test]
fn the_palette_does_not_open_over_a_question() {
    let mut state = after(run(5));
    set_activity(&mut state, Activity::Training);
    press(&mut state, Action::Quit);
    update(&mut state, Message::OpenPalette(Vec::new()));
    assert_eq!(state.overlay, Some(Overlay::ConfirmQuit));
}

#[test]
fn pages_wrap_around() {
    let mut state = State::default();
    for page in [Page::Predict, Page::Settings, Page::Log, Page::Mistakes, Page::Train] {
        press(&mut state, Action::NextPage);
        assert_eq!(state.page, page);
    }
    press(&mut state, Action::PreviousPage);
    assert_eq!(state.page, Page::Mistakes);
}

#[test]
fn a_replay_quits_at_once_and_has_nothing_to_save() {
    let replay = || State { replay: Some(Replay::new(20.0)), ..State::default() };
    let mut unsaved = run(630);
    unsaved.push(failure());
    for (events, activity) in
        [(run(5), Activity::Training), (unsaved, Activity::Idle), (run(5), Activity::Idle)]
    {
        for action in [Action::Quit, Action::Interrupt] {
            let mut state = replay();
            push(&mut state, events.clone());
            set_activity(&mut state, activity.clone());
            assert_eq!(press(&mut state, action), [Effect::Quit], "{action:?}");
            assert_eq!(state.overlay, None);
            assert!(!state.is_unsaved());
            assert!(press(&mut state, Action::SaveModel).is_empty());
            assert_eq!(update(&mut state, Message::Terminate), [Effect::Quit]);
        }
    }
}

#[test]
fn a_replay_uses_the_clock_of_its_run() {
    let mut state = State { replay: Some(Replay::new(20.0)), ..State::default() };
    set_activity(&mut state, Activity::Training);
    update(&mut state, Message::Tick(3.0));
    push(&mut state, run(80));
    // 80 steps of an eighth of a second and an evaluation of two seconds.
    assert_eq!(state.elapsed(), 12.0);
    update(&mut state, Message::Tick(3.02));
    assert!((state.elapsed() - 12.4).abs() < 1e-9);
    assert_eq!(state.training_start_time(), None);
    set_activity(&mut state, Activity::Idle);
    assert_eq!(state.elapsed(), 12.0);
    assert_eq!(state.log.lines.back().map(|line| line.time.as_str()), Some("0:10"));
}

#[test]
fn system_samples_are_kept_beside_the_run() {
    let mut state = after(run(5));
    let sample = SystemSample { cpu: 0.5, elapsed: 2.0, ..SystemSample::default() };
    assert!(update(&mut state, Message::Report(RunReport::System(sample.clone()))).is_empty());
    assert_eq!(state.system.cpu.points(), [(2.0, 0.5)]);
    assert_eq!(state.system.last, Some(sample));
}
