//! The calibration panel (a reliability diagram): the accuracy of each bin of confidence; where
//! there is room also the error by epoch.

use super::epoch_charts::{self, EpochChart, EpochCurve};
use super::theme::Theme;
use super::widgets::bar::bar;
use super::widgets::{draw_hint, with_note};
use crate::core::text::align_right;
use crate::core::train::calibration::{BINS, Bin, Calibration};
use crate::screen::app::{EpochRow, State};
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// Cells before a bar, for the bin's range.
const RANGE: usize = 8;

/// Cells after a bar, for the count.
const COUNT: usize = 7;

/// Cells between bar and count, for the values if they fit.
const VALUES: usize = 18;

/// Marks the confidence on a bar.
const CONFIDENCE_MARK: &str = "┃";

/// One line for each bin: its accuracy as a bar, its confidence as a mark on the bar, and its
/// count. A bar that ends before the mark means that the model is overconfident.
pub fn draw(frame: &mut Frame, area: Rect, mut block: Block, state: &State, theme: Theme) {
    let calibration = state.evaluated.as_ref().map(|known| &known.metrics.eval_calibration);
    let error = calibration.and_then(Calibration::expected_calibration_error);
    let (Some(calibration), Some(error)) = (calibration, error) else {
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let hint = if state.is_pretraining() {
            "not measured in pretraining"
        } else {
            "after the first evaluation"
        };
        return draw_hint(frame, inner, state.lang.tr(hint), theme);
    };
    let ece = Line::styled(format!(" ECE {error:.4} "), theme.eval());
    block = block.title(ece.alignment(Alignment::Right));
    let inner = block.inner(area);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));
    let shown = bins_shown(&calibration.bins, height);
    let filled = calibration.bins.iter().filter(|bin| bin.count > 0).count();
    let visible = shown.iter().filter(|&&bin| calibration.bins[bin].count > 0).count();
    let hint = if visible < filled {
        state.lang.tr_with(" {0} more ", &[&(filled - visible)])
    } else if width >= 30 {
        state.lang.tr_with(" █ accuracy {0} confidence ", &[&CONFIDENCE_MARK])
    } else {
        String::new()
    };
    block = with_note(block, hint, theme);
    let lines: Vec<Line> =
        shown.into_iter().map(|bin| line(bin, calibration.bins[bin], width, theme)).collect();
    let used = (inner.width, lines.len() as u16);
    frame.render_widget(Paragraph::new(lines).block(block), area);
    epoch_charts::draw_beside(frame, inner, used, &charts(state, theme), state, theme);
}

/// The calibration error by epoch, and what it is made of: the mean confidence and the accuracy.
fn charts(state: &State, theme: Theme) -> [EpochChart; 2] {
    let name = |name| state.lang.tr(name);
    let of_evaluation = |value: fn(&Calibration) -> Option<f64>| {
        move |row: &EpochRow| value(&row.eval.as_ref()?.metrics.eval_calibration)
    };
    // The confidence has the style of its mark.
    let [eval, confidence] = [(theme.eval(), 'o'), (theme.strong(), '+')];
    let error = of_evaluation(Calibration::expected_calibration_error);
    let error = EpochCurve::new("ECE", eval, state, error);
    let curves = vec![
        EpochCurve::new(name("confidence"), confidence, state, of_evaluation(mean_confidence)),
        EpochCurve::new(name("accuracy"), eval, state, of_evaluation(mean_accuracy)),
    ];
    [
        EpochChart { title: "calibration error by epoch", curves: vec![error] },
        EpochChart { title: "means by epoch", curves },
    ]
}

fn mean_confidence(calibration: &Calibration) -> Option<f64> {
    mean(calibration, |bin| bin.confidence)
}

fn mean_accuracy(calibration: &Calibration) -> Option<f64> {
    mean(calibration, |bin| bin.accuracy)
}

/// The mean over all predictions; `None` without one.
fn mean(calibration: &Calibration, value: fn(&Bin) -> f64) -> Option<f64> {
    let count = calibration.total();
    let sum: f64 = calibration.bins.iter().map(|bin| bin.count as f64 * value(bin)).sum();
    (count > 0).then(|| sum / count as f64)
}

