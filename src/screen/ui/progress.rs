//! The progress panel: completed steps, throughput and remaining time.

use super::theme::Theme;
use super::widgets::bar::bar;
use super::widgets::{border_note, titled_block};
use crate::core::text::{align_left, truncate_width};
use crate::run::protocol::Activity;
use crate::run::summary::{clock, download_line};
use crate::screen::app::State;
use crate::screen::app::log::Level;
use crate::screen::app::result_card::{ShownVerdict, verdict};
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

/// Columns of the names of the lines.
const NAME: usize = 9;

/// The fewest columns of two bars beside each other, which leave a row of a low panel to the verdict.
const MIN_WIDTH_OF_TWO: usize = 70;

/// Draws the panel, with a note in its border.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, note: &str) {
    let mut block = titled_block(theme, state.lang.tr("progress"));
    if !note.is_empty() {
        block = block.title(border_note(format!(" {note} "), theme));
    }
    let best = best_line(state, theme);
    let width = usize::from(area.width.saturating_sub(2));
    let (is_high, is_wide) = (area.height > 5, width >= MIN_WIDTH_OF_TWO);
    if let Some(ShownVerdict { headline, level, .. }) =
        verdict(state).filter(|_| !is_high && !is_wide)
    {
        let used = best.as_ref().map_or(0, Line::width) + 6;
        let headline = format!(" {headline} ");
        if Span::raw(headline.as_str()).width() + used <= usize::from(area.width) {
            block = block.title_bottom(Line::styled(headline, verdict_style(level, theme)));
        }
    }
    if let Some(best) = best {
        block = block.title_bottom(best.alignment(Alignment::Right));
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if let Activity::Downloading(download) = &state.activity {
        let share = download.done as f64 / download.total.max(1) as f64;
        let hint = "q: quit. The next run resumes the download.";
        let file = ShownBar { name: "file", share, right: String::new() };
        let lines = vec![
            bar_line(&file, width, state, theme),
            Line::from(download_line(download)),
            Line::styled(state.lang.tr(hint), theme.dim()),
        ];
        return frame.render_widget(Paragraph::new(lines), inner);
    }
    let bars = [epoch_bar(state), run_bar(state)];
    let mut lines: Vec<Line> = if is_high || !is_wide {
        bars.iter().map(|bar| bar_line(bar, width, state, theme)).collect()
    } else {
        vec![two_bars(&bars, width, state, theme)]
    };
    lines.push(time_line(state, width, theme));
    if is_high || is_wide {
        let rows = usize::from(inner.height).saturating_sub(lines.len());
        lines.extend(verdict_lines(state, (width, rows), theme));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The rows that the verdict needs beside its first one in a panel of so many columns.
pub(super) fn more_lines(state: &State, width: u16) -> u16 {
    let Some(ShownVerdict { headline, evidence, .. }) = verdict(state) else { return 0 };
    let available = usize::from(width).saturating_sub(2 + NAME);
    u16::from(headline.width() + 2 + evidence.width() > available)
}

/// What the curves say so far: the evidence is behind the headline or, where that is too narrow, below
/// it or, with one row, abbreviated.
fn verdict_lines(state: &State, (width, rows): (usize, usize), theme: Theme) -> Vec<Line<'static>> {
    let name = Span::styled(align_left(state.lang.tr("verdict"), NAME), theme.dim());
    let Some(ShownVerdict { headline, evidence, brief, level }) = verdict(state) else {
        let text = state.lang.tr("no clear trend yet");
        return vec![Line::from(vec![name, Span::styled(text.to_owned(), theme.dim())])];
    };
    let used = name.width() + headline.width() + 2;
    let headline = Span::styled(headline, verdict_style(level, theme));
    let evidence_fits = used + evidence.width() <= width;
    if evidence_fits || rows < 2 {
        let shown = if evidence_fits { evidence } else { brief };
        let evidence = truncate_width(&shown, width.saturating_sub(used));
        let evidence = Span::styled(format!("  {evidence}"), theme.dim());
        return vec![Line::from(vec![name, headline, evidence])];
    }
    // There is more room without the indent of the names.
    let indent = if NAME + evidence.width() <= width { NAME } else { 2 };
    let evidence = truncate_width(&evidence, width.saturating_sub(indent));
    let evidence = format!("{:indent$}{evidence}", "");
    vec![Line::from(vec![name, headline]), Line::styled(evidence, theme.dim())]
}

fn verdict_style(level: Level, theme: Theme) -> Style {
    if level >= Level::Warning { theme.warning() } else { theme.strong() }
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

/// A bar with its name, and the count that it shows.
struct ShownBar {
    name: &'static str,
    /// The part that is done, from 0 to 1.
    share: f64,
    right: String,
}

/// The progress of the epoch, or of the evaluation while one is running.
fn epoch_bar(state: &State) -> ShownBar {
    if let Activity::Evaluating { done, total } = state.activity {
        let share = done as f64 / total.max(1) as f64;
        return ShownBar { name: "eval", share, right: format!("{done}/{total}") };
    }
    let Some(started) = &state.started else {
        return ShownBar { name: "epoch", share: 0.0, right: String::new() };
    };
    let per_epoch = started.steps_per_epoch.max(1);
    let step = state.steps_done();
    let epochs = started.max_steps.div_ceil(per_epoch);
    // The last step of an epoch counts as part of that epoch.
    let epoch = step.saturating_sub(1) / per_epoch;
    let within = step - epoch * per_epoch;
    let share = within as f64 / per_epoch as f64;
    ShownBar { name: "epoch", share, right: format!("{}/{epochs}", epoch + 1) }
}

fn run_bar(state: &State) -> ShownBar {
    let total = state.started.as_ref().map_or(0, |started| started.max_steps);
    let done = state.steps_done();
    let right = if total > 0 { format!("{done}/{total}") } else { String::new() };
    ShownBar { name: "run", share: done as f64 / total.max(1) as f64, right }
}

fn bar_line(shown: &ShownBar, width: usize, state: &State, theme: Theme) -> Line<'static> {
    let cells = width.saturating_sub(NAME + 1 + 5 + 1 + 11);
    let mut spans = vec![Span::styled(align_left(state.lang.tr(shown.name), NAME), theme.dim())];
    spans.extend(bar(shown.share, cells, theme));
    let percent = format!(" {:>4.0}%", (shown.share * 100.0).floor());
    spans.push(Span::styled(percent, theme.strong()));
    spans.push(Span::raw(format!(" {:>11}", shown.right)));
    Line::from(spans)
}

/// Two bars beside each other.
fn two_bars(bars: &[ShownBar; 2], width: usize, state: &State, theme: Theme) -> Line<'static> {
    let name = |index: usize| state.lang.tr(bars[index].name).to_owned();
    let names = [align_left(&name(0), NAME), format!("   {}  ", name(1))];
    let rights = bars.each_ref().map(|bar| {
        let percent = format!(" {:>3.0}%", (bar.share * 100.0).floor());
        (percent, format!(" {}", bar.right))
    });
    let used: usize = names.iter().map(|name| name.width()).sum::<usize>()
        + rights.iter().map(|(percent, right)| percent.len() + right.len()).sum::<usize>();
    let cells = width.saturating_sub(used) / 2;
    let mut spans = Vec::new();
    for ((shown, name), (percent, right)) in bars.iter().zip(names).zip(rights) {
        spans.push(Span::styled(name, theme.dim()));
        spans.extend(bar(shown.share, cells, theme));
        spans.push(Span::styled(percent, theme.strong()));
        spans.push(Span::raw(right));
    }
    Line::from(spans)
}

/// Times and rates, as many as fit.
fn time_line(state: &State, width: usize, theme: Theme) -> Line<'_> {
    let lang = state.lang;
    let mut spans = vec![Span::styled(align_left(lang.tr("time"), NAME), theme.dim())];
    if state.is_paused() {
        spans.push(Span::styled(format!("{}  ", lang.tr("paused")), theme.warning()));
    }
    let mut used: usize = spans.iter().map(Span::width).sum();
    let mut push = |value: String, unit: &'static str| {
        let parts = [Span::styled(value, theme.strong()), Span::styled(lang.tr(unit), theme.dim())];
        let needed = parts[0].width() + Span::raw(parts[1].content.trim_end()).width();
        used += parts.iter().map(Span::width).sum::<usize>();
        let before = used - parts.iter().map(Span::width).sum::<usize>();
        if before + needed <= width {
            spans.extend(parts);
        }
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
