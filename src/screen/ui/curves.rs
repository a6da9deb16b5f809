//! The charts of the training page: the curves of each, and the ranges of its axes.

mod legend;
mod sentences;

use super::beginning;
use super::theme::Theme;
use super::widgets::canvas::CurveStyle;
use super::widgets::chart::{Chart, ChartAnnotation, ChartBaseline, ChartSeries};
use super::widgets::draw_centered_hint;
use crate::core::train::event::CommandEffect;
use crate::run::metric_series::ticks::{Unit, round_bounds};
use crate::run::metric_series::{Curve, History};
use crate::screen::app::charts::{XAxis, YRange};
use crate::screen::app::layout::Area;
use crate::screen::app::panels::Panel;
use crate::screen::app::{FrameLayout, State, baselines};
pub(super) use legend::short_number;
use legend::{cursor_lines, legend};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph};

/// A curve and how a chart shows it.
pub(super) struct CurveSpec<'a> {
    pub name: &'a str,
    pub curve: &'a Curve,
    pub style: CurveStyle,
    /// Whether the curve is smoothed.
    pub smooth: bool,
    /// The style of the raw values below the smoothed ones, if they are drawn.
    pub raw: Option<Style>,
    /// Whether its points are shown.
    pub points: bool,
    /// The positions of its steps.
    pub scale: XScale<'a>,
}

impl CurveSpec<'_> {
    /// The raw and the smoothed value at the cursor's step, or the last ones.
    pub fn value_at(&self, cursor: Option<f64>) -> Option<(f64, f64)> {
        if let Some(step) = cursor {
            return self.curve.at(step).map(|(_, raw, smoothed)| (raw, smoothed));
        }
        let smoothed = self.curve.last_smoothed().unwrap_or(f64::NAN);
        self.curve.last().map(|raw| (raw, smoothed))
    }
}

/// The curves of a panel.
fn curves_of(panel: Panel, state: &State, theme: Theme) -> Vec<CurveSpec<'_>> {
    let history = &state.history;
    let scale = XScale::of(history, state);
    let raw = |name, curve, style: Style, symbol| {
        let style = CurveStyle { style, symbol };
        CurveSpec { name, curve, style, smooth: false, raw: None, points: true, scale }
    };
    let smoothed = |name, curve| {
        let style = CurveStyle { style: theme.train(), symbol: '*' };
        let raw = Some(theme.raw());
        CurveSpec { name, curve, style, smooth: true, raw, points: false, scale }
    };
    match panel {
        Panel::Loss => vec![
            smoothed("train", &history.loss),
            raw("eval", &history.eval_loss, theme.eval(), 'o'),
        ],
        Panel::Accuracy => vec![
            raw("train F1", &history.train_f1, theme.f1().add_modifier(Modifier::DIM), '.'),
            raw("train", &history.train_accuracy, theme.train(), '*'),
            raw("F1", &history.eval_f1, theme.f1(), '+'),
            raw("eval", &history.eval_accuracy, theme.eval(), 'o'),
        ],
        Panel::LearningRate => {
            let rate = raw("rate", &history.learning_rate, theme.train(), '*');
            vec![CurveSpec { points: false, ..rate }]
        }
        Panel::GradNorm => vec![smoothed("norm", &history.grad_norm)],
        Panel::Probes => history
            .probes
            .iter()
            .enumerate()
            .filter(|(_, probe)| probe.is_pinned)
            .map(|(index, probe)| raw(&probe.name, &probe.curve, theme.pinned(index), 'o'))
            .collect(),
        Panel::Throughput => {
            vec![smoothed("samples/s", &history.samples), smoothed("tokens/s", &history.tokens)]
        }
        _ => Vec::new(),
    }
}

