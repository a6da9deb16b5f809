//! The confusion matrix of the latest evaluation: the count of each cell, its percentage of the true
//! class, and a background by that percentage. A larger panel has larger cells, the scores of each class
//! beside and below them, and the cells of the epochs.

mod by_epoch;

use super::theme::Theme;
use super::widgets::draw_hint;
use crate::core::text::{align_left, align_right, truncate_width};
use crate::core::train::metrics::{ClassScores, Confusion};
use crate::screen::app::State;
use crate::screen::app::panels::Panel;
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// Columns of the names of the true classes.
const NAME: usize = 9;

/// The fewest columns of a cell.
const MIN_CELL: usize = 9;

/// The columns from which a cell has count and percentage in one line.
const WIDE_CELL: usize = 13;

/// The columns of a score beside the cells.
const SCORE: usize = 10;

/// The scores beside the cells: recall, F1 and the number of texts.
const SCORES: usize = 3;

/// The most columns of the names of the true classes, where there is room.
const MAX_NAME: usize = 20;

/// The fewest rows of a cell above a table of the epochs, and the rows around the cells.
const LARGE_CELL: usize = 5;
const ROWS_AROUND: usize = 3;

/// The columns from which a cell says what its percentages are of.
const NAMED_CELL: usize = 24;

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
    let matrix_rows = LARGE_CELL * labels.len() + ROWS_AROUND;
    let size = (usize::from(inner.width), usize::from(inner.height).saturating_sub(matrix_rows));
    let by_epoch = by_epoch::lines(state, labels, size, theme);
    let rows = [Constraint::Fill(1), Constraint::Length(by_epoch.len() as u16)];
    let [matrix, below] = Layout::vertical(rows).areas(inner);
    draw_matrix(
        frame,
        matrix,
        &evaluated.metrics.eval_confusion,
        chosen,
        labels,
        state.lang,
        theme,
    );
    frame.render_widget(Paragraph::new(by_epoch), below);
}

/// The columns and rows of the parts of a matrix.
#[derive(Clone, Copy)]
struct Room {
    name: usize,
    cell: usize,
    height: usize,
    /// Whether there are scores beside and below the cells.
    has_scores: bool,
}

impl Room {
    /// The parts in an area of this size; `None` if the matrix does not fit.
    fn new(width: usize, height: usize, classes: usize, widest: usize) -> Option<Self> {
        let classes = classes.max(1);
        let beside = SCORES * SCORE;
        let has_scores = width >= NAME + classes * MIN_CELL + beside && height >= 3 + classes;
        let (beside, below) = if has_scores { (beside, 2) } else { (0, 0) };
        let room = width.saturating_sub(beside + classes * WIDE_CELL);
        let name =
            if has_scores { (widest + 1).clamp(NAME, MAX_NAME.min(room.max(NAME))) } else { NAME };
        let cell = width.saturating_sub(name + beside) / classes;
        let height = height.saturating_sub(1 + below) / classes;
        (cell >= MIN_CELL && height > 0).then_some(Self { name, cell, height, has_scores })
    }
}

/// A matrix that is drawn.
struct Matrix<'a> {
    counts: &'a Confusion,
    scores: Vec<ClassScores>,
    /// For each class, how often it was predicted.
    predicted: Vec<u64>,
    chosen: Option<(u32, u32)>,
    labels: &'a [String],
    room: Room,
    lang: Lang,
    theme: Theme,
}

