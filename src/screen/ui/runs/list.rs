//! The list of runs.

use super::NAME;
use crate::core::text::{padded, right_aligned, truncate_width};
use crate::run::run_index::{
    RunEntry, RunStatus, RunSummary, distinguishing_settings, format_settings,
};
use crate::run::summary::clock;
use crate::screen::app::runs::Runs;
use crate::screen::app::{State, editor};
use crate::screen::lang::Lang;
use crate::screen::ui::panel;
use crate::screen::ui::theme::Theme;
use ratatui::Frame;
use ratatui::layout::{Alignment, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Draws it, with what is typed to filter it.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, runs: &Runs, theme: Theme) {
    let lang = state.lang;
    let order = lang.tr(runs.order.name());
    let by =
        lang.fill("by {0}", &[&order]) + if runs.is_reversed { lang.tr(", reversed") } else { "" };
    let mut block = panel(theme, format!("{} · {by}", truncate_width(&runs.folder, 40)))
        .border_style(theme.focus());
    let shown = runs.shown().len();
    if shown < runs.count() {
        let count = lang.fill(" {0} of {1} ", &[&shown, &runs.count()]);
        block = block.title(Line::styled(count, theme.dim()).alignment(Alignment::Right));
    }
    let mut inner = block.inner(area);
    if let Some(typing) = &runs.typing {
        inner.height = inner.height.saturating_sub(1);
        let line = Rect { y: inner.bottom(), height: 1, ..inner };
        let (text, caret) = editor::view(&typing.line, usize::from(line.width).saturating_sub(2));
        let text = Line::from(vec![Span::styled("/ ", theme.train()), Span::raw(text)]);
        frame.render_widget(Paragraph::new(text), line);
        if state.overlay.is_none() {
            let x = (line.x + 2 + caret as u16).min(line.right().saturating_sub(1));
            frame.set_cursor_position(Position::new(x, line.y));
        }
    } else if !runs.filter.is_empty() {
        let filter = format!(" /{} ", truncate_width(&runs.filter, 40));
        block = block.title_bottom(Line::styled(filter, theme.train()));
    }
    if let Some(here) = runs.here() {
        let note = match &here.summary {
            Err(unreadable) => unreadable.reason.clone(),
            Ok(RunSummary { failure: Some(failure), .. }) => failure.clone(),
            Ok(summary) => summary.model.clone(),
        };
        let room = usize::from(area.width).saturating_sub(24);
        let note = format!(" {} ", truncate_width(&note, room));
        block = block.title_bottom(Line::styled(note, theme.dim()).alignment(Alignment::Right));
    }
    frame.render_widget(block, area);
    if shown == 0 {
        let text = match runs.count() {
            _ if !runs.is_complete => "looking for runs …",
            0 => "no runs here: nsmc-tui train makes one in its --output-dir",
            _ => "no run has these words",
        };
        let text = Line::styled(lang.tr(text), theme.dim());
        return frame.render_widget(Paragraph::new(text), inner);
    }
    frame.render_widget(Paragraph::new(rows(runs, inner, lang, theme)), inner);
}

/// The head of the list, and as many runs as there is room for, the one pointed at among them.
fn rows(runs: &Runs, area: Rect, lang: Lang, theme: Theme) -> Vec<Line<'static>> {
    let width = usize::from(area.width);
    let names = runs.shown().map(|found| Span::raw(found.name()).width()).max().unwrap_or(0);
    let columns = Columns::new(width, names.min(NAME));
    let readable: Vec<&RunSummary> =
        runs.shown().filter_map(|found| found.summary.as_ref().ok()).collect();
    let settings: Vec<String> = match columns.settings {
        0 => Vec::new(),
        _ => distinguishing_settings(&readable),
    };
    let room = usize::from(area.height).saturating_sub(1).max(1);
    let first = (runs.selected + 1).saturating_sub(room);
    let mut lines = vec![columns.head(lang, theme)];
    for (at, found) in runs.shown().enumerate().skip(first).take(room) {
        let place = runs.place(&found.folder);
        let line = columns.line(found, place, &settings, lang, theme);
        let is_here = at == runs.selected;
        lines.push(if is_here { line.patch_style(theme.selected()) } else { line });
    }
    lines
}

/// Columns of the list, in terminal cells; what there is no room for has none.
struct Columns {
    name: usize,
    status: usize,
    steps: usize,
    figure: usize,
    loss: usize,
    time: usize,
    when: usize,
    settings: usize,
}

impl Columns {
    fn new(width: usize, names: usize) -> Self {
        let mut columns = Self {
            name: names.max(8),
            status: 10,
            steps: 13,
            figure: 10,
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
            + 2 * self.figure
            + self.loss
            + self.time
            + self.when
    }

    fn head(&self, lang: Lang, theme: Theme) -> Line<'static> {
        let left = |text: &str, width: usize| padded(lang.tr(text), width);
        let right = |text: &str, width: usize| right_aligned(lang.tr(text), width);
        let mut text = "  ".to_owned() + &left("name", self.name) + "  " + &left("status", 8);
        text += &right("step", self.steps);
        text += &right("accuracy", self.figure);
        text += &right("F1", self.figure);
        if self.loss > 0 {
            text += &right("eval loss", self.loss);
        }
        text += &right("time", self.time);
        if self.when > 0 {
            text = text + "  " + &left("written", self.when - 2);
        }
        if self.settings > 0 {
            text = text + "  " + &left("what sets it apart", self.settings.saturating_sub(2));
        }
        Line::styled(text, theme.dim())
    }

    fn line(
        &self,
        found: &RunEntry,
        place: Option<usize>,
        settings: &[String],
        lang: Lang,
        theme: Theme,
    ) -> Line<'static> {
        let mark = place.map_or("  ".to_owned(), |place| format!("{} ", place + 1));
        let style = place.map_or(Style::new(), |place| theme.curve(place));
        let mut spans =
            vec![Span::styled(mark, style), Span::styled(padded(found.name(), self.name), style)];
        let Ok(run) = &found.summary else {
            spans.push(Span::styled(format!("  {}", lang.tr("unreadable")), theme.error()));
            return Line::from(spans);
        };
        let status = padded(lang.tr(run.status.name()), self.status - 2);
        spans.push(Span::styled(format!("  {status}"), status_style(run.status, theme)));
        let steps = format!("{}/{}", run.step, run.max_steps);
        spans.push(Span::raw(right_aligned(&steps, self.steps)));
        let figure = |value: Option<f64>, width: usize| {
            let text = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
            right_aligned(&text, width)
        };
        let best = run.best.as_ref();
        let accuracy = figure(best.map(|best| best.eval_accuracy), self.figure);
        spans.push(Span::styled(accuracy, theme.strong()));
        spans.push(Span::raw(figure(best.map(|best| best.eval_f1), self.figure)));
        if self.loss > 0 {
            spans.push(Span::raw(figure(run.lowest_eval_loss, self.loss)));
        }
        spans.push(Span::raw(right_aligned(&clock(run.seconds), self.time)));
        if self.when > 0 {
            let when = format!("  {}", padded(&run.modified_local, self.when - 2));
            spans.push(Span::styled(when, theme.dim()));
        }
        if self.settings > 0 {
            let values = format_settings(run, settings);
            let room = self.settings.saturating_sub(2);
            spans.push(Span::styled(format!("  {}", truncate_width(&values, room)), theme.dim()));
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
