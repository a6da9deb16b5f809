//! The kept answers.

use super::labels;
use crate::core::predict::Prediction;
use crate::core::text::{align_left, truncate_width};
use crate::run::protocol::Answer;
use crate::screen::app::State;
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::titled_block;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Draws the answers, the latest first, without the one that is shown above.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let block = titled_block(theme, state.lang.tr("history"));
    let inner = block.inner(area);
    let prompt = &state.prompt;
    // The latest one is shown above, unless a newer one is awaited or shown.
    let is_shown_above =
        prompt.pending == 0 && prompt.live_answer().is_none() && !prompt.awaits_live();
    let lines: Vec<Line> = prompt
        .answers
        .iter()
        .skip(usize::from(is_shown_above))
        .take(usize::from(inner.height))
        .map(|answer| line(answer, state, usize::from(inner.width), theme))
        .collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn line(answer: &Answer, state: &State, width: usize, theme: Theme) -> Line<'static> {
    let column = |prediction: &Prediction, labels: &[String]| {
        let class = labels.iter().position(|label| *label == prediction.label);
        let style = theme.class(class.unwrap_or(2));
        [
            Span::styled(align_left(&prediction.label, 10), style),
            Span::styled(format!(" {:>6.2}%  ", prediction.score * 100.0), theme.dim()),
        ]
    };
    let mut spans = Vec::new();
    if let Ok(prediction) = &answer.outcome {
        spans.extend(column(prediction, labels(state)));
        if let Some(other) = &prediction.compared {
            spans.extend(column(&other.prediction, &other.labels));
        }
    } else {
        let error = align_left(state.lang.tr("error"), 10);
        spans.extend([Span::styled(error, theme.error()), Span::raw(" ".repeat(10))]);
    }
    let used: usize = spans.iter().map(Span::width).sum();
    // One column remains free at the end.
    let text = truncate_width(&answer.text, width.saturating_sub(used + 1));
    spans.push(Span::raw(text));
    Line::from(spans)
}
