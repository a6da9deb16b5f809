//! What fills the rows that the answers leave free on a large page: the course of the run, or the
//! settings of a saved model.

use crate::screen::app::panels::Panel;
use crate::screen::app::{FrameLayout, State};
use crate::screen::ui::panel_title::panel_title;
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::titled_block;
use crate::screen::ui::{curves, log, settings};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

/// The columns from which the log is beside the loss.
const BESIDE: u16 = 100;

/// The rows that it needs at most; `None` if there is nothing to draw.
pub(super) fn rows(state: &State) -> Option<u16> {
    let started = state.started.as_ref()?;
    let is_run = state.asked_model.is_none();
    let settings = settings::rows(started) + 2;
    Some(if is_run { u16::MAX } else { u16::try_from(settings).unwrap_or(u16::MAX) })
}

/// Draws the loss and the log of the run, or the settings of a model that is asked without a run.
pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let block = |panel| titled_block(theme, panel_title(panel, state));
    if state.asked_model.is_some() {
        settings::draw(frame, area, block(Panel::Settings), state, theme, 0);
        return;
    }
    let columns = if area.width >= BESIDE { [3, 2] } else { [1, 0] };
    let [left, right] = Layout::horizontal(columns.map(Constraint::Fill)).areas(area);
    let range = layout.y_ranges.get(&Panel::Loss).copied();
    curves::draw(frame, left, Panel::Loss, block(Panel::Loss), state, theme, layout);
    // The chart of the training page keeps its range.
    match range {
        Some(range) => layout.y_ranges.insert(Panel::Loss, range),
        None => layout.y_ranges.remove(&Panel::Loss),
    };
    if right.width > 0 {
        log::draw_tail(frame, right, block(Panel::Log), state, theme);
    }
}
