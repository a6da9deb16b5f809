//! The histories of an enlarged panel, as graphs with a scale and a time axis.

use super::{MetricHistory, MetricRow, Scale, Shown, cells_of_a_point};
use crate::core::text::clock;
use crate::run::metric_series::ticks::{Tick, Unit, linear, round_bounds};
use crate::screen::lang::Lang;
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::area_graph;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// The fewest rows of a graph, with its name.
const MIN_GRAPH: usize = 4;

/// The columns of a label of the time axis, with the space around it.
const TIME_LABEL: usize = 12;

/// A label of an axis: its first column, and its text.
type Label = (usize, String);

/// A graph: the range of its values in their unit, and its name with what the range is of.
struct Graph<'a> {
    history: MetricHistory<'a>,
    title: String,
    range: [f64; 2],
    /// The values at the top and at the bottom.
    labels: [String; 2],
}

/// The histories in the rows that are left over, as many as fit with at least four rows each, and below
/// them the time axis that they share.
pub(super) fn lines(
    rows: &[MetricRow],
    (width, left): (usize, usize),
    shown: Shown,
    (lang, theme): (Lang, Theme),
) -> Vec<Line<'static>> {
    let histories = rows.iter().filter_map(|row| Some((row.name.trim_start(), row.history?)));
    let histories: Vec<(&str, MetricHistory)> =
        histories.filter(|(_, history)| history.series.points().len() > 1).collect();
    // A row for the time.
    let left = left.saturating_sub(1);
    let count = histories.len().min(left / MIN_GRAPH);
    let histories = &histories[..count];
    let heights: Vec<usize> = (0..count)
        .map(|number| left * (number + 1) / count - left * number / count)
        .map(|rows| rows - 1)
        .collect();
    let graphs: Vec<Graph> = histories
        .iter()
        .zip(&heights)
        .map(|((name, history), height)| graph(name, *history, (width, *height), shown, lang))
        .collect();
    let widest = graphs.iter().flat_map(|graph| &graph.labels).map(|label| label.width()).max();
    let gutter = widest.unwrap_or(0);
    let cells = width.saturating_sub(gutter + 1);
    if count == 0 || cells == 0 {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for (graph, height) in graphs.iter().zip(heights) {
        lines.push(Line::styled(graph.title.clone(), theme.dim()));
        let values = shown.values(graph.history.series, cells);
        let drawn = area_graph(&values, graph.range, cells, height);
        for (row, cells) in drawn.into_iter().enumerate() {
            let (label, axis) = match row {
                0 => (graph.labels[0].as_str(), '┤'),
                _ if row + 1 == height => (graph.labels[1].as_str(), '┤'),
                _ => ("", '│'),
            };
            let blank = " ".repeat(gutter - label.width());
            lines.push(Line::from(vec![
                Span::styled(blank + label, theme.dim()),
                Span::styled(axis.to_string(), theme.grid()),
                Span::styled(cells, theme.bar()),
            ]));
        }
    }
    let longest = histories.iter().map(|(_, history)| history.series.points());
    let points = longest.max_by_key(|points| points.len()).unwrap_or(&[]);
    let labels = match shown {
        Shown::Latest => times_ago(points, cells, lang),
        Shown::Whole => times_of_run(points, cells),
    };
    let axis = " ".repeat(gutter + 1) + &in_one_line(labels, cells);
    lines.push(Line::styled(axis.trim_end().to_owned(), theme.dim()));
    lines
}

/// A graph in an area of this width and height. Memory is drawn in the range in which it was used, so
/// that its changes are seen; the title names the total.
fn graph<'a>(
    name: &str,
    history: MetricHistory<'a>,
    (width, height): (usize, usize),
    shown: Shown,
    lang: Lang,
) -> Graph<'a> {
    let name = name.to_owned();
    match history.scale {
        Scale::Percent => Graph {
            history,
            title: name,
            range: [0.0, 1.0],
            labels: ["100 %", "0 %"].map(str::to_owned),
        },
        Scale::Watts(limit) => Graph {
            history,
            title: name,
            range: [0.0, limit],
            labels: [format!("{limit:.0} W"), "0 W".to_owned()],
        },
        Scale::Gibibytes(total) => {
            let values = shown.values(history.series, width);
            let low = total * values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = total * values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let from = if low < high / 4.0 { 0.0 } else { low };
            let [bottom, top] = round_bounds(from, high, (height / 2).clamp(2, 5));
            let decimals = if top - bottom < 0.5 { 2 } else { 1 };
            let label = |gibibytes: f64| format!("{gibibytes:.decimals$} GiB");
            let [low, high] = [low, high].map(|gibibytes| format!("{gibibytes:.decimals$}"));
            let total_text = format!("{total:.1}");
            let text = "{0}: {1} to {2} of {3} GiB";
            Graph {
                history,
                title: lang.tr_with(text, &[&name, &low, &high, &total_text]),
                range: [bottom / total, top / total],
                labels: [top, bottom.max(0.0)].map(label),
            }
        }
    }
}

