//! Draws the state: one file a panel, each a function of a frame, a place and the state.

mod ascii;
mod bars;
mod calibration;
mod canvas;
mod chart;
mod chrome;
mod classes;
mod colour;
mod confusion;
mod curves;
mod epochs;
mod grid;
mod log;
mod overlay;
mod palette;
mod palettes;
mod predict;
mod progress;
mod runs;
pub mod svg;
mod system;
mod tables;
pub mod theme;

pub use theme::Theme;

use crate::screen::app::{FrameLayout, Page, State};
use crate::screen::keymap::{BINDINGS, places};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Paragraph, Wrap};

/// The smallest screen that the dashboard fits into.
const SMALLEST: (u16, u16) = (60, 15);

/// Draws a frame and returns where it placed things.
pub fn draw(frame: &mut Frame, state: &State, theme: Theme) -> FrameLayout {
    let mut layout = state.layout.next();
    draw_page(frame, state, theme, &mut layout);
    theme.finish(frame.buffer_mut());
    layout
}

fn draw_page(frame: &mut Frame, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return draw_too_small(frame, area, state, theme);
    }
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)])
            .areas(area);
    chrome::draw_header(frame, header, state, theme);
    match state.page {
        Page::Train => grid::draw(frame, body, state, theme, layout),
        Page::Predict => predict::draw(frame, body, state, theme),
        Page::Settings => {
            let panel = panel(theme, state.lang.tr("settings"));
            let scroll = state.settings_scroll;
            let limit = tables::draw_settings(frame, body, state, theme, panel, scroll);
            layout.scroll_limit = Some(limit).filter(|_| state.overlay.is_none());
        }
        Page::Log => log::draw(frame, body, state, theme, layout),
        Page::Runs => runs::draw(frame, body, state, theme, layout),
    }
    chrome::draw_footer(frame, footer, state, theme);
    overlay::draw(frame, body, state, theme, layout);
}

fn draw_too_small(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let hint = if state.replay.is_none() && state.runs.is_none() && state.is_running() {
        "Enlarge the window; the run goes on."
    } else {
        "Enlarge the window."
    };
    let mut lines = vec![
        Line::from(state.lang.fill(
            "The dashboard needs {0} x {1}; this is {2} x {3}.",
            &[&SMALLEST.0, &SMALLEST.1, &area.width, &area.height],
        )),
        Line::styled(chrome::status(state), theme.strong()),
        Line::styled(state.lang.tr(hint), theme.dim()),
    ];
    if let Some(place) = places(state).first().filter(|_| state.overlay.is_some()) {
        // Keys hold although what they are about cannot be seen.
        let here = BINDINGS.iter().filter(|binding| binding.place == *place);
        lines.extend(here.filter_map(|binding| {
            let key = theme.keys(&binding.keys.first()?.name());
            Some(Line::from(format!("{key}  {}", state.lang.tr(binding.footer?))))
        }));
    }
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
}

/// A bordered block with a title.
fn panel<'a>(theme: Theme, title: impl Into<String>) -> Block<'a> {
    let title: String = title.into();
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.dim())
        .title(Line::styled(format!(" {title} "), theme.strong()))
}

#[cfg(test)]
mod judgement_tests;
#[cfg(test)]
mod matrix_tests;
#[cfg(test)]
mod tests;
