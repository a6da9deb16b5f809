//! What is known of the selected run: its metrics, the user's note on it, and its settings.

use super::NAME;
use crate::core::text::{align_left, display_path, truncate_width, wrap_width};
use crate::run::run_index::{RunEntry, RunSummary};
use crate::run::summary::clock;
use crate::screen::app::runs::RunComparison;
use crate::screen::lang::Lang;
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::{titled_block, with_note, wrapped};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

/// The most lines of a fact.
const MAX_LINES: usize = 4;

/// The most lines of the facts in short.
const SHORT_LINES: usize = 2;

/// A fact: what it is about, and what it says.
type Fact = (&'static str, String);

/// Draws the facts of the selected run and below them its settings, those that the user chose first.
pub(super) fn draw(frame: &mut Frame, area: Rect, runs: &RunComparison, lang: Lang, theme: Theme) {
    let Some(selected) = runs.selected_run() else { return };
    let mut block = titled_block(theme, truncate_width(selected.name(), NAME));
    let inner = block.inner(area);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));
    let mut lines = match &selected.summary {
        Ok(run) => fact_lines(&facts(selected, run, lang), width, lang, theme),
        Err(unreadable) => wrapped(&lang.tr_filled(&unreadable.reason), width, theme.error()),
    };
    if let Ok(run) = &selected.summary {
        let settings = setting_lines(run, width, theme);
        let left = height.saturating_sub(lines.len() + 1);
        let hidden = settings.len().saturating_sub(left);
        if left > 0 {
            lines.push(Line::default());
            lines.extend(settings.into_iter().take(left));
        }
        if hidden > 0 && left > 0 {
            block = with_note(block, lang.tr_with(" {0} more settings ", &[&hidden]), theme);
        }
    }
    lines.truncate(height);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// The most important facts of the selected run, one after another in at most two lines.
pub(super) fn in_short(
    runs: &RunComparison,
    width: usize,
    lang: Lang,
    theme: Theme,
) -> Vec<Line<'static>> {
    let Some(selected) = runs.selected_run() else { return Vec::new() };
    let Ok(run) = &selected.summary else { return Vec::new() };
    let chosen = run.settings.iter().filter(|setting| setting.reason == "flag");
    let chosen = chosen.map(|setting| format!("{} {}", setting.name, setting.value));
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (name, value) in metrics(run, lang) {
        push_part(&mut lines, &format!("{}: {value}", lang.tr(name)), (width, theme));
    }
    for setting in chosen {
        push_part(&mut lines, &setting, (width, theme));
    }
    lines.truncate(SHORT_LINES);
    lines
}

/// Adds a part to the last line, or begins another one.
fn push_part(lines: &mut Vec<Line<'static>>, part: &str, (width, theme): (usize, Theme)) {
    let part = truncate_width(part, width.saturating_sub(2));
    match lines.last_mut() {
        Some(last) if last.width() + 3 + part.width() < width => {
            last.push_span(Span::styled(format!(" · {part}"), theme.dim()));
        }
        _ => lines.push(Line::styled(format!(" {part}"), theme.dim())),
    }
}

/// The metrics of a run.
fn metrics(run: &RunSummary, lang: Lang) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    if let Some(best) = run.best.as_ref().filter(|_| run.setting("objective").is_none()) {
        let (accuracy, f1) = (best.eval_accuracy, best.eval_f1);
        let numbers = [format!("{accuracy:.4}"), format!("{f1:.4}")];
        let text = "accuracy {0}, F1 {1}, at step {2}";
        facts.push(("best", lang.tr_with(text, &[&numbers[0], &numbers[1], &best.step])));
    }
    if let Some(loss) = run.lowest_eval_loss {
        facts.push(("lowest eval loss", format!("{loss:.4}")));
    }
    if run.last_loss.is_finite() {
        facts.push(("last train loss", format!("{:.4}", run.last_loss)));
    }
    facts
}

/// All facts of a run.
fn facts(entry: &RunEntry, run: &RunSummary, lang: Lang) -> Vec<Fact> {
    let status = lang.tr(run.status.name());
    let (step, max_steps) = (run.step, run.max_steps);
    let steps = lang.tr_with("step {0}/{1}", &[&step, &max_steps]);
    let mut facts: Vec<Fact> = vec![("status", format!("{status} · {steps}"))];
    if let Some(failure) = &run.failure {
        facts.push(("error", lang.tr_filled(failure)));
    }
    if !run.notes.note.is_empty() {
        facts.push(("note", run.notes.note.clone()));
    }
    if !run.notes.tags.is_empty() {
        facts.push(("tags", run.notes.tags.join(" ")));
    }
    if let Some(problem) = &run.notes_problem {
        facts.push(("note", lang.tr_filled(problem)));
    }
    facts.extend(metrics(run, lang));
    facts.push(("model", lang.tr_filled(&run.model)));
    let (train, eval) = (run.train_samples, run.eval_samples);
    facts.push(("data", lang.tr_with("{0} + {1} samples", &[&train, &eval])));
    facts.push(("time", format!("{}  {}", clock(run.seconds), run.modified_local)));
    facts.push(("folder", display_path(&entry.folder)));
    facts
}

/// The names of facts in a column, and what they say beside them.
fn fact_lines(facts: &[Fact], width: usize, lang: Lang, theme: Theme) -> Vec<Line<'static>> {
    let names = facts.iter().map(|(name, _)| lang.tr(name).width()).max().unwrap_or(0);
    let left = width.saturating_sub(names + 2).max(1);
    let mut lines = Vec::new();
    for (name, value) in facts {
        let style = if *name == "error" { theme.error() } else { Style::new() };
        let parts = wrap_width(value, left).into_iter().take(MAX_LINES);
        for (number, part) in parts.enumerate() {
            let name = if number == 0 { lang.tr(name) } else { "" };
            lines.push(Line::from(vec![
                Span::styled(align_left(name, names) + "  ", theme.dim()),
                Span::styled(part.trim_end().to_owned(), style),
            ]));
        }
    }
    lines
}

/// The settings of a run, those that the user chose first.
fn setting_lines(run: &RunSummary, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let is_chosen = |reason: &str| reason == "flag";
    let mut settings: Vec<_> = run.settings.iter().collect();
    settings.sort_by_key(|setting| !is_chosen(&setting.reason));
    let names = settings.iter().map(|setting| setting.name.width()).max().unwrap_or(0);
    let left = width.saturating_sub(names + 2);
    let line = |setting: &crate::core::train::event::Setting| {
        let style = if is_chosen(&setting.reason) { theme.strong() } else { Style::new() };
        Line::from(vec![
            Span::styled(align_left(&setting.name, names) + "  ", theme.dim()),
            Span::styled(truncate_width(&setting.value, left), style),
        ])
    };
    settings.into_iter().map(line).collect()
}
