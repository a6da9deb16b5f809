use super::super::update;
use super::*;
use crate::core::train::fixtures::run;
use crate::run::protocol::{Activity, RunReport};
use crate::screen::app::replay::Replay;
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::{Action, Message};

fn attached() -> State {
    let mut state = State { location: RunLocation::Attached { pid: 7 }, ..State::default() };
    state.now = 100.0;
    update(&mut state, Message::Report(RunReport::Recorded(run(8))));
    state
}

fn report(state: &mut State, has_keys: bool) {
    let status = SessionStatus {
        has_keys,
        holder: Some("kim on pts/3".to_owned()),
        elapsed: Some(42.0),
        ..SessionStatus::default()
    };
    update(state, Message::Report(RunReport::Session(status)));
    update(state, Message::Report(RunReport::Activity(Activity::Training)));
}

fn press(state: &mut State, action: Action) -> Vec<Effect> {
    update(state, Message::Action(action))
}

#[test]
fn recorded_events_fill_charts_and_log_and_the_clock_goes_on() {
    let mut state = attached();
    report(&mut state, true);
    assert_eq!(state.steps_done(), 8);
    assert!(state.log.lines.len() > 1, "{:?}", state.log.lines);
    assert_eq!(state.elapsed(), 42.0);
    state.now += 3.0;
    assert_eq!(state.elapsed(), 45.0);
}

#[test]
fn a_dashboard_without_the_keys_controls_nothing_until_it_takes_them() {
    use RunControlAction::Pause;
    let mut state = attached();
    report(&mut state, false);
    assert!(press(&mut state, Action::RunControl(Pause)).is_empty());
    let notice = state.notice.clone().map(|notice| notice.text).unwrap_or_default();
    assert_eq!(notice, "kim on pts/3 has the keys; K takes them over");
    assert_eq!(press(&mut state, Action::TakeKeys), [Effect::Send(Command::TakeKeys)]);
    report(&mut state, true);
    assert_eq!(state.notice.as_ref().map(|n| n.text.as_str()), Some("you have the keys"));
    assert_eq!(press(&mut state, Action::RunControl(Pause)), [Effect::Send(Command::Pause)]);
    assert!(press(&mut state, Action::TakeKeys).is_empty(), "it has them");
}

#[test]
fn a_run_of_another_computer_is_only_watched() {
    let mut state = attached();
    state.location = RunLocation::Unreachable;
    let status = SessionStatus { elapsed: Some(42.0), ..SessionStatus::default() };
    update(&mut state, Message::Report(RunReport::Session(status)));
    update(&mut state, Message::Report(RunReport::Activity(Activity::Training)));
    state.now += 3.0;
    assert_eq!(state.elapsed(), 45.0, "the clock is that of the run");
    for action in [Action::TakeKeys, Action::RunControl(RunControlAction::Pause)] {
        assert!(press(&mut state, action).is_empty());
        let notice = state.notice.take().map(|notice| notice.text).unwrap_or_default();
        assert_eq!(notice, "the run is on another computer: it can only be watched");
    }
}

#[test]
fn esc_leads_from_an_opened_run_back_to_the_list() {
    let mut state = attached();
    assert!(press(&mut state, Action::ClearView).is_empty());
    state.opened_from_list = true;
    state.charts.cursor = Some(3.0);
    assert!(press(&mut state, Action::ClearView).is_empty(), "it clears the cursor first");
    assert_eq!(press(&mut state, Action::ClearView), [Effect::Quit]);
}

#[test]
fn leaving_stops_nothing() {
    let mut state = attached();
    report(&mut state, true);
    assert_eq!(press(&mut state, Action::Detach), [Effect::Quit]);
    assert!(press(&mut state, Action::QuitWithoutSaving).is_empty(), "y stops it");
    assert!(state.notice.as_ref().is_some_and(|notice| notice.text.starts_with("y stops")));
    assert_eq!(update(&mut state, Message::Terminate), [Effect::Quit]);
    assert!(press(&mut state, Action::Quit).is_empty(), "it asks, since q may stop the run");
    report(&mut state, false);
    state.overlay = None;
    assert_eq!(press(&mut state, Action::Quit), [Effect::Quit], "a viewer just leaves");

    state.location = RunLocation::Here;
    assert_eq!(press(&mut state, Action::Detach), [Effect::Detach]);
    let mut early = State::default();
    assert!(press(&mut early, Action::Detach).is_empty());
    let mut replay = State { replay: Some(Replay::new(1.0)), ..State::default() };
    assert!(press(&mut replay, Action::Detach).is_empty());
    assert_eq!(replay.notice.as_ref().map(|notice| &*notice.text), Some("q leaves a replay"));
    assert!(early.notice.is_some(), "it has not begun");
    update(&mut state, Message::Report(RunReport::Activity(Activity::Idle)));
    state.saved = Some(crate::core::train::event::Saved {
        path: "outputs".to_owned(),
        step: 8,
        seconds: 0.1,
    });
    assert_eq!(press(&mut state, Action::Detach), [Effect::Detach], "it has ended");
    state.opened_from_list = true;
    assert_eq!(press(&mut state, Action::Detach), [Effect::Quit], "back to the list");
}

#[test]
fn a_lost_connection_closes_the_dashboard_with_its_reason() {
    let mut state = attached();
    let lost = Message::Report(RunReport::Lost("gone".to_owned()));
    assert_eq!(update(&mut state, lost), [Effect::Quit]);
    assert_eq!(state.lost.as_deref(), Some("gone"));
}
