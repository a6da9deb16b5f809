//! Runs side by side: the list, and below it their curves or what sets them apart.

use super::canvas::Pen;
use super::curves::{Figure, Scale, draw_chart, short};
use super::panel;
use super::theme::Theme;
use crate::app::charts::YRange;
use crate::app::runs::Runs;
use crate::app::{State, editor};
use crate::lang::Lang;
use crate::run::catalogue::{Found, RunSummary, Status};
use crate::run::selection::differences;
use crate::summary::clock;
use crate::text::{excerpt, padded, right_aligned};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// The width from which chart and differences stand side by side.
const BESIDE: u16 = 150;

/// Columns of a run's name at most.
const NAME: usize = 32;

/// Draws the page.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let Some(runs) = &state.runs else { return };
    {
        let mut drawn = state.charts.drawn.borrow_mut();
        drawn.panels.clear();
        drawn.plots.clear();
    }
    // As high as the list is long, but no more than leaves the chart its room.
    let wanted = runs.shown().len() as u16 + 3;
    let height = wanted.clamp(5, (area.height * 2 / 5).max(6));
    let [list, below] =
        Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(area);
    draw_list(frame, list, state, runs, theme);
    if area.width >= BESIDE {
        let [left, right] =
            Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(below);
        let (chart, table) = if runs.differences { (right, left) } else { (left, right) };
        draw_curves(frame, chart, state, runs, theme);
        draw_differences(frame, table, runs, state.lang, theme);
    } else if runs.differences {
        draw_differences(frame, below, runs, state.lang, theme);
    } else {
        draw_curves(frame, below, state, runs, theme);
    }
}

fn draw_list(frame: &mut Frame, area: Rect, state: &State, runs: &Runs, theme: Theme) {
    let lang = state.lang;
    let order = lang.say(runs.order.name());
    let by = lang.fill("by {0}", &[&order]) + if runs.is_reversed { " ↑" } else { "" };
    let mut block =
        panel(theme, format!("{} · {by}", excerpt(&runs.folder, 40))).border_style(theme.focus());
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
        let filter = format!(" /{} ", excerpt(&runs.filter, 40));
        block = block.title_bottom(Line::styled(filter, theme.train()));
    }
    if let Some(here) = runs.here() {
        let note = match &here.summary {
            Err(unreadable) => unreadable.reason.clone(),
            Ok(RunSummary { failure: Some(failure), .. }) => failure.clone(),
            Ok(summary) => summary.model.clone(),
        };
        let room = usize::from(area.width).saturating_sub(48).min(100);
        let note = format!(" {} ", excerpt(&note, room));
        block = block.title_bottom(Line::styled(note, theme.dim()).alignment(Alignment::Right));
    }
    frame.render_widget(block, area);
    if shown == 0 {
        let text = match runs.count() {
            _ if !runs.is_complete => "looking for runs …",
            0 => "no runs here: nsmc-tui train makes one in its --output-dir",
            _ => "no run has these words",
        };
        let text = Line::styled(lang.say(text), theme.dim());
        return frame.render_widget(Paragraph::new(text), inner);
    }
    frame.render_widget(Paragraph::new(rows(runs, inner, lang, theme)), inner);
}

