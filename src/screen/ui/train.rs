//! The training page: the panels in the user's arrangement, and the progress panel below them.

use super::panel_title::{chart_view_note, panel_title};
use super::theme::Theme;
use super::widgets::{border_note, titled_block};
use super::{calibration, classes, confusion, curves, epochs, log, progress, settings, system};
use crate::screen::app::layout::Area;
use crate::screen::app::panels::Panel;
use crate::screen::app::{FrameLayout, State};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

/// Draws the page.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let [panels, below] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(5)]).areas(area);
    let grid = &state.panels;
    let (rows, page, pages) = grid.page(panels.width, panels.height);
    let (columns, lines) = grid.dimensions(panels.width, panels.height);
    layout.panels_per_page = columns * lines;
    let heights = Layout::vertical(vec![Constraint::Fill(1); rows.len()]).split(panels);
    for (row, area) in rows.iter().zip(heights.iter()) {
        let widths = Layout::horizontal(vec![Constraint::Fill(1); row.len()]).split(*area);
        for (panel, area) in row.iter().zip(widths.iter()) {
            draw_panel(frame, *area, *panel, state, theme, layout);
        }
    }
    progress::draw(frame, below, state, theme, &position_note(state, page, pages));
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

fn draw_panel(
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
        if panel.is_chart() {
            block = block.title_bottom(border_note(chart_view_note(state, true), theme));
        } else if panel == Panel::Confusion {
            let note = state.lang.tr(" ← → cell · Enter: its reviews ").to_owned();
            block = block.title_bottom(border_note(note, theme));
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
