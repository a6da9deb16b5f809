//! The selected review: all of its text, and what is known of it.

use super::class_name;
use crate::core::text::{sanitize_for_terminal, truncate_width, wrap_width};
use crate::screen::app::State;
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::{border_note, titled_block};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// The lines about a review beside its text: what it consists of, its answers, and its label.
const FACTS: usize = 3;

/// The fewest rows of the panel.
const MIN_ROWS: u16 = 7;

/// The rows with which the panel shows all of the longest review of the list: the same for all of them,
/// so that the list does not move while one reads.
pub(super) fn height(state: &State, width: u16) -> u16 {
    let width = usize::from(width.saturating_sub(3)).max(1);
    // Hangul takes two columns a character; words that do not fit into a line need a little more.
    let columns = 2 * state.mistakes.longest();
    let lines = columns.div_ceil(width) + usize::from(columns > width);
    u16::try_from(lines + FACTS + 2).unwrap_or(u16::MAX).max(MIN_ROWS)
}

/// Draws the panel. Returns the last line of the text that can be the first one shown, and how many lines
/// are shown, if there is a review.
pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    theme: Theme,
) -> Option<(usize, usize)> {
    let (mistakes, lang) = (&state.mistakes, state.lang);
    let mut block =
        if theme.is_frameless() { Block::new() } else { titled_block(theme, lang.tr("review")) };
    let inner = block.inner(area);
    let selected = mistakes.selected_review();
    let review = selected.and_then(|index| Some((index, mistakes.reviews().get(index)?)));
    let Some((index, review)) = review else {
        frame.render_widget(block, area);
        return None;
    };
    if !theme.is_frameless() {
        let id = truncate_width(&format!("id {}", review.id), 24);
        block = block.title(border_note(format!(" {id} "), theme));
    }
    let width = usize::from(inner.width);
    let mut lines = Vec::new();
    let text = match review.characters() {
        1 => "{0} character, {1} tokens, {2} unknown",
        _ => "{0} characters, {1} tokens, {2} unknown",
    };
    let facts = lang.tr_with(text, &[&review.characters(), &review.tokens, &review.unknown]);
    lines.push(Line::styled(truncate_width(&facts, width), theme.dim()));
    lines.push(course(index, review.label, state, width, theme));
    if let Some(class) = mistakes.corrected_class(index) {
        let text = lang.tr_with("corrected to {0}", &[&class_name(state, class)]);
        lines.push(Line::styled(truncate_width(&text, width), theme.train()));
    } else if let Some(class) = mistakes.likely_class(index) {
        let text = match mistakes.evaluations_so_far().len() {
            1 => "suspected label error: the model says {0}; L corrects it",
            _ => "suspected label error: all evaluations together say {0}; L corrects it",
        };
        let text = lang.tr_with(text, &[&class_name(state, class)]);
        lines.push(Line::styled(truncate_width(&text, width), theme.warning()));
    }
    if theme.is_frameless() {
        // The text is worth more than its lengths.
        lines.remove(0);
    }
    let room = usize::from(inner.height).saturating_sub(lines.len()).max(1);
    let text = sanitize_for_terminal(&review.line()).into_owned();
    // A column for the sign that there is more.
    let wrapped = wrap_width(&text, width.saturating_sub(1).max(1));
    let limit = wrapped.len().saturating_sub(room);
    let first = mistakes.first_line().min(limit);
    let mut text: Vec<Line> =
        wrapped.iter().skip(first).take(room).map(|line| Line::raw((*line).to_owned())).collect();
    if let (true, Some(last)) = (first < limit, text.last_mut()) {
        let line = wrapped.get(first + room - 1).copied().unwrap_or_default();
        *last = Line::raw(truncate_width(&format!("{}…", line.trim_end()), width));
    }
    if limit > 0 && !theme.is_frameless() {
        let shown = [first + 1, first + text.len(), wrapped.len()];
        let note = lang.tr_with(" lines {0} to {1} of {2} ", &[&shown[0], &shown[1], &shown[2]]);
        block = block.title_bottom(border_note(note, theme));
    }
    text.append(&mut lines);
    frame.render_widget(Paragraph::new(text).block(block), area);
    Some((limit, room))
}

/// The probability of the label over the evaluations.
fn course(index: usize, label: u32, state: &State, width: usize, theme: Theme) -> Line<'static> {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let so_far = state.mistakes.evaluations_so_far();
    let name = truncate_width(class_name(state, label), 16);
    let name = state.lang.tr_with("p({0}) ", &[&name]);
    let room = width.saturating_sub(Span::raw(name.as_str()).width() + 8).min(40);
    let last = &so_far[so_far.len().saturating_sub(room)..];
    let values = last.iter().map(|one| one.outcomes.probability(index, label as usize));
    let values: Vec<f64> = values.collect();
    let bars: String = values
        .iter()
        .map(|value| STEPS[((value * STEPS.len() as f64) as usize).min(STEPS.len() - 1)])
        .collect();
    let now = values.last().map_or(String::new(), |value| format!(" {:.1}%", 100.0 * value));
    Line::from(vec![
        Span::styled(name, theme.dim()),
        Span::styled(bars, theme.eval()),
        Span::raw(now),
    ])
}