/// The head of the list, and as many runs as there is room for, the one pointed at among them.
fn rows(runs: &Runs, area: Rect, lang: Lang, theme: Theme) -> Vec<Line<'static>> {
    let width = usize::from(area.width);
    let names = runs.shown().map(|found| Span::raw(found.run()).width()).max().unwrap_or(0);
    let columns = Columns::new(width, names.min(NAME));
    let readable: Vec<&RunSummary> =
        runs.shown().filter_map(|found| found.summary.as_ref().ok()).collect();
    let differing: Vec<String> = match columns.settings {
        0 => Vec::new(),
        _ => differences(&readable).into_iter().map(|(name, _)| name).collect(),
    };
    let room = usize::from(area.height).saturating_sub(1).max(1);
    let first = (runs.selected + 1).saturating_sub(room);
    let mut lines = vec![columns.head(lang, theme)];
    for (at, found) in runs.shown().enumerate().skip(first).take(room) {
        let place = runs.place(&found.folder);
        let line = columns.line(found, place, &differing, lang, theme);
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
        let left = |text: &str, width: usize| padded(lang.say(text), width);
        let right = |text: &str, width: usize| right_aligned(lang.say(text), width);
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
        found: &Found,
        place: Option<usize>,
        differing: &[String],
        lang: Lang,
        theme: Theme,
    ) -> Line<'static> {
        let mark = place.map_or("  ".to_owned(), |place| format!("{} ", place + 1));
        let style = place.map_or(Style::new(), |place| theme.curve(place));
        let mut spans =
            vec![Span::styled(mark, style), Span::styled(padded(found.run(), self.name), style)];
        let Ok(run) = &found.summary else {
            spans.push(Span::styled(format!("  {}", lang.say("unreadable")), theme.error()));
            return Line::from(spans);
        };
        let status = padded(lang.say(run.status.name()), self.status - 2);
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
            let when = format!("  {}", padded(&run.when, self.when - 2));
            spans.push(Span::styled(when, theme.dim()));
        }
        if self.settings > 0 {
            let values = differing
                .iter()
                .filter_map(|name| run.setting(name).map(|value| format!("{name}={value}")));
            let values = values.collect::<Vec<_>>().join(" ");
            let room = self.settings.saturating_sub(2);
            spans.push(Span::styled(format!("  {}", excerpt(&values, room)), theme.dim()));
        }
        Line::from(spans)
    }
}

fn status_style(status: Status, theme: Theme) -> Style {
    match status {
        Status::Running => theme.train(),
        Status::Finished => theme.good(),
        Status::Stopped | Status::CutOff => theme.warning(),
        Status::Failed => theme.error(),
    }
}

