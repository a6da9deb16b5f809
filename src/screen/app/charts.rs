//! How the charts are looked at: which part of the run, against what, with the cursor where.

use super::panels::Panel;
use crate::run::metric_series::Curve;
use std::collections::{BTreeMap, BTreeSet};

/// What a chart's x axis counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XAxis {
    /// Optimizer steps.
    #[default]
    Step,
    /// Passes over the training data.
    Epoch,
    /// Time since training began.
    Relative,
    /// The time of day.
    Wall,
}

impl XAxis {
    /// All of them, in the order in which a key goes through them.
    pub const ALL: [Self; 4] = [Self::Step, Self::Epoch, Self::Relative, Self::Wall];

    /// Its name, in files and on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Epoch => "epoch",
            Self::Relative => "relative",
            Self::Wall => "wall",
        }
    }
}

/// How far a chart's y axis reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum YRange {
    /// As far as what is usual; outliers run out of view.
    #[default]
    Usual,
    /// As far as anything that was measured.
    Whole,
    /// From here to there, whatever comes.
    Fixed([f64; 2]),
}

/// The smoothings that keys go through.
pub const SMOOTHINGS: [f64; 11] = [0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99];

/// How the charts are looked at. Steps are the common measure: whatever an axis counts, the charts
/// stay side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Charts {
    /// What x axes count.
    pub axis: XAxis,
    /// The step under the cursor.
    pub cursor: Option<f64>,
    /// The steps in view; all of them, if none are named.
    pub window: Option<[f64; 2]>,
    /// Whether the window goes on with the run.
    pub follow: bool,
    /// Charts with a logarithmic y axis.
    pub log_y: BTreeSet<Panel>,
    /// Charts whose y axis does not reach as far as is usual.
    pub ranges: BTreeMap<Panel, YRange>,
    /// Where the mouse took hold of a chart, and the steps that were then in view.
    pub drag: Option<(u16, [f64; 2])>,
}

/// Something a key does to the charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartAction {
    /// Move the cursor by so many columns.
    Move(isize),
    /// Move the cursor by so many points.
    Step(isize),
    /// Put the cursor on the first point.
    First,
    /// Put the cursor on the last point.
    Last,
    /// Half the steps in view.
    ZoomIn,
    /// Twice the steps in view.
    ZoomOut,
    /// Move the window by so many quarters of itself.
    Pan(isize),
    /// All steps in view.
    Whole,
    /// Go on with the run, or stay.
    Follow,
    /// The next thing for the x axes to count.
    NextAxis,
    /// Linear or logarithmic y axis.
    LogY,
    /// The next way for the y axis to reach.
    NextRange,
    /// Smooth more (1) or less (-1).
    Smooth(isize),
}

/// The fewest steps in view.
const NARROWEST: f64 = 8.0;

impl Charts {
    /// The steps in view, of a run from step 0 to `end`.
    pub fn view(&self, end: f64) -> [f64; 2] {
        let end = end.max(2.0);
        match self.window {
            None => [0.0, end],
            Some([from, to]) if self.follow => [(end - (to - from)).max(0.0), end],
            Some(window) => window,
        }
    }

    /// Looks at `width` steps, `share` of them before `at`; at all, if there are no more.
    fn look(&mut self, at: f64, share: f64, width: f64, end: f64) {
        let end = end.max(2.0);
        if width >= end * (1.0 - 1e-9) {
            self.window = None;
            return;
        }
        let width = width.max(NARROWEST.min(end));
        let from = (at - share * width).clamp(0.0, (end - width).max(0.0));
        self.window = Some([from, from + width]);
    }

    /// Zooms by a factor (above 1: out) around a step; around the cursor if none is named and it
    /// is in view, else at the end.
    pub fn zoom(&mut self, factor: f64, around: Option<f64>, end: f64) {
        let [from, to] = self.view(end);
        let width = to - from;
        let cursor = self.cursor.filter(|at| (from..=to).contains(at));
        let at = around.or(cursor);
        // What stands at the end of the run goes on with it.
        self.follow = at.is_none() && to >= end.max(2.0) - 1e-9;
        let at = at.unwrap_or(if self.follow { to } else { f64::midpoint(from, to) });
        let share = if width > 0.0 { ((at - from) / width).clamp(0.0, 1.0) } else { 0.5 };
        self.look(at, share, width * factor, end);
    }

    /// Moves the window by so many steps. At the end it goes on with the run.
    pub fn pan(&mut self, steps: f64, end: f64) {
        let [from, to] = self.view(end);
        if self.window.is_some() {
            self.look(from + steps, 0.0, to - from, end);
            self.follow = steps > 0.0 && self.window.is_some_and(|[_, to]| to >= end - 1e-9);
        }
    }

