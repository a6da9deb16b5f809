//! How the parts of the page share its rows and columns.

use super::{AnswerView, answer_lines, companion, compared_name, has_words, history};
use crate::screen::app::State;
use crate::screen::ui::theme::Theme;
use ratatui::layout::{Constraint, Layout, Rect};

/// The rows of a page from which bars are larger and lists have all that there is.
const ROOMY: u16 = 30;

/// The columns from which the list of words is beside the answer.
const BESIDE: u16 = 100;

/// The fewest rows of the answer on a roomy page.
const MIN_ANSWER: u16 = 15;

/// The height of the answer grows by this many rows at a time, so that the border below it seldom moves
/// while one types.
const STEP: u16 = 6;

/// The fewest rows of the kept answers on a roomy page.
const MIN_HISTORY: u16 = 5;

/// The fewest rows of what is below the kept answers on a large page.
const MIN_COMPANION: u16 = 10;

/// The area of the kept answers, as high as they need, and that of what is drawn below them, if there is
/// room for it.
pub(super) fn below_history(
    page: Rect,
    area: Rect,
    state: &State,
    theme: Theme,
) -> (Rect, Option<Rect>) {
    let most = area.height.saturating_sub(MIN_COMPANION);
    let Some(needed) = companion::rows(state) else { return (area, None) };
    if !is_roomy(page, theme) || most < MIN_HISTORY {
        return (area, None);
    }
    let kept = u16::try_from(history::rows(state, area.width, theme) + 2).unwrap_or(u16::MAX);
    // It grows by a few rows at a time, so that the border below it seldom moves.
    let kept = kept.max(MIN_HISTORY).next_multiple_of(MIN_HISTORY);
    if kept > most {
        return (area, None);
    }
    let rest = area.height.saturating_sub(kept).min(needed);
    let rows = [Constraint::Fill(1), Constraint::Length(rest)];
    let [history, rest] = Layout::vertical(rows).areas(area);
    (history, Some(rest))
}

/// Whether a page of this size has room for larger bars and longer lists.
pub(super) fn is_roomy(area: Rect, theme: Theme) -> bool {
    area.height >= ROOMY && !theme.is_frameless()
}

/// The area of the answer, and that of the list of words beside it, if it has one and there is room.
pub(super) fn beside(area: Rect, has_list: bool) -> (Rect, Option<Rect>) {
    if !has_list || area.width < BESIDE {
        return (area, None);
    }
    let shares = [Constraint::Fill(3), Constraint::Fill(2)];
    let [answer, list] = Layout::horizontal(shares).areas(area);
    (answer, Some(list))
}

/// The rows of the answer on a page of this area, of which `rest` rows are below the text field.
pub(super) fn answer_height(area: Rect, rest: u16, state: &State, theme: Theme) -> u16 {
    let is_compared = compared_name(state).is_some();
    match (area.height, theme.is_frameless()) {
        (0..super::MIN_TITLES, true) => return area.height,
        (_, true) => return area.height.saturating_sub(3),
        (ROOMY.., false) => {}
        (24.., false) => return 15,
        (_, false) if is_compared => return 14,
        (_, false) => return 11,
    }
    let has_list = has_words(state) && !is_compared;
    let (own, list) = beside(area, has_list);
    let lines = |area: Rect, is_compared: bool| {
        let width = usize::from(area.width.saturating_sub(2));
        answer_lines(AnswerView { state, is_compared, width, is_roomy: true, theme })
    };
    let needed = if is_compared {
        let half = Rect { width: area.width / 2, ..area };
        let needed = [false, true].map(|is_compared| lines(half, is_compared));
        needed.iter().map(|lines| lines.all().len() + 1 + lines.ranking.len()).max().unwrap_or(0)
    } else {
        let below = lines(own, false);
        match list {
            Some(list) => below.all().len().max(lines(list, false).ranking.len()),
            None => below.all().len() + 1 + below.ranking.len(),
        }
    };
    let needed = u16::try_from(needed + 2).unwrap_or(u16::MAX).max(MIN_ANSWER);
    let stepped =
        MIN_ANSWER.saturating_add((needed - MIN_ANSWER).div_ceil(STEP).saturating_mul(STEP));
    let kept = u16::try_from(history::rows(state, area.width, theme) + 2).unwrap_or(u16::MAX);
    let kept = kept.clamp(MIN_HISTORY, (rest / 2).max(MIN_HISTORY));
    stepped.min(rest.saturating_sub(kept))
}
