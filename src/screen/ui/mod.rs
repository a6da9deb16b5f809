//! Draws the state. Each panel and page has a file with a `draw` function, which reads the state
//! and does no I/O.

mod attribution;
mod calibration;
mod classes;
mod command_palette;
mod confusion;
mod curves;
mod epochs;
mod gpu_processes;
mod header_footer;
mod log;
mod mistakes;
mod overlay;
mod panel_title;
mod popup;
mod predict;
mod progress;
mod runs;
mod settings;
pub mod svg;
mod system;
pub mod theme;
mod train;
mod widgets;

pub use theme::Theme;

use crate::screen::app::{FrameLayout, Page, State};
use crate::screen::keymap::{BINDINGS, active_contexts};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};
use widgets::titled_block;

/// The minimum columns and rows of the screen.
const MIN_SIZE: (u16, u16) = (60, 15);

/// Draws a frame and returns its layout.
pub fn draw(frame: &mut Frame, state: &State, theme: Theme) -> FrameLayout {
    let mut layout = state.layout.next();
    draw_page(frame, state, theme, &mut layout);
    theme.finish(frame.buffer_mut());
    layout
}

fn draw_page(frame: &mut Frame, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let area = frame.area();
    if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
        return draw_too_small(frame, area, state, theme);
    }
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)])
            .areas(area);
    header_footer::draw_header(frame, header, state, theme);
    match state.page {
        Page::Train => train::draw(frame, body, state, theme, layout),
        Page::Predict => predict::draw(frame, body, state, theme, layout),
        Page::Settings => {
            let block = titled_block(theme, state.lang.tr("settings"));
            let limit = settings::draw(frame, body, block, state, theme, state.settings_scroll);
            layout.scroll_limit = Some(limit).filter(|_| state.overlay.is_none());
        }
        Page::Log => log::draw(frame, body, state, theme, layout),
        Page::Mistakes => mistakes::draw(frame, body, state, theme),
        Page::Runs => runs::draw(frame, body, state, theme, layout),
    }
    header_footer::draw_footer(frame, footer, state, theme);
    overlay::draw(frame, body, state, theme, layout);
}

fn draw_too_small(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let hint = if state.replay.is_none() && state.runs.is_none() && state.is_running() {
        "Enlarge the window; training continues."
    } else {
        "Enlarge the window."
    };
    let mut lines = vec![
        Line::from(state.lang.tr_with(
            "The dashboard needs {0} x {1}; this is {2} x {3}.",
            &[&MIN_SIZE.0, &MIN_SIZE.1, &area.width, &area.height],
        )),
        Line::styled(header_footer::status(state), theme.strong()),
        Line::styled(state.lang.tr(hint), theme.dim()),
    ];
    if let Some(context) = active_contexts(state).first().filter(|_| state.overlay.is_some()) {
        // The keys of an overlay work even if the screen is too small to show it.
        let here = BINDINGS.iter().filter(|binding| binding.context == *context);
        lines.extend(here.filter_map(|binding| {
            let key = theme.keys(&binding.keys.first()?.name());
            Some(Line::from(format!("{key}  {}", state.lang.tr(binding.footer?))))
        }));
    }
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
}

#[cfg(test)]
mod matrix_tests;
#[cfg(test)]
mod metric_panel_tests;
#[cfg(test)]
mod predict_page_tests;
#[cfg(test)]
mod tests;
