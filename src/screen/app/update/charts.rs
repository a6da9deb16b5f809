//! Updates by actions on the charts.

use crate::run::metric_series::Curve;
use crate::screen::app::charts::{ChartAction, Charts, XAxis};
use crate::screen::app::message::Effect;
use crate::screen::app::panels::Panel;
use crate::screen::app::runs::RunComparison;
use crate::screen::app::state::State;

/// The width of a plot before the first frame, in columns.
const COLUMNS: u16 = 40;

/// Applies an action.
pub(super) fn apply(state: &mut State, action: ChartAction) {
    let end = state.last_step();
    let focus = focused_panel(state);
    if matches!(action, ChartAction::LogY | ChartAction::NextYRange) && !focus.is_chart() {
        return;
    }
    match action {
        ChartAction::MoveCursor(columns) => {
            let width = state.layout.plots.first().map_or(COLUMNS, |(_, plot)| plot.width);
            let mut charts = std::mem::take(&mut state.charts);
            charts.move_cursor(columns, width, cursor_curve(state, focus), end);
            state.charts = charts;
        }
        ChartAction::StepCursor(by) => {
            let curve = cursor_curve(state, focus);
            let current = state.charts.cursor.unwrap_or(end);
            if let Some(step) = curve.neighbour(current, by) {
                state.charts.set_cursor(step, end);
            }
        }
        ChartAction::CursorToFirst => go_to(state, focus, |ends| ends.0),
        ChartAction::CursorToLast => go_to(state, focus, |ends| ends.1),
        ChartAction::ZoomIn => state.charts.zoom(0.5, None, end),
        ChartAction::ZoomOut => state.charts.zoom(2.0, None, end),
        ChartAction::Pan(quarters) => {
            let [from, to] = state.charts.visible_steps(end);
            state.charts.pan((to - from) / 4.0 * quarters as f64, end);
        }
        ChartAction::ResetZoom => (state.charts.window, state.charts.follow) = (None, false),
        ChartAction::Follow => {
            let [from, to] = state.charts.visible_steps(end);
            // While all steps are in view there is nothing to follow: show the latest quarter.
            let width = if state.charts.window.is_some() { to - from } else { (to - from) / 4.0 };
            // Without a window nothing is followed.
            state.charts.follow = !(state.charts.follow && state.charts.window.is_some());
            state.charts.window =
                Some(if state.charts.follow { [(end - width).max(0.0), end] } else { [from, to] });
        }
        ChartAction::NextAxis => {
            let known = |axis: &&XAxis| **axis != XAxis::Wall || state.wall_clock.is_some();
            let axes: Vec<XAxis> = XAxis::ALL.iter().filter(known).copied().collect();
            let current = axes.iter().position(|axis| *axis == state.charts.axis).unwrap_or(0);
            state.charts.axis = axes[(current + 1) % axes.len()];
        }
        ChartAction::LogY => {
            if !state.charts.log_y.remove(&focus) {
                state.charts.log_y.insert(focus);
            }
            state.layout.y_ranges.remove(&focus);
        }
        ChartAction::NextYRange => {
            let drawn = state.layout.y_ranges.remove(&focus);
            state.charts.next_y_range(focus, drawn);
        }
        ChartAction::AdjustSmoothing(by) => {
            state.smoothing = Charts::smoothing_after(state.smoothing, by);
            state.history.smooth(state.smoothing);
            if let Some(runs) = &mut state.runs {
                runs.smooth(state.smoothing);
            }
        }
    }
}

/// The panel whose axes the keys change.
fn focused_panel(state: &State) -> Panel {
    state.runs.as_ref().map_or(state.panels.focus, |runs| runs.metric.panel())
}

/// The curve whose points the cursor steps through: the longest one of the focused panel.
fn cursor_curve(state: &State, focus: Panel) -> &Curve {
    let history = &state.history;
    if let Some(curve) = state.runs.as_ref().and_then(RunComparison::cursor_curve) {
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
    if let Some(ends) = cursor_curve(state, focus).ends() {
        let end = state.last_step();
        state.charts.set_cursor(end_of(ends), end);
    }
}

/// Clears the cursor; without one, resets the zoom; else restores the maximized panel, or clears the
/// filter of the list of runs. If there is nothing to clear in a run that was opened from that list, the
/// list is shown again.
pub(super) fn clear_view(state: &mut State) -> Vec<Effect> {
    if state.charts.cursor.take().is_some() {
        return Vec::new();
    }
    if state.charts.window.take().is_some() {
        state.charts.follow = false;
        return Vec::new();
    }
    if let Some(runs) = &mut state.runs {
        runs.clear_filter();
    }
    if !std::mem::take(&mut state.panels.maximized) && state.opened_from_list {
        return vec![Effect::Quit];
    }
    Vec::new()
}

#[cfg(test)]
#[path = "charts_tests.rs"]
mod tests;