/// The labels of an axis that ends now: how long ago the values were measured, in minutes and seconds.
fn times_ago(points: &[(f64, f64)], cells: usize, lang: Lang) -> Vec<Label> {
    let now = lang.tr("now");
    let mut labels = vec![(cells.saturating_sub(now.width()), now.to_owned())];
    let of_a_point = cells_of_a_point(points.len(), cells);
    let shown = &points[points.len().saturating_sub(cells / of_a_point)..];
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return labels };
    let interval = (last.0 - first.0) / ((shown.len() - 1).max(1) * of_a_point) as f64;
    if interval <= 0.0 {
        return labels;
    }
    let span = interval * (cells - 1) as f64;
    for tick in times(0.0, span, cells).into_iter().skip(1) {
        let text = lang.tr_with("{0} ago", &[&tick.label]);
        let column = (cells - 1).saturating_sub((tick.value / interval).round() as usize);
        labels.push((column.saturating_sub(text.width() / 2), text));
    }
    labels
}

/// The times of an axis with this many cells, in whole seconds.
fn times(from: f64, until: f64, cells: usize) -> Vec<Tick> {
    let most = (cells / TIME_LABEL).min((until - from).max(0.0) as usize);
    if most == 0 { Vec::new() } else { linear(from, until, most, Unit::Duration) }
}

/// The labels of an axis over a run: the time since its training began.
fn times_of_run(points: &[(f64, f64)], cells: usize) -> Vec<Label> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let span = last.0 - first.0;
    let end = clock(last.0);
    let mut labels = vec![(cells.saturating_sub(end.width()), end), (0, clock(first.0))];
    for tick in times(first.0, last.0, cells) {
        let column = ((tick.value - first.0) / span * (cells - 1) as f64).round() as usize;
        labels.push((column.saturating_sub(tick.label.width() / 2), tick.label));
    }
    labels
}

/// The labels in a line of at most `cells` columns; one that would touch another before it in the list
/// is left out.
fn in_one_line(labels: Vec<Label>, cells: usize) -> String {
    let mut placed: Vec<Label> = Vec::new();
    for (start, text) in labels {
        let end = start + text.width();
        let is_free =
            placed.iter().all(|(other, known)| end < *other || start > other + known.width());
        if is_free && end <= cells {
            placed.push((start, text));
        }
    }
    placed.sort_unstable();
    let mut line = String::new();
    for (start, text) in placed {
        line.push_str(&" ".repeat(start - line.width()));
        line.push_str(&text);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(points: &[(f64, f64)], cells: usize, shown: Shown) -> String {
        let labels = match shown {
            Shown::Latest => times_ago(points, cells, Lang::English),
            Shown::Whole => times_of_run(points, cells),
        };
        in_one_line(labels, cells)
    }

    #[test]
    fn few_points_fill_half_of_the_axis_and_keep_their_times() {
        let points: Vec<(f64, f64)> = (0..20).map(|at| (f64::from(at) * 2.0, 0.5)).collect();
        // Four cells a point: half a second a cell.
        let ago = axis(&points, 120, Shown::Latest);
        assert_eq!(ago.find("0:20 ago"), Some(120 - 1 - 40 - 4), "{ago}");
        for count in [1, 20, 30, 59, 60, 119, 120, 500] {
            let cells = cells_of_a_point(count, 120);
            assert!(cells * count.min(120 / cells) >= 60 || count < 15, "{count}");
        }
    }

    #[test]
    fn the_time_axis_ends_now_or_with_the_run() {
        let points: Vec<(f64, f64)> = (0..200).map(|at| (f64::from(at) * 2.0, 0.5)).collect();
        let ago = axis(&points, 61, Shown::Latest);
        // Two seconds a cell: a minute in the middle of the first half.
        assert_eq!(ago.find("1:00 ago"), Some(60 - 30 - 4), "{ago}");
        assert!(ago.ends_with(" now") && ago.width() == 61, "{ago}");
        let whole = axis(&points, 61, Shown::Whole);
        assert!(whole.starts_with("0:00") && whole.ends_with("6:38"), "{whole}");
        for cells in 1..40 {
            for count in [0, 1, 2, 30] {
                for shown in [Shown::Latest, Shown::Whole] {
                    assert!(axis(&points[..count], cells, shown).width() <= cells);
                }
            }
        }
    }
}