/// Rows are true classes, columns predicted ones; the chosen cell is highlighted. A message replaces
/// a matrix that does not fit.
fn draw_matrix(
    frame: &mut Frame,
    area: Rect,
    counts: &Confusion,
    chosen: Option<(u32, u32)>,
    labels: &[String],
    lang: Lang,
    theme: Theme,
) {
    let classes = counts.counts.len();
    let widest = labels.iter().map(|label| Span::raw(label.as_str()).width()).max().unwrap_or(0);
    let room = Room::new(area.width.into(), area.height.into(), classes, widest);
    let Some(room) = room else {
        let text = lang.tr_with("too small for {0} × {0} classes", &[&classes]);
        return draw_hint(frame, area, &text, theme);
    };
    let scores = counts.per_class();
    let column = |class: usize| counts.counts.iter().filter_map(|row| row.get(class)).sum();
    let predicted = (0..classes).map(column).collect();
    let matrix = Matrix { counts, scores, predicted, chosen, labels, room, lang, theme };
    let mut lines = vec![matrix.head()];
    for class in 0..classes {
        lines.extend((0..room.height).map(|line| matrix.line(class, line)));
    }
    if room.has_scores {
        lines.extend(matrix.footer());
    }
    frame.render_widget(Paragraph::new(lines), area);
}

