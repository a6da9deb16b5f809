//! Whether the model is as sure as it is right: a bar of accuracy for each bin of confidence.

use super::bars::bar;
use super::theme::Theme;
use crate::core::text::align_right;
use crate::core::train::calibration::{BINS, Bin, Calibration};
use crate::screen::app::State;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// Cells before a bar: the bin's range.
const RANGE: usize = 8;

/// Cells behind a bar: the count.
const COUNT: usize = 7;

/// Cells between bar and count where there is room for figures.
const FIGURES: usize = 18;

/// What marks the confidence on a bar.
const MARK: &str = "┃";

/// One line a bin: its accuracy as a bar, its confidence as a mark on it, and its count. A bar that
/// ends before the mark tells of a model that is surer than it is right.
pub fn draw(frame: &mut Frame, area: Rect, mut block: Block, state: &State, theme: Theme) {
    let calibration = state.evaluated.as_ref().map(|known| &known.metrics.eval_calibration);
    let error = calibration.and_then(Calibration::expected_calibration_error);
    let (Some(calibration), Some(error)) = (calibration, error) else {
        let hint = Line::styled(state.lang.tr("after the first evaluation"), theme.dim());
        return frame.render_widget(Paragraph::new(hint).block(block), area);
    };
    let figure = Line::styled(format!(" ECE {error:.4} "), theme.eval());
    block = block.title(figure.alignment(Alignment::Right));
    let inner = block.inner(area);
    let (width, room) = (usize::from(inner.width), usize::from(inner.height));
    let shown = chosen(&calibration.bins, room);
    let counted = calibration.bins.iter().filter(|bin| bin.count > 0).count();
    let told = shown.iter().filter(|&&bin| calibration.bins[bin].count > 0).count();
    let hint = if told < counted {
        state.lang.fill(" {0} more ", &[&(counted - told)])
    } else if width >= 30 {
        state.lang.fill(" █ accuracy {0} confidence ", &[&MARK])
    } else {
        String::new()
    };
    block = block.title_bottom(Line::styled(hint, theme.dim()).alignment(Alignment::Right));
    let lines: Vec<Line> =
        shown.into_iter().map(|bin| line(bin, calibration.bins[bin], width, theme)).collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// The bins that are shown, in order: all from the first that is not empty, or, where these are
/// too many, those with the most predictions.
fn chosen(bins: &[Bin], room: usize) -> Vec<usize> {
    let first = bins.iter().position(|bin| bin.count > 0).unwrap_or(bins.len());
    let mut chosen: Vec<usize> = (first..bins.len()).collect();
    if chosen.len() > room {
        chosen.sort_by_key(|&bin| std::cmp::Reverse((bins[bin].count, bin)));
        chosen.truncate(room);
        chosen.sort_unstable();
    }
    chosen
}

fn line(number: usize, bin: Bin, width: usize, theme: Theme) -> Line<'static> {
    let edge = |number: usize| number as f64 / BINS as f64;
    let range = format!("{:.1}–{:.1} ", edge(number), edge(number + 1));
    let mut spans = vec![Span::styled(range, theme.dim())];
    let figures = if width >= RANGE + COUNT + FIGURES + 20 { FIGURES } else { 0 };
    let cells = width.saturating_sub(RANGE + COUNT + figures);
    if bin.count > 0 {
        spans.extend(marked(bin, cells, theme));
    } else {
        spans.push(Span::raw(" ".repeat(cells)));
    }
    if figures > 0 {
        let text = format!("  {:.3} {MARK} {:.3}   ", bin.accuracy, bin.confidence);
        let text = if bin.count > 0 { text } else { String::new() };
        spans.push(Span::raw(format!("{text:<figures$}")));
    }
    let count = align_right(&bin.count.to_string(), COUNT);
    let style = if bin.count > 0 { theme.strong() } else { theme.dim() };
    spans.push(Span::styled(count, style));
    Line::from(spans)
}

/// The bar of the accuracy with a mark at the confidence.
fn marked(bin: Bin, cells: usize, theme: Theme) -> Vec<Span<'static>> {
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
            spans.push(Span::styled(MARK, theme.eval()));
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
    fn a_marked_bar_is_as_wide_as_asked_and_marked_once() {
        let theme = Theme::new(true);
        for cells in 0..20 {
            for accuracy in [0.0, 0.3, 0.55, 1.0] {
                for confidence in [0.0, 0.3, 0.999, 1.0] {
                    let spans = marked(Bin { count: 1, confidence, accuracy }, cells, theme);
                    let text: String = spans.iter().map(|span| span.content.as_ref()).collect();
                    assert_eq!(text.chars().count(), cells, "{accuracy} {confidence}");
                    assert_eq!(text.matches(MARK).count(), cells.min(1), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn where_there_is_little_room_the_fullest_bins_are_shown_in_order() {
        let bin = |count| Bin { count, ..Bin::default() };
        let bins: Vec<Bin> = [0, 0, 7, 0, 9, 1, 8, 0, 0, 2].into_iter().map(bin).collect();
        assert_eq!(chosen(&bins, 3), [2, 4, 6]);
        assert_eq!(chosen(&bins, 8), [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(chosen(&bins, 0), [0; 0]);
        assert_eq!(chosen(&[], 3), [0; 0]);
    }
}
