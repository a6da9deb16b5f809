//! The mistakes page: the reviews behind the numbers of an evaluation, or the accuracy of slices.

mod detail;
mod list;
mod slice_table;

use super::theme::Theme;
use super::widgets::{border_note, draw_centered_hint, titled_block};
use crate::core::text::truncate_width;
use crate::screen::app::mistakes::{Mistakes, Reading, ShownReviews};
use crate::screen::app::{FrameLayout, State};
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

/// The columns of the name of a class in the title.
const CLASS: usize = 20;

/// Draws the page.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let mistakes = &state.mistakes;
    if let Some(hint) = hint(state) {
        let block = titled_block(theme, state.lang.tr("mistakes"));
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let hint = truncate_width(&hint, usize::from(inner.width));
        return draw_centered_hint(frame, inner, &hint, theme);
    }
    let lang = state.lang;
    let counts = counts(mistakes, lang);
    let beside = if mistakes.slices { 0 } else { counts.width() };
    let around = if theme.is_frameless() { 1 } else { 6 };
    let room = usize::from(area.width).saturating_sub(around + beside);
    let block = titled_block(theme, title(state, room)).border_style(theme.focus());
    if mistakes.slices {
        return slice_table::draw(frame, area, block, state, theme);
    }
    let block = block.title(border_note(counts, theme));
    let detail = match (area.height, theme.is_frameless()) {
        (0..9, true) => 0,
        (_, true) => 3,
        (50.., false) => detail::height(state, area.width).min(16),
        (30.., false) => detail::height(state, area.width).min(12),
        (_, false) => 7,
    };
    let [list, detail] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(detail)]).areas(area);
    let filters =
        truncate_width(&filters(mistakes, state), usize::from(area.width).saturating_sub(4));
    let filters = Line::styled(filters, theme.train());
    let block =
        if theme.is_frameless() { block.title(filters) } else { block.title_bottom(filters) };
    list::draw(frame, list, block, state, theme);
    layout.review_lines = detail::draw(frame, detail, state, theme);
}

/// Why there are no reviews to show, if there are none.
fn hint(state: &State) -> Option<String> {
    let (mistakes, lang) = (&state.mistakes, state.lang);
    if state.is_pretraining() {
        return Some(lang.tr("a pretrained model does not classify texts").to_owned());
    }
    if mistakes.evaluation().is_some() {
        return None;
    }
    Some(match &mistakes.reading {
        _ if state.evaluated.is_none() => lang.tr("after the first evaluation").to_owned(),
        Reading::Failed(reason) => lang.tr_with("the predictions cannot be read: {0}", &[reason]),
        Reading::NotRead | Reading::UnderWay => lang.tr("reading the predictions …").to_owned(),
        Reading::NotKept | Reading::Done => {
            lang.tr("the run keeps no predictions (--save-predictions)").to_owned()
        }
    })
}

/// The kind of reviews or the cell of the confusion matrix, the evaluation and the order, in so many
/// columns: where there are too few, the step is left out first, then the order.
fn title(state: &State, columns: usize) -> String {
    let (mistakes, lang) = (&state.mistakes, state.lang);
    let (kind, cell) = (mistakes.filter.kind, mistakes.filter.cell);
    let mut parts = Vec::new();
    if mistakes.slices {
        parts.push(lang.tr("accuracy of slices").to_owned());
    } else if kind != ShownReviews::All || cell.is_none() {
        parts.push(lang.tr(kind.title()).to_owned());
    }
    if let Some((truth, predicted)) = cell.filter(|_| !mistakes.slices) {
        let name = |class| truncate_width(class_name(state, class), CLASS);
        let text = "label {0}, predicted {1}";
        parts.push(lang.tr_with(text, &[&name(truth), &name(predicted)]));
    }
    let what = parts.len();
    if let Some(shown) = mistakes.evaluation() {
        parts.push(lang.tr_with("step {0}", &[&shown.step]));
    }
    if !mistakes.slices {
        let reversed = if mistakes.is_reversed { lang.tr(", reversed") } else { "" };
        parts.push(lang.tr(mistakes.order.title()).to_owned() + reversed);
    }
    while parts.len() > what && parts.join(" · ").width() > columns {
        parts.remove(what);
    }
    truncate_width(&parts.join(" · "), columns)
}

/// How many reviews are shown, of all.
fn counts(mistakes: &Mistakes, lang: Lang) -> String {
    lang.tr_with(" {0} of {1} ", &[&mistakes.shown().len(), &mistakes.reviews().len()])
}

/// The parts of the filter, for the lower border: those that the title does not name.
fn filters(mistakes: &Mistakes, state: &State) -> String {
    let (filter, lang) = (&mistakes.filter, state.lang);
    let mut parts = Vec::new();
    if let Some(band) = filter.length {
        parts.push(slice_table::length_name(band, lang));
    }
    if let Some(unknown) = filter.unknown {
        parts.push(lang.tr(unknown.title()).to_owned());
    }
    if !filter.search.is_empty() {
        parts.push(format!("/{}", filter.search));
    }
    if parts.is_empty() { String::new() } else { format!(" {} ", parts.join(" · ")) }
}

/// The name of a class.
fn class_name(state: &State, class: u32) -> &str {
    let labels = state.started.as_ref().map_or(&[][..], |started| &started.labels[..]);
    labels.get(class as usize).map_or("?", String::as_str)
}

#[cfg(test)]
mod tests;
