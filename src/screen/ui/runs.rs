//! The runs page: the list of runs, and below it the curves and the metrics of the selected run and of
//! those in the chart, or the settings in which they differ.

mod chart;
mod columns;
mod differences;
mod facts;
mod list;

use super::theme::Theme;
use crate::screen::app::{FrameLayout, State};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Paragraph;

/// The width from which chart and table are side by side.
const SIDE_BY_SIDE: u16 = 150;

/// The columns and rows from which the facts of the selected run are beside its curves.
const FACTS_BESIDE: (u16, u16) = (100, 8);

/// The rows of curves from which some facts are below them, where there is no room beside them.
const FACTS_BELOW: u16 = 12;

/// The rows from which there are two charts.
const TWO_CHARTS: u16 = 24;

/// The rows from which a page without borders has both list and chart.
const MIN_BOTH: u16 = 11;

/// The maximum columns of a run's name.
const NAME: usize = 32;

/// Draws the page.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let Some(runs) = &state.runs else { return };
    if theme.is_frameless() && area.height < MIN_BOTH {
        return if runs.differences {
            differences::draw(frame, area, runs, state.lang, theme);
        } else {
            list::draw(frame, area, state, runs, theme);
        };
    }
    if runs.found_count() == 0 {
        // There is nothing to draw below it.
        return list::draw(frame, area, state, runs, theme);
    }
    // As high as the list, but low enough to leave space for the chart.
    let wanted = runs.shown().len() as u16 + 3;
    let height = wanted.clamp(5, (area.height * 2 / 5).max(6));
    let [above, below] =
        Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(area);
    list::draw(frame, above, state, runs, theme);
    if area.width < SIDE_BY_SIDE && runs.differences {
        return differences::draw(frame, below, runs, state.lang, theme);
    }
    if area.width < FACTS_BESIDE.0 || below.height < FACTS_BESIDE.1 {
        return draw_narrow(frame, below, state, theme, layout);
    }
    let [left, right] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(below);
    let has_table = area.width >= SIDE_BY_SIDE && runs.compared_summaries().len() > 1;
    if !has_table {
        draw_charts(frame, left, state, theme, layout);
        return facts::draw(frame, right, runs, state.lang, theme);
    }
    let (charts, tables) = if runs.differences { (right, left) } else { (left, right) };
    draw_charts(frame, charts, state, theme, layout);
    let table = differences::height(runs).min(tables.height / 2);
    let [facts, table] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(table)]).areas(tables);
    facts::draw(frame, facts, runs, state.lang, theme);
    differences::draw(frame, table, runs, state.lang, theme);
}

/// Draws the chart and, where there is room, the most important facts of the selected run below it.
fn draw_narrow(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let Some(runs) = &state.runs else { return };
    let lines = if area.height >= FACTS_BELOW && !theme.is_frameless() {
        facts::in_short(runs, usize::from(area.width), state.lang, theme)
    } else {
        Vec::new()
    };
    let rows = [Constraint::Fill(1), Constraint::Length(lines.len() as u16)];
    let [charts, below] = Layout::vertical(rows).areas(area);
    draw_charts(frame, charts, state, theme, layout);
    frame.render_widget(Paragraph::new(lines), below);
}

/// Draws the chart of the chosen metric and, where there is room, one of another metric below it.
fn draw_charts(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let Some(runs) = &state.runs else { return };
    let second = chart::second_metric(runs).filter(|_| area.height >= TWO_CHARTS);
    let Some(second) = second else {
        return chart::draw(frame, area, runs.metric, state, theme, layout);
    };
    let [above, below] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(area);
    chart::draw(frame, above, runs.metric, state, theme, layout);
    chart::draw(frame, below, second, state, theme, layout);
}

#[cfg(test)]
mod tests;