/// The curves of the runs chosen, with a legend above them.
fn draw_curves(frame: &mut Frame, area: Rect, state: &State, runs: &Runs, theme: Theme) {
    let lang = state.lang;
    let mut words = vec![lang.say(runs.figure.name())];
    if state.charts.log_y.contains(&runs.figure.panel()) {
        words.push(lang.say("log y"));
    }
    match state.charts.ranges.get(&runs.figure.panel()) {
        Some(YRange::Whole) => words.push(lang.say("whole")),
        Some(YRange::Fixed(_)) => words.push(lang.say("fixed")),
        _ => {}
    }
    let axis = lang.say(state.charts.axis.name());
    let mut seen = axis.to_owned();
    if runs.figure.is_noisy() {
        seen = format!("{seen} · {}", lang.fill("smooth {0}", &[&state.smoothing]));
    }
    if state.charts.window.is_some() {
        let [from, to] = state.charts.view(state.end());
        seen = format!("{seen} · {} {from:.0}-{to:.0}", lang.say("zoomed"));
    }
    let seen = Line::styled(format!(" {seen} "), theme.dim()).alignment(Alignment::Right);
    let mut block = panel(theme, words.join(" · ")).title_bottom(seen);
    if let Some(cursor) = state.charts.cursor {
        let text = lang.fill(" step {0} ", &[&cursor]);
        block = block.title(Line::styled(text, theme.cursor()).alignment(Alignment::Right));
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let mut figures = Vec::new();
    for (place, found, history) in runs.compared() {
        let Some(history) = history else { continue };
        let sign = char::from_digit(place as u32 + 1, 10).unwrap_or('*');
        let noisy = runs.figure.is_noisy();
        figures.push(Figure {
            name: found.run(),
            curve: runs.figure.of(history),
            pen: Pen { style: theme.curve(place), sign },
            smooth: noisy,
            raw: None,
            points: !noisy && runs.figure.panel() != crate::app::panels::Panel::LearningRate,
            scale: Scale::of(history, state),
        });
    }
    if let [only] = &mut figures[..] {
        // What was measured is seen beneath one curve; beneath several it would only be a blur.
        only.raw = Some(theme.raw()).filter(|_| only.smooth);
    }
    let drawn = figures.iter().any(|figure| !figure.curve.is_empty());
    if !drawn {
        let hint = match runs.compared().count() {
            0 => "Space puts a run into this chart, a the first eight",
            _ if figures.is_empty() => "reading …",
            _ => "these runs have no such figure",
        };
        let middle = Rect { y: inner.y + inner.height / 2, height: inner.height.min(1), ..inner };
        let hint = Line::styled(lang.say(hint), theme.dim()).centered();
        return frame.render_widget(Paragraph::new(hint), middle);
    }
    let legend = legend(&figures, state, usize::from(inner.width), theme);
    let most = (inner.height / 3).max(1);
    let [above, chart] = Layout::vertical([
        Constraint::Length((legend.len() as u16).min(most)),
        Constraint::Fill(1),
    ])
    .areas(inner);
    frame.render_widget(Paragraph::new(legend), above);
    draw_chart(frame, chart, runs.figure.panel(), &figures, state, theme);
}

/// The runs with their values under the cursor, or their last ones, in as many lines as they need.
fn legend(figures: &[Figure], state: &State, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    for figure in figures {
        let end = figure.curve.ends().map_or(0.0, |ends| ends.1);
        let value = match state.charts.cursor {
            // There it had ended already.
            Some(cursor) if cursor > end => None,
            Some(cursor) => figure.curve.at(cursor).map(
                |(_, raw, smoothed)| {
                    if figure.smooth { smoothed } else { raw }
                },
            ),
            None if figure.smooth => figure.curve.last_smoothed(),
            None => figure.curve.last(),
        };
        let value = value.map_or_else(|| "-".to_owned(), short);
        let text = format!("{} {} ", figure.pen.sign, excerpt(figure.name, NAME));
        let spans =
            [Span::styled(text, figure.pen.style), Span::styled(value + "   ", theme.strong())];
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

/// The settings in which the runs differ, a column a run, as far as there is room.
fn draw_differences(frame: &mut Frame, area: Rect, runs: &Runs, lang: Lang, theme: Theme) {
    let side_by_side = runs.side_by_side();
    let summaries: Vec<&RunSummary> = side_by_side.iter().map(|(_, run)| *run).collect();
    let table = differences(&summaries);
    let mut block = panel(theme, lang.say("what sets them apart"));
    let inner = block.inner(area);
    let hint = match summaries.len() {
        0 | 1 => Some("two runs at least can differ"),
        _ if table.is_empty() => Some("all settings are the same"),
        _ => None,
    };
    if let Some(hint) = hint {
        frame.render_widget(block, area);
        let hint = Line::styled(lang.say(hint), theme.dim());
        return frame.render_widget(Paragraph::new(hint), inner);
    }
    let width = |text: &str| Span::raw(text).width();
    let names = table.iter().map(|(name, _)| width(name)).max().unwrap_or(0).min(NAME);
    let room = usize::from(inner.width).saturating_sub(names);
    let widths: Vec<usize> = (0..summaries.len())
        .map(|run| {
            let values = table.iter().filter_map(|(_, values)| values[run].as_deref());
            let widest = values.chain([summaries[run].run.as_str()]).map(width).max();
            widest.unwrap_or(1).min(24) + 2
        })
        .collect();
    let mut used = 0;
    let fitting = widths.iter().take_while(|width| {
        used += **width;
        used <= room
    });
    let fitting = fitting.count().max(1);
    let mut head = vec![Span::raw(" ".repeat(names))];
    for ((place, run), width) in side_by_side.iter().zip(&widths).take(fitting) {
        let style = place.map_or(theme.strong(), |place| theme.curve(place));
        let name = padded(&run.run, width - 2);
        head.push(Span::styled(format!("  {name}"), style));
    }
    let mut lines = vec![Line::from(head)];
    let rows = usize::from(inner.height).saturating_sub(1);
    for (name, values) in table.iter().take(rows) {
        let mut spans = vec![Span::styled(padded(name, names), theme.dim())];
        for (value, width) in values.iter().zip(&widths).take(fitting) {
            let value = value.as_deref().unwrap_or("-");
            spans.push(Span::raw(format!("  {}", padded(value, width - 2))));
        }
        lines.push(Line::from(spans));
    }
    let left_out = (summaries.len() - fitting, table.len().saturating_sub(rows));
    let more = match left_out {
        (0, 0) => None,
        (runs, 0) => Some(lang.fill(" {0} more runs ", &[&runs])),
        (0, settings) => Some(lang.fill(" {0} more settings ", &[&settings])),
        (runs, settings) => {
            Some(lang.fill(" {0} more runs, {1} more settings ", &[&runs, &settings]))
        }
    };
    if let Some(more) = more {
        block = block.title_bottom(Line::styled(more, theme.dim()).alignment(Alignment::Right));
    }
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(lines), inner);
}
