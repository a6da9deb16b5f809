//! The dashboard on a screen that is too small for panels, such as half of a split terminal: the
//! loss as a sparkline, the progress, the accuracy and the verdict.

use super::panel_title::panel_title;
use super::theme::Theme;
use super::widgets::bar::bar;
use super::widgets::{sparkline, titled_block};
use super::{curves, header_footer};
use crate::core::text::truncate_width;
use crate::run::summary::clock;
use crate::screen::app::log::Level;
use crate::screen::app::panels::Panel;
use crate::screen::app::result_card::verdict;
use crate::screen::app::{FrameLayout, Page, State};
use crate::screen::keymap::{BINDINGS, active_contexts};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

/// The size from which the loss is drawn as a chart below the lines.
const MIN_CHART: (u16, u16) = (30, 7);

/// Draws the whole screen.
pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let width = usize::from(area.width);
    let status = truncate_width(&header_footer::status(state), width);
    let mut lines = vec![Line::styled(status, theme.strong())];
    if state.overlay.is_some() {
        lines.extend(overlay_keys(state, theme));
        let paragraph = Paragraph::new(lines).wrap(Wrap { trim: true });
        return frame.render_widget(paragraph, area);
    }
    if state.runs.is_none() {
        lines.extend(progress(state, width, theme));
        lines.extend(loss(state, width, theme));
        lines.extend(evaluation(state, width, theme));
        lines.extend(verdict_lines(state, width, theme));
    }
    if let Some(notice) = &state.notice {
        let style = if notice.level >= Level::Warning { theme.warning() } else { theme.good() };
        lines.insert(1, Line::styled(truncate_width(&notice.text, width), style));
    }
    let height = (lines.len() as u16).min(area.height);
    let below = Rect { y: area.y + height, height: area.height - height, ..area };
    let has_room = below.width >= MIN_CHART.0 && below.height >= MIN_CHART.1;
    if has_room && state.page == Page::Train && !state.history.loss.is_empty() {
        let block = titled_block(theme, panel_title(Panel::Loss, state));
        curves::draw(frame, below, Panel::Loss, block, state, theme, layout);
    } else if state.page != Page::Train || usize::from(area.height) > lines.len() {
        let hint = state.lang.tr("Enlarge the window for charts.");
        lines.truncate(usize::from(area.height).saturating_sub(1));
        lines.push(Line::styled(truncate_width(hint, width), theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// The keys of an overlay, which work even if the screen is too small to show it.
fn overlay_keys(state: &State, theme: Theme) -> Vec<Line<'static>> {
    let Some(context) = active_contexts(state).first() else { return Vec::new() };
    let here = BINDINGS.iter().filter(|binding| binding.context == *context);
    let line = |binding: &crate::screen::keymap::Binding| {
        let key = theme.keys(&binding.keys.first()?.name());
        Some(Line::from(format!("{key}  {}", state.lang.tr(binding.footer?))))
    };
    here.filter_map(line).collect()
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
    let Some((headline, evidence, level)) = verdict(state) else { return Vec::new() };
    let style = if level >= Level::Warning { theme.warning() } else { theme.dim() };
    let line = |text: &str| Line::styled(truncate_width(text, width), style);
    vec![line(&headline), line(&evidence)]
}
