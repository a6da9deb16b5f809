//! The confusion matrix of the latest evaluation: the count of each cell, its percentage of the true
//! class, and a background by that percentage. A larger panel has larger cells.

use super::theme::Theme;
use super::widgets::draw_hint;
use crate::core::text::{align_left, align_right};
use crate::core::train::metrics::Confusion;
use crate::screen::app::State;
use crate::screen::app::panels::Panel;
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// Columns of the names of the true classes.
const NAME: usize = 9;

/// The fewest columns of a cell.
const MIN_CELL: usize = 9;

/// The columns from which a cell has count and percentage in one line.
const WIDE_CELL: usize = 13;

/// The most columns and rows of a cell.
const MAX_CELL: (usize, usize) = (26, 5);

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

/// Rows are true classes, columns predicted ones; the chosen cell is highlighted. A message replaces
/// a matrix that does not fit.
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
    let classes = matrix.counts.len();
    let width = usize::from(area.width).saturating_sub(NAME) / classes.max(1);
    let height = usize::from(area.height.saturating_sub(1)) / classes.max(1);
    if width < MIN_CELL || height == 0 {
        let text = lang.tr_with("too small for {0} × {0} classes", &[&classes]);
        return draw_hint(frame, area, &text, theme);
    }
    let (width, height) = (width.min(MAX_CELL.0), height.min(MAX_CELL.1));
    let mut head = vec![Span::styled(align_left(lang.tr("true\\pred"), NAME), theme.dim())];
    for class in 0..classes {
        head.push(Span::raw(" "));
        head.push(Span::styled(align_right(name(class), width - 1), theme.class(class)));
    }
    let mut lines = vec![Line::from(head)];
    for (class, row) in matrix.counts.iter().enumerate() {
        let total: u64 = row.iter().sum();
        for line in 0..height {
            let is_middle = line == (height - 1) / 2;
            let title = if is_middle { name(class) } else { "" };
            let mut spans = vec![Span::styled(align_left(title, NAME), theme.class(class))];
            for (predicted, &count) in row.iter().enumerate().take(classes) {
                let share = count as f64 / total.max(1) as f64;
                let rate = format!("{:.0} %", 100.0 * share);
                let text = match line.checked_sub((height - 1) / 2) {
                    Some(0) if width >= WIDE_CELL && height < 2 => format!("{count} {rate:>5}"),
                    Some(0) => count.to_string(),
                    Some(1) => rate,
                    _ => String::new(),
                };
                let is_right = predicted == class;
                let style = if is_right { theme.strong() } else { Style::new() };
                let is_chosen = chosen == Some((class as u32, predicted as u32));
                let style = if is_chosen {
                    theme.selected()
                } else {
                    style.patch(theme.heat(share, is_right))
                };
                // A gap between the cells.
                spans.push(Span::raw(" "));
                spans.push(Span::styled(align_right(&text, width - 2) + " ", style));
            }
            lines.push(Line::from(spans));
        }
    }
    frame.render_widget(Paragraph::new(lines), area);
}
