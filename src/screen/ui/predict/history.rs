//! The kept answers.

use super::labels;
use crate::core::predict::Prediction;
use crate::core::text::{align_left, sanitize_for_terminal, truncate_width, wrap_width};
use crate::run::protocol::Answer;
use crate::screen::app::State;
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::bar::bar;
use crate::screen::ui::widgets::{draw_hint, titled_block};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// The columns of a panel from which probabilities have bars.
const WITH_BARS: usize = 90;

/// The cells of a bar.
const BAR: usize = 12;

/// Draws the answers, the latest first, without the one that is shown above. Their texts are in full if
/// all of them fit.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let block = titled_block(theme, state.lang.tr("history"));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if shown(state).next().is_none() && !theme.is_frameless() && !state.is_pretraining() {
        let hint = if state.prompt.answers.is_empty() {
            "Enter keeps the answer here"
        } else {
            "the answer above is kept; the next one moves it here"
        };
        return draw_hint(frame, inner, state.lang.tr(hint), theme);
    }
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));
    let mut lines: Vec<Line> = Vec::new();
    for answer in shown(state) {
        if lines.len() > height {
            break;
        }
        lines.extend(entry(answer, state, width, true, theme));
    }
    if lines.len() > height {
        lines = shown(state)
            .take(height)
            .flat_map(|answer| entry(answer, state, width, false, theme))
            .collect();
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The rows that all kept answers take with their texts in full, in a panel of `width` columns, up to
/// the rows that any screen has.
pub(super) fn rows(state: &State, width: u16, theme: Theme) -> usize {
    let width = usize::from(width.saturating_sub(2));
    let rows = shown(state).map(|answer| entry(answer, state, width, true, theme).len());
    let mut sum = 0;
    for rows in rows {
        sum += rows;
        if sum > MAX_ROWS {
            break;
        }
    }
    sum
}

/// More rows than a screen has.
const MAX_ROWS: usize = 200;

/// The answers that are not shown above: the latest one is, unless a newer one is awaited or shown.
fn shown(state: &State) -> impl Iterator<Item = &Answer> {
    let prompt = &state.prompt;
    let is_shown_above =
        prompt.pending == 0 && prompt.live_answer().is_none() && !prompt.awaits_live();
    prompt.answers.iter().skip(usize::from(is_shown_above))
}

/// An answer with its text, in one line or as many as the text takes.
fn entry(
    answer: &Answer,
    state: &State,
    width: usize,
    is_whole: bool,
    theme: Theme,
) -> Vec<Line<'static>> {
    let has_bars = width >= WITH_BARS;
    let column = |prediction: &Prediction, labels: &[String]| {
        let class = labels.iter().position(|label| *label == prediction.label);
        let style = theme.class(class.unwrap_or(2));
        let mut spans = vec![
            Span::styled(align_left(&prediction.label, 10), style),
            Span::styled(format!(" {:>6.2}%  ", prediction.score * 100.0), theme.dim()),
        ];
        if has_bars {
            let [filled, rest] = bar(prediction.score, BAR, theme);
            spans.extend([filled.style(style), rest, Span::raw("  ")]);
        }
        spans
    };
    let mut spans = Vec::new();
    if let Ok(prediction) = &answer.outcome {
        spans.extend(column(prediction, labels(state)));
        if let Some(other) = &prediction.compared {
            spans.extend(column(&other.prediction, &other.labels));
        }
        if let Some(step) = answer.step {
            spans.push(Span::styled(align_left(&format!("@{step}"), 7) + " ", theme.dim()));
        }
    } else {
        let error = align_left(state.lang.tr("error"), 10);
        let bar = if has_bars { BAR + 2 } else { 0 };
        spans.extend([Span::styled(error, theme.error()), Span::raw(" ".repeat(10 + bar))]);
    }
    let used: usize = spans.iter().map(Span::width).sum();
    // One column remains free at the end.
    let room = width.saturating_sub(used + 1);
    if !is_whole || room < 2 || answer.text.is_empty() {
        spans.push(Span::raw(truncate_width(&answer.text, room)));
        return vec![Line::from(spans)];
    }
    let text = sanitize_for_terminal(&answer.text);
    let mut lines = Vec::new();
    for part in wrap_width(&text, room) {
        let part = Span::raw(part.trim_end().to_owned());
        let before = if lines.is_empty() {
            std::mem::take(&mut spans)
        } else {
            vec![Span::raw(" ".repeat(used))]
        };
        lines.push(Line::from([before, vec![part]].concat()));
    }
    lines
}
