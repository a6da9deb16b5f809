//! The progress panel: completed steps, throughput and remaining time.

use super::theme::Theme;
use super::widgets::bar::bar;
use super::widgets::{border_note, titled_block};
use crate::core::text::align_left;
use crate::run::protocol::Activity;
use crate::run::summary::{clock, download_line};
use crate::screen::app::State;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Draws the panel, with a note in its border.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, note: &str) {
    let mut block = titled_block(theme, state.lang.tr("progress"));
    if !note.is_empty() {
        block = block.title(border_note(format!(" {note} "), theme));
    }
    if let Some(best) = best_line(state, theme) {
        block = block.title_bottom(best.alignment(Alignment::Right));
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    if let Activity::Downloading(download) = &state.activity {
        let share = download.done as f64 / download.total.max(1) as f64;
        let hint = "q: quit. The next run resumes the download.";
        let lines = vec![
            bar_line(state.lang.tr("file"), share, "", width, theme),
            Line::from(download_line(download)),
            Line::styled(state.lang.tr(hint), theme.dim()),
        ];
        return frame.render_widget(Paragraph::new(lines), inner);
    }
    let lines = vec![
        epoch_line(state, width, theme),
        run_line(state, width, theme),
        time_line(state, theme),
    ];
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The highest accuracy so far, or the lowest loss in pretraining, and when it was reached.
fn best_line(state: &State, theme: Theme) -> Option<Line<'_>> {
    let best = state.best.as_ref()?;
    let (lang, metrics) = (state.lang, &best.metrics);
    let value = if state.is_pretraining() {
        lang.tr_with("loss {0}", &[&format!("{:.4}", metrics.eval_loss)])
    } else {
        lang.tr_with("accuracy {0}", &[&format!("{:.4}", metrics.eval_accuracy)])
    };
    let when = lang.tr_with(" at step {0} after {1} ", &[&best.step, &clock(best.elapsed)]);
    Some(Line::from(vec![
        Span::styled(lang.tr(" best "), theme.dim()),
        Span::styled(value, theme.eval()),
        Span::styled(when, theme.dim()),
    ]))
}

/// The progress of the epoch, or of the evaluation while one is running.
fn epoch_line(state: &State, width: usize, theme: Theme) -> Line<'static> {
    if let Activity::Evaluating { done, total } = state.activity {
        let right = format!("{done}/{total}");
        return bar_line(
            state.lang.tr("eval"),
            done as f64 / total.max(1) as f64,
            &right,
            width,
            theme,
        );
    }
    let Some(started) = &state.started else {
        return bar_line(state.lang.tr("epoch"), 0.0, "", width, theme);
    };
    let per_epoch = started.steps_per_epoch.max(1);
    let step = state.steps_done();
    let epochs = started.max_steps.div_ceil(per_epoch);
    // The last step of an epoch counts as part of that epoch.
    let epoch = step.saturating_sub(1) / per_epoch;
    let within = step - epoch * per_epoch;
    let right = format!("{}/{epochs}", epoch + 1);
    bar_line(state.lang.tr("epoch"), within as f64 / per_epoch as f64, &right, width, theme)
}

fn run_line(state: &State, width: usize, theme: Theme) -> Line<'static> {
    let total = state.started.as_ref().map_or(0, |started| started.max_steps);
    let done = state.steps_done();
    let right = if total > 0 { format!("{done}/{total}") } else { String::new() };
    bar_line(state.lang.tr("run"), done as f64 / total.max(1) as f64, &right, width, theme)
}

fn bar_line(name: &str, share: f64, right: &str, width: usize, theme: Theme) -> Line<'static> {
    let cells = width.saturating_sub(6 + 1 + 5 + 1 + 11);
    let mut spans = vec![Span::styled(align_left(name, 6), theme.dim())];
    spans.extend(bar(share, cells, theme));
    spans.push(Span::styled(format!(" {:>4.0}%", (share * 100.0).floor()), theme.strong()));
    spans.push(Span::raw(format!(" {right:>11}")));
    Line::from(spans)
}

fn time_line(state: &State, theme: Theme) -> Line<'_> {
    let lang = state.lang;
    let mut spans = vec![Span::styled(align_left(lang.tr("time"), 6), theme.dim())];
    if state.is_paused() {
        spans.push(Span::styled(format!("{}  ", lang.tr("paused")), theme.warning()));
    }
    let mut push = |value: String, unit: &'static str| {
        spans.push(Span::styled(value, theme.strong()));
        spans.push(Span::styled(lang.tr(unit), theme.dim()));
    };
    push(clock(state.elapsed()), " elapsed  ");
    if let Some(left) = state.eta() {
        push(clock(left), " left  ");
    }
    if let Some(rates) = state.throughput.rates() {
        push(format!("{:.1}", rates.steps), " steps/s  ");
        push(format!("{:.0}", rates.samples), " samples/s  ");
        push(format!("{:.0}", rates.tokens), " tokens/s");
    }
    Line::from(spans)
}
