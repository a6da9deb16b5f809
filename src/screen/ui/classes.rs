//! Precision, recall and F1 of each class in the latest evaluation, as scikit-learn's
//! `classification_report` lists them.

use super::theme::Theme;
use crate::core::text::{align_left, align_right};
use crate::core::train::metrics::{ClassScores, Confusion};
use crate::screen::app::State;
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// Columns of a table, in terminal cells.
struct Columns {
    name: usize,
    figure: usize,
    support: usize,
    digits: usize,
    heads: [&'static str; 4],
    lang: Lang,
}

impl Columns {
    fn new(width: usize, lang: Lang) -> Self {
        let (figure, support, digits, heads) = if width >= 50 {
            (11, 9, 4, ["precision", "recall", "F1", "support"])
        } else if width >= 34 {
            (7, 7, 3, ["prec", "rec", "F1", "n"])
        } else {
            (5, 5, 2, ["prec", "rec", "F1", "n"])
        };
        let name = width.saturating_sub(3 * figure + support).min(30);
        Self { name, figure, support, digits, heads, lang }
    }

    fn head(&self, theme: Theme) -> Line<'static> {
        let [precision, recall, f1, support] = self.heads;
        let figure = |head: &str| align_right(self.lang.tr(head), self.figure);
        let mut text = align_left("", self.name);
        text.extend([figure(precision), figure(recall), figure(f1)]);
        text += &align_right(self.lang.tr(support), self.support);
        Line::styled(text, theme.dim())
    }

    fn figure(&self, value: f64) -> String {
        format!("{value:>width$.digits$}", width = self.figure, digits = self.digits)
    }

    fn line(&self, name: &str, scores: ClassScores, style: Style, theme: Theme) -> Line<'static> {
        Line::from(vec![
            Span::styled(align_left(name, self.name), style),
            Span::raw(self.figure(scores.precision)),
            Span::raw(self.figure(scores.recall)),
            Span::styled(self.figure(scores.f1), theme.strong()),
            Span::styled(self.support(scores.support), theme.dim()),
        ])
    }

    /// The share of right predictions stands below F1, as in the report.
    fn accuracy(&self, matrix: &Confusion, theme: Theme) -> Line<'static> {
        Line::from(vec![
            Span::styled(align_left(self.short("accuracy", "acc"), self.name), theme.dim()),
            Span::raw(" ".repeat(2 * self.figure)),
            Span::styled(self.figure(matrix.scores().accuracy), theme.strong()),
            Span::styled(self.support(matrix.total()), theme.dim()),
        ])
    }

    /// The short name where there is no room for the whole one.
    fn short(&self, whole: &'static str, short: &'static str) -> &'static str {
        self.lang.tr(if whole.len() <= self.name { whole } else { short })
    }

    /// A count; in thousands where it would touch the figure before it.
    fn support(&self, count: u64) -> String {
        let mut text = count.to_string();
        if text.len() >= self.support {
            text = format!("{}k", count / 1000);
        }
        align_right(&text, self.support)
    }
}

/// One line a class, then accuracy and the macro average where there is room for them.
pub fn draw(frame: &mut Frame, area: Rect, mut block: Block, state: &State, theme: Theme) {
    let inner = block.inner(area);
    let Some(evaluated) = &state.evaluated else {
        let hint = Line::styled(state.lang.tr("after the first evaluation"), theme.dim());
        return frame.render_widget(Paragraph::new(hint).block(block), area);
    };
    let matrix = &evaluated.metrics.eval_confusion;
    let labels = state.started.as_ref().map_or(&[][..], |started| &started.labels[..]);
    let columns = Columns::new(usize::from(inner.width), state.lang);
    let room = usize::from(inner.height).saturating_sub(1);
    let classes = matrix.per_class();
    let mut lines = vec![columns.head(theme)];
    for (class, &scores) in classes.iter().enumerate().take(room) {
        let name = labels.get(class).map_or("?", String::as_str);
        lines.push(columns.line(name, scores, theme.class(class), theme));
    }
    let left = room.saturating_sub(classes.len());
    if left > 3 {
        lines.push(Line::default());
    }
    if left > 0 {
        lines.push(columns.accuracy(matrix, theme));
    }
    if left > 1 {
        let name = columns.short("macro avg", "mean");
        lines.push(columns.line(name, matrix.macro_average(), theme.dim(), theme));
    }
    if classes.len() > room {
        let more = state.lang.fill(" {0} more ", &[&(classes.len() - room)]);
        block = block.title_bottom(Line::styled(more, theme.dim()).alignment(Alignment::Right));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