/// Draws a chart in a block. Curves that cannot share an axis get separate charts, one below the
/// other, or only the first one is drawn if the panel is too low.
pub fn draw(
    frame: &mut Frame,
    area: Rect,
    panel: Panel,
    block: Block,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let curves = curves_of(panel, state, theme);
    let mut inner = block.inner(area);
    let cursor = state.charts.cursor;
    let sentences = if panel == Panel::Probes {
        let rows = usize::from(inner.height).saturating_sub(usize::from(cursor.is_some()));
        sentences::lines(&curves, (state, cursor), (inner.width.into(), rows), theme)
    } else {
        Vec::new()
    };
    let block = if sentences.is_empty() {
        block.title(legend(panel, &curves, state, area, theme))
    } else {
        block
    };
    frame.render_widget(block, area);
    if curves.iter().all(|spec| spec.curve.is_empty()) {
        if panel == Panel::Loss && beginning::draw(frame, inner, state, theme) {
            return;
        }
        let text = state.lang.tr(placeholder(panel, state));
        return draw_centered_hint(frame, inner, text, theme);
    }
    if cursor.is_some() || !sentences.is_empty() {
        let size = (usize::from(inner.width), if inner.height >= 6 { 2 } else { 1 });
        let shown = if sentences.is_empty() { &curves[..] } else { &[] };
        let lines = cursor.map(|cursor| cursor_lines(panel, shown, (state, cursor), size, theme));
        let lines = [lines.unwrap_or_default(), sentences].concat();
        let [above, below] =
            Layout::vertical([Constraint::Length(lines.len() as u16), Constraint::Fill(1)])
                .areas(inner);
        frame.render_widget(Paragraph::new(lines), above);
        inner = below;
    }
    if panel != Panel::Throughput {
        return draw_chart(frame, inner, panel, &curves, state, theme, layout);
    }
    let shown = if inner.height >= 11 { &curves[..] } else { &curves[..1] };
    let areas = Layout::vertical(vec![Constraint::Fill(1); shown.len()]).split(inner);
    for (number, (spec, area)) in shown.iter().zip(areas.iter()).enumerate() {
        // The title names the values of both, but not which chart is which.
        let name = u16::from(number > 0);
        let rows = [Constraint::Length(name), Constraint::Fill(1)];
        let [name, area] = Layout::vertical(rows).areas(*area);
        let title = Line::styled(state.lang.tr(spec.name).to_owned(), spec.style.style);
        frame.render_widget(Paragraph::new(title), name);
        draw_chart(frame, area, panel, std::slice::from_ref(spec), state, theme, layout);
    }
}

/// The values of a panel's curves at the cursor in a line, for a screen without room for its chart.
pub(super) fn cursor_reading(
    panel: Panel,
    at: (&State, f64),
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    cursor_lines(panel, &curves_of(panel, at.0, theme), at, (width, 1), theme)
}

fn placeholder(panel: Panel, state: &State) -> &'static str {
    match panel {
        _ if !state.is_running() => "no training step",
        Panel::Accuracy => "waiting for the first evaluation",
        _ => "waiting for the first step",
    }
}

/// Draws curves on common axes.
pub(super) fn draw_chart(
    frame: &mut Frame,
    area: Rect,
    panel: Panel,
    curves: &[CurveSpec],
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let Some(first) = curves.first() else { return };
    let window = state.charts.visible_steps(state.last_step());
    let bins = 2 * usize::from(area.width);
    let mut series = Vec::new();
    for spec in curves {
        let x = |step: f64, seconds: f64| spec.scale.position(step, seconds);
        let (curve, style) = (spec.curve, spec.style);
        if !spec.smooth {
            let segments = curve.raw_segments(window, bins, x);
            series.push(ChartSeries { segments, style, points: spec.points });
            continue;
        }
        if let Some(raw) = spec.raw {
            let segments = curve.raw_segments(window, bins, x);
            let style = CurveStyle { style: raw, symbol: '.' };
            series.push(ChartSeries { segments, style, points: false });
        }
        let segments = curve.smoothed_segments(window, bins, x);
        series.push(ChartSeries { segments, style, points: false });
    }
    let scale = first.scale;
    let edge = |step, pick: fn(f64, f64) -> f64| {
        curves.iter().map(|spec| spec.scale.at_step(step)).reduce(pick).unwrap_or(step)
    };
    // On an axis of time, an evaluation is later than the step before it.
    let last = |spec: &CurveSpec| {
        let seconds = spec.curve.last_seconds(window[1])?;
        Some(spec.scale.position(window[1], seconds))
    };
    let end = curves.iter().filter_map(last).fold(edge(window[1], f64::max), f64::max);
    let baselines = if panel == Panel::Accuracy { baselines::for_run(state) } else { Vec::new() };
    let log_y = state.charts.log_y.contains(&panel);
    let mut baseline_values: Vec<f64> = baselines.iter().map(|baseline| baseline.value).collect();
    if panel == Panel::Probes {
        // All probabilities.
        baseline_values.extend([0.0, 1.0]);
    }
    let y = y_range(panel, curves, &baseline_values, window, area.height, state);
    let mut annotations = Vec::new();
    for spec in curves {
        for &(step, _) in spec.curve.not_finite() {
            let x = spec.scale.at_step(step);
            annotations.push(ChartAnnotation { x, symbol: '!', style: theme.error() });
        }
    }
    for applied in &state.applied_commands {
        let symbol = match applied.effect {
            CommandEffect::LearningRateChanged { .. } => 'R',
            CommandEffect::Paused => 'P',
            CommandEffect::CheckpointRequested => 'C',
            CommandEffect::EvaluationRequested => 'e',
            _ => continue,
        };
        let x = scale.position(applied.step as f64, applied.elapsed);
        annotations.push(ChartAnnotation { x, symbol, style: theme.warning() });
    }
    let chart = Chart {
        x: [edge(window[0], f64::min), end],
        x_unit: scale.unit(),
        y,
        y_unit: if panel == Panel::Throughput { Unit::Rate } else { Unit::Number },
        log_y,
        series,
        baselines: baselines
            .into_iter()
            .map(|baseline| ChartBaseline { y: baseline.value, names: baseline.names(state.lang) })
            .collect(),
        annotations,
        cursor: state.charts.cursor.map(|step| scale.at_step(step)),
    };
    let plot = chart.draw(area, frame.buffer_mut(), theme);
    let plot = Area { x: plot.x, y: plot.y, width: plot.width, height: plot.height };
    layout.plots.push((panel, plot));
    // The throughput panel has two charts, which cannot share one stored range.
    if panel != Panel::Throughput {
        layout.y_ranges.insert(panel, y);
    }
}

