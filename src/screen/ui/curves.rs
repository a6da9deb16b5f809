//! The charts of the training page: which curves each has, and how far its axes reach.

use super::canvas::Pen;
use super::chart::{Chart, Mark, Reference, Trace};
use super::theme::Theme;
use crate::core::train::event::CommandEffect;
use crate::run::metric_series::ticks::{Unit, number, round_bounds};
use crate::run::metric_series::{Curve, History};
use crate::screen::app::charts::{XAxis, YRange};
use crate::screen::app::layout::Area;
use crate::screen::app::panels::Panel;
use crate::screen::app::{FrameLayout, State, baselines};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use unicode_width::UnicodeWidthStr;

/// A curve of a chart.
pub(super) struct Figure<'a> {
    pub name: &'a str,
    pub curve: &'a Curve,
    pub pen: Pen,
    /// Whether it is smoothed.
    pub smooth: bool,
    /// How what was measured is drawn beneath, if it is.
    pub raw: Option<Style>,
    /// Whether its points are marked.
    pub points: bool,
    /// Where its steps stand.
    pub scale: Scale<'a>,
}

fn figures(panel: Panel, state: &State, theme: Theme) -> Vec<Figure<'_>> {
    let history = &state.history;
    let scale = Scale::of(history, state);
    let measured = |name, curve, style: Style, sign| {
        let pen = Pen { style, sign };
        Figure { name, curve, pen, smooth: false, raw: None, points: true, scale }
    };
    let noisy = |name, curve| {
        let (pen, raw) = (Pen { style: theme.train(), sign: '*' }, Some(theme.raw()));
        Figure { name, curve, pen, smooth: true, raw, points: false, scale }
    };
    match panel {
        Panel::Loss => vec![
            noisy("train", &history.loss),
            measured("eval", &history.eval_loss, theme.eval(), 'o'),
        ],
        Panel::Accuracy => vec![
            measured("train F1", &history.train_f1, theme.raw(), '.'),
            measured("train", &history.train_accuracy, theme.train(), '*'),
            measured("F1", &history.eval_f1, theme.f1(), '+'),
            measured("eval", &history.eval_accuracy, theme.eval(), 'o'),
        ],
        Panel::LearningRate => {
            let rate = measured("rate", &history.learning_rate, theme.train(), '*');
            vec![Figure { points: false, ..rate }]
        }
        Panel::GradNorm => vec![noisy("norm", &history.grad_norm)],
        Panel::Throughput => {
            vec![noisy("samples/s", &history.samples), noisy("tokens/s", &history.tokens)]
        }
        _ => Vec::new(),
    }
}

/// Draws a chart into a block. Curves that cannot share an axis stand below each other, or, where
/// there is no room, the first one stands for all.
pub fn draw(
    frame: &mut Frame,
    area: Rect,
    panel: Panel,
    block: Block,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let figures = figures(panel, state, theme);
    let block = block.title(legend(panel, &figures, state, area, theme));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if figures.iter().all(|figure| figure.curve.is_empty()) {
        let text = state.lang.tr(waiting_for(panel, state));
        let middle = Rect { y: inner.y + inner.height / 2, height: inner.height.min(1), ..inner };
        let text = Line::styled(text, theme.dim()).centered();
        return frame.render_widget(Paragraph::new(text), middle);
    }
    if panel != Panel::Throughput {
        return draw_chart(frame, inner, panel, &figures, state, theme, layout);
    }
    let shown = if inner.height >= 11 { &figures[..] } else { &figures[..1] };
    let rooms = Layout::vertical(vec![Constraint::Fill(1); shown.len()]).split(inner);
    for (figure, room) in shown.iter().zip(rooms.iter()) {
        draw_chart(frame, *room, panel, std::slice::from_ref(figure), state, theme, layout);
    }
}

fn waiting_for(panel: Panel, state: &State) -> &'static str {
    match panel {
        _ if !state.is_running() => "no step was taken",
        Panel::Accuracy => "waiting for the first epoch",
        _ => "waiting for the first step",
    }
}

