//! The list of runs.

use super::NAME;
use crate::core::text::{align_left, align_right, truncate_width};
use crate::run::run_index::{
    RunEntry, RunStatus, RunSummary, distinguishing_settings, format_settings,
};
use crate::run::summary::clock;
use crate::screen::app::State;
use crate::screen::app::runs::RunComparison;
use crate::screen::lang::Lang;
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::text_field::TextField;
use crate::screen::ui::widgets::{border_note, draw_hint, titled_block};
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
        let field = TextField {
            prefix: "/ ",
            input: &input.line,
            placeholder: "",
            focused: state.overlay.is_none(),
        };
        field.draw(frame, line, theme);
    } else if !runs.filter.is_empty() {
        let filter = format!(" /{} ", truncate_width(&runs.filter, 40));
        block = block.title_bottom(Line::styled(filter, theme.train()));
    }
    if let Some(here) = runs.selected_run() {
        let note = match &here.summary {
            Err(unreadable) => unreadable.reason.clone(),
            Ok(RunSummary { failure: Some(failure), .. }) => failure.clone(),
            Ok(summary) => summary.model.clone(),
        };
        let width = usize::from(area.width).saturating_sub(24);
        let note = format!(" {} ", truncate_width(&note, width));
        block = block.title_bottom(border_note(note, theme));
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

/// The column titles, and as many runs as fit, the selected one among them.
fn rows(runs: &RunComparison, area: Rect, lang: Lang, theme: Theme) -> Vec<Line<'static>> {
    let width = usize::from(area.width);
    let names = runs.shown().map(|found| Span::raw(found.name()).width()).max().unwrap_or(0);
    let columns = RunListColumns::new(width, names.min(NAME));
    let readable: Vec<&RunSummary> =
        runs.shown().filter_map(|found| found.summary.as_ref().ok()).collect();
    let settings: Vec<String> = match columns.settings {
        0 => Vec::new(),
        _ => distinguishing_settings(&readable),
    };
    let height = usize::from(area.height).saturating_sub(1).max(1);
    let first = (runs.selected + 1).saturating_sub(height);
    let mut lines = vec![columns.head(lang, theme)];
    for (at, found) in runs.shown().enumerate().skip(first).take(height) {
        let slot = runs.chart_slot(&found.folder);
        let line = columns.line(found, slot, &settings, lang, theme);
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
    loss: usize,
    time: usize,
    when: usize,
    settings: usize,
}

impl RunListColumns {
    fn new(width: usize, names: usize) -> Self {
        let mut columns = Self {
            name: names.max(8),
            status: 10,
            steps: 13,
            metric: 10,
            loss: 0,
            time: 9,
            when: 0,
            settings: 0,
        };
        let fixed = columns.used();
        if fixed > width {
            columns.name = columns.name.saturating_sub(fixed - width).max(8);
        }
        if columns.used() + 11 <= width {
            columns.loss = 11;
        }
        if columns.used() + 18 + 20 <= width {
            columns.when = 18;
        }
        let left = width.saturating_sub(columns.used());
        columns.settings = if left >= 12 { left } else { 0 };
        columns
    }

    fn used(&self) -> usize {
        2 + self.name
            + self.status
            + self.steps
            + 2 * self.metric
            + self.loss
            + self.time
            + self.when
    }

    fn head(&self, lang: Lang, theme: Theme) -> Line<'static> {
        let left = |text: &str, width: usize| align_left(lang.tr(text), width);
        let right = |text: &str, width: usize| align_right(lang.tr(text), width);
        let mut text = "  ".to_owned() + &left("name", self.name) + "  " + &left("status", 8);
        text += &right("step", self.steps);
        text += &right("accuracy", self.metric);
        text += &right("F1", self.metric);
        if self.loss > 0 {
            text += &right("eval loss", self.loss);
        }
        text += &right("time", self.time);
        if self.when > 0 {
            text = text + "  " + &left("written", self.when - 2);
        }
        if self.settings > 0 {
            text = text + "  " + &left("different settings", self.settings.saturating_sub(2));
        }
        Line::styled(text, theme.dim())
    }

    fn line(
        &self,
        found: &RunEntry,
        slot: Option<usize>,
        settings: &[String],
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
        let status = align_left(lang.tr(run.status.name()), self.status - 2);
        spans.push(Span::styled(format!("  {status}"), status_style(run.status, theme)));
        let steps = format!("{}/{}", run.step, run.max_steps);
        spans.push(Span::raw(align_right(&steps, self.steps)));
        let metric = |value: Option<f64>, width: usize| {
            let text = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
            align_right(&text, width)
        };
        let best = run.best.as_ref();
        let accuracy = metric(best.map(|best| best.eval_accuracy), self.metric);
        spans.push(Span::styled(accuracy, theme.strong()));
        spans.push(Span::raw(metric(best.map(|best| best.eval_f1), self.metric)));
        if self.loss > 0 {
            spans.push(Span::raw(metric(run.lowest_eval_loss, self.loss)));
        }
        spans.push(Span::raw(align_right(&clock(run.seconds), self.time)));
        if self.when > 0 {
            let when = format!("  {}", align_left(&run.modified_local, self.when - 2));
            spans.push(Span::styled(when, theme.dim()));
        }
        if self.settings > 0 {
            let values = format_settings(run, settings);
            let width = self.settings.saturating_sub(2);
            spans.push(Span::styled(format!("  {}", truncate_width(&values, width)), theme.dim()));
        }
        Line::from(spans)
    }
}

fn status_style(status: RunStatus, theme: Theme) -> Style {
    match status {
        RunStatus::Running => theme.train(),
        RunStatus::Finished => theme.good(),
        RunStatus::Stopped | RunStatus::CutOff => theme.warning(),
        RunStatus::Failed => theme.error(),
    }
}
