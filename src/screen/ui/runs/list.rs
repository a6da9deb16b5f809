//! The list of runs.

use super::NAME;
use super::columns::{ExtraColumn, extra_columns, hidden_note, leave_out, needed_width};
use crate::core::text::{align_left, align_right, truncate_width};
use crate::run::run_index::{RunEntry, RunStatus, RunSummary};
use crate::run::summary::clock;
use crate::screen::app::State;
use crate::screen::app::runs::{InputPurpose, RunComparison};
use crate::screen::lang::Lang;
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::text_field::TextField;
use crate::screen::ui::widgets::{border_note, draw_hint, titled_block, with_note};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Draws the list, with the field for its filter while that is edited.
pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    runs: &RunComparison,
    theme: Theme,
) {
    let lang = state.lang;
    let order = lang.tr(runs.order.title());
    let by = lang.tr_with("by {0}", &[&order])
        + if runs.is_reversed { lang.tr(", reversed") } else { "" };
    let mut block = titled_block(theme, format!("{} · {by}", truncate_width(&runs.folder, 40)))
        .border_style(theme.focus());
    let shown = runs.shown().len();
    if shown < runs.found_count() {
        let count = lang.tr_with(" {0} of {1} ", &[&shown, &runs.found_count()]);
        block = block.title(border_note(count, theme));
    }
    let mut inner = block.inner(area);
    if let Some(input) = &runs.input {
        inner.height = inner.height.saturating_sub(1);
        let line = Rect { y: inner.bottom(), height: 1, ..inner };
        let (prefix, placeholder) = match input.purpose {
            InputPurpose::Filter { .. } => {
                ("/ ", "eval_accuracy > 0.8 AND NOT (seed=7 OR tag:old)")
            }
            InputPurpose::Note(_) => (lang.tr("note: "), ""),
            InputPurpose::Tags(_) => (lang.tr("tags: "), lang.tr("words, separated by spaces")),
            InputPurpose::Rename(_) => (lang.tr("name: "), ""),
        };
        let focused = state.overlay.is_none();
        let field = TextField { prefix, input: &input.line, placeholder, focused };
        field.draw(frame, line, theme);
    } else if !runs.filter.is_empty() {
        let filter = format!(" /{} ", truncate_width(&runs.filter, 40));
        let filter = Line::styled(filter, theme.train());
        block = if theme.is_frameless() { block.title(filter) } else { block.title_bottom(filter) };
    }
    let width = usize::from(area.width).saturating_sub(24);
    if let Some(problem) = filter_problem(runs, lang) {
        let text = format!(" {} ", truncate_width(&problem, width));
        let text = Line::styled(text, theme.warning()).right_aligned();
        block = if theme.is_frameless() { block.title(text) } else { block.title_bottom(text) };
    } else if let Some(here) = runs.selected_run() {
        let note = format!(" {} ", truncate_width(&note_on(here, lang), width));
        block = with_note(block, note, theme);
    }
    frame.render_widget(block, area);
    if shown == 0 {
        let text = match runs.found_count() {
            _ if !runs.is_complete => "searching for runs …",
            0 => "no runs here; nsmc-tui train writes one to its --output-dir",
            _ => "no matching run",
        };
        return draw_hint(frame, inner, lang.tr(text), theme);
    }
    frame.render_widget(Paragraph::new(rows(runs, inner, lang, theme)), inner);
}

/// What is wrong with the filter.
fn filter_problem(runs: &RunComparison, lang: Lang) -> Option<String> {
    if let Some(error) = &runs.filter_error {
        let reason = lang.tr(error.reason);
        return Some(lang.tr_with("filter, character {0}: {1}", &[&error.at, &reason]));
    }
    let name = runs.unknown_names.first()?;
    Some(lang.tr_with("no run has a setting or metric named {0}", &[name]))
}

/// What is most worth knowing of a run: an error, or else the user's tags and note with the model.
fn note_on(entry: &RunEntry, lang: Lang) -> String {
    let run = match &entry.summary {
        Err(unreadable) => return lang.tr_filled(&unreadable.reason),
        Ok(RunSummary { notes_problem: Some(problem), .. }) => return lang.tr_filled(problem),
        Ok(run) => run,
    };
    let mut parts: Vec<String> = run.notes.tags.iter().map(|tag| format!("#{tag}")).collect();
    if !run.notes.note.is_empty() {
        parts.push(run.notes.note.clone());
    }
    let model = lang.tr_filled(run.failure.as_ref().unwrap_or(&run.model));
    if parts.is_empty() { model } else { format!("{} · {model}", parts.join(" ")) }
}

