//! A chart of a metric of several runs.

use super::NAME;
use crate::core::text::truncate_width;
use crate::screen::app::panels::Panel;
use crate::screen::app::runs::{RunComparison, RunMetric};
use crate::screen::app::{FrameLayout, State};
use crate::screen::lang::Lang;
use crate::screen::ui::curves::{CurveSpec, XScale, draw_chart, short_number};
use crate::screen::ui::panel_title::{chart_title, chart_view_note};
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::canvas::CurveStyle;
use crate::screen::ui::widgets::{draw_centered_hint, titled_block, with_note};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// The symbol of the selected run while it is not one of those in the chart.
const PREVIEW: char = '*';

/// The metric of a second chart: accuracy beside a loss, and the loss beside any other metric, if a run
/// that is drawn has it.
pub(super) fn second_metric(runs: &RunComparison) -> Option<RunMetric> {
    let other = match runs.metric.panel() {
        Panel::Loss => RunMetric::EvalAccuracy,
        _ => RunMetric::Loss,
    };
    let preview = runs.previewed().and_then(|(.., history)| history);
    let mut drawn = runs.compared().filter_map(|(.., history)| history).chain(preview);
    drawn.any(|history| !other.curve(history).is_empty()).then_some(other)
}

/// Draws a metric of the runs in the chart and of the selected one, with a legend above the curves.
pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    metric: RunMetric,
    state: &State,
    theme: Theme,
    layout: &mut FrameLayout,
) {
    let Some(runs) = &state.runs else { return };
    let (lang, panel) = (state.lang, metric.panel());
    let is_smoothed = metric.is_noisy();
    let block = titled_block(theme, chart_title(metric.name(), panel, state));
    let mut block = with_note(block, chart_view_note(state, is_smoothed), theme);
    if let Some(cursor) = state.charts.cursor {
        let text = lang.tr_with(" step {0} ", &[&cursor]);
        block = block.title(Line::styled(text, theme.cursor()).alignment(Alignment::Right));
    }
    let is_new = runs.previewed().is_some_and(|(slot, ..)| slot.is_some());
    if is_new && metric == runs.metric && !theme.is_frameless() {
        let text = Line::styled(lang.tr(" Space keeps it in the chart "), theme.dim());
        block = block.title_bottom(text);
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let spec = |slot: Option<usize>, symbol: char, name, history| CurveSpec {
        name,
        curve: metric.curve(history),
        style: CurveStyle { style: slot.map_or(theme.strong(), |slot| theme.curve(slot)), symbol },
        smooth: is_smoothed,
        raw: None,
        points: !is_smoothed && panel != Panel::LearningRate,
        scale: XScale::of(history, state),
    };
    let mut curves = Vec::new();
    for (slot, found, history) in runs.compared() {
        let Some(history) = history else { continue };
        let symbol = char::from_digit(slot as u32 + 1, 10).unwrap_or('*');
        curves.push(spec(Some(slot), symbol, found.name(), history));
    }
    if let Some((slot, found, Some(history))) = runs.previewed() {
        curves.push(spec(slot, PREVIEW, found.name(), history));
    }
    if let [only] = &mut curves[..] {
        // Raw values are drawn below a single curve; below several they would overlap.
        only.raw = Some(theme.raw()).filter(|_| only.smooth);
    }
    if curves.iter().all(|spec| spec.curve.is_empty()) {
        return draw_centered_hint(frame, inner, &hint(runs, curves.is_empty(), lang), theme);
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

/// Why there are no curves: none are read, or none of this metric.
fn hint(runs: &RunComparison, is_unread: bool, lang: Lang) -> String {
    let problem = runs.preview_problem().filter(|_| is_unread);
    if let Some(problem) = problem {
        return lang.tr_filled(problem);
    }
    let count = runs.compared().count() + usize::from(runs.previewed().is_some());
    let text = match count {
        0 if runs.selected_run().is_none() => "no matching run",
        0 => "this run cannot be read",
        _ if is_unread => "reading …",
        1 => "this run does not have this metric",
        _ => "these runs do not have this metric",
    };
    lang.tr(text).to_owned()
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
