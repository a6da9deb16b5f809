//! The runs page: the list of runs, and below it their curves or the settings in which they differ.

mod columns;
mod differences;
mod list;

use super::curves::{CurveSpec, XScale, draw_chart, short_number};
use super::panel_title::{chart_title, chart_view_note};
use super::theme::Theme;
use super::widgets::canvas::CurveStyle;
use super::widgets::{draw_centered_hint, titled_block, with_note};
use crate::core::text::truncate_width;
use crate::screen::app::panels::Panel;
use crate::screen::app::runs::RunComparison;
use crate::screen::app::{FrameLayout, State};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// The width from which chart and table are side by side.
const SIDE_BY_SIDE: u16 = 150;

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
    // As high as the list, but low enough to leave space for the chart.
    let wanted = runs.shown().len() as u16 + 3;
    let height = wanted.clamp(5, (area.height * 2 / 5).max(6));
    let [above, below] =
        Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(area);
    list::draw(frame, above, state, runs, theme);
    if area.width >= SIDE_BY_SIDE {
        let [left, right] =
            Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(below);
        let (chart, table) = if runs.differences { (right, left) } else { (left, right) };
        draw_curves(frame, chart, state, runs, theme, layout);
        differences::draw(frame, table, runs, state.lang, theme);
    } else if runs.differences {
        differences::draw(frame, below, runs, state.lang, theme);
    } else {
        draw_curves(frame, below, state, runs, theme, layout);
    }
}

/// Draws the curves of the selected runs, with a legend above them.
fn draw_curves(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    runs: &RunComparison,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let (lang, panel) = (state.lang, runs.metric.panel());
    let is_smoothed = runs.metric.is_noisy();
    let block = titled_block(theme, chart_title(runs.metric.name(), panel, state));
    let mut block = with_note(block, chart_view_note(state, is_smoothed), theme);
    if let Some(cursor) = state.charts.cursor {
        let text = lang.tr_with(" step {0} ", &[&cursor]);
        block = block.title(Line::styled(text, theme.cursor()).alignment(Alignment::Right));
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let mut curves = Vec::new();
    for (index, found, history) in runs.compared() {
        let Some(history) = history else { continue };
        let symbol = char::from_digit(index as u32 + 1, 10).unwrap_or('*');
        curves.push(CurveSpec {
            name: found.name(),
            curve: runs.metric.curve(history),
            style: CurveStyle { style: theme.curve(index), symbol },
            smooth: is_smoothed,
            raw: None,
            points: !is_smoothed && panel != Panel::LearningRate,
            scale: XScale::of(history, state),
        });
    }
    if let [only] = &mut curves[..] {
        // Raw values are drawn below a single curve; below several they would overlap.
        only.raw = Some(theme.raw()).filter(|_| only.smooth);
    }
    let drawn = curves.iter().any(|spec| !spec.curve.is_empty());
    if !drawn {
        let hint = match runs.compared().count() {
            0 => "Space: add a run to this chart; a: add the first eight",
            _ if curves.is_empty() => "reading …",
            _ => "these runs do not have this metric",
        };
        return draw_centered_hint(frame, inner, lang.tr(hint), theme);
    }
    let legend = legend(&curves, state, usize::from(inner.width), theme);
    let max_height = (inner.height / 3).max(1);
    let [above, chart] = Layout::vertical([
        Constraint::Length((legend.len() as u16).min(max_height)),
        Constraint::Fill(1),
    ])
    .areas(inner);
    frame.render_widget(Paragraph::new(legend), above);
    draw_chart(frame, chart, panel, &curves, state, theme, layout);
}

/// The runs with their values at the cursor, or their last ones, in as many lines as they need.
fn legend(curves: &[CurveSpec], state: &State, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    for spec in curves {
        let end = spec.curve.ends().map_or(0.0, |ends| ends.1);
        let cursor = state.charts.cursor;
        let value = spec
            .value_at(cursor)
            // A run that ended before the cursor's step has no value there.
            .filter(|_| cursor.is_none_or(|cursor| cursor <= end))
            .map(|(raw, smoothed)| if spec.smooth { smoothed } else { raw });
        let value = value.map_or_else(|| "-".to_owned(), short_number);
        let text = format!("{} {} ", spec.style.symbol, truncate_width(spec.name, NAME));
        let spans =
            [Span::styled(text, spec.style.style), Span::styled(value + "   ", theme.strong())];
        let needed: usize = spans.iter().map(Span::width).sum();
        let last = lines.len() - 1;
        if lines[last].width() > 0 && lines[last].width() + needed > width {
            lines.push(Line::from(spans.to_vec()));
        } else {
            lines[last].spans.extend(spans);
        }
    }
    lines
}
