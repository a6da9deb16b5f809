//! A table of the metrics of each epoch, one line per epoch; in an enlarged panel also as charts.

use super::epoch_charts::{self, EpochChart, EpochCurve};
use super::theme::Theme;
use super::widgets::with_note;
use crate::core::text::{align_left, align_right};
use crate::core::train::event::Evaluated;
use crate::screen::app::{EpochRow, State};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// The width from which losses are shown.
const WITH_LOSSES: u16 = 52;

/// The width from which there are precision and recall, if all epochs fit below one another.
const WITH_RATES: u16 = 74;

/// The width from which the mark of the best epoch is explained.
const WITH_NOTE: u16 = 30;

/// Columns of the number of an epoch.
const NUMBER: usize = 4;

/// Columns between two columns of epochs, for the mark of the best one.
const GAP: u16 = 4;

/// Draws the table with the latest epochs.
pub fn draw(frame: &mut Frame, area: Rect, mut block: Block, state: &State, theme: Theme) {
    let inner = block.inner(area);
    let losses = inner.width >= WITH_LOSSES;
    let height = usize::from(inner.height).saturating_sub(1).max(1);
    // Masked words have a perplexity instead of F1.
    let has_classes = !state.is_pretraining()
        || state.started.as_ref().is_some_and(|started| !started.labels.is_empty());
    let third = if has_classes { "F1" } else { "PPL" };
    let head = |name: &str, width: usize, style| {
        Span::styled(align_right(state.lang.tr(name), width), style)
    };
    let mut heads = vec![
        Span::styled(align_left(state.lang.tr("ep"), NUMBER), theme.train()),
        head("train", 6, theme.train()),
        head("eval", 8, theme.eval()),
        head(third, if has_classes { 8 } else { 10 }, theme.f1()),
    ];
    if losses {
        heads.push(head("train loss", 12, theme.train()));
        heads.push(head("eval loss", 11, theme.eval()));
    }
    let rates = has_classes && inner.width >= WITH_RATES && state.epochs.len() <= height;
    if rates {
        heads.push(head("precision", 12, theme.f1()));
        heads.push(head("recall", 10, theme.f1()));
    }
    let head = Line::from(heads);
    let best = state.best.as_ref().map(|best| best.step);
    // A later evaluation of the same epoch may have taken its place.
    let is_best = |row: &EpochRow| row.eval.as_ref().is_some_and(|eval| Some(eval.step) == best);
    let has_best = state.epochs.iter().any(is_best);
    let rows: Vec<Line> = state
        .epochs
        .iter()
        .map(|row| epoch_line(row, is_best(row), (losses, rates), theme))
        .collect();
    if rows.is_empty() {
        frame.render_widget(block, area);
        let lines = vec![head, Line::styled(state.lang.tr("after the first epoch"), theme.dim())];
        return frame.render_widget(Paragraph::new(lines), inner);
    }
    // An enlarged panel has as many columns of epochs as fit, so that it shows all of them.
    let width = head.width() as u16 + GAP;
    let fitting = usize::from((inner.width + GAP - 2) / width).max(1);
    let columns = rows.len().div_ceil(height).min(fitting);
    let skipped = rows.len().saturating_sub(columns * height);
    if skipped > 0 {
        block = with_note(block, state.lang.tr_with(" {0} earlier ", &[&skipped]), theme);
    } else if has_best && inner.width >= WITH_NOTE {
        block = with_note(block, state.lang.tr(" ◂ best epoch ").to_owned(), theme);
    }
    frame.render_widget(block, area);
    let below =
        if losses { Vec::new() } else { losses_below(state, usize::from(inner.height), theme) };
    for (column, rows) in rows[skipped..].chunks(height).enumerate() {
        let mut lines = vec![head.clone()];
        lines.extend(rows.iter().cloned());
        lines.extend(below.iter().cloned());
        let x = inner.x + (column as u16 * width).min(inner.width);
        let area = Rect { x, width: inner.right() - x, ..inner };
        frame.render_widget(Paragraph::new(lines), area);
    }
    if below.is_empty() {
        let used = (columns as u16 * width, 1 + rows.len().min(height) as u16);
        let charts = charts(state, has_classes, theme);
        epoch_charts::draw_beside(frame, inner, used, &charts, state, theme);
    }
}

/// The columns of the table as charts.
fn charts(state: &State, has_classes: bool, theme: Theme) -> Vec<EpochChart> {
    let name = |name| state.lang.tr(name);
    let [train, eval, f1] = [(theme.train(), '*'), (theme.eval(), 'o'), (theme.f1(), '+')];
    let losses = vec![
        EpochCurve::new(name("train"), train, state, |row| losses_of(row)[0]),
        EpochCurve::new(name("eval"), eval, state, |row| losses_of(row)[1]),
    ];
    let mut accuracies = vec![
        EpochCurve::new(name("train"), train, state, train_accuracy),
        EpochCurve::new(name("eval"), eval, state, eval_accuracy),
    ];
    let mut charts = vec![EpochChart { title: "loss by epoch", curves: losses }];
    if has_classes {
        accuracies.insert(1, EpochCurve::new("F1", f1, state, f1_of));
    } else {
        let curves = vec![EpochCurve::new("PPL", f1, state, perplexity)];
        charts.push(EpochChart { title: "perplexity by epoch", curves });
    }
    charts.push(EpochChart { title: "accuracy by epoch", curves: accuracies });
    charts
}

