//! Runs side by side: the list, and below it their curves or what sets them apart.

mod differences;
mod list;

use super::canvas::Pen;
use super::curves::{Figure, Scale, draw_chart, short};
use super::panel;
use super::theme::Theme;
use crate::core::text::truncate_width;
use crate::screen::app::State;
use crate::screen::app::charts::YRange;
use crate::screen::app::runs::Runs;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// The width from which chart and differences stand side by side.
const BESIDE: u16 = 150;

/// Columns of a run's name at most.
const NAME: usize = 32;

/// Draws the page.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let Some(runs) = &state.runs else { return };
    {
        let mut drawn = state.charts.drawn.borrow_mut();
        drawn.panels.clear();
        drawn.plots.clear();
    }
    // As high as the list is long, but no more than leaves the chart its room.
    let wanted = runs.shown().len() as u16 + 3;
    let height = wanted.clamp(5, (area.height * 2 / 5).max(6));
    let [above, below] =
        Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(area);
    list::draw(frame, above, state, runs, theme);
    if area.width >= BESIDE {
        let [left, right] =
            Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(below);
        let (chart, table) = if runs.differences { (right, left) } else { (left, right) };
        draw_curves(frame, chart, state, runs, theme);
        differences::draw(frame, table, runs, state.lang, theme);
    } else if runs.differences {
        differences::draw(frame, below, runs, state.lang, theme);
    } else {
        draw_curves(frame, below, state, runs, theme);
    }
}

/// The curves of the runs chosen, with a legend above them.
fn draw_curves(frame: &mut Frame, area: Rect, state: &State, runs: &Runs, theme: Theme) {
    let lang = state.lang;
    let mut words = vec![lang.tr(runs.figure.name())];
    if state.charts.log_y.contains(&runs.figure.panel()) {
        words.push(lang.tr("log y"));
    }
    match state.charts.ranges.get(&runs.figure.panel()) {
        Some(YRange::Whole) => words.push(lang.tr("whole")),
        Some(YRange::Fixed(_)) => words.push(lang.tr("fixed")),
        _ => {}
    }
    let axis = lang.tr(state.charts.axis.name());
    let mut seen = axis.to_owned();
    if runs.figure.is_noisy() {
        seen = format!("{seen} · {}", lang.fill("smooth {0}", &[&state.smoothing]));
    }
    if state.charts.window.is_some() {
        let [from, to] = state.charts.view(state.end());
        seen = format!("{seen} · {} {from:.0}-{to:.0}", lang.tr("zoomed"));
    }
    let seen = Line::styled(format!(" {seen} "), theme.dim()).alignment(Alignment::Right);
    let mut block = panel(theme, words.join(" · ")).title_bottom(seen);
    if let Some(cursor) = state.charts.cursor {
        let text = lang.fill(" step {0} ", &[&cursor]);
        block = block.title(Line::styled(text, theme.cursor()).alignment(Alignment::Right));
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let mut figures = Vec::new();
    for (place, found, history) in runs.compared() {
        let Some(history) = history else { continue };
        let sign = char::from_digit(place as u32 + 1, 10).unwrap_or('*');
        let noisy = runs.figure.is_noisy();
        figures.push(Figure {
            name: found.name(),
            curve: runs.figure.of(history),
            pen: Pen { style: theme.curve(place), sign },
            smooth: noisy,
            raw: None,
            points: !noisy
                && runs.figure.panel() != crate::screen::app::panels::Panel::LearningRate,
            scale: Scale::of(history, state),
        });
    }
    if let [only] = &mut figures[..] {
        // What was measured is seen beneath one curve; beneath several it would only be a blur.
        only.raw = Some(theme.raw()).filter(|_| only.smooth);
    }
    let drawn = figures.iter().any(|figure| !figure.curve.is_empty());
    if !drawn {
        let hint = match runs.compared().count() {
            0 => "Space puts a run into this chart, a the first eight",
            _ if figures.is_empty() => "reading …",
            _ => "these runs have no such figure",
        };
        let middle = Rect { y: inner.y + inner.height / 2, height: inner.height.min(1), ..inner };
        let hint = Line::styled(lang.tr(hint), theme.dim()).centered();
        return frame.render_widget(Paragraph::new(hint), middle);
    }
    let legend = legend(&figures, state, usize::from(inner.width), theme);
    let most = (inner.height / 3).max(1);
    let [above, chart] = Layout::vertical([
        Constraint::Length((legend.len() as u16).min(most)),
        Constraint::Fill(1),
    ])
    .areas(inner);
    frame.render_widget(Paragraph::new(legend), above);
    draw_chart(frame, chart, runs.figure.panel(), &figures, state, theme);
}

/// The runs with their values under the cursor, or their last ones, in as many lines as they need.
fn legend(figures: &[Figure], state: &State, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    for figure in figures {
        let end = figure.curve.ends().map_or(0.0, |ends| ends.1);
        let value = match state.charts.cursor {
            // There it had ended already.
            Some(cursor) if cursor > end => None,
            Some(cursor) => figure.curve.at(cursor).map(
                |(_, raw, smoothed)| {
                    if figure.smooth { smoothed } else { raw }
                },
            ),
            None if figure.smooth => figure.curve.last_smoothed(),
            None => figure.curve.last(),
        };
        let value = value.map_or_else(|| "-".to_owned(), short);
        let text = format!("{} {} ", figure.pen.sign, truncate_width(figure.name, NAME));
        let spans =
            [Span::styled(text, figure.pen.style), Span::styled(value + "   ", theme.strong())];
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
