//! Accuracy and F1, an epoch a line, with a chart above and the confusion matrix below where
//! there is room.

use super::theme::Theme;
use super::{confusion, panel};
use crate::app::series::axis;
use crate::app::{EpochRow, State};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{self, Chart, Dataset, GraphType, Paragraph};

/// F1 below this is not drawn; the table shows it.
const LOWEST_F1: f64 = 0.5;

pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let block = panel(theme, "accuracy · F1");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    // A large matrix may take a third of the room; below that it says so in the room of a small one.
    let matrix = state.evaluated.as_ref().map_or(0, |evaluated| {
        let whole = evaluated.metrics.eval_confusion.counts.len() as u16 + 2;
        if whole <= inner.height / 3 { whole } else { confusion::LEAST }
    });
    let matrix = if inner.height >= matrix + 4 { matrix } else { 0 };
    let room = inner.height - matrix;
    let chart = if room >= 14 && state.evaluated.is_some() { room - 7 } else { 0 };
    let [chart, table, matrix] = Layout::vertical([
        Constraint::Length(chart),
        Constraint::Fill(1),
        Constraint::Length(matrix),
    ])
    .areas(inner);
    if chart.height > 0 {
        draw_chart(frame, chart, state, theme);
    }
    draw_table(frame, table, state, theme);
    if let Some(evaluated) = state.evaluated.as_ref().filter(|_| matrix.height > 0) {
        let labels = state.started.as_ref().map_or(&[][..], |s| &s.labels[..]);
        let counts = &evaluated.metrics.eval_confusion;
        confusion::draw(frame, matrix, counts, labels, theme);
    }
}

fn draw_table(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let head = Line::from(vec![
        Span::styled("ep   train", theme.train()),
        Span::styled("    eval", theme.eval()),
        Span::styled("      F1", theme.f1()),
    ]);
    let best = state.best.as_ref().map(|best| best.step);
    let rows: Vec<Line> = state
        .epochs
        .iter()
        .map(|row| {
            let is_best = row.eval.as_ref().is_some_and(|eval| Some(eval.step) == best);
            epoch_line(row, is_best, theme)
        })
        .collect();
    let room = usize::from(area.height).saturating_sub(1);
    let skipped = rows.len().saturating_sub(room);
    let mut lines = vec![head];
    lines.extend(rows.into_iter().skip(skipped));
    if lines.len() == 1 {
        lines.push(Line::styled("after the first epoch", theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn epoch_line(row: &EpochRow, is_best: bool, theme: Theme) -> Line<'static> {
    let figure = |value: Option<f64>| value.map_or("     -".to_owned(), |v| format!("{v:.4}"));
    let train = row.train.as_ref().map(|epoch| epoch.train_accuracy);
    let eval = row.eval.as_ref().map(|eval| eval.metrics.eval_accuracy);
    let f1 = row.eval.as_ref().map(|eval| eval.metrics.eval_f1);
    let style = if is_best { theme.eval() } else { Style::new() };
    Line::from(vec![
        Span::styled(format!("{:>2}  ", row.number), theme.dim()),
        Span::raw(figure(train)),
        Span::styled(format!("  {}", figure(eval)), style),
        Span::styled(format!("  {}", figure(f1)), style),
        Span::styled(if is_best { " ◂" } else { "" }, theme.eval()),
    ])
}

fn draw_chart(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let points = |value: &dyn Fn(&EpochRow) -> Option<f64>| -> Vec<(f64, f64)> {
        let rows = state.epochs.iter();
        rows.filter_map(|row| Some((row.number as f64, value(row)?))).collect()
    };
    let train = points(&|row| Some(row.train.as_ref()?.train_accuracy));
    let accuracy = points(&|row| Some(row.eval.as_ref()?.metrics.eval_accuracy));
    let f1 = points(&|row| Some(row.eval.as_ref()?.metrics.eval_f1));
    // An F1 of zero, common after a first epoch, would flatten the rest: it is left off the chart.
    let f1: Vec<(f64, f64)> = f1.into_iter().filter(|point| point.1 >= LOWEST_F1).collect();
    let all = || train.iter().chain(&accuracy).chain(&f1).map(|point| point.1);
    let (low, high) = (all().fold(0.5, f64::min), all().fold(0.6, f64::max));
    let y = axis(low, high, usize::from(area.height / 2).clamp(4, 6));
    let last = state.epochs.last().map_or(2.0, |row| row.number.max(2) as f64);
    let curve = |points, style| {
        Dataset::default()
            .data(points)
            .graph_type(GraphType::Line)
            .marker(theme.marker())
            .style(style)
    };
    let labels = |labels: Vec<String>| -> Vec<Span<'static>> {
        labels.into_iter().map(|label| Span::styled(label, theme.dim())).collect()
    };
    let chart = Chart::new(vec![
        curve(&train, theme.train()),
        curve(&f1, theme.f1()),
        curve(&accuracy, theme.eval()),
    ])
    .legend_position(None)
    .x_axis(
        widgets::Axis::default()
            .bounds([1.0, last])
            .labels(labels(vec!["1".to_owned(), format!("epoch {last}")]))
            .style(theme.dim()),
    )
    .y_axis(widgets::Axis::default().bounds(y.bounds).labels(labels(y.labels)).style(theme.dim()));
    frame.render_widget(chart, area);
}