impl Matrix<'_> {
    fn name(&self, class: usize) -> &str {
        self.labels.get(class).map_or("?", String::as_str)
    }

    /// A text in a column of cells: at the right of a small cell, in the middle of a large one.
    fn in_cell(&self, text: &str) -> String {
        let width = self.room.cell - 1;
        if width < NAMED_CELL {
            return align_right(text, width - 1) + " ";
        }
        let text = truncate_width(text, width);
        let left = (width - Span::raw(text.as_str()).width()) / 2;
        align_left(&(" ".repeat(left) + &text), width)
    }

    /// The titles of the columns.
    fn head(&self) -> Line<'static> {
        let (lang, theme) = (self.lang, self.theme);
        let title = align_left(lang.tr("true\\pred"), self.room.name);
        let mut head = vec![Span::styled(title, theme.dim())];
        for class in 0..self.counts.counts.len() {
            head.push(Span::raw(" "));
            let name = if self.room.cell > NAMED_CELL {
                self.in_cell(self.name(class))
            } else {
                align_right(self.name(class), self.room.cell - 1)
            };
            head.push(Span::styled(name, theme.class(class)));
        }
        if self.room.has_scores {
            for title in ["recall", "F1", "support"] {
                head.push(Span::styled(align_right(lang.tr(title), SCORE), theme.dim()));
            }
        }
        Line::from(head)
    }

    /// A line of the cells of a class. Its name, counts and scores are in the middle line.
    fn line(&self, class: usize, line: usize) -> Line<'static> {
        let (room, theme) = (self.room, self.theme);
        // Of a cell, the line of the count.
        let middle = match room.height {
            5.. if room.cell > NAMED_CELL => (room.height - 4) / 2,
            height => (height - 1) / 2,
        };
        let title = if line == middle { self.name(class) } else { "" };
        let mut spans = vec![Span::styled(align_left(title, room.name), theme.class(class))];
        let row = self.counts.counts.get(class).map_or(&[][..], Vec::as_slice);
        for (predicted, &count) in row.iter().enumerate() {
            let share = ratio(count, self.scores.get(class).map_or(0, |scores| scores.support));
            let text = line.checked_sub(middle).map_or(String::new(), |line| {
                self.cell_text(line, count, share, ratio(count, self.predicted[predicted]))
            });
            let is_right = predicted == class;
            let style = if is_right { theme.strong() } else { Style::new() };
            let is_chosen = self.chosen == Some((class as u32, predicted as u32));
            let style =
                if is_chosen { theme.selected() } else { style.patch(theme.heat(share, is_right)) };
            // A gap between the cells.
            spans.extend([Span::raw(" "), Span::styled(self.in_cell(&text), style)]);
        }
        if let Some(scores) = self.scores.get(class).filter(|_| room.has_scores && line == middle) {
            let score = |value: f64| Span::raw(format!("{value:>SCORE$.4}"));
            let f1 = score(scores.f1).style(theme.strong());
            let support = Span::styled(format!("{:>SCORE$}", scores.support), theme.dim());
            spans.extend([score(scores.recall), f1, support]);
        }
        Line::from(spans)
    }

    /// A line of a cell, counted from that of its count: the count, then its shares of the true class,
    /// of the predicted one and of all.
    fn cell_text(&self, line: usize, count: u64, of_true: f64, of_predicted: f64) -> String {
        let (room, lang) = (self.room, self.lang);
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let is_named = room.cell > NAMED_CELL && room.height >= 5;
        match line {
            0 if room.cell >= WIDE_CELL && room.height < 2 => {
                format!("{count} {:>5}", percent(of_true))
            }
            0 => count.to_string(),
            1 if is_named => lang.tr_with("{0} of the label", &[&percent(of_true)]),
            1 => percent(of_true),
            2 if is_named => lang.tr_with("{0} of the answer", &[&percent(of_predicted)]),
            3 if is_named => {
                lang.tr_with("{0} of all", &[&percent(ratio(count, self.counts.total()))])
            }
            _ => String::new(),
        }
    }

    /// Below the cells: the precision of each class and how often it was predicted; at the right the
    /// accuracy and the number of all texts.
    fn footer(&self) -> [Line<'static>; 2] {
        let (room, lang, theme) = (self.room, self.lang, self.theme);
        let line = |title: &str, cell: &dyn Fn(usize) -> String, last: String| {
            let mut spans = vec![Span::styled(align_left(lang.tr(title), room.name), theme.dim())];
            for class in 0..self.counts.counts.len() {
                spans.extend([Span::raw(" "), Span::raw(self.in_cell(&cell(class)))]);
            }
            spans.push(Span::styled(align_right(&last, SCORES * SCORE), theme.strong()));
            Line::from(spans)
        };
        let accuracy = format!("{} {:.4}", lang.tr("accuracy"), self.counts.scores().accuracy);
        let precision = |class: usize| {
            self.scores.get(class).map_or(String::new(), |one| format!("{:.4}", one.precision))
        };
        let predicted = |class: usize| self.predicted[class].to_string();
        [
            line("precision", &precision, accuracy),
            line("answers", &predicted, self.counts.total().to_string()),
        ]
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::ui::matrix_tests::all_colors;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn drawn(counts: Vec<Vec<u64>>, (columns, rows): (u16, u16)) -> (String, usize) {
        let labels = ["negative", "positive"].map(str::to_owned);
        let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
        let matrix = Confusion { counts };
        let theme = all_colors();
        let Ok(_) = terminal.draw(|frame| {
            draw_matrix(frame, frame.area(), &matrix, None, &labels, Lang::English, theme);
        });
        let text = terminal.backend().to_string();
        let buffer = terminal.backend().buffer();
        let heated = theme.heat(0.9, true).bg;
        let cells = buffer.content().iter().filter(|cell| Some(cell.bg) == heated).count();
        (text, cells)
    }

    #[test]
    fn a_large_panel_has_large_cells_and_the_scores_of_the_classes() {
        for size in [(118, 34), (198, 54)] {
            let (text, cells) = drawn(vec![vec![900, 100], vec![300, 700]], size);
            for expected in [
                "recall",
                "0.9000",
                "0.7000",
                "precision",
                "0.7500",
                "0.8750",
                "support",
                "F1",
                "0.8182",
                "0.7778",
                "accuracy 0.8000",
                "90 % of the label",
                "75 % of the answer",
                "45 % of all",
                "1200",
                "800",
            ] {
                assert!(text.contains(expected), "{expected} at {size:?}:\n{text}");
            }
            let share = cells as f64 / f64::from(size.0 * size.1);
            assert!(share > 0.12, "a cell of four has {share} of the panel at {size:?}");
        }
    }

    #[test]
    fn a_small_panel_has_the_cells_alone() {
        let (text, _) = drawn(vec![vec![900, 100], vec![300, 700]], (40, 7));
        assert!(
            text.contains("900") && text.contains("90 %") && !text.contains("recall"),
            "{text}"
        );
        assert!(drawn(vec![vec![1; 9]; 9], (40, 7)).0.contains("too small for 9 × 9 classes"));
    }
}