/// The bins that are shown, in order: all from the first that is not empty, or, if these are too
/// many, those with the most predictions.
fn bins_shown(bins: &[Bin], height: usize) -> Vec<usize> {
    let first = bins.iter().position(|bin| bin.count > 0).unwrap_or(bins.len());
    let mut shown: Vec<usize> = (first..bins.len()).collect();
    if shown.len() > height {
        shown.sort_by_key(|&bin| std::cmp::Reverse((bins[bin].count, bin)));
        shown.truncate(height);
        shown.sort_unstable();
    }
    shown
}

fn line(number: usize, bin: Bin, width: usize, theme: Theme) -> Line<'static> {
    let edge = |number: usize| number as f64 / BINS as f64;
    let range = format!("{:.1}–{:.1} ", edge(number), edge(number + 1));
    let mut spans = vec![Span::styled(range, theme.dim())];
    let values = if width >= RANGE + COUNT + VALUES + 20 { VALUES } else { 0 };
    let cells = width.saturating_sub(RANGE + COUNT + values);
    if bin.count > 0 {
        spans.extend(bar_with_mark(bin, cells, theme));
    } else {
        spans.push(Span::raw(" ".repeat(cells)));
    }
    if values > 0 {
        let text = format!("  {:.3} {CONFIDENCE_MARK} {:.3}   ", bin.accuracy, bin.confidence);
        let text = if bin.count > 0 { text } else { String::new() };
        spans.push(Span::raw(format!("{text:<values$}")));
    }
    let count = align_right(&bin.count.to_string(), COUNT);
    let style = if bin.count > 0 { theme.strong() } else { theme.dim() };
    spans.push(Span::styled(count, style));
    Line::from(spans)
}

/// The bar of the accuracy with a mark at the confidence.
fn bar_with_mark(bin: Bin, cells: usize, theme: Theme) -> Vec<Span<'static>> {
    if cells == 0 {
        return Vec::new();
    }
    let mark = ((bin.confidence * cells as f64) as usize).min(cells - 1);
    let mut at = 0;
    let mut spans = Vec::new();
    for part in bar(bin.accuracy, cells, theme) {
        // Each character of a bar takes one cell.
        let text: Vec<char> = part.content.chars().collect();
        let split = mark.saturating_sub(at).min(text.len());
        spans.push(Span::styled(text[..split].iter().collect::<String>(), part.style));
        if (at..at + text.len()).contains(&mark) {
            spans.push(Span::styled(CONFIDENCE_MARK, theme.strong()));
            spans.push(Span::styled(text[split + 1..].iter().collect::<String>(), part.style));
        } else {
            spans.push(Span::styled(text[split..].iter().collect::<String>(), part.style));
        }
        at += text.len();
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_the_requested_width_and_one_mark() {
        let theme = Theme::new(true);
        for cells in 0..20 {
            for accuracy in [0.0, 0.3, 0.55, 1.0] {
                for confidence in [0.0, 0.3, 0.999, 1.0] {
                    let spans = bar_with_mark(Bin { count: 1, confidence, accuracy }, cells, theme);
                    let text: String = spans.iter().map(|span| span.content.as_ref()).collect();
                    assert_eq!(text.chars().count(), cells, "{accuracy} {confidence}");
                    assert_eq!(text.matches(CONFIDENCE_MARK).count(), cells.min(1), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn the_bins_with_most_predictions_are_shown_if_not_all_fit() {
        let bin = |count| Bin { count, ..Bin::default() };
        let bins: Vec<Bin> = [0, 0, 7, 0, 9, 1, 8, 0, 0, 2].into_iter().map(bin).collect();
        assert_eq!(bins_shown(&bins, 3), [2, 4, 6]);
        assert_eq!(bins_shown(&bins, 8), [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(bins_shown(&bins, 0), [0; 0]);
        assert_eq!(bins_shown(&[], 3), [0; 0]);
    }
}
