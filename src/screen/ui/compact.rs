//! The pages on a screen that is too small for panels with borders, such as half of a split terminal:
//! one column, with titles in place of borders. A dialog, the help and the palette take all of the page.

use super::theme::Theme;
use super::widgets::bar::bar;
use super::widgets::{sparkline, wrapped};
use super::{draw_other_page, header_footer, overlay, result, train};
use crate::core::text::truncate_width;
use crate::run::summary::clock;
use crate::screen::app::log::Level;
use crate::screen::app::panels::Panel;
use crate::screen::app::result_card::{ShownVerdict, result_card, verdict};
use crate::screen::app::{FrameLayout, Overlay, Page, State};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// The rows from which there is a footer.
const MIN_FOOTER: u16 = 8;

/// The columns and rows from which a panel is drawn below the lines: a chart, and another one.
const MIN_CHART: (u16, u16) = (30, 5);
const MIN_PANEL: (u16, u16) = (24, 3);

/// Draws the whole screen.
pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let theme = theme.without_borders();
    let footer = u16::from(area.height >= MIN_FOOTER);
    let rows = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(footer)];
    let [header, body, footer] = Layout::vertical(rows).areas(area);
    match &state.notice {
        // Without a footer, a notice is in the header.
        Some(_) if footer.height == 0 => header_footer::draw_footer(frame, header, state, theme),
        _ => header_footer::draw_compact_header(frame, header, state, theme),
    }
    if footer.height > 0 {
        header_footer::draw_footer(frame, footer, state, theme);
    }
    match (state.overlay, state.page) {
        (Some(_), _) => overlay::draw(frame, body, state, theme, layout),
        (None, Page::Train) => draw_train(frame, body, state, theme, layout),
        (None, _) => draw_other_page(frame, body, state, theme, layout),
    }
}

/// Draws that the screen is too small. The keys that hold anywhere are named.
pub(super) fn draw_too_small(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let width = usize::from(area.width);
    let lang = state.lang;
    let mut lines = wrapped(lang.tr("Enlarge the window."), width, theme.warning());
    let quit = match state.overlay {
        Some(Overlay::ConfirmQuit) => "Ctrl-C: stop, save, quit",
        _ => "Ctrl-C: quit",
    };
    lines.extend(wrapped(lang.tr(quit), width, theme.dim()));
    lines.push(Line::styled(truncate_width(&header_footer::status(state), width), theme.strong()));
    frame.render_widget(Paragraph::new(lines), area);
}

/// Draws the training page: the progress or the result in a few lines and, below them, the focused
/// panel. A panel other than the loss, or a maximized one, gets the room of most lines.
fn draw_train(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let width = usize::from(area.width);
    let panel = state.panels.focus;
    let is_chosen = panel != Panel::Loss || state.panels.maximized;
    let (columns, rows) = if panel.is_chart() { MIN_CHART } else { MIN_PANEL };
    let mut lines = match result_card(state) {
        Some(card) => {
            let rows = usize::from(area.height).min(4);
            result::lines(&card, (width, rows), state.lang, theme)
        }
        None => progress(state, width, theme),
    };
    if !is_chosen {
        lines.extend(loss(state, width, theme));
        lines.extend(evaluation(state, width, theme));
    }
    if !is_chosen && result_card(state).is_none() {
        lines.extend(verdict_lines(state, width, theme));
    }
    let left = usize::from(area.height).saturating_sub(lines.len());
    if is_chosen && left < usize::from(rows) {
        lines.truncate(usize::from(area.height.saturating_sub(rows)));
    }
    let height = (lines.len() as u16).min(area.height);
    let below = Rect { y: area.y + height, height: area.height - height, ..area };
    let has_room = below.width >= columns && below.height >= rows;
    if has_room && (panel != Panel::Loss || !state.history.loss.is_empty()) {
        train::draw_panel(frame, below, panel, state, theme, layout);
    } else if usize::from(area.height) > lines.len() || is_chosen {
        let hint = if is_chosen {
            "Enlarge the window for this panel."
        } else {
            "Enlarge the window for charts."
        };
        lines.truncate(usize::from(area.height).saturating_sub(1));
        lines.push(Line::styled(truncate_width(state.lang.tr(hint), width), theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines), Rect { height, ..area });
}

/// The steps as a bar, and the time.
fn progress(state: &State, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let Some(started) = &state.started else { return Vec::new() };
    let share = state.steps_done() as f64 / started.max_steps.max(1) as f64;
    let time = match state.eta() {
        Some(left) => clock(left) + state.lang.tr(" left  ").trim_end(),
        None => clock(state.elapsed()),
    };
    let text = format!(" {:.0}%  {time}", (100.0 * share).floor());
    let text = Span::styled(truncate_width(&text, width), theme.strong());
    let mut spans = bar(share, width.saturating_sub(text.width()), theme).to_vec();
    spans.push(text);
    vec![Line::from(spans)]
}

/// The latest training loss and its history.
fn loss(state: &State, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let curve = &state.history.loss;
    let Some(latest) = curve.last_smoothed() else { return Vec::new() };
    let name = format!("{} {latest:.3} ", state.lang.tr("loss"));
    let name = Span::styled(truncate_width(&name, width), theme.train());
    let cells = width.saturating_sub(name.width());
    let end = state.steps_done() as f64;
    let at = |cell: usize| {
        let step = end * (cell as f64 + 1.0) / cells.max(1) as f64;
        curve.at(step).map(|(_, _, smoothed)| smoothed)
    };
    let values: Vec<Option<f64>> = (0..cells).map(at).collect();
    vec![Line::from(vec![name, Span::styled(sparkline(&values), theme.train())])]
}

/// The latest evaluation and the best one.
fn evaluation(state: &State, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let lang = state.lang;
    let Some(evaluated) = &state.evaluated else { return Vec::new() };
    let metrics = &evaluated.metrics;
    let loss = format!("{} {:.3}", lang.tr("eval loss"), metrics.eval_loss);
    let text = if state.is_pretraining() {
        loss
    } else {
        let accuracy = lang.tr_with("accuracy {0}", &[&format!("{:.4}", metrics.eval_accuracy)]);
        format!("{accuracy}  {loss}")
    };
    let mut lines = vec![Line::styled(truncate_width(&text, width), theme.eval())];
    if let Some(best) = state.best.as_ref().filter(|best| best.step != evaluated.step) {
        let accuracy = format!("{:.4}", best.metrics.eval_accuracy);
        let accuracy = lang.tr_with("accuracy {0}", &[&accuracy]);
        let text = format!("{} {accuracy}", lang.tr(" best ").trim());
        if !state.is_pretraining() {
            lines.push(Line::styled(truncate_width(&text, width), theme.dim()));
        }
    }
    lines
}

fn verdict_lines(state: &State, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let Some(ShownVerdict { headline, evidence, level, .. }) = verdict(state) else {
        return Vec::new();
    };
    let style = if level >= Level::Warning { theme.warning() } else { theme.dim() };
    [headline, evidence].iter().flat_map(|text| wrapped(text, width, style)).collect()
}
