//! The confusion matrix of an evaluation, with counts and the share of each true class.

use super::theme::Theme;
use crate::text::excerpt;
use crate::train::metrics::Confusion;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Lines a matrix of two classes takes.
pub const HEIGHT: u16 = 4;

/// Rows are true classes, columns predicted ones; classes that do not fit are left out.
pub fn draw(frame: &mut Frame, area: Rect, matrix: &Confusion, labels: &[String], theme: Theme) {
    let name = |class: usize| {
        let label = labels.get(class).map_or("?", String::as_str);
        excerpt(label, 8)
    };
    let cell = if area.width >= 40 { 14 } else { 9 };
    let fits = usize::from(area.width.saturating_sub(9)) / cell;
    let classes = matrix.counts.len().min(fits);
    let mut head = vec![Span::styled("true\\pred", theme.dim())];
    for class in 0..classes {
        head.push(Span::styled(format!("{:>cell$}", name(class)), theme.class(class)));
    }
    let mut lines = vec![Line::default(), Line::from(head)];
    for (class, row) in matrix.counts.iter().enumerate() {
        let total: u64 = row.iter().sum();
        let mut spans = vec![Span::styled(format!("{:<9}", name(class)), theme.class(class))];
        for (predicted, &count) in row.iter().enumerate().take(classes) {
            let share = 100.0 * count as f64 / total.max(1) as f64;
            let text =
                if cell > 9 { format!("{count:>7} {share:>4.0} %") } else { format!("{count:>9}") };
            let style = if predicted == class { theme.strong() } else { theme.dim() };
            spans.push(Span::styled(text, style));
        }
        lines.push(Line::from(spans));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
