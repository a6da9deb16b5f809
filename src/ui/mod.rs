//! Draws the state: one file a panel, each a function of a frame, a place and the state.

mod ascii;
mod bars;
mod chrome;
mod colour;
mod confusion;
mod loss_chart;
mod overlay;
mod palettes;
mod predict;
mod progress;
mod scores;
pub mod svg;
mod tables;
pub mod theme;

pub use theme::Theme;

use crate::app::{Page, State};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Paragraph, Wrap};

/// The smallest screen that the dashboard fits into.
const SMALLEST: (u16, u16) = (60, 15);

/// Draws everything.
pub fn draw(frame: &mut Frame, state: &State, theme: Theme) {
    draw_page(frame, state, theme);
    theme.finish(frame.buffer_mut());
}

fn draw_page(frame: &mut Frame, state: &State, theme: Theme) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return draw_too_small(frame, area, state, theme);
    }
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)])
            .areas(area);
    chrome::draw_header(frame, header, state, theme);
    match state.page {
        Page::Train => draw_train(frame, body, state, theme),
        Page::Predict => predict::draw(frame, body, state, theme),
        Page::Settings => {
            let panel = panel(theme, "settings");
            tables::draw_settings(frame, body, state, theme, panel, state.settings_scroll);
        }
        Page::Log => tables::draw_log(frame, body, state, theme),
    }
    chrome::draw_footer(frame, footer, state, theme);
    overlay::draw(frame, body, state, theme);
}

fn draw_too_small(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let lines = vec![
        Line::from(format!(
            "The dashboard needs {} x {}; this is {} x {}.",
            SMALLEST.0, SMALLEST.1, area.width, area.height
        )),
        Line::styled(chrome::status(state), theme.strong()),
        Line::styled("Enlarge the window; the run goes on.", theme.dim()),
    ];
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
}

fn draw_train(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let tall = area.height >= 30;
    let below = if tall { (area.height / 3).clamp(8, 16) } else { (area.height / 4).max(3) };
    let [charts, progress, below] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(5), Constraint::Length(below)])
            .areas(area);
    let right = (area.width * 2 / 5).clamp(30, 70);
    let [loss, scores] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(right)]).areas(charts);
    loss_chart::draw(frame, loss, state, theme);
    scores::draw(frame, scores, state, theme);
    progress::draw(frame, progress, state, theme);
    if area.width >= 100 {
        let [settings, log] =
            Layout::horizontal([Constraint::Length(56), Constraint::Fill(1)]).areas(below);
        tables::draw_settings(frame, settings, state, theme, panel(theme, "settings"), 0);
        tables::draw_log(frame, log, state, theme);
    } else {
        tables::draw_log(frame, below, state, theme);
    }
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
mod tests;
