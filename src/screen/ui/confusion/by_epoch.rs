//! Below an enlarged confusion matrix: how often each class was answered for each label, by epoch.

use crate::core::text::{align_left, align_right, truncate_width};
use crate::core::train::event::Evaluated;
use crate::core::train::metrics::Confusion;
use crate::screen::app::State;
use crate::screen::ui::theme::Theme;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// The columns of the epoch, and of the accuracy.
const EPOCH: usize = 6;
const ACCURACY: usize = 10;

/// The fewest columns of a count, and the most of the name of a class.
const COUNT: usize = 10;
const CLASS: usize = 12;

/// The most classes of which the table has all cells.
const MAX_CLASSES: usize = 3;

/// The rows above the epochs: a blank one, and the names of the columns.
const HEAD: usize = 2;

/// A table in at most so many columns and rows, of the latest epochs; empty if it does not fit.
pub(super) fn lines(
    state: &State,
    labels: &[String],
    (width, rows): (usize, usize),
    theme: Theme,
) -> Vec<Line<'static>> {
    let evaluated = || state.epochs.iter().filter_map(|row| Some((row.number, row.eval.as_ref()?)));
    let count = evaluated().count().min(rows.saturating_sub(HEAD));
    let classes = labels.len();
    if !(2..=MAX_CLASSES).contains(&classes) || count < 2 {
        return Vec::new();
    }
    let cells: Vec<(usize, usize)> =
        (0..classes).flat_map(|truth| (0..classes).map(move |answer| (truth, answer))).collect();
    let named = |class: usize| truncate_width(&labels[class], CLASS);
    let names: Vec<String> = cells
        .iter()
        .map(|(truth, answer)| format!("{} → {}", named(*truth), named(*answer)))
        .collect();
    let widths: Vec<usize> = names.iter().map(|name| name.width().max(COUNT) + 3).collect();
    let needed = EPOCH + ACCURACY + widths.iter().sum::<usize>() + 2;
    if needed > width {
        return Vec::new();
    }
    let mut head = vec![
        Span::styled(align_left(state.lang.tr("epoch"), EPOCH), theme.dim()),
        Span::styled(align_right(state.lang.tr("accuracy"), ACCURACY), theme.dim()),
    ];
    for ((name, width), (truth, answer)) in names.iter().zip(&widths).zip(&cells) {
        let style = if truth == answer { theme.good() } else { theme.error() };
        head.push(Span::styled(align_right(name, *width), style));
    }
    let best = state.best.as_ref().map(|best| best.step);
    let skipped = evaluated().count() - count;
    let rows = evaluated().skip(skipped).map(|(number, evaluated)| {
        let is_best = best == Some(evaluated.step);
        row((number, evaluated), (&cells, &widths), is_best, theme)
    });
    [Line::default(), Line::from(head)].into_iter().chain(rows).collect()
}

fn row(
    (number, evaluated): (u64, &Evaluated),
    (cells, widths): (&[(usize, usize)], &[usize]),
    is_best: bool,
    theme: Theme,
) -> Line<'static> {
    let Confusion { counts } = &evaluated.metrics.eval_confusion;
    let style = if is_best { theme.eval() } else { Style::new() };
    let accuracy = format!("{:.4}", evaluated.metrics.eval_accuracy);
    let mut spans = vec![
        Span::styled(align_left(&number.to_string(), EPOCH), theme.dim()),
        Span::styled(align_right(&accuracy, ACCURACY), style),
    ];
    for ((truth, answer), width) in cells.iter().zip(widths) {
        let count = counts.get(*truth).and_then(|row| row.get(*answer));
        let count = count.map_or("-".to_owned(), u64::to_string);
        spans.push(Span::styled(align_right(&count, *width), style));
    }
    spans.push(Span::styled(if is_best { " ◂" } else { "" }, theme.eval()));
    Line::from(spans)
}
