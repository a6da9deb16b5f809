//! How the charts are viewed: the steps in view, the axes and the cursor.

mod axes;

pub use axes::{XAxis, YRange};

use super::panels::Panel;
use crate::run::metric_series::Curve;
use std::collections::{BTreeMap, BTreeSet};

/// The smoothing factors that the keys step through.
pub const SMOOTHINGS: [f64; 11] = [0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99];

/// How the charts are viewed. The view is stored in optimizer steps, whatever quantity the x axis
/// shows, so that all charts show the same part of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Charts {
    /// The quantity on the x axes.
    pub axis: XAxis,
    /// The step at the cursor.
    pub cursor: Option<f64>,
    /// The first and the last step in view; `None` shows all.
    pub window: Option<[f64; 2]>,
    /// Whether the window moves with the run.
    pub follow: bool,
    /// Charts with a logarithmic y axis.
    pub log_y: BTreeSet<Panel>,
    /// The y range of charts for which it was changed.
    pub ranges: BTreeMap<Panel, YRange>,
    /// The column where a drag with the mouse began, and the steps in view at that moment.
    pub drag: Option<(u16, [f64; 2])>,
}

/// An action on the charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartAction {
    /// Move the cursor by this many columns.
    MoveCursor(isize),
    /// Move the cursor by this many points of the curve.
    StepCursor(isize),
    /// Move the cursor to the first point.
    CursorToFirst,
    /// Move the cursor to the last point.
    CursorToLast,
    /// Show half as many steps.
    ZoomIn,
    /// Show twice as many steps.
    ZoomOut,
    /// Move the window by this many quarters of its width.
    Pan(isize),
    /// Show all steps.
    ResetZoom,
    /// Make the window follow the latest steps, or stop following them.
    Follow,
    /// Switch to the next quantity of the x axes.
    NextAxis,
    /// Switch between a linear and a logarithmic y axis.
    LogY,
    /// Switch to the next kind of y range.
    NextYRange,
    /// Smooth more (1) or less (-1).
    AdjustSmoothing(isize),
}

/// The minimum number of steps in view.
const MIN_STEPS: f64 = 8.0;

impl Charts {
    /// The first and the last step in view, of a run from step 0 to `end`.
    pub fn visible_steps(&self, end: f64) -> [f64; 2] {
        let end = end.max(2.0);
        match self.window {
            None => [0.0, end],
            Some([from, to]) if self.follow => [(end - (to - from)).max(0.0), end],
            Some(window) => window,
        }
    }

    /// Shows `width` steps, a fraction `share` of them before `at`; all steps if the run is
    /// shorter.
    fn show(&mut self, at: f64, share: f64, width: f64, end: f64) {
        let end = end.max(2.0);
        if width >= end * (1.0 - 1e-9) {
            self.window = None;
            return;
        }
        let width = width.max(MIN_STEPS.min(end));
        let from = (at - share * width).clamp(0.0, (end - width).max(0.0));
        self.window = Some([from, from + width]);
    }

    /// Zooms by a factor (above 1: out) around a step. Without one, zooms around the cursor if it
    /// is in view, else at the end of the window.
    pub fn zoom(&mut self, factor: f64, around: Option<f64>, end: f64) {
        let [from, to] = self.visible_steps(end);
        let width = to - from;
        let cursor = self.cursor.filter(|at| (from..=to).contains(at));
        let at = around.or(cursor);
        // A window that ends at the latest step follows the run.
        self.follow = at.is_none() && to >= end.max(2.0) - 1e-9;
        let at = at.unwrap_or(if self.follow { to } else { f64::midpoint(from, to) });
        let share = if width > 0.0 { ((at - from) / width).clamp(0.0, 1.0) } else { 0.5 };
        self.show(at, share, width * factor, end);
    }

    /// Moves the window by this many steps. At the latest step it follows the run.
    pub fn pan(&mut self, steps: f64, end: f64) {
        let [from, to] = self.visible_steps(end);
        if self.window.is_some() {
            self.show(from + steps, 0.0, to - from, end);
            self.follow = steps > 0.0 && self.window.is_some_and(|[_, to]| to >= end - 1e-9);
        }
    }

    /// Moves the cursor to a step, and the window if the step is outside.
    pub fn set_cursor(&mut self, step: f64, end: f64) {
        self.cursor = Some(step);
        let [from, to] = self.visible_steps(end);
        if step < from || step > to {
            self.follow = false;
            self.show(step, if step < from { 0.1 } else { 0.9 }, to - from, end);
        }
    }

