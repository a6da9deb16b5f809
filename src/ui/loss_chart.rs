//! Training loss as measured and smoothed, with the evaluations as points.

use super::panel;
use super::theme::Theme;
use crate::app::State;
use crate::app::series::{Axis, axis, envelope, usual_range};
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{self, Chart, Dataset, GraphType, Paragraph};

pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let block = panel(theme, "loss").title(legend(state, theme).alignment(Alignment::Right));
    let (raw, smoothed) = (&state.loss.raw, &state.loss.smoothed);
    if raw.is_empty() && state.loss.not_finite.is_empty() {
        let text =
            if state.is_running() { "waiting for the first step" } else { "no step was taken" };
        let text = Line::styled(text, theme.dim()).centered();
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let middle = Rect { y: inner.y + inner.height / 2, height: inner.height.min(1), ..inner };
        frame.render_widget(Paragraph::new(text), middle);
        return;
    }
    let columns = usize::from(area.width);
    let raw = envelope(raw, columns);
    let smoothed = envelope(smoothed, columns);
    let y = y_axis(state, area.height);
    // The step axis ends where the data ends: a curve should fill its chart.
    let end = state.steps_done().max(2) as f64;
    let marks: Vec<(f64, f64)> = state
        .loss
        .not_finite
        .iter()
        .flat_map(|&(step, _)| {
            let [low, high] = y.bounds;
            (0..=20).map(move |i| (step, low + (high - low) * f64::from(i) / 20.0))
        })
        .collect();
    let datasets = vec![
        line(&raw, theme.raw(), theme),
        line(&smoothed, theme.train(), theme),
        Dataset::default().data(&state.eval_loss).marker(theme.point_marker()).style(theme.eval()),
        Dataset::default().data(&marks).marker(Marker::Bar).style(theme.error()),
    ];
    let chart = Chart::new(datasets)
        .block(block)
        .legend_position(None)
        .x_axis(ratatui_axis(x_labels(end, columns), theme).bounds([0.0, end]))
        .y_axis(ratatui_axis(y.labels, theme).bounds(y.bounds));
    frame.render_widget(chart, area);
}

fn line(points: &[(f64, f64)], style: Style, theme: Theme) -> Dataset<'_> {
    Dataset::default().data(points).graph_type(GraphType::Line).marker(theme.marker()).style(style)
}

fn ratatui_axis<'a>(labels: Vec<String>, theme: Theme) -> widgets::Axis<'a> {
    let style = theme.dim();
    let labels: Vec<Span> = labels.into_iter().map(|label| Span::styled(label, style)).collect();
    widgets::Axis::default().labels(labels).style(style)
}

/// The first and the last step, and the one between them if there is one: the chart spreads labels
/// evenly, so they have to be evenly apart.
fn x_labels(end: f64, columns: usize) -> Vec<String> {
    let mut labels = vec!["0".to_owned(), format!("step {end}")];
    let middle = end / 2.0;
    if columns >= 40 && middle.fract() == 0.0 {
        labels.insert(1, format!("{middle}"));
    }
    labels
}

/// From the usual range of what was measured, and all of what was smoothed and evaluated.
fn y_axis(state: &State, height: u16) -> Axis {
    let usual = usual_range(state.loss.raw.iter().map(|point| point.1));
    let (mut low, mut high) = usual.unwrap_or((0.0, 1.0));
    for &(_, value) in state.loss.smoothed.iter().chain(&state.eval_loss) {
        low = low.min(value);
        high = high.max(value);
    }
    axis(low, high, usize::from(height / 3).clamp(2, 8))
}

/// The latest values, each in the colour of its curve.
fn legend(state: &State, theme: Theme) -> Line<'static> {
    if let Some((step, value)) = state.loss.not_finite.last() {
        return Line::styled(format!(" {value} at step {step} "), theme.error());
    }
    let mut spans = Vec::new();
    if let Some((_, value)) = state.loss.smoothed.last() {
        spans.push(Span::styled(format!(" train {value:.3} "), theme.train()));
    }
    if let Some((_, value)) = state.eval_loss.last() {
        spans.push(Span::styled(format!("• eval {value:.3} "), theme.eval()));
    }
    Line::from(spans)
}
