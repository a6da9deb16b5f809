//! The log: the latest lines as a panel, and a page that scrolls, searches and filters.

use super::theme::Theme;
use super::widgets::text_field::TextField;
use super::widgets::titled_block;
use crate::core::text::{truncate_width, wrap_width};
use crate::screen::app::log::{Level, Log};
use crate::screen::app::log::{LogInput, Purpose};
use crate::screen::app::{FrameLayout, State};
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use unicode_width::UnicodeWidthStr;

/// Columns of the time before a line's text.
const TIME: u16 = 8;

/// The maximum columns of a search or filter in the border.
const MAX_QUERY: usize = 30;

/// Draws the latest lines, each wrapped to the width.
pub fn draw_tail(frame: &mut Frame, area: Rect, block: Block, state: &State, theme: Theme) {
    let inner = block.inner(area);
    let (height, width) =
        (usize::from(inner.height), usize::from(inner.width.saturating_sub(TIME)).max(1));
    let mut shown: Vec<Line> = Vec::new();
    for line in state.log.lines.iter().rev() {
        if shown.len() >= height {
            break;
        }
        let style = level_style(line.level, theme);
        let parts = wrap_width(&line.text, width);
        for (number, part) in parts.into_iter().enumerate().rev() {
            let clock = if number == 0 { line.time.as_str() } else { "" };
            shown.push(Line::from(vec![time(clock, theme), Span::styled(part, style)]));
        }
    }
    shown.truncate(height);
    shown.reverse();
    frame.render_widget(Paragraph::new(shown).block(block), area);
}

/// Draws the page: the lines that pass the filter, wrapped, from the scroll position on.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let log = &state.log;
    let mut block = titled_block(theme, title(log, state.lang));
    let mut inner = block.inner(area);
    if let Some(input) = log.view.input.as_ref().filter(|_| inner.height > 0) {
        inner.height -= 1;
        let below = Rect { y: inner.bottom(), height: 1, ..inner };
        draw_query_field(frame, below, state, input, theme);
    } else if !log.view.search.is_empty() {
        let (at, of) = log.view.match_position();
        let found = format!(" /{}  {at}/{of} ", truncate_width(log.view.search.text(), MAX_QUERY));
        let style = if of > 0 { theme.strong() } else { theme.warning() };
        let found = Line::styled(found, style);
        block = if theme.is_frameless() { block.title(found) } else { block.title_bottom(found) };
    }
    let (height, width) =
        (usize::from(inner.height), usize::from(inner.width.saturating_sub(TIME)).max(1));
    let limit = limit(log, height, width);
    layout.scroll_limit = Some(limit).filter(|_| state.overlay.is_none());
    let LogWindow { rows, below, visible } =
        window(log, log.scroll.min(limit), height, width, theme);
    layout.log_lines = visible;
    if below > 0 {
        let note =
            Line::styled(state.lang.tr_with(" {0} newer below ", &[&below]), theme.warning());
        let note = note.alignment(Alignment::Right);
        block = if theme.is_frameless() { block.title(note) } else { block.title_bottom(note) };
    }
    let rows = if log.view.shown_count() == 0 && !log.lines.is_empty() {
        vec![Line::styled(state.lang.tr("no matching lines"), theme.dim())]
    } else {
        rows
    };
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(rows), inner);
}

fn title(log: &Log, lang: Lang) -> String {
    let mut parts = vec![lang.tr("log").to_owned()];
    match log.view.level {
        Level::Info => {}
        Level::Result => parts.push(lang.tr("results and up").to_owned()),
        Level::Warning => parts.push(lang.tr("warnings and up").to_owned()),
        Level::Error => parts.push(lang.tr("errors").to_owned()),
    }
    if !log.view.filter.is_empty() {
        parts.push(format!("& {}", truncate_width(log.view.filter.text(), MAX_QUERY)));
    }
    if log.view.shown_count() < log.lines.len() {
        let text = if log.lines.len() == 1 { "{0} of {1} line" } else { "{0} of {1} lines" };
        parts.push(lang.tr_with(text, &[&log.view.shown_count(), &log.lines.len()]));
    }
    parts.join(" · ")
}

