//! Precision, recall and F1 of each class in the latest evaluation, as scikit-learn's
//! `classification_report` lists them; where there is room also by epoch.

use super::epoch_charts::{self, EpochChart, EpochCurve};
use super::theme::Theme;
use super::widgets::{draw_hint, with_note};
use crate::core::text::{align_left, align_right, truncate_width};
use crate::core::train::metrics::{ClassScores, Confusion};
use crate::screen::app::State;
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// The most classes with curves of their own, and the most columns of the name of one.
const MAX_CURVES: usize = 6;
const MAX_NAME: usize = 12;

/// The characters of the curves of classes where there are no others.
const SYMBOLS: [char; 6] = ['o', '+', '*', 'x', '.', '#'];

/// The columns of the table; widths are in terminal cells.
struct ClassColumns {
    name: usize,
    score: usize,
    support: usize,
    digits: usize,
    heads: [&'static str; 4],
    lang: Lang,
}

impl ClassColumns {
    fn new(width: usize, lang: Lang) -> Self {
        let (score, support, digits, heads) = if width >= 50 {
            (11, 9, 4, ["precision", "recall", "F1", "support"])
        } else if width >= 34 {
            (7, 7, 3, ["prec", "rec", "F1", "n"])
        } else {
            (5, 5, 2, ["prec", "rec", "F1", "n"])
        };
        let name = width.saturating_sub(3 * score + support).min(30);
        Self { name, score, support, digits, heads, lang }
    }

    fn width(&self) -> usize {
        self.name + 3 * self.score + self.support
    }

    fn head(&self, theme: Theme) -> Line<'static> {
        let [precision, recall, f1, support] = self.heads;
        let title = |head: &str| align_right(self.lang.tr(head), self.score);
        let mut text = align_left("", self.name);
        text.extend([title(precision), title(recall), title(f1)]);
        text += &align_right(self.lang.tr(support), self.support);
        Line::styled(text, theme.dim())
    }

    fn format_score(&self, value: f64) -> String {
        format!("{value:>width$.digits$}", width = self.score, digits = self.digits)
    }

    fn line(&self, name: &str, scores: ClassScores, style: Style, theme: Theme) -> Line<'static> {
        Line::from(vec![
            Span::styled(align_left(name, self.name), style),
            Span::raw(self.format_score(scores.precision)),
            Span::raw(self.format_score(scores.recall)),
            Span::styled(self.format_score(scores.f1), theme.strong()),
            Span::styled(self.support(scores.support), theme.dim()),
        ])
    }

    /// Accuracy, in the F1 column as in the report.
    fn accuracy(&self, matrix: &Confusion, theme: Theme) -> Line<'static> {
        Line::from(vec![
            Span::styled(align_left(self.short("accuracy", "acc"), self.name), theme.dim()),
            Span::raw(" ".repeat(2 * self.score)),
            Span::styled(self.format_score(matrix.scores().accuracy), theme.strong()),
            Span::styled(self.support(matrix.total()), theme.dim()),
        ])
    }

    /// The short name if the long one does not fit.
    fn short(&self, long: &'static str, short: &'static str) -> &'static str {
        self.lang.tr(if long.len() <= self.name { long } else { short })
    }

    /// A count, in thousands if it would touch the column before it.
    fn support(&self, count: u64) -> String {
        let mut text = count.to_string();
        if text.len() >= self.support {
            text = format!("{}k", count / 1000);
        }
        align_right(&text, self.support)
    }
}

/// One line for each class, then accuracy and the macro average if they fit.
pub fn draw(frame: &mut Frame, area: Rect, mut block: Block, state: &State, theme: Theme) {
    let inner = block.inner(area);
    let Some(evaluated) = &state.evaluated else {
        frame.render_widget(block, area);
        return draw_hint(frame, inner, state.lang.tr("after the first evaluation"), theme);
    };
    let matrix = &evaluated.metrics.eval_confusion;
    if matrix.counts.is_empty() {
        frame.render_widget(block, area);
        return draw_hint(
            frame,
            inner,
            state.lang.tr("no classes in masked language modeling"),
            theme,
        );
    }
    let labels = state.started.as_ref().map_or(&[][..], |started| &started.labels[..]);
    let columns = ClassColumns::new(usize::from(inner.width), state.lang);
    let rows = usize::from(inner.height).saturating_sub(1);
    let classes = matrix.per_class();
    let mut lines = vec![columns.head(theme)];
    for (class, &scores) in classes.iter().enumerate().take(rows) {
        let name = labels.get(class).map_or("?", String::as_str);
        lines.push(columns.line(name, scores, theme.class(class), theme));
    }
    let left = rows.saturating_sub(classes.len());
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
    if classes.len() > rows {
        let more = state.lang.tr_with(" {0} more ", &[&(classes.len() - rows)]);
        block = with_note(block, more, theme);
    }
    let used = (columns.width() as u16, lines.len() as u16);
    frame.render_widget(Paragraph::new(lines).block(block), area);
    if classes.len() <= MAX_CURVES {
        let charts = SCORES.map(|(title, score)| scores_by_epoch(title, score, state, theme));
        epoch_charts::draw_beside(frame, inner, used, &charts, state, theme);
    }
}

/// A score of a class.
type Score = fn(&ClassScores) -> f64;

/// The scores that have a chart of their own, the most important one first.
const SCORES: [(&str, Score); 3] = [
    ("F1 by epoch", |scores| scores.f1),
    ("precision by epoch", |scores| scores.precision),
    ("recall by epoch", |scores| scores.recall),
];

/// A curve for each class.
fn scores_by_epoch(title: &'static str, score: Score, state: &State, theme: Theme) -> EpochChart {
    let labels = state.started.as_ref().map_or(&[][..], |started| &started.labels[..]);
    let curve = |(class, name): (usize, &String)| {
        let style = (theme.class(class), SYMBOLS[class % SYMBOLS.len()]);
        EpochCurve::new(&truncate_width(name, MAX_NAME), style, state, |row| {
            let scores = row.eval.as_ref()?.metrics.eval_confusion.per_class();
            scores.get(class).map(score)
        })
    };
    // The first class is the most important one, as in the table.
    let curves = labels.iter().enumerate().map(curve).rev().collect();
    EpochChart { title, curves }
}
