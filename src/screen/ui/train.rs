//! The training page: the panels in the user's arrangement, and below them the progress of the run
//! or, once it has ended, its result.

use super::panel_title::{chart_view_note, panel_title};
use super::theme::Theme;
use super::widgets::{titled_block, with_note};
use super::{
    calibration, classes, confusion, curves, epochs, log, progress, result, settings, system,
};
use crate::screen::app::layout::Area;
use crate::screen::app::panels::Panel;
use crate::screen::app::result_card::result_card;
use crate::screen::app::{FrameLayout, State};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

/// The rows from which the verdict and the result have more lines.
pub(super) const HIGH: u16 = 30;

/// Draws the page.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let card = result_card(state);
    let height = match &card {
        Some(card) if area.height >= HIGH => result::height(card, area.width),
        None if area.height >= HIGH => 6 + progress::more_lines(state, area.width),
        // The best evaluation, the verdict, time with files, and the next command.
        Some(card) if area.height >= 22 => result::joined_height(card, area.width),
        // All of the next command, and most of the verdict.
        Some(card) => 5 + result::more_lines(card, area.width).min(3),
        None => 5,
    };
    let [panels, below] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(height)]).areas(area);
    let pages = state.panels.arrange((panels.width, panels.height), state.content_size());
    let focus = state.panels.focus;
    let has_focus = |page: &Vec<(Panel, Area)>| page.iter().any(|(panel, _)| *panel == focus);
    let page = pages.iter().position(has_focus).unwrap_or(0);
    for (panel, place) in pages.get(page).into_iter().flatten() {
        let area = Rect {
            x: panels.x + place.x,
            y: panels.y + place.y,
            width: place.width,
            height: place.height,
        };
        draw_panel(frame, area, *panel, state, theme, layout);
    }
    if !state.panels.maximized {
        let panels_of = |page: &Vec<(Panel, Area)>| page.iter().map(|(panel, _)| *panel).collect();
        layout.pages = pages.iter().map(panels_of).collect();
    }
    let note = position_note(state, page, pages.len());
    match card {
        Some(card) => result::draw(frame, below, &card, state, theme, &note),
        None => progress::draw(frame, below, state, theme, &note),
    }
}

/// The position of the visible panels among all of them, and the number of hidden ones.
fn position_note(state: &State, page: usize, pages: usize) -> String {
    let (grid, lang) = (&state.panels, state.lang);
    let mut parts = Vec::new();
    if grid.maximized {
        let shown = grid.shown();
        let index = shown.iter().position(|panel| *panel == grid.focus).unwrap_or(0);
        parts.push(lang.tr_with("panel {0}/{1}", &[&(index + 1), &shown.len()]));
    } else if pages > 1 {
        parts.push(lang.tr_with("panels {0}/{1}", &[&(page + 1), &pages]));
    }
    if !grid.hidden.is_empty() {
        parts.push(lang.tr_with("{0} hidden", &[&grid.hidden.len()]));
    }
    parts.join(" · ")
}

pub(super) fn draw_panel(
    frame: &mut Frame,
    area: Rect,
    panel: Panel,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let Rect { x, y, width, height } = area;
    layout.panels.push((panel, Area { x, y, width, height }));
    let mut block = titled_block(theme, panel_title(panel, state));
    if panel == state.panels.focus {
        block = block.border_style(theme.focus());
        // Without borders, the title has room for the values alone.
        if panel.is_chart() && !theme.is_frameless() {
            block = with_note(block, chart_view_note(state, true), theme);
        } else if panel == Panel::Confusion && (area.width >= 50 || !theme.is_frameless()) {
            let note = state.lang.tr(" ← → cell · Enter: its reviews ").to_owned();
            block = with_note(block, note, theme);
        }
    }
    match panel {
        Panel::Epochs => epochs::draw(frame, area, block, state, theme),
        Panel::Confusion => confusion::draw(frame, area, block, state, theme),
        Panel::System => system::draw(frame, area, block, state, theme),
        Panel::Settings => {
            settings::draw(frame, area, block, state, theme, 0);
        }
        Panel::Classes => classes::draw(frame, area, block, state, theme),
        Panel::Calibration => calibration::draw(frame, area, block, state, theme),
        Panel::Log => log::draw_tail(frame, area, block, state, theme),
        Panel::Loss
        | Panel::Accuracy
        | Panel::LearningRate
        | Panel::GradNorm
        | Panel::Probes
        | Panel::Throughput => curves::draw(frame, area, panel, block, state, theme, layout),
    }
}
