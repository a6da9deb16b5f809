//! Actions on the charts of a run.

use super::*;
use crate::core::train::fixtures::run;
use crate::run::worker::Report;
use crate::screen::app::{Message, update};
use XAxis::{Epoch, Relative, Step, Wall};

fn trained() -> State {
    let mut state = State::default();
    for event in run(200) {
        update(&mut state, Message::Report(Report::Event(event)));
    }
    state
}

fn press(state: &mut State, actions: &[ChartAction]) {
    for action in actions {
        apply(state, *action);
    }
}

#[test]
fn the_cursor_reads_exact_steps() {
    let mut state = trained();
    press(&mut state, &[ChartAction::CursorToFirst]);
    assert_eq!(state.charts.cursor, Some(1.0));
    press(
        &mut state,
        &[ChartAction::CursorToLast, ChartAction::StepCursor(-1), ChartAction::StepCursor(-1)],
    );
    assert_eq!(state.charts.cursor, Some(198.0));
    press(
        &mut state,
        &[ChartAction::StepCursor(1), ChartAction::StepCursor(1), ChartAction::StepCursor(1)],
    );
    assert_eq!(state.charts.cursor, Some(200.0), "it stops at the last point");
    state.panels.focus = Panel::Accuracy;
    press(&mut state, &[ChartAction::StepCursor(-1)]);
    assert_eq!(state.charts.cursor, Some(189.0), "evaluations are the points of this panel");
}

#[test]
fn following_begins_with_the_latest_quarter() {
    let mut state = trained();
    press(&mut state, &[ChartAction::Follow]);
    assert_eq!(state.charts.visible_steps(200.0), [150.0, 200.0]);
    assert_eq!(state.charts.visible_steps(240.0), [190.0, 240.0]);
    press(&mut state, &[ChartAction::Follow]);
    assert_eq!(state.charts.visible_steps(240.0), [150.0, 200.0], "it no longer follows");
    press(&mut state, &[ChartAction::ResetZoom]);
    assert_eq!(state.charts.visible_steps(200.0), [0.0, 200.0]);
}

#[test]
fn wall_time_is_skipped_without_a_wall_clock() {
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
fn the_view_is_cleared_step_by_step() {
    let mut state = trained();
    press(&mut state, &[ChartAction::ZoomIn, ChartAction::CursorToLast]);
    state.panels.maximized = true;
    let held = |state: &State| {
        (state.charts.cursor.is_some(), state.charts.window.is_some(), state.panels.maximized)
    };
    assert_eq!(held(&state), (true, true, true));
    for left in [(false, true, true), (false, false, true), (false, false, false)] {
        clear_view(&mut state);
        assert_eq!(held(&state), left);
    }
}

#[test]
fn smoothing_applies_to_the_curves() {
    let mut state = trained();
    let before = state.history.loss.last_smoothed();
    press(&mut state, &[ChartAction::AdjustSmoothing(-1)]);
    assert_eq!(state.smoothing, 0.8);
    assert_ne!(state.history.loss.last_smoothed(), before);
    (0..20).for_each(|_| press(&mut state, &[ChartAction::AdjustSmoothing(-1)]));
    assert_eq!(state.history.loss.last_smoothed(), state.history.loss.last());
}

#[test]
fn a_logarithmic_axis_applies_to_the_focused_panel() {
    let mut state = trained();
    press(&mut state, &[ChartAction::LogY]);
    state.panels.focus = Panel::GradNorm;
    press(&mut state, &[ChartAction::LogY]);
    assert_eq!(state.charts.log_y.len(), 2);
    press(&mut state, &[ChartAction::LogY]);
    assert!(state.charts.log_y.contains(&Panel::Loss) && state.charts.log_y.len() == 1);
}
