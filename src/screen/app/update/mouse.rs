//! Updates by the mouse. It is optional: everything is available from the keyboard.

use crate::screen::app::charts::XAxis;
use crate::screen::app::layout::Area;
use crate::screen::app::mouse::{MouseInput, MouseKind};
use crate::screen::app::page::Page;
use crate::screen::app::panels::Panel;
use crate::screen::app::state::State;

/// The zoom factor of one turn of the wheel.
const ZOOM_FACTOR: f64 = 0.8;

/// Lines scrolled by one turn of the wheel.
const SCROLL_LINES: isize = 3;

/// Applies mouse input to charts and panels. Returns the lines to scroll down, if the view under
/// the mouse scrolls.
pub(super) fn apply(state: &mut State, mouse: MouseInput) -> Option<isize> {
    if state.page != Page::Train || state.overlay.is_some() {
        return match mouse.kind {
            MouseKind::ScrollUp => Some(-SCROLL_LINES),
            MouseKind::ScrollDown => Some(SCROLL_LINES),
            _ => None,
        };
    }
    let end = state.steps_done() as f64;
    let plot = at_mouse(&state.layout.plots, mouse);
    let panel = at_mouse(&state.layout.panels, mouse);
    match mouse.kind {
        MouseKind::Down => {
            if let Some((panel, _)) = panel {
                state.panels.focus = panel;
            }
            state.charts.drag = None;
            if let Some((_, plot)) = plot {
                let step = step_at(state, plot, mouse.column);
                let nearest = state.history.loss.nearest(step);
                state.charts.cursor = nearest.or(Some(step.round()));
                state.charts.drag = Some((mouse.column, state.charts.visible_steps(end)));
            }
        }
        MouseKind::Drag => {
            let plot = state.layout.plots.first().map(|(_, plot)| *plot);
            if let (Some((column, [from, to])), Some(plot)) = (state.charts.drag, plot)
                && state.charts.window.is_some()
            {
                let columns = f64::from(column) - f64::from(mouse.column);
                let moved = columns * (to - from) / f64::from(plot.width.max(1));
                let [current, _] = state.charts.visible_steps(end);
                state.charts.pan(from + moved - current, end);
            }
        }
        MouseKind::Up => state.charts.drag = None,
        MouseKind::ScrollUp | MouseKind::ScrollDown => {
            let factor =
                if mouse.kind == MouseKind::ScrollUp { ZOOM_FACTOR } else { 1.0 / ZOOM_FACTOR };
            if let Some((_, plot)) = plot {
                let step = step_at(state, plot, mouse.column);
                state.charts.zoom(factor, Some(step), end);
            } else if panel.is_some_and(|(panel, _)| panel == Panel::Log) {
                return Some(if mouse.kind == MouseKind::ScrollUp {
                    -SCROLL_LINES
                } else {
                    SCROLL_LINES
                });
            }
        }
        MouseKind::ScrollLeft | MouseKind::ScrollRight => {
            let [from, to] = state.charts.visible_steps(end);
            let by = if mouse.kind == MouseKind::ScrollLeft { -0.1 } else { 0.1 };
            state.charts.pan((to - from) * by, end);
        }
    }
    None
}

fn at_mouse(areas: &[(Panel, Area)], mouse: MouseInput) -> Option<(Panel, Area)> {
    areas.iter().find(|(_, area)| area.contains(mouse.column, mouse.row)).copied()
}

/// The step at a column of a plot, whatever quantity its axis shows.
fn step_at(state: &State, plot: Area, column: u16) -> f64 {
    let share = f64::from(column - plot.x) / f64::from(plot.width.max(2) - 1);
    let [from, to] = state.charts.visible_steps(state.steps_done() as f64);
    let between = |low: f64, high: f64| low + (high - low) * share;
    match state.charts.axis {
        XAxis::Step | XAxis::Epoch => between(from, to),
        XAxis::Relative | XAxis::Wall => {
            let curve = &state.history.loss;
            curve.step_at(between(curve.seconds_at(from), curve.seconds_at(to)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::fixtures::run;
    use crate::run::protocol::RunReport;
    use crate::screen::app::{Message, update};

    fn trained() -> State {
        let mut state = State::default();
        for event in run(200) {
            update(&mut state, Message::Report(RunReport::Event(event)));
        }
        let area = |x| Area { x, y: 1, width: 40, height: 10 };
        state.layout.panels = vec![(Panel::Loss, area(0)), (Panel::Log, area(40))];
        state.layout.plots = vec![(Panel::Loss, Area { x: 5, y: 2, width: 21, height: 8 })];
        state
    }

    fn at(state: &mut State, kind: MouseKind, column: u16) -> Option<isize> {
        apply(state, MouseInput { kind, column, row: 5 })
    }

    #[test]
    fn a_click_moves_focus_and_cursor() {
        let mut state = trained();
        at(&mut state, MouseKind::Down, 50);
        assert_eq!((state.panels.focus, state.charts.cursor), (Panel::Log, None));
        at(&mut state, MouseKind::Down, 15);
        assert_eq!((state.panels.focus, state.charts.cursor), (Panel::Loss, Some(100.0)));
    }

    #[test]
    fn the_wheel_zooms_around_the_mouse() {
        let mut state = trained();
        let turn = |state: &mut State, kind| {
            for _ in 0..5 {
                assert_eq!(at(state, kind, 15), None);
            }
        };
        turn(&mut state, MouseKind::ScrollUp);
        let [from, to] = state.charts.visible_steps(200.0);
        assert!((f64::midpoint(from, to) - 100.0).abs() < 1e-6 && to - from < 70.0);
        turn(&mut state, MouseKind::ScrollDown);
        assert_eq!(state.charts.window, None);
        assert_eq!(at(&mut state, MouseKind::ScrollUp, 50), Some(-SCROLL_LINES), "the log scrolls");
    }

    #[test]
    fn a_zoomed_chart_is_dragged() {
        let mut state = trained();
        state.charts.window = Some([50.0, 92.0]);
        at(&mut state, MouseKind::Down, 20);
        at(&mut state, MouseKind::Drag, 15);
        assert_eq!(state.charts.visible_steps(200.0), [60.0, 102.0]);
        at(&mut state, MouseKind::Drag, 25);
        assert_eq!(state.charts.visible_steps(200.0), [40.0, 82.0]);
        at(&mut state, MouseKind::Up, 25);
        at(&mut state, MouseKind::Drag, 5);
        assert_eq!(state.charts.visible_steps(200.0), [40.0, 82.0]);
    }

    #[test]
    fn on_time_axes_a_click_selects_by_time() {
        let mut state = trained();
        // An evaluation takes two seconds after each 63 steps of an eighth of a second.
        state.charts.axis = XAxis::Relative;
        at(&mut state, MouseKind::Down, 15);
        let step = state.charts.cursor.unwrap_or_default();
        let seconds = state.history.loss.seconds_at(step);
        assert!((seconds - state.history.loss.seconds_at(200.0) / 2.0).abs() < 2.1, "{seconds}");
    }

    #[test]
    fn other_pages_scroll() {
        let mut state = trained();
        state.page = Page::Log;
        assert_eq!(at(&mut state, MouseKind::ScrollDown, 3), Some(SCROLL_LINES));
        assert_eq!(at(&mut state, MouseKind::Down, 3), None);
    }
}