    /// Puts the cursor on a step, and the window around it if it left that.
    pub fn point_at(&mut self, step: f64, end: f64) {
        self.cursor = Some(step);
        let [from, to] = self.view(end);
        if step < from || step > to {
            self.follow = false;
            self.look(step, if step < from { 0.1 } else { 0.9 }, to - from, end);
        }
    }

    /// Moves the cursor by columns of a plot of `width` columns, at least to the next point.
    pub fn move_cursor(&mut self, columns: isize, width: u16, curve: &Curve, end: f64) {
        let [from, to] = self.view(end);
        let here = self.cursor.unwrap_or(to);
        let aim = here + (to - from) / f64::from(width.max(1)) * columns as f64;
        let next = curve.nearest(aim).unwrap_or(aim);
        let moved = if columns > 0 { next > here } else { next < here };
        let step = if self.cursor.is_none() {
            curve.nearest(to)
        } else if moved {
            Some(next)
        } else {
            curve.neighbour(here, columns.signum())
        };
        if let Some(step) = step {
            self.point_at(step, end);
        }
    }

    /// Switches a chart to the next kind of y range; `drawn` is the range that it shows now.
    pub fn next_range(&mut self, panel: Panel, drawn: Option<[f64; 2]>) {
        let next = match self.ranges.get(&panel).copied().unwrap_or_default() {
            YRange::Usual => YRange::Whole,
            YRange::Whole => drawn.map_or(YRange::Usual, YRange::Fixed),
            YRange::Fixed(_) => YRange::Usual,
        };
        self.ranges.insert(panel, next);
    }

    /// The smoothing `by` places on from one.
    pub fn smoothing_after(smoothing: f64, by: isize) -> f64 {
        let here = SMOOTHINGS.iter().position(|s| *s >= smoothing - 1e-9);
        let here = here.unwrap_or(SMOOTHINGS.len() - 1);
        SMOOTHINGS[here.saturating_add_signed(by).min(SMOOTHINGS.len() - 1)]
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
    fn zooming_keeps_what_it_zooms_at() {
        let mut charts = Charts { cursor: Some(250.0), ..Charts::default() };
        for _ in 0..3 {
            charts.zoom(0.5, None, 1000.0);
        }
        assert_eq!(charts.view(1000.0), [218.75, 343.75]);
        assert!(!charts.follow);
        for _ in 0..3 {
            charts.zoom(2.0, None, 1000.0);
        }
        assert_eq!(charts.window, None);
        for _ in 0..50 {
            charts.zoom(0.5, Some(0.0), 1000.0);
        }
        assert_eq!(charts.view(1000.0), [0.0, NARROWEST]);
    }

    #[test]
    fn a_window_at_the_end_goes_on_with_the_run() {
        let mut charts = Charts::default();
        charts.zoom(0.5, None, 100.0);
        assert!(charts.follow);
        assert_eq!(charts.view(100.0), [50.0, 100.0]);
        assert_eq!(charts.view(160.0), [110.0, 160.0]);
        charts.pan(-30.0, 160.0);
        assert!(!charts.follow);
        assert_eq!(charts.view(200.0), [80.0, 130.0]);
        charts.pan(1e9, 200.0);
        assert!(charts.follow);
        assert_eq!(charts.view(300.0), [250.0, 300.0]);
    }

    #[test]
    fn the_cursor_goes_from_point_to_point_and_the_window_follows_it() {
        let mut charts = Charts::default();
        let curve = curve(1000);
        charts.move_cursor(-1, 50, &curve, 1000.0);
        assert_eq!(charts.cursor, Some(1000.0), "it appears at the end");
        charts.move_cursor(-1, 50, &curve, 1000.0);
        assert_eq!(charts.cursor, Some(980.0));
        charts.window = Some([900.0, 910.0]);
        charts.move_cursor(1, 50, &curve, 1000.0);
        assert_eq!(charts.cursor, Some(981.0), "at least a point");
        let [from, to] = charts.view(1000.0);
        assert!(from < 981.0 && to > 981.0 && (to - from - 10.0).abs() < 1e-9);
    }

    #[test]
    fn smoothing_goes_through_its_places() {
        assert_eq!(Charts::smoothing_after(0.9, 1), 0.95);
        assert_eq!(Charts::smoothing_after(0.85, -1), 0.8);
        assert_eq!(Charts::smoothing_after(0.99, 1), 0.99);
        assert_eq!(Charts::smoothing_after(0.0, -1), 0.0);
    }

    #[test]
    fn a_range_is_held_until_it_is_let_go() {
        let mut charts = Charts::default();
        charts.next_range(Panel::Loss, None);
        assert_eq!(charts.ranges[&Panel::Loss], YRange::Whole);
        charts.next_range(Panel::Loss, Some([0.0, 2.0]));
        assert_eq!(charts.ranges[&Panel::Loss], YRange::Fixed([0.0, 2.0]));
        charts.next_range(Panel::Loss, Some([0.0, 2.0]));
        assert_eq!(charts.ranges[&Panel::Loss], YRange::Usual);
    }
}
