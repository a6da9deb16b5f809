//! What keys and mouse do to the charts.

use super::charts::{ChartAction, Charts, XAxis};
use super::panels::Panel;
use super::runs::Runs;
use super::state::State;
use crate::run::metric_series::Curve;

/// Obeys a key.
pub fn act(state: &mut State, action: ChartAction) {
    let end = state.end();
    let focus = in_focus(state);
    match action {
        ChartAction::Move(columns) => {
            let mut charts = std::mem::take(&mut state.charts);
            let width = state.layout.plots.first().map_or(40, |(_, plot)| plot.width);
            charts.move_cursor(columns, width, pointed_at(state, focus), end);
            state.charts = charts;
        }
        ChartAction::Step(by) => {
            let curve = pointed_at(state, focus);
            let here = state.charts.cursor.unwrap_or(end);
            if let Some(step) = curve.neighbour(here, by) {
                state.charts.point_at(step, end);
            }
        }
        ChartAction::First => go_to(state, focus, |ends| ends.0),
        ChartAction::Last => go_to(state, focus, |ends| ends.1),
        ChartAction::ZoomIn => state.charts.zoom(0.5, None, end),
        ChartAction::ZoomOut => state.charts.zoom(2.0, None, end),
        ChartAction::Pan(quarters) => {
            let [from, to] = state.charts.view(end);
            state.charts.pan((to - from) / 4.0 * quarters as f64, end);
        }
        ChartAction::Whole => (state.charts.window, state.charts.follow) = (None, false),
        ChartAction::Follow => {
            let [from, to] = state.charts.view(end);
            // Nothing to follow while all is in view: then the latest quarter is.
            let width = if state.charts.window.is_some() { to - from } else { (to - from) / 4.0 };
            state.charts.follow = !state.charts.follow;
            state.charts.window =
                Some(if state.charts.follow { [(end - width).max(0.0), end] } else { [from, to] });
        }
        ChartAction::NextAxis => {
            let known = |axis: &&XAxis| **axis != XAxis::Wall || state.wall_clock.is_some();
            let axes: Vec<XAxis> = XAxis::ALL.iter().filter(known).copied().collect();
            let here = axes.iter().position(|axis| *axis == state.charts.axis).unwrap_or(0);
            state.charts.axis = axes[(here + 1) % axes.len()];
        }
        ChartAction::LogY => {
            if !state.charts.log_y.remove(&focus) {
                state.charts.log_y.insert(focus);
            }
            state.layout.y_ranges.remove(&focus);
        }
        ChartAction::NextRange => {
            let drawn = state.layout.y_ranges.remove(&focus);
            state.charts.next_range(focus, drawn);
        }
        ChartAction::Smooth(by) => {
            state.smoothing = Charts::smoothing_after(state.smoothing, by);
            state.history.smooth(state.smoothing);
            if let Some(runs) = &mut state.runs {
                runs.smooth(state.smoothing);
            }
        }
    }
}

/// The panel whose axes keys are about.
fn in_focus(state: &State) -> Panel {
    state.runs.as_ref().map_or(state.arrangement.focus, |runs| runs.figure.panel())
}

/// The curve whose points the cursor goes through: the one of the panel in focus with the most.
fn pointed_at(state: &State, focus: Panel) -> &Curve {
    let history = &state.history;
    if let Some(curve) = state.runs.as_ref().and_then(Runs::pointed_at) {
        return curve;
    }
    match focus {
        Panel::Accuracy if history.eval_accuracy.len() >= history.train_accuracy.len() => {
            &history.eval_accuracy
        }
        Panel::Accuracy => &history.train_accuracy,
        _ => &history.loss,
    }
}

fn go_to(state: &mut State, focus: Panel, end_of: impl Fn((f64, f64)) -> f64) {
    if let Some(ends) = pointed_at(state, focus).ends() {
        let end = state.end();
        state.charts.point_at(end_of(ends), end);
    }
}

/// Lets go of one thing at a time: the cursor, the zoom, the panel that fills the page.
pub fn let_go(state: &mut State) {
    if state.charts.cursor.take().is_some() {
        return;
    }
    if state.charts.window.take().is_some() {
        state.charts.follow = false;
        return;
    }
    state.arrangement.maximised = false;
}

#[cfg(test)]
#[path = "chart_view_tests.rs"]
mod tests;