fn draw_query_field(frame: &mut Frame, area: Rect, state: &State, input: &LogInput, theme: Theme) {
    let (prefix, found) = match input.purpose {
        Purpose::Search if state.log.view.search.is_empty() => ("/ ", String::new()),
        Purpose::Search => {
            let (at, of) = state.log.view.match_position();
            ("/ ", format!(" {at}/{of}"))
        }
        Purpose::Filter => (
            "& ",
            match state.log.view.shown_count() {
                1 => format!(" {}", state.lang.tr("1 line")),
                count => format!(" {}", state.lang.tr_with("{0} lines", &[&count])),
            },
        ),
    };
    let [field, count] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(found.width() as u16)])
            .areas(area);
    let focused = state.overlay.is_none();
    TextField { prefix, input: &input.line, placeholder: "", focused }.draw(frame, field, theme);
    frame.render_widget(Paragraph::new(Line::styled(found, theme.strong())), count);
}

/// The number of rows of a wrapped text.
fn row_count(text: &str, width: usize) -> usize {
    // A text never has more columns than bytes, so most lines need not be wrapped.
    if text.len() <= width { 1 } else { wrap_width(text, width).len() }
}

/// The maximum scroll position, at which the first lines fill the view.
fn limit(log: &Log, height: usize, width: usize) -> usize {
    let (mut lines, mut rows) = (0, 0);
    while let Some((_, line)) = log.shown(lines) {
        rows += row_count(&line.text, width);
        if rows > height {
            break;
        }
        lines += 1;
    }
    log.view.shown_count().saturating_sub(lines.max(1))
}

/// The part of the log that is in view.
struct LogWindow<'a> {
    rows: Vec<Line<'a>>,
    /// Lines hidden below.
    below: usize,
    /// Serial numbers of the first and the last line that are fully visible.
    visible: Option<(usize, usize)>,
}

/// The part of the log that is in view. Only visible lines are wrapped.
fn window(log: &Log, scroll: usize, height: usize, width: usize, theme: Theme) -> LogWindow<'_> {
    let end = log.view.shown_count() - scroll.min(log.view.shown_count());
    let (mut start, mut above) = (end, 0);
    while let Some((_, line)) = start.checked_sub(1).and_then(|index| log.shown(index)) {
        if above >= height {
            break;
        }
        above += row_count(&line.text, width);
        start -= 1;
    }
    let mut rows = Vec::with_capacity(height);
    for index in start..end {
        rows.extend(rows_of(log, index, width, theme));
    }
    let (mut first, mut last) = (start, end);
    if rows.len() > height && start + 1 < end {
        rows.drain(..rows.len() - height);
        first += 1;
    }
    // At the top, the lines after the end may fit as well. A line that is higher than the view is
    // shown from its beginning.
    while rows.len() < height && last < log.view.shown_count() {
        rows.extend(rows_of(log, last, width, theme));
        last += 1;
    }
    rows.truncate(height);
    let serial = |index: usize| log.shown(index).map(|(serial, _)| serial);
    // A line after the end may be cut off.
    let visible = serial(first).zip(serial(end.max(first + 1) - 1));
    LogWindow { rows, below: log.view.shown_count() - last, visible }
}

/// The rows of a line, with the matches of the search highlighted.
fn rows_of(log: &Log, index: usize, width: usize, theme: Theme) -> Vec<Line<'_>> {
    let Some((serial, line)) = log.shown(index) else {
        return Vec::new();
    };
    let style = level_style(line.level, theme);
    let matches = log.view.search.ranges(&line.text);
    if matches.is_empty() && line.text.len() <= width {
        let text = Span::styled(line.text.as_str(), style);
        return vec![Line::from(vec![time(&line.time, theme), text])];
    }
    let highlight = if log.is_current_match(serial) {
        style.patch(theme.selected())
    } else {
        style.patch(theme.warning()).add_modifier(Modifier::UNDERLINED)
    };
    let mut rows = Vec::new();
    let mut from = 0;
    for part in wrap_width(&line.text, width) {
        let to = from + part.len();
        let mut spans = vec![time(if from == 0 { &line.time } else { "" }, theme)];
        let mut at = from;
        for range in matches.iter().filter(|range| range.start < to && range.end > from) {
            let (start, end) = (range.start.max(from), range.end.min(to));
            spans.push(Span::styled(&line.text[at..start], style));
            spans.push(Span::styled(&line.text[start..end], highlight));
            at = end;
        }
        spans.push(Span::styled(&line.text[at..to], style));
        rows.push(Line::from(spans));
        from = to;
    }
    rows
}

fn time(clock: &str, theme: Theme) -> Span<'static> {
    Span::styled(format!("{clock:>7} "), theme.dim())
}

fn level_style(level: Level, theme: Theme) -> Style {
    match level {
        Level::Info => Style::new(),
        Level::Result => theme.strong(),
        Level::Warning => theme.warning(),
        Level::Error => theme.error(),
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
