//! The list of reviews.

use super::class_name;
use crate::core::text::{align_left, align_right, truncate_width};
use crate::run::predictions::KeptEvaluation;
use crate::screen::app::State;
use crate::screen::app::mistakes::{MAX_SHOWN_ANSWERS, ShownReviews};
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::draw_hint;
use crate::screen::ui::widgets::text_field::TextField;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// The most columns of the name of a class.
const MAX_CLASS: usize = 12;

/// The columns of the list.
struct Columns {
    class: usize,
    answers: usize,
    text: usize,
}

/// Draws the list, with the field of the search while that is typed.
pub(super) fn draw(frame: &mut Frame, area: Rect, block: Block, state: &State, theme: Theme) {
    let (mistakes, lang) = (&state.mistakes, state.lang);
    let mut inner = block.inner(area);
    frame.render_widget(block, area);
    if let Some(input) = &mistakes.input {
        inner.height = inner.height.saturating_sub(1);
        let line = Rect { y: inner.bottom(), height: 1, ..inner };
        let placeholder = lang.tr("a part of the text");
        let focused = state.overlay.is_none();
        TextField { prefix: "/ ", input, placeholder, focused }.draw(frame, line, theme);
    }
    let Some(shown) = mistakes.evaluation() else { return };
    if mistakes.shown().is_empty() {
        let text = match mistakes.filter.kind {
            ShownReviews::Corrected => "no label is corrected; L corrects that of a review",
            ShownReviews::LabelErrors if !mistakes.is_better_than_chance => {
                "the model is no better than chance, so it cannot doubt labels"
            }
            _ => "no such review; Esc shows all mistakes",
        };
        return draw_hint(frame, inner, lang.tr(text), theme);
    }
    let columns = columns(state, usize::from(inner.width));
    let mut lines = vec![head(&columns, state, theme)];
    let height = usize::from(inner.height).saturating_sub(1).max(1);
    // A page with the selected review; moving the selection within it moves nothing else. The last page
    // is full, too.
    let last = mistakes.shown().len().saturating_sub(height);
    let first = (mistakes.selected - mistakes.selected % height).min(last);
    let page = mistakes.shown().iter().enumerate().skip(first).take(height);
    lines.extend(page.map(|(at, index)| {
        let line = row(*index as usize, shown, &columns, state, theme);
        if at == mistakes.selected { line.style(theme.selected()) } else { line }
    }));
    frame.render_widget(Paragraph::new(lines), inner);
}

fn columns(state: &State, width: usize) -> Columns {
    let labels = state.started.as_ref().map_or(&[][..], |started| &started.labels[..]);
    let heads = ["label", "answer"].map(|head| state.lang.tr(head));
    let names = labels.iter().map(String::as_str).chain(heads);
    let widest = names.map(|name| Span::raw(name).width()).max();
    let (most, answers) = match width {
        0..40 => (4, 0),
        40..60 => (6, 0),
        _ => (MAX_CLASS, state.mistakes.evaluations_so_far().len().min(MAX_SHOWN_ANSWERS)),
    };
    // Their heading has room, too.
    let heading = Span::raw(state.lang.tr("eval")).width();
    let answers = if answers == 0 { 0 } else { answers.max(heading) };
    let class = widest.unwrap_or(1).clamp(most.min(5), most);
    // Loss, probability, both classes, answers and the mark, each followed by a space.
    let used = 7 + 5 + 2 * (class + 1) + (answers + 1) + 2;
    Columns { class, answers, text: width.saturating_sub(used) }
}

fn head(columns: &Columns, state: &State, theme: Theme) -> Line<'static> {
    let lang = state.lang;
    let text = [
        align_right(lang.tr("loss"), 6),
        align_right("p", 4),
        align_left(lang.tr("label"), columns.class),
        align_left(lang.tr("answer"), columns.class),
        align_right(if columns.answers == 0 { "" } else { lang.tr("eval") }, columns.answers),
        " ".to_owned(),
        truncate_width(lang.tr("text"), columns.text),
    ];
    Line::styled(text.join(" "), theme.dim())
}

fn row(
    index: usize,
    shown: &KeptEvaluation,
    columns: &Columns,
    state: &State,
    theme: Theme,
) -> Line<'static> {
    let mistakes = &state.mistakes;
    let Some(review) = mistakes.reviews().get(index) else { return Line::default() };
    let outcomes = &shown.outcomes;
    let predicted = outcomes.predicted().get(index).copied().unwrap_or(0);
    let confidence = outcomes.probability(index, usize::from(predicted));
    let loss = outcomes.losses().get(index).copied().unwrap_or(f32::NAN);
    let class = |class: u32| {
        let name = align_left(class_name(state, class), columns.class);
        Span::styled(name, theme.class(class as usize))
    };
    let mut spans = vec![
        Span::raw(format!("{loss:>6.2} {:>3.0}% ", 100.0 * confidence)),
        class(review.label),
        Span::raw(" "),
        class(u32::from(predicted)),
        Span::raw(" "),
    ];
    let answers = mistakes.last_answers(index);
    let answers = answers.into_iter().rev().take(columns.answers).rev().collect::<Vec<_>>();
    spans.push(Span::raw(" ".repeat(columns.answers.saturating_sub(answers.len()))));
    spans.extend(answers.into_iter().map(|is_right| {
        if is_right {
            Span::styled("✓", theme.good())
        } else {
            Span::styled("✗", theme.error())
        }
    }));
    let mark = match (mistakes.corrected_class(index), mistakes.likely_class(index)) {
        (Some(_), _) => Span::styled(" ● ", theme.train()),
        (None, Some(_)) => Span::styled(" ? ", theme.warning()),
        (None, None) => Span::raw("   "),
    };
    spans.push(mark);
    spans.push(Span::raw(truncate_width(&review.line(), columns.text)));
    Line::from(spans)
}
