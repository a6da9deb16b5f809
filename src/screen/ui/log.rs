//! The run told in lines: the tail of it beside the charts, and a page of its own that scrolls,
//! searches and filters.

use super::panel;
use super::theme::Theme;
use crate::core::text::{truncate_width, wrap_width};
use crate::screen::app::editor;
use crate::screen::app::log::{Level, Log};
use crate::screen::app::log_view::{Purpose, Typing};
use crate::screen::app::{FrameLayout, State};
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::{Alignment, Position, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use unicode_width::UnicodeWidthStr;

/// Cells before a line's text: its time.
const TIME: u16 = 8;

/// Columns of a typed text that a title shows.
const TITLE: usize = 30;

/// The latest lines, each as far as there is room.
pub fn draw_tail(frame: &mut Frame, area: Rect, state: &State, theme: Theme, block: Block) {
    let room = usize::from(block.inner(area).height);
    let lines = &state.log.lines;
    let latest = lines.iter().skip(lines.len().saturating_sub(room));
    let shown: Vec<Line> = latest
        .map(|line| {
            let text = Span::styled(line.text.as_str(), style_of(line.level, theme));
            Line::from(vec![time(&line.time, theme), text])
        })
        .collect();
    frame.render_widget(Paragraph::new(shown).block(block), area);
}

/// The lines that are looked at, told whole, from wherever the view is scrolled to.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let log = &state.log;
    let mut block = panel(theme, title(log, state.lang));
    let mut inner = block.inner(area);
    if let Some(typing) = log.view.typing.as_ref().filter(|_| inner.height > 0) {
        inner.height -= 1;
        let below = Rect { y: inner.bottom(), height: 1, ..inner };
        draw_typing(frame, below, state, typing, theme);
    } else if !log.view.search.is_empty() {
        let (at, of) = log.view.position();
        let found = format!(" /{}  {at}/{of} ", truncate_width(log.view.search.text(), TITLE));
        let style = if of > 0 { theme.train() } else { theme.warning() };
        block = block.title_bottom(Line::styled(found, style));
    }
    let (room, width) =
        (usize::from(inner.height), usize::from(inner.width.saturating_sub(TIME)).max(1));
    let limit = limit(log, room, width);
    layout.scroll_limit = Some(limit).filter(|_| state.overlay.is_none());
    let LogWindow { rows, below, visible } = window(log, log.scroll.min(limit), room, width, theme);
    layout.log_lines = visible;
    if below > 0 {
        let hint = Line::styled(state.lang.fill(" {0} newer below ", &[&below]), theme.warning());
        block = block.title_bottom(hint.alignment(Alignment::Right));
    }
    let rows = if log.view.count() == 0 && !log.lines.is_empty() {
        vec![Line::styled(state.lang.tr("no such lines"), theme.dim())]
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
        parts.push(format!("& {}", truncate_width(log.view.filter.text(), TITLE)));
    }
    if log.view.count() < log.lines.len() {
        parts.push(lang.fill("{0} of {1} lines", &[&log.view.count(), &log.lines.len()]));
    }
    parts.join(" · ")
}

fn draw_typing(frame: &mut Frame, area: Rect, state: &State, typing: &Typing, theme: Theme) {
    let (sign, found) = match typing.purpose {
        Purpose::Search if state.log.view.search.is_empty() => ("/", String::new()),
        Purpose::Search => {
            let (at, of) = state.log.view.position();
            ("/", format!(" {at}/{of}"))
        }
        Purpose::Filter => {
            ("&", format!(" {}", state.lang.fill("{0} lines", &[&state.log.view.count()])))
        }
    };
    let room = usize::from(area.width).saturating_sub(2 + found.width());
    let (text, caret) = editor::view(&typing.line, room);
    let line = Line::from(vec![Span::styled(format!("{sign} "), theme.train()), Span::raw(text)]);
    frame.render_widget(Paragraph::new(line), area);
    let found = Line::styled(found, theme.strong()).alignment(Alignment::Right);
    frame.render_widget(Paragraph::new(found), area);
    if state.overlay.is_none() {
        // The real cursor, so that an input method composes in the right place.
        let x = (area.x + 2 + caret as u16).min(area.right().saturating_sub(1));
        frame.set_cursor_position(Position::new(x, area.y));
    }
}

/// How many rows a text takes.
fn height(text: &str, width: usize) -> usize {
    // No text has more columns than bytes, so that most lines need no second look.
    if text.len() <= width { 1 } else { wrap_width(text, width).len() }
}

/// How far the view can be scrolled: until the first lines fill it.
fn limit(log: &Log, room: usize, width: usize) -> usize {
    let (mut lines, mut rows) = (0, 0);
    while let Some((_, line)) = log.shown(lines) {
        rows += height(&line.text, width);
        if rows > room {
            break;
        }
        lines += 1;
    }
    log.view.count().saturating_sub(lines.max(1))
}

/// The part of the log that is in view.
struct LogWindow<'a> {
    rows: Vec<Line<'a>>,
    /// Lines hidden below.
    below: usize,
    /// Serial numbers of the first and the last line that are fully visible.
    visible: Option<(usize, usize)>,
}

/// The part of the log that is in view. Only the lines that are seen are visited.
fn window(log: &Log, scroll: usize, room: usize, width: usize, theme: Theme) -> LogWindow<'_> {
    let end = log.view.count() - scroll.min(log.view.count());
    let (mut start, mut above) = (end, 0);
    while let Some((_, line)) = start.checked_sub(1).and_then(|index| log.shown(index)) {
        if above >= room {
            break;
        }
        above += height(&line.text, width);
        start -= 1;
    }
    let mut rows = Vec::with_capacity(room);
    for index in start..end {
        rows.extend(rows_of(log, index, width, theme));
    }
    let (mut first, mut last) = (start, end);
    if rows.len() > room && start + 1 < end {
        rows.drain(..rows.len() - room);
        first += 1;
    }
    // At the very top there may be room for what comes after, and a line that is too high alone
    // is shown from its beginning.
    while rows.len() < room && last < log.view.count() {
        rows.extend(rows_of(log, last, width, theme));
        last += 1;
    }
    rows.truncate(room);
    let serial = |index: usize| log.shown(index).map(|(serial, _)| serial);
    // The last one may have been cut by what follows the end.
    let visible = serial(first).zip(serial(end.max(first + 1) - 1));
    LogWindow { rows, below: log.view.count() - last, visible }
}

/// A line in rows, with what is searched for marked in it.
fn rows_of(log: &Log, index: usize, width: usize, theme: Theme) -> Vec<Line<'_>> {
    let Some((serial, line)) = log.shown(index) else {
        return Vec::new();
    };
    let style = style_of(line.level, theme);
    let found = log.view.search.ranges(&line.text);
    if found.is_empty() && line.text.len() <= width {
        let text = Span::styled(line.text.as_str(), style);
        return vec![Line::from(vec![time(&line.time, theme), text])];
    }
    let mark = if log.is_current(serial) {
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
        for range in found.iter().filter(|range| range.start < to && range.end > from) {
            let (start, end) = (range.start.max(from), range.end.min(to));
            spans.push(Span::styled(&line.text[at..start], style));
            spans.push(Span::styled(&line.text[start..end], mark));
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

fn style_of(level: Level, theme: Theme) -> Style {
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