    /// Moves the cursor by columns of a plot of `width` columns, at least to the next point of the
    /// curve.
    pub fn move_cursor(&mut self, columns: isize, width: u16, curve: &Curve, end: f64) {
        let [from, to] = self.visible_steps(end);
        let current = self.cursor.unwrap_or(to);
        let target = current + (to - from) / f64::from(width.max(1)) * columns as f64;
        let next = curve.nearest(target).unwrap_or(target);
        let moved = if columns > 0 { next > current } else { next < current };
        let step = if self.cursor.is_none() {
            curve.nearest(to)
        } else if moved {
            Some(next)
        } else {
            curve.neighbour(current, columns.signum())
        };
        if let Some(step) = step {
            self.set_cursor(step, end);
        }
    }

    /// Switches a chart to the next kind of y range; `drawn` is the range that it shows now.
    pub fn next_y_range(&mut self, panel: Panel, drawn: Option<[f64; 2]>) {
        let next = match self.ranges.get(&panel).copied().unwrap_or_default() {
            YRange::Typical => YRange::Full,
            YRange::Full => drawn.map_or(YRange::Typical, YRange::Fixed),
            YRange::Fixed(_) => YRange::Typical,
        };
        self.ranges.insert(panel, next);
    }

    /// The smoothing factor `by` places after the given one, among [`SMOOTHINGS`].
    pub fn smoothing_after(smoothing: f64, by: isize) -> f64 {
        let current = SMOOTHINGS.iter().position(|s| *s >= smoothing - 1e-9);
        let current = current.unwrap_or(SMOOTHINGS.len() - 1);
        SMOOTHINGS[current.saturating_add_signed(by).min(SMOOTHINGS.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(end: u32) -> Curve {
        let mut curve = Curve::new(0.0);
        (1..=end).for_each(|step| curve.push(f64::from(step), f64::from(step), 0.5));
        curve
    }

    #[test]
    fn zooming_keeps_the_cursor_in_place() {
        let mut charts = Charts { cursor: Some(250.0), ..Charts::default() };
        for _ in 0..3 {
            charts.zoom(0.5, None, 1000.0);
        }
        assert_eq!(charts.visible_steps(1000.0), [218.75, 343.75]);
        assert!(!charts.follow);
        for _ in 0..3 {
            charts.zoom(2.0, None, 1000.0);
        }
        assert_eq!(charts.window, None);
        for _ in 0..50 {
            charts.zoom(0.5, Some(0.0), 1000.0);
        }
        assert_eq!(charts.visible_steps(1000.0), [0.0, MIN_STEPS]);
    }

    #[test]
    fn a_window_at_the_latest_step_follows_the_run() {
        let mut charts = Charts::default();
        charts.zoom(0.5, None, 100.0);
        assert!(charts.follow);
        assert_eq!(charts.visible_steps(100.0), [50.0, 100.0]);
        assert_eq!(charts.visible_steps(160.0), [110.0, 160.0]);
        charts.pan(-30.0, 160.0);
        assert!(!charts.follow);
        assert_eq!(charts.visible_steps(200.0), [80.0, 130.0]);
        charts.pan(1e9, 200.0);
        assert!(charts.follow);
        assert_eq!(charts.visible_steps(300.0), [250.0, 300.0]);
    }

    #[test]
    fn the_cursor_moves_from_point_to_point_and_the_window_follows() {
        let mut charts = Charts::default();
        let curve = curve(1000);
        charts.move_cursor(-1, 50, &curve, 1000.0);
        assert_eq!(charts.cursor, Some(1000.0), "it appears at the end");
        charts.move_cursor(-1, 50, &curve, 1000.0);
        assert_eq!(charts.cursor, Some(980.0));
        charts.window = Some([900.0, 910.0]);
        charts.move_cursor(1, 50, &curve, 1000.0);
        assert_eq!(charts.cursor, Some(981.0), "at least a point");
        let [from, to] = charts.visible_steps(1000.0);
        assert!(from < 981.0 && to > 981.0 && (to - from - 10.0).abs() < 1e-9);
    }

    #[test]
    fn smoothing_steps_through_its_values() {
        assert_eq!(Charts::smoothing_after(0.9, 1), 0.95);
        assert_eq!(Charts::smoothing_after(0.85, -1), 0.8);
        assert_eq!(Charts::smoothing_after(0.99, 1), 0.99);
        assert_eq!(Charts::smoothing_after(0.0, -1), 0.0);
    }

    #[test]
    fn a_fixed_range_is_kept_until_it_is_switched() {
        let mut charts = Charts::default();
        charts.next_y_range(Panel::Loss, None);
        assert_eq!(charts.ranges[&Panel::Loss], YRange::Full);
        charts.next_y_range(Panel::Loss, Some([0.0, 2.0]));
        assert_eq!(charts.ranges[&Panel::Loss], YRange::Fixed([0.0, 2.0]));
        charts.next_y_range(Panel::Loss, Some([0.0, 2.0]));
        assert_eq!(charts.ranges[&Panel::Loss], YRange::Typical);
    }
}