/// A second table with the losses of all epochs, if a panel of this height has room for it below the
/// first one.
fn losses_below(state: &State, height: usize, theme: Theme) -> Vec<Line<'static>> {
    let needed = 2 * (1 + state.epochs.len());
    if needed > height {
        return Vec::new();
    }
    let head = |name: &str, width: usize| align_right(state.lang.tr(name), width);
    let mut lines = vec![Line::default(); usize::from(needed < height)];
    lines.push(Line::from(vec![
        Span::styled(align_left(state.lang.tr("ep"), NUMBER), theme.train()),
        Span::styled(head("train loss", 10), theme.train()),
        Span::styled(head("eval loss", 12), theme.eval()),
    ]));
    lines.extend(state.epochs.iter().map(|row| {
        let [train, eval] = losses_of(row).map(metric);
        Line::from(vec![
            Span::styled(number_of(row), theme.dim()),
            Span::raw(format!("{train:>10}{eval:>12}")),
        ])
    }));
    lines
}

/// The mean loss over the epoch's steps, and the loss of its evaluation. With a generator, the training
/// loss is a weighted sum, which no evaluation has.
fn losses_of(row: &EpochRow) -> [Option<f64>; 2] {
    let is_sum = row.eval.as_ref().is_some_and(|e| e.metrics.eval_generator_loss.is_some());
    let train = row.train.as_ref().filter(|_| !is_sum).map(|epoch| epoch.train_loss);
    [train, row.eval.as_ref().map(|eval| eval.metrics.eval_loss)]
}

fn perplexity(row: &EpochRow) -> Option<f64> {
    row.eval.as_ref().and_then(|eval| eval.metrics.perplexity)
}

/// The accuracy of the answers during the epoch. Predictions are counted in evaluations of pretraining
/// alone.
fn train_accuracy(row: &EpochRow) -> Option<f64> {
    let is_counted = perplexity(row).is_none();
    row.train.as_ref().filter(|_| is_counted).map(|epoch| epoch.train_accuracy)
}

fn eval_accuracy(row: &EpochRow) -> Option<f64> {
    row.eval.as_ref().map(|eval| eval.metrics.eval_accuracy)
}

/// The evaluation of the epoch, if it is one of classes.
fn evaluation_of_classes(row: &EpochRow) -> Option<&Evaluated> {
    row.eval.as_ref().filter(|eval| !eval.metrics.eval_confusion.counts.is_empty())
}

fn f1_of(row: &EpochRow) -> Option<f64> {
    evaluation_of_classes(row).map(|eval| eval.metrics.eval_f1)
}

/// The number of an epoch. One under way that was evaluated has the place of the evaluation, such as
/// `1.03`.
fn number_of(row: &EpochRow) -> String {
    let under_way = row.eval.as_ref().filter(|_| row.train.is_none()).map(|eval| eval.epoch);
    match under_way.filter(|epoch| (row.number as f64 - epoch) > 0.005) {
        Some(epoch) if epoch < 9.995 => format!("{epoch:.2}"),
        Some(epoch) => align_left(&format!("{epoch:.1}"), NUMBER),
        None => align_left(&format!("{:>2}", row.number), NUMBER),
    }
}

fn metric(value: Option<f64>) -> String {
    value.map_or("     -".to_owned(), |value| format!("{value:.4}"))
}

/// The line of an epoch, with its losses and with precision and recall if asked for.
fn epoch_line(
    row: &EpochRow,
    is_best: bool,
    (losses, rates): (bool, bool),
    theme: Theme,
) -> Line<'static> {
    let third = match (f1_of(row), perplexity(row)) {
        (None, Some(perplexity)) => format!("  {perplexity:>8.2}"),
        (f1, _) => format!("  {}", metric(f1)),
    };
    let style = if is_best { theme.eval() } else { Style::new() };
    let mut spans = vec![
        Span::styled(number_of(row), theme.dim()),
        Span::raw(metric(train_accuracy(row))),
        Span::styled(format!("  {}", metric(eval_accuracy(row))), style),
        Span::styled(third, style),
    ];
    if losses {
        let [train, eval] = losses_of(row).map(metric);
        spans.push(Span::raw(format!("  {train:>10}")));
        spans.push(Span::styled(format!("  {eval:>9}"), style));
    }
    if rates {
        let metrics = evaluation_of_classes(row).map(|eval| &eval.metrics);
        let precision = metrics.map(|metrics| metrics.eval_precision);
        let recall = metrics.map(|metrics| metrics.eval_recall);
        spans.push(Span::styled(format!("  {:>10}", metric(precision)), style));
        spans.push(Span::styled(format!("  {:>8}", metric(recall)), style));
    }
    spans.push(Span::styled(if is_best { " ◂" } else { "" }, theme.eval()));
    Line::from(spans)
}
