//! The pages on a screen that is too small for panels with borders, such as half of a split terminal:
//! one column, with titles in place of borders. A dialog, the help and the palette take all of the page.

use super::theme::Theme;
use super::widgets::bar::bar;
use super::widgets::{sparkline, wrapped};
use super::{curves, draw_other_page, header_footer, overlay, result, train};
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

/// The rows of lines above the chart of the loss: the progress, the accuracy and a verdict in two lines,
/// or the result with its next command.
const MIN_SUMMARY: u16 = 4;

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
/// panel. A panel other than the loss, or a maximized one, gets the room of most lines. Where there is no
/// room for the chart of the loss, it is a line, and the values at the cursor are another one.
fn draw_train(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let panel = state.panels.focus;
    let is_chosen = panel != Panel::Loss || state.panels.maximized;
    let (columns, rows) = if panel.is_chart() { MIN_CHART } else { MIN_PANEL };
    let is_known = panel != Panel::Loss || !state.history.loss.is_empty();
    let left = if is_known && area.width >= columns { area.height.checked_sub(rows) } else { None };
    let size = |rows: u16| (usize::from(area.width), usize::from(rows));
    let lines = match left {
        Some(left) if is_chosen => {
            let mut lines = match result_card(state) {
                Some(card) => result::lines(&card, size(left.min(4)), state.lang, theme),
                None => progress(state, usize::from(area.width), theme),
            };
            lines.truncate(usize::from(left));
            Some(lines)
        }
        Some(left) if left >= MIN_SUMMARY => Some(summary(state, size(left), theme)),
        _ => None,
    };
    let has_panel = lines.is_some();
    let mut lines =
        lines.unwrap_or_else(|| without_panel(state, size(area.height), is_chosen, theme));
    lines.truncate(usize::from(area.height));
    let height = lines.len() as u16;
    frame.render_widget(Paragraph::new(lines), Rect { height, ..area });
    if has_panel {
        let below = Rect { y: area.y + height, height: area.height - height, ..area };
        train::draw_panel(frame, below, panel, state, theme, layout);
    }
}

/// The result, or the progress, the accuracy and the verdict, in at most so many columns and rows.
fn summary(state: &State, (width, rows): (usize, usize), theme: Theme) -> Vec<Line<'static>> {
    if let Some(card) = result_card(state) {
        return result::lines(&card, (width, rows), state.lang, theme);
    }
    let mut lines = progress(state, width, theme);
    lines.extend(evaluation(state, width, theme));
    let left = rows.saturating_sub(lines.len());
    lines.extend(verdict_lines(state, (width, left), theme));
    lines.truncate(rows);
    lines
}

/// What is shown where no panel has room: the loss as a line and, instead of the latest evaluation, the
/// values at the cursor.
fn without_panel(
    state: &State,
    (width, rows): (usize, usize),
    is_chosen: bool,
    theme: Theme,
) -> Vec<Line<'static>> {
    let panel = state.panels.focus;
    let curve = if is_chosen { Vec::new() } else { loss(state, width, theme) };
    let reading = match state.charts.cursor {
        Some(cursor) if panel.is_chart() => {
            curves::cursor_reading(panel, (state, cursor), width, theme)
        }
        _ => Vec::new(),
    };
    let hint = if is_chosen {
        "Enlarge the window for this panel."
    } else {
        "Enlarge the window for charts."
    };
    let hint = Line::styled(truncate_width(state.lang.tr(hint), width), theme.dim());
    let needed = curve.len() + reading.len() + usize::from(is_chosen && reading.is_empty());
    let left = rows.saturating_sub(needed);
    let card = result_card(state);
    let is_under_way = card.is_none();
    let mut lines = match card {
        Some(card) => result::lines(&card, (width, left), state.lang, theme),
        None => progress(state, width, theme),
    };
    if is_under_way && reading.is_empty() {
        lines.extend(evaluation(state, width, theme));
    }
    lines.truncate(left);
    // The curve is below the progress, and its values below it.
    let at = if is_under_way { lines.len().min(1) } else { lines.len() };
    let has_values = !curve.is_empty() || !reading.is_empty();
    lines.splice(at..at, curve.into_iter().chain(reading));
    if is_under_way {
        let left = rows.saturating_sub(lines.len() + usize::from(is_chosen && !has_values));
        lines.extend(verdict_lines(state, (width, left), theme));
    }
    if lines.len() < rows {
        lines.push(hint);
    }
    lines
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

/// The latest training loss and its history. The cell of the cursor is marked.
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
    let mut spans = vec![name];
    let line: Vec<char> = sparkline(&values).chars().collect();
    let marked = state.charts.cursor.filter(|_| end > 0.0 && cells > 0).map(|step| {
        let cell = (step / end * cells as f64).ceil() as usize;
        cell.clamp(1, cells) - 1
    });
    for (cell, symbol) in line.into_iter().enumerate() {
        let style = if marked == Some(cell) { theme.cursor() } else { theme.train() };
        match spans.last_mut().filter(|span| cell > 0 && span.style == style) {
            Some(span) => span.content.to_mut().push(symbol),
            None => spans.push(Span::styled(symbol.to_string(), style)),
        }
    }
    vec![Line::from(spans)]
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

/// The verdict with its evidence or, where there are too few rows, its most important number.
fn verdict_lines(state: &State, (width, rows): (usize, usize), theme: Theme) -> Vec<Line<'static>> {
    let Some(ShownVerdict { headline, evidence, brief, level }) = verdict(state) else {
        return Vec::new();
    };
    let style = if level >= Level::Warning { theme.warning() } else { theme.dim() };
    let lines = |texts: &[&str]| -> Vec<Line<'static>> {
        texts.iter().flat_map(|text| wrapped(text, width, style)).collect()
    };
    let whole = lines(&[&headline, &evidence]);
    if whole.len() <= rows {
        return whole;
    }
    let short = format!("{headline}: {brief}");
    let in_lines = lines(&[&short]);
    match rows {
        0 => Vec::new(),
        _ if in_lines.len() <= rows => in_lines,
        _ => vec![Line::styled(truncate_width(&short, width), style)],
    }
}