/// The column titles, and as many runs as fit, the selected one among them.
fn rows(runs: &RunComparison, area: Rect, lang: Lang, theme: Theme) -> Vec<Line<'static>> {
    let width = usize::from(area.width);
    let names = runs.shown().map(|found| Span::raw(found.name()).width()).max().unwrap_or(0);
    let readable: Vec<&RunSummary> =
        runs.shown().filter_map(|found| found.summary.as_ref().ok()).collect();
    let mut extra = extra_columns(&readable, lang);
    let columns = RunListColumns::new(width, names.min(NAME), needed_width(&extra));
    let hidden = leave_out(&mut extra, width.saturating_sub(columns.used()));
    let height = usize::from(area.height).saturating_sub(1).max(1);
    let first = (runs.selected + 1).saturating_sub(height);
    let mut head = columns.head(lang);
    for column in &extra {
        head.push_str(&column.cell(column.title()));
    }
    head.push_str(&hidden_note(hidden, width.saturating_sub(Span::raw(&head).width())));
    let mut lines = vec![Line::styled(head, theme.dim())];
    for (at, found) in runs.shown().enumerate().skip(first).take(height) {
        let slot = runs.chart_slot(&found.folder);
        let line = columns.line(found, slot, &extra, lang, theme);
        let is_selected = at == runs.selected;
        lines.push(if is_selected { line.patch_style(theme.selected()) } else { line });
    }
    lines
}

/// The widths of the columns in terminal cells; 0 for a column that does not fit.
struct RunListColumns {
    name: usize,
    status: usize,
    steps: usize,
    metric: usize,
    f1: usize,
    loss: usize,
    time: usize,
    when: usize,
}

impl RunListColumns {
    /// The columns in a width; `extra` is the width that those after them need.
    fn new(width: usize, names: usize, extra: usize) -> Self {
        let mut columns = Self {
            name: names.max(8),
            status: 10,
            steps: 13,
            metric: 10,
            f1: 10,
            loss: 0,
            time: 9,
            when: 0,
        };
        let fixed = columns.used();
        if fixed > width {
            columns.name = columns.name.saturating_sub(fixed - width).max(8);
        }
        // On a narrow screen, the name and the accuracy remain.
        for narrower in [
            |columns: &mut Self| columns.f1 = 0,
            |columns: &mut Self| columns.time = 0,
            |columns: &mut Self| columns.steps = 0,
            |columns: &mut Self| columns.status = 0,
        ] {
            if columns.used() > width {
                narrower(&mut columns);
            }
        }
        if columns.used() + 11 <= width {
            columns.loss = 11;
        }
        // Where the runs differ is more worth knowing than when they were written.
        if columns.used() + 18 + extra.clamp(20, 60) <= width {
            columns.when = 18;
        }
        columns
    }

    fn used(&self) -> usize {
        2 + self.name
            + self.status
            + self.steps
            + self.metric
            + self.f1
            + self.loss
            + self.time
            + self.when
    }

    fn head(&self, lang: Lang) -> String {
        let left = |text: &str, width: usize| align_left(lang.tr(text), width);
        let right = |text: &str, width: usize| align_right(lang.tr(text), width);
        let mut text = "  ".to_owned() + &left("name", self.name);
        if self.status > 0 {
            text = text + "  " + &left("status", self.status - 2);
        }
        text += &right("step", self.steps);
        text += &right("accuracy", self.metric);
        text += &right("F1", self.f1);
        if self.loss > 0 {
            text += &right("eval loss", self.loss);
        }
        text += &right("time", self.time);
        if self.when > 0 {
            text = text + "  " + &left("written", self.when - 2);
        }
        text
    }

    fn line(
        &self,
        found: &RunEntry,
        slot: Option<usize>,
        extra: &[ExtraColumn],
        lang: Lang,
        theme: Theme,
    ) -> Line<'static> {
        let mark = slot.map_or("  ".to_owned(), |slot| format!("{} ", slot + 1));
        let style = slot.map_or(Style::new(), |slot| theme.curve(slot));
        let mut spans = vec![
            Span::styled(mark, style),
            Span::styled(align_left(found.name(), self.name), style),
        ];
        let Ok(run) = &found.summary else {
            spans.push(Span::styled(format!("  {}", lang.tr("unreadable")), theme.error()));
            return Line::from(spans);
        };
        if self.status > 0 {
            let status = align_left(lang.tr(run.status.name()), self.status - 2);
            spans.push(Span::styled(format!("  {status}"), status_style(run.status, theme)));
        }
        let steps = format!("{}/{}", run.step, run.max_steps);
        spans.push(Span::raw(align_right(&steps, self.steps)));
        let metric = |value: Option<f64>, width: usize| {
            let text = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
            align_right(&text, width)
        };
        let best = run.best.as_ref();
        let accuracy = metric(best.map(|best| best.eval_accuracy), self.metric);
        spans.push(Span::styled(accuracy, theme.strong()));
        spans.push(Span::raw(metric(best.map(|best| best.eval_f1), self.f1)));
        if self.loss > 0 {
            spans.push(Span::raw(metric(run.eval_loss(), self.loss)));
        }
        spans.push(Span::raw(align_right(&clock(run.seconds), self.time)));
        if self.when > 0 {
            let when = format!("  {}", align_left(&run.modified_local, self.when - 2));
            spans.push(Span::styled(when, theme.dim()));
        }
        for column in extra {
            spans.push(Span::styled(column.cell(&column.value(run)), theme.dim()));
        }
        Line::from(spans)
    }
}

fn status_style(status: RunStatus, theme: Theme) -> Style {
    match status {
        RunStatus::Running => theme.train(),
        RunStatus::Finished => theme.good(),
        RunStatus::Stopped | RunStatus::Dead => theme.warning(),
        RunStatus::Failed => theme.error(),
    }
}
