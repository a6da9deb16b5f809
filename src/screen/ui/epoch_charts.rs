//! Charts over the epochs, in the room that a panel has beside its numbers.

use super::theme::Theme;
use super::widgets::canvas::CurveStyle;
use super::widgets::chart::{Chart, ChartSeries};
use crate::core::text::truncate_width;
use crate::run::metric_series::Segment;
use crate::run::metric_series::ticks::{Unit, round_bounds};
use crate::screen::app::{EpochRow, State};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// The fewest columns and rows of a chart with its title.
const MIN_SIZE: (u16, u16) = (36, 6);

/// The columns between two charts beside each other.
const GAP: u16 = 2;

/// A cell is about twice as high as wide; charts that are this many times wider than high, in cells, are
/// beside one another.
const WIDE: u16 = 4;

/// A curve with at most one value for an epoch.
pub(super) struct EpochCurve {
    name: String,
    style: CurveStyle,
    points: Segment,
}

impl EpochCurve {
    /// The curve of the values that are finite numbers.
    pub fn new(
        name: &str,
        (style, symbol): (Style, char),
        state: &State,
        value: impl Fn(&EpochRow) -> Option<f64>,
    ) -> Self {
        let point = |row| Some((row_number(row), value(row).filter(|value| value.is_finite())?));
        let points = state.epochs.iter().filter_map(point).collect();
        Self { name: name.to_owned(), style: CurveStyle { style, symbol }, points }
    }
}

/// The epoch's number as a position on the x axis.
fn row_number(row: &EpochRow) -> f64 {
    row.number as f64
}

/// A chart of curves in one unit.
pub(super) struct EpochChart {
    /// Its name, not translated.
    pub title: &'static str,
    /// Its curves, the most important one last.
    pub curves: Vec<EpochCurve>,
}

/// Where a chart's curves are, and the values at its lower and upper edge.
pub(super) type Plot = (Rect, [f64; 2]);

/// Draws charts in what a table of so many columns and rows, in the upper left corner, leaves of an area:
/// below it or to its right, where there is more room.
pub(super) fn draw_beside(
    frame: &mut Frame,
    area: Rect,
    (columns, rows): (u16, u16),
    charts: &[EpochChart],
    state: &State,
    theme: Theme,
) -> Vec<Plot> {
    let [down, right] = [(rows + 1).min(area.height), (columns + GAP).min(area.width)];
    let below = Rect { y: area.y + down, height: area.height - down, ..area };
    let beside = Rect { x: area.x + right, width: area.width - right, ..area };
    let room = if beside.area() > below.area() { beside } else { below };
    draw(frame, room, charts, state, theme)
}

/// Draws as many of the charts as fit, beside or below one another, and returns their plots. A chart
/// without a value is left out, and so are all if the run has a single epoch.
fn draw(
    frame: &mut Frame,
    area: Rect,
    charts: &[EpochChart],
    state: &State,
    theme: Theme,
) -> Vec<Plot> {
    let has_values = |chart: &&EpochChart| chart.curves.iter().any(|c| !c.points.is_empty());
    let charts: Vec<&EpochChart> = charts.iter().filter(has_values).collect();
    if planned_epochs(state) < 2 {
        return Vec::new();
    }
    let fit_across = usize::from((area.width + GAP) / (MIN_SIZE.0 + GAP)).min(charts.len());
    let fit_down = usize::from(area.height / MIN_SIZE.1).min(charts.len());
    if fit_across == 0 || fit_down == 0 {
        return Vec::new();
    }
    let is_wide = area.width >= WIDE * area.height || fit_down < charts.len();
    let across = if is_wide { fit_across } else { 1 };
    let down = charts.len().div_ceil(across).min(fit_down);
    let rows = Layout::vertical(vec![Constraint::Fill(1); down]).split(area);
    let mut plots = Vec::new();
    for (row, charts) in rows.iter().zip(charts.chunks(across)) {
        let columns =
            Layout::horizontal(vec![Constraint::Fill(1); across]).spacing(GAP).split(*row);
        for (area, chart) in columns.iter().zip(charts) {
            plots.push(draw_chart(frame, *area, chart, state, theme));
        }
    }
    plots
}

fn draw_chart(
    frame: &mut Frame,
    area: Rect,
    chart: &EpochChart,
    state: &State,
    theme: Theme,
) -> Plot {
    let [title, area] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Paragraph::new(title_line(chart, title.width.into(), state, theme)), title);
    let points = || chart.curves.iter().flat_map(|curve| &curve.points);
    let low = points().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let high = points().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
    let y = round_bounds(low, high, usize::from(area.height / 2).clamp(2, 8));
    let series = |curve: &EpochCurve| ChartSeries {
        segments: vec![curve.points.clone()],
        style: curve.style,
        points: true,
    };
    let drawn = Chart {
        x: [1.0, planned_epochs(state) as f64],
        x_unit: Unit::Count,
        y,
        y_unit: Unit::Number,
        log_y: false,
        series: chart.curves.iter().map(series).collect(),
        baselines: Vec::new(),
        annotations: Vec::new(),
        cursor: None,
    };
    (drawn.draw(area, frame.buffer_mut(), theme), y)
}

/// The number of epochs of a run that still trains, or else of those that it has.
fn planned_epochs(state: &State) -> u64 {
    let planned = state.started.as_ref().filter(|_| state.is_running());
    let planned = planned.map_or(0, |run| run.max_steps.div_ceil(run.steps_per_epoch.max(1)));
    let known = state.epochs.last().map_or(0, |row| row.number);
    planned.max(known)
}

/// The title, and the names of the curves with their latest values, the most important one first. Without
/// room for all of it, the values are left out, and then the title.
fn title_line(chart: &EpochChart, width: usize, state: &State, theme: Theme) -> Line<'static> {
    let title = Span::styled(state.lang.tr(chart.title).to_owned(), theme.dim());
    let named = |has_values: bool| {
        let curves = chart.curves.iter().rev().filter(|curve| !curve.points.is_empty());
        curves.map(move |curve| {
            let value = curve.points.last().map(|(_, value)| format!(" {value:.3}"));
            let value = value.filter(|_| has_values).unwrap_or_default();
            Span::styled(format!("{}{value}", curve.name), curve.style.style)
        })
    };
    let spaced = |spans: Vec<Span<'static>>| {
        let mut line = Line::default();
        for (number, span) in spans.into_iter().enumerate() {
            if number > 0 {
                line.push_span("  ");
            }
            line.push_span(span);
        }
        line
    };
    let titled =
        |has_values| spaced(std::iter::once(title.clone()).chain(named(has_values)).collect());
    let choices = [titled(true), titled(false), spaced(named(false).collect())];
    let fitting = choices.into_iter().find(|line| line.width() <= width);
    fitting.unwrap_or_else(|| Line::styled(truncate_width(&title.content, width), title.style))
}
