//! The confusion matrix of the latest evaluation, with counts and percentages of each true class.

use super::theme::Theme;
use super::widgets::draw_hint;
use crate::core::text::{align_left, align_right};
use crate::core::train::metrics::Confusion;
use crate::screen::app::State;
use crate::screen::app::panels::Panel;
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// Draws the panel.
pub fn draw(frame: &mut Frame, area: Rect, block: Block, state: &State, theme: Theme) {
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(evaluated) = &state.evaluated else {
        return draw_hint(frame, inner, state.lang.tr("after the first evaluation"), theme);
    };
    if evaluated.metrics.eval_confusion.counts.is_empty() {
        return draw_hint(
            frame,
            inner,
            state.lang.tr("no classes in masked language modeling"),
            theme,
        );
    }
    let labels = state.started.as_ref().map_or(&[][..], |started| &started.labels[..]);
    let chosen = state.mistakes.cell.filter(|_| state.panels.focus == Panel::Confusion);
    draw_matrix(frame, inner, &evaluated.metrics.eval_confusion, chosen, labels, state.lang, theme);
}

/// Rows are true classes, columns predicted ones; the chosen cell is highlighted. A message replaces a matrix that does not fit.
fn draw_matrix(
    frame: &mut Frame,
    area: Rect,
    matrix: &Confusion,
    chosen: Option<(u32, u32)>,
    labels: &[String],
    lang: Lang,
    theme: Theme,
) {
    let name = |class: usize| labels.get(class).map_or("?", String::as_str);
    let cell = if area.width >= 40 { 14 } else { 9 };
    let fits = usize::from(area.width.saturating_sub(9)) / cell;
    let rows = usize::from(area.height.saturating_sub(1));
    if matrix.counts.len() > fits || matrix.counts.len() > rows {
        let text = lang.tr_with("too small for {0} × {0} classes", &[&matrix.counts.len()]);
        return draw_hint(frame, area, &text, theme);
    }
    let classes = matrix.counts.len();
    let mut head = vec![Span::styled(align_left(lang.tr("true\\pred"), 9), theme.dim())];
    for class in 0..classes {
        head.push(Span::raw(" "));
        head.push(Span::styled(align_right(name(class), cell - 1), theme.class(class)));
    }
    let mut lines = vec![Line::from(head)];
    for (class, row) in matrix.counts.iter().enumerate() {
        let total: u64 = row.iter().sum();
        let mut spans = vec![Span::styled(align_left(name(class), 9), theme.class(class))];
        for (predicted, &count) in row.iter().enumerate().take(classes) {
            let share = 100.0 * count as f64 / total.max(1) as f64;
            let text =
                if cell > 9 { format!("{count:>7} {share:>4.0} %") } else { format!("{count:>9}") };
            let style = if predicted == class { theme.strong() } else { theme.dim() };
            let is_chosen = chosen == Some((class as u32, predicted as u32));
            spans.push(Span::styled(text, if is_chosen { theme.selected() } else { style }));
        }
        lines.push(Line::from(spans));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
