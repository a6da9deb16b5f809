//! A table of the metrics of each epoch, one line per epoch.

use super::theme::Theme;
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
const WITH_RATES: u16 = 80;

/// Columns between two columns of epochs, for the mark of the best one.
const GAP: u16 = 4;

/// Draws the table with the latest epochs.
pub fn draw(frame: &mut Frame, area: Rect, block: Block, state: &State, theme: Theme) {
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
        Span::styled(align_left(state.lang.tr("ep"), 2), theme.train()),
        head("train", 8, theme.train()),
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
    let rows: Vec<Line> = state
        .epochs
        .iter()
        .map(|row| {
            let is_best = row.eval.as_ref().is_some_and(|eval| Some(eval.step) == best);
            epoch_line(row, is_best, (losses, rates), theme)
        })
        .collect();
    frame.render_widget(block, area);
    if rows.is_empty() {
        let lines = vec![head, Line::styled(state.lang.tr("after the first epoch"), theme.dim())];
        return frame.render_widget(Paragraph::new(lines), inner);
    }
    // An enlarged panel has as many columns of epochs as fit, so that it shows all of them.
    let width = head.width() as u16 + GAP;
    let fitting = usize::from((inner.width + GAP - 2) / width).max(1);
    let columns = rows.len().div_ceil(height).min(fitting);
    let skipped = rows.len().saturating_sub(columns * height);
    for (column, rows) in rows[skipped..].chunks(height).enumerate() {
        let mut lines = vec![head.clone()];
        lines.extend(rows.iter().cloned());
        if !losses {
            lines.extend(losses_below(state, usize::from(inner.height), theme));
        }
        let x = inner.x + (column as u16 * width).min(inner.width);
        let area = Rect { x, width: inner.right() - x, ..inner };
        frame.render_widget(Paragraph::new(lines), area);
    }
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
        Span::styled(align_left(state.lang.tr("ep"), 2), theme.train()),
        Span::styled(head("train loss", 12), theme.train()),
        Span::styled(head("eval loss", 12), theme.eval()),
    ]));
    lines.extend(state.epochs.iter().map(|row| {
        let [train, eval] = losses_of(row).map(metric);
        Line::from(vec![
            Span::styled(format!("{:>2}", row.number), theme.dim()),
            Span::raw(format!("{train:>12}{eval:>12}")),
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
    let perplexity = row.eval.as_ref().and_then(|eval| eval.metrics.perplexity);
    let pretrains = perplexity.is_some();
    // Predictions are counted in evaluations of pretraining alone.
    let train = row.train.as_ref().filter(|_| !pretrains).map(|epoch| epoch.train_accuracy);
    let eval = row.eval.as_ref().map(|eval| eval.metrics.eval_accuracy);
    let has_classes = |eval: &&Evaluated| !eval.metrics.eval_confusion.counts.is_empty();
    let f1 = row.eval.as_ref().filter(has_classes).map(|eval| eval.metrics.eval_f1);
    let third = match (f1, perplexity) {
        (None, Some(perplexity)) => format!("  {perplexity:>8.2}"),
        _ => format!("  {}", metric(f1)),
    };
    let style = if is_best { theme.eval() } else { Style::new() };
    let mut spans = vec![
        Span::styled(format!("{:>2}  ", row.number), theme.dim()),
        Span::raw(metric(train)),
        Span::styled(format!("  {}", metric(eval)), style),
        Span::styled(third, style),
    ];
    if losses {
        let [train, eval] = losses_of(row).map(metric);
        spans.push(Span::raw(format!("  {train:>10}")));
        spans.push(Span::styled(format!("  {eval:>9}"), style));
    }
    if rates {
        let metrics = row.eval.as_ref().filter(has_classes).map(|eval| &eval.metrics);
        let precision = metrics.map(|metrics| metrics.eval_precision);
        let recall = metrics.map(|metrics| metrics.eval_recall);
        spans.push(Span::styled(format!("  {:>10}", metric(precision)), style));
        spans.push(Span::styled(format!("  {:>8}", metric(recall)), style));
    }
    spans.push(Span::styled(if is_best { " ◂" } else { "" }, theme.eval()));
    Line::from(spans)
}