/// The quantity of the x axes, and the positions of a run's steps on them.
#[derive(Clone, Copy)]
pub(super) struct XScale<'a> {
    axis: XAxis,
    steps_per_epoch: f64,
    /// The local time when training began, in seconds.
    began: f64,
    curve: &'a Curve,
}

impl<'a> XScale<'a> {
    pub fn of(history: &'a History, state: &State) -> Self {
        let began = state.training_start_time();
        let axis = match state.charts.axis {
            XAxis::Wall if began.is_none() => XAxis::Relative,
            axis => axis,
        };
        let began = began.unwrap_or(0.0);
        let steps_per_epoch = history.steps_per_epoch.max(1) as f64;
        Self { axis, steps_per_epoch, began, curve: &history.loss }
    }

    fn position(&self, step: f64, seconds: f64) -> f64 {
        match self.axis {
            XAxis::Step => step,
            XAxis::Epoch => step / self.steps_per_epoch,
            XAxis::Relative => seconds,
            XAxis::Wall => self.began + seconds,
        }
    }

    fn at_step(&self, step: f64) -> f64 {
        let timed = matches!(self.axis, XAxis::Relative | XAxis::Wall);
        self.position(step, if timed { self.curve.seconds_at(step) } else { 0.0 })
    }

    fn unit(&self) -> Unit {
        match self.axis {
            XAxis::Step => Unit::Count,
            XAxis::Epoch => Unit::Number,
            XAxis::Relative => Unit::Duration,
            XAxis::Wall => Unit::Clock,
        }
    }
}

/// The range of the y axis, with round bounds. The previous range is reused while the values fit.
fn y_range(
    panel: Panel,
    curves: &[CurveSpec],
    baseline_values: &[f64],
    window: [f64; 2],
    height: u16,
    state: &State,
) -> [f64; 2] {
    let range_option = state.charts.ranges.get(&panel).copied().unwrap_or_default();
    if let YRange::Fixed(range) = range_option {
        return range;
    }
    let mut range: Option<[f64; 2]> = None;
    let mut include = |[from, to]: [f64; 2]| {
        let [low, high] = range.get_or_insert([from, to]);
        (*low, *high) = (low.min(from), high.max(to));
    };
    for spec in curves {
        let curve = spec.curve;
        let usual = spec.smooth && range_option == YRange::Typical;
        if spec.smooth && spec.raw.is_none() {
            // Only values that are drawn determine the range.
            curve.smoothed_range(window).into_iter().for_each(&mut include);
            continue;
        }
        let raw = if usual { curve.usual_range(window) } else { curve.whole_range(window) };
        raw.into_iter().for_each(&mut include);
        if usual {
            curve.smoothed_range(window).into_iter().for_each(&mut include);
        }
    }
    for value in baseline_values {
        include([*value, *value]);
    }
    let [mut low, high] = range.unwrap_or([0.0, 1.0]);
    let log = state.charts.log_y.contains(&panel);
    if log {
        // A logarithmic axis has no zero or negative values.
        low = low.max(high.abs().max(1e-12) * 1e-6);
        let margin = (0.05 * (high / low).max(1.0).ln()).max(0.005).exp();
        return [low / margin, high.max(low) * margin];
    }
    let previous = state.layout.y_ranges.get(&panel).copied();
    if let Some([from, to]) = previous
        && from <= low
        && to >= high
        && high - low >= 0.4 * (to - from)
    {
        return [from, to];
    }
    let bounds = round_bounds(low, high, usize::from(height / 2).clamp(2, 8));
    // No share is larger than one.
    if panel == Panel::Accuracy { bounds.map(|bound| bound.min(1.0)) } else { bounds }
}
