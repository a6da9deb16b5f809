//! Keys at the charts of a run.

use super::*;
use crate::core::train::fixtures::run;
use crate::run::protocol::RunReport;
use crate::screen::app::{Message, update};
use XAxis::{Epoch, Relative, Step, Wall};

fn trained() -> State {
    let mut state = State::default();
    for event in run(200) {
        update(&mut state, Message::Report(RunReport::Event(event)));
    }
    state
}

fn press(state: &mut State, actions: &[ChartAction]) {
    for action in actions {
        act(state, *action);
    }
}

#[test]
fn the_cursor_reads_exact_steps() {
    let mut state = trained();
    press(&mut state, &[ChartAction::First]);
    assert_eq!(state.charts.cursor, Some(1.0));
    press(&mut state, &[ChartAction::Last, ChartAction::Step(-1), ChartAction::Step(-1)]);
    assert_eq!(state.charts.cursor, Some(198.0));
    press(&mut state, &[ChartAction::Step(1), ChartAction::Step(1), ChartAction::Step(1)]);
    assert_eq!(state.charts.cursor, Some(200.0), "it ends at the last one");
    state.arrangement.focus = Panel::Accuracy;
    press(&mut state, &[ChartAction::Step(-1)]);
    assert_eq!(state.charts.cursor, Some(189.0), "evaluations are the points of this panel");
}

#[test]
fn following_begins_with_the_latest_quarter() {
    let mut state = trained();
    press(&mut state, &[ChartAction::Follow]);
    assert_eq!(state.charts.view(200.0), [150.0, 200.0]);
    assert_eq!(state.charts.view(240.0), [190.0, 240.0]);
    press(&mut state, &[ChartAction::Follow]);
    assert_eq!(state.charts.view(240.0), [150.0, 200.0], "it stays");
    press(&mut state, &[ChartAction::Whole]);
    assert_eq!(state.charts.view(200.0), [0.0, 200.0]);
}

#[test]
fn the_wall_clock_is_left_out_where_there_is_none() {
    let mut state = trained();
    let axes = |state: &mut State| {
        (0..4).map(|_| (press(state, &[ChartAction::NextAxis]), state.charts.axis).1).collect()
    };
    let seen: Vec<XAxis> = axes(&mut state);
    assert_eq!(seen, [Epoch, Relative, Step, Epoch]);
    state.wall_clock = Some(0.0);
    state.charts.axis = Step;
    let seen: Vec<XAxis> = axes(&mut state);
    assert_eq!(seen, [Epoch, Relative, Wall, Step]);
}

#[test]
fn one_thing_is_let_go_at_a_time() {
    let mut state = trained();
    press(&mut state, &[ChartAction::ZoomIn, ChartAction::Last]);
    state.arrangement.maximised = true;
    let held = |state: &State| {
        (state.charts.cursor.is_some(), state.charts.window.is_some(), state.arrangement.maximised)
    };
    assert_eq!(held(&state), (true, true, true));
    for left in [(false, true, true), (false, false, true), (false, false, false)] {
        let_go(&mut state);
        assert_eq!(held(&state), left);
    }
}

#[test]
fn smoothing_reaches_the_curves() {
    let mut state = trained();
    let before = state.history.loss.last_smoothed();
    press(&mut state, &[ChartAction::Smooth(-1)]);
    assert_eq!(state.smoothing, 0.8);
    assert_ne!(state.history.loss.last_smoothed(), before);
    (0..20).for_each(|_| press(&mut state, &[ChartAction::Smooth(-1)]));
    assert_eq!(state.history.loss.last_smoothed(), state.history.loss.last());
}

#[test]
fn a_logarithmic_axis_belongs_to_the_panel_in_focus() {
    let mut state = trained();
    press(&mut state, &[ChartAction::LogY]);
    state.arrangement.focus = Panel::GradNorm;
    press(&mut state, &[ChartAction::LogY]);
    assert_eq!(state.charts.log_y.len(), 2);
    press(&mut state, &[ChartAction::LogY]);
    assert!(state.charts.log_y.contains(&Panel::Loss) && state.charts.log_y.len() == 1);
}
