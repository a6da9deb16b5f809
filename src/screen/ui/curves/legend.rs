//! The values of a chart's curves: the latest ones in the border, and those at the cursor in a line
//! of their own.

use super::CurveSpec;
use crate::run::metric_series::ticks::number;
use crate::screen::app::State;
use crate::screen::app::panels::Panel;
use crate::screen::ui::panel_title::panel_title;
use crate::screen::ui::theme::Theme;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// The curves of a panel, the most important one first.
fn by_importance<'a, 'b>(panel: Panel, curves: &'a [CurveSpec<'b>]) -> Vec<&'a CurveSpec<'b>> {
    let mut curves: Vec<&CurveSpec> = curves.iter().collect();
    // The last curve of the chart of accuracies is the most important one.
    if panel == Panel::Accuracy {
        curves.reverse();
    }
    curves
}

/// The latest values for the border, each in the color of its curve.
pub(super) fn legend(
    panel: Panel,
    curves: &[CurveSpec],
    state: &State,
    area: Rect,
    theme: Theme,
) -> Line<'static> {
    let mut spans: Vec<Span> = Vec::new();
    let not_finite = curves.iter().find_map(|spec| spec.curve.not_finite().last());
    if let Some((step, value)) = not_finite {
        spans.push(Span::styled(
            state.lang.tr_with(" {0} at step {1} ", &[&value, &step]),
            theme.error(),
        ));
    }
    for spec in by_importance(panel, curves) {
        let Some((raw, smoothed)) = spec.value_at(None) else { continue };
        let value = short_number(if spec.smooth { smoothed } else { raw });
        let text = format!(" {} {value} ", state.lang.tr(spec.name));
        spans.push(Span::styled(text, spec.style.style));
    }
    // The least important values are left out if they do not fit beside the title.
    let mut space = usize::from(area.width).saturating_sub(6 + panel_title(panel, state).width());
    spans.retain(|span| {
        let fits = span.width() <= space;
        space = if fits { space - span.width() } else { 0 };
        fits
    });
    Line::from(spans).alignment(Alignment::Right)
}

/// The values of all curves at the cursor's step, in as few lines as they need, and at most
/// `most_lines`. A value of an earlier step, which holds there, has that step after `@`; if all have the
/// same one, it is said once. If there is not enough room in all of these lines, smoothed values and
/// these steps are left out first, then the least important curves, and then the step; the most
/// important curve is the last to be left out.
pub(super) fn cursor_lines(
    panel: Panel,
    curves: &[CurveSpec],
    (state, cursor): (&State, f64),
    (width, most_lines): (usize, usize),
    theme: Theme,
) -> Vec<Line<'static>> {
    let step = state.lang.tr_with(" step {0} ", &[&cursor]).trim().to_owned();
    let step = Span::styled(step, theme.cursor());
    let shown = by_importance(panel, curves);
    let shown: Vec<&CurveSpec> = shown.into_iter().filter(|spec| !spec.curve.is_empty()).collect();
    let held_since = |spec: &CurveSpec| {
        spec.curve.at(cursor).map(|(step, _, _)| step).filter(|step| *step < cursor)
    };
    let common = shown.first().and_then(|spec| held_since(spec));
    let common = common.filter(|since| shown.iter().all(|spec| held_since(spec) == Some(*since)));
    let values = |is_full: bool| -> Vec<Span<'static>> {
        let text = |spec: &&CurveSpec| {
            let name = state.lang.tr(spec.name);
            let since = held_since(spec).filter(|_| is_full && common.is_none());
            let since = since.map_or_else(String::new, |step| format!(" @{step}"));
            let text = match spec.value_at(Some(cursor)) {
                None => format!("{name} -"),
                Some((raw, smoothed)) if spec.smooth && is_full => {
                    format!("{name} {} ({}){since}", short_number(raw), short_number(smoothed))
                }
                Some((raw, _)) => format!("{name} {}{since}", short_number(raw)),
            };
            Span::styled(text, spec.style.style)
        };
        shown.iter().map(text).collect()
    };
    let common = common.map(|since| Span::styled(format!("@{since}"), theme.dim()));
    let line = |common: Option<&Span<'static>>, values: Vec<Span<'static>>| -> Vec<Span<'static>> {
        std::iter::once(&step).chain(common).cloned().chain(values).collect()
    };
    let mut variants = vec![
        line(common.as_ref(), values(true)),
        line(common.as_ref(), values(false)),
        line(None, values(false)),
    ];
    for spans in &variants {
        let mut wrapped = (1..=most_lines).filter_map(|most| wrapped(spans, width, most));
        if let Some(lines) = wrapped.next() {
            return lines;
        }
    }
    let mut spans = variants.pop().unwrap_or_default();
    while spans.len() > 2 {
        spans.pop();
        if let Some(lines) = wrapped(&spans, width, most_lines) {
            return lines;
        }
    }
    spans.drain(..spans.len().saturating_sub(1));
    vec![Line::from(spans)]
}

/// The texts with blanks between them in at most `most` lines; `None` if they do not fit.
fn wrapped(spans: &[Span<'static>], width: usize, most: usize) -> Option<Vec<Line<'static>>> {
    let mut lines = vec![Line::default()];
    for span in spans {
        let last = lines.len() - 1;
        let used = lines[last].width();
        if used > 0 && used + 2 + span.width() <= width {
            lines[last].spans.extend([Span::raw("  "), span.clone()]);
        } else if used == 0 && span.width() <= width {
            lines[last].push_span(span.clone());
        } else if span.width() <= width {
            lines.push(Line::from(vec![span.clone()]));
        } else {
            return None;
        }
    }
    (lines.len() <= most).then_some(lines)
}

/// A value in few characters, with the same width for similar values.
pub(in crate::screen::ui) fn short_number(value: f64) -> String {
    match value.abs() {
        size if (100.0..1e5).contains(&size) => format!("{value:.0}"),
        size if (0.01..100.0).contains(&size) => format!("{value:.3}"),
        _ => number(value),
    }
}