/// Draws curves on common axes.
pub(super) fn draw_chart(
    frame: &mut Frame,
    area: Rect,
    panel: Panel,
    figures: &[Figure],
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let Some(first) = figures.first() else { return };
    let window = state.charts.view(state.end());
    let bins = 2 * usize::from(area.width);
    let mut traces = Vec::new();
    for figure in figures {
        let x = |step: f64, seconds: f64| figure.scale.place(step, seconds);
        let (curve, pen) = (figure.curve, figure.pen);
        if !figure.smooth {
            let segments = curve.raw_segments(window, bins, x);
            traces.push(Trace { segments, pen, points: figure.points });
            continue;
        }
        if let Some(style) = figure.raw {
            let segments = curve.raw_segments(window, bins, x);
            traces.push(Trace { segments, pen: Pen { style, sign: '.' }, points: false });
        }
        let segments = curve.smoothed_segments(window, bins, x);
        traces.push(Trace { segments, pen, points: false });
    }
    let scale = first.scale;
    let edge = |step, pick: fn(f64, f64) -> f64| {
        figures.iter().map(|figure| figure.scale.at(step)).reduce(pick).unwrap_or(step)
    };
    let references = if panel == Panel::Accuracy { baselines::of(state) } else { Vec::new() };
    let log_y = state.charts.log_y.contains(&panel);
    let named: Vec<f64> = references.iter().map(|reference| reference.value).collect();
    let y = y_range(panel, figures, &named, window, area.height, state);
    let mut marks: Vec<Mark> = Vec::new();
    for figure in figures {
        for &(step, _) in figure.curve.not_finite() {
            marks.push(Mark { x: figure.scale.at(step), sign: '!', style: theme.error() });
        }
    }
    for steered in &state.steered {
        let sign = match steered.effect {
            CommandEffect::LearningRateChanged { .. } => 'R',
            CommandEffect::Paused => 'P',
            _ => continue,
        };
        let x = scale.place(steered.step as f64, steered.elapsed);
        marks.push(Mark { x, sign, style: theme.warning() });
    }
    let chart = Chart {
        x: [edge(window[0], f64::min), edge(window[1], f64::max)],
        x_unit: scale.unit(),
        y,
        y_unit: if panel == Panel::Throughput { Unit::Rate } else { Unit::Number },
        log_y,
        traces,
        references: references
            .into_iter()
            .map(|reference| Reference { y: reference.value, name: reference.name.to_owned() })
            .collect(),
        marks,
        cursor: state.charts.cursor.map(|step| scale.at(step)),
    };
    let plot = chart.draw(area, frame.buffer_mut(), theme);
    let plot = Area { x: plot.x, y: plot.y, width: plot.width, height: plot.height };
    layout.plots.push((panel, plot));
    // Two charts of one panel would each take the other's range.
    if panel != Panel::Throughput {
        layout.y_ranges.insert(panel, y);
    }
}

/// What the x axes count, and where a step of a run stands on them.
#[derive(Clone, Copy)]
pub(super) struct Scale<'a> {
    axis: XAxis,
    steps_per_epoch: f64,
    /// The clock when training began.
    began: f64,
    curve: &'a Curve,
}

impl<'a> Scale<'a> {
    pub fn of(history: &'a History, state: &State) -> Self {
        let began = state.clock_when_training_began();
        let axis = match state.charts.axis {
            XAxis::Wall if began.is_none() => XAxis::Relative,
            axis => axis,
        };
        let began = began.unwrap_or(0.0);
        let steps_per_epoch = history.steps_per_epoch.max(1) as f64;
        Self { axis, steps_per_epoch, began, curve: &history.loss }
    }

    fn place(&self, step: f64, seconds: f64) -> f64 {
        match self.axis {
            XAxis::Step => step,
            XAxis::Epoch => step / self.steps_per_epoch,
            XAxis::Relative => seconds,
            XAxis::Wall => self.began + seconds,
        }
    }

