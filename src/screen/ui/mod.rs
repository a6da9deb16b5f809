//! Draws the state. Each panel and page has a file with a `draw` function, which reads the state
//! and does no I/O.

mod attribution;
mod beginning;
mod calibration;
mod classes;
mod command_palette;
mod compact;
mod confusion;
mod curves;
mod epoch_charts;
mod epochs;
mod gpu_processes;
mod header_footer;
mod help;
mod key_lines;
mod log;
mod mistakes;
mod overlay;
mod panel_title;
mod popup;
mod predict;
mod progress;
mod rank_rows;
mod result;
mod runs;
mod settings;
pub mod svg;
mod system;
pub mod theme;
mod train;
mod widgets;

pub use theme::Theme;

use crate::screen::app::{FrameLayout, Page, State};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use widgets::titled_block;

/// The minimum columns and rows of panels with borders; a smaller screen has compact pages.
const MIN_SIZE: (u16, u16) = (60, 15);

/// The columns and rows below which nothing can be used. There only the keys that hold anywhere have an
/// effect.
const SMALLEST: (u16, u16) = (30, 6);

/// Draws a frame and returns its layout.
pub fn draw(frame: &mut Frame, state: &State, theme: Theme) -> FrameLayout {
    let theme = theme.chosen(state.theme);
    let mut layout = state.layout.next();
    draw_page(frame, state, theme, &mut layout);
    theme.finish(frame.buffer_mut());
    layout
}

fn draw_page(frame: &mut Frame, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        layout.is_too_small = true;
        return compact::draw_too_small(frame, area, state, theme);
    }
    if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
        return compact::draw(frame, area, state, theme, layout);
    }
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)])
            .areas(area);
    header_footer::draw_header(frame, header, state, theme);
    if state.page == Page::Train {
        train::draw(frame, body, state, theme, layout);
    } else {
        draw_other_page(frame, body, state, theme, layout);
    }
    header_footer::draw_footer(frame, footer, state, theme);
    overlay::draw(frame, body, state, theme, layout);
}

/// Draws a page other than that of the panels.
fn draw_other_page(
    frame: &mut Frame,
    body: Rect,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    match state.page {
        Page::Train => {}
        Page::Predict => predict::draw(frame, body, state, theme, layout),
        Page::Settings => {
            let block = titled_block(theme, state.lang.tr("settings"));
            let limit = settings::draw(frame, body, block, state, theme, state.settings_scroll);
            layout.scroll_limit = Some(limit).filter(|_| state.overlay.is_none());
        }
        Page::Log => log::draw(frame, body, state, theme, layout),
        Page::Mistakes => mistakes::draw(frame, body, state, theme, layout),
        Page::Runs => runs::draw(frame, body, state, theme, layout),
    }
}

#[cfg(test)]
mod compact_tests;
#[cfg(test)]
mod epoch_charts_tests;
#[cfg(test)]
mod matrix_tests;
#[cfg(test)]
mod metric_panel_tests;
#[cfg(test)]
mod predict_page_tests;
#[cfg(test)]
mod readback_tests;
#[cfg(test)]
mod tests;