    fn at(&self, step: f64) -> f64 {
        let timed = matches!(self.axis, XAxis::Relative | XAxis::Wall);
        self.place(step, if timed { self.curve.seconds_at(step) } else { 0.0 })
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

/// How far the y axis reaches: round, and as it was as long as that fits.
fn y_range(
    panel: Panel,
    figures: &[Figure],
    named: &[f64],
    window: [f64; 2],
    height: u16,
    state: &State,
) -> [f64; 2] {
    let wanted = state.charts.ranges.get(&panel).copied().unwrap_or_default();
    if let YRange::Fixed(range) = wanted {
        return range;
    }
    let mut range: Option<[f64; 2]> = None;
    let mut hold = |[from, to]: [f64; 2]| {
        let [low, high] = range.get_or_insert([from, to]);
        (*low, *high) = (low.min(from), high.max(to));
    };
    for figure in figures {
        let curve = figure.curve;
        let usual = figure.smooth && wanted == YRange::Usual;
        if figure.smooth && figure.raw.is_none() {
            // What is not drawn needs no room.
            curve.smoothed_range(window).into_iter().for_each(&mut hold);
            continue;
        }
        let raw = if usual { curve.usual_range(window) } else { curve.whole_range(window) };
        raw.into_iter().for_each(&mut hold);
        if usual {
            curve.smoothed_range(window).into_iter().for_each(&mut hold);
        }
    }
    for value in named {
        hold([*value, *value]);
    }
    let [mut low, high] = range.unwrap_or([0.0, 1.0]);
    let log = state.charts.log_y.contains(&panel);
    if log {
        // Values of zero and below have no place on it.
        low = low.max(high.abs().max(1e-12) * 1e-6);
        let margin = (0.05 * (high / low).max(1.0).ln()).max(0.005).exp();
        return [low / margin, high.max(low) * margin];
    }
    let before = state.layout.y_ranges.get(&panel).copied();
    if let Some([from, to]) = before
        && from <= low
        && to >= high
        && high - low >= 0.4 * (to - from)
    {
        return [from, to];
    }
    round_bounds(low, high, usize::from(height / 2).clamp(2, 8))
}

/// The values under the cursor, or the latest ones, each in the colour of its curve.
fn legend(
    panel: Panel,
    figures: &[Figure],
    state: &State,
    area: Rect,
    theme: Theme,
) -> Line<'static> {
    let mut spans: Vec<Span> = Vec::new();
    let broken = figures.iter().find_map(|figure| figure.curve.not_finite().last());
    if let Some((step, value)) = broken.filter(|_| state.charts.cursor.is_none()) {
        spans.push(Span::styled(
            state.lang.fill(" {0} at step {1} ", &[&value, &step]),
            theme.error(),
        ));
    }
    if let Some(cursor) = state.charts.cursor {
        spans.push(Span::styled(state.lang.fill(" step {0} ", &[&cursor]), theme.cursor()));
    }
    // Of curves on one axis the last one matters most, of several axes the first.
    let mut by_weight: Vec<&Figure> = figures.iter().collect();
    if panel != Panel::Throughput {
        by_weight.reverse();
    }
    for figure in by_weight {
        let value = match state.charts.cursor {
            Some(cursor) => figure.curve.at(cursor).map(|(_, raw, smoothed)| (raw, smoothed)),
            None => figure
                .curve
                .last()
                .map(|raw| (raw, figure.curve.last_smoothed().unwrap_or(f64::NAN))),
        };
        let Some((raw, smoothed)) = value else { continue };
        let name = state.lang.tr(figure.name);
        let text = match state.charts.cursor {
            Some(_) if figure.smooth => format!(" {name} {} ({}) ", short(raw), short(smoothed)),
            None if figure.smooth => format!(" {name} {} ", short(smoothed)),
            _ => format!(" {name} {} ", short(raw)),
        };
        spans.push(Span::styled(text, figure.pen.style));
    }
    // What does not fit beside the title is left out, the most important coming first.
    let mut room =
        usize::from(area.width).saturating_sub(6 + super::grid::title(panel, state).width());
    spans.retain(|span| {
        let fits = span.width() <= room;
        room = if fits { room - span.width() } else { 0 };
        fits
    });
    Line::from(spans).alignment(Alignment::Right)
}

/// A value in few characters, of the same width for values alike.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if (100.0..1e5).contains(&size) => format!("{value:.0}"),
        size if (0.01..100.0).contains(&size) => format!("{value:.3}"),
        _ => number(value),
    }
}
