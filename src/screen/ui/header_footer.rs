//! The header and the footer of every page.

use super::theme::Theme;
use crate::core::text::{display_path, truncate_width};
use crate::run::protocol::Activity;
use crate::run::summary::clock;
use crate::screen::app::log::Level;
use crate::screen::app::{Page, State};
use crate::screen::keymap::footer;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use std::path::Path;
use unicode_width::UnicodeWidthStr;

/// What the run is doing, in one line.
pub fn status(state: &State) -> String {
    if let Some(runs) = &state.runs {
        return match runs.found_count() {
            _ if !runs.is_complete => state.lang.tr("searching for runs …").to_owned(),
            1 => state.lang.tr("1 run").to_owned(),
            count => state.lang.tr_with("{0} runs", &[&count]),
        };
    }
    if let Some(asked) = &state.asked_model {
        return truncate_width(&display_path(Path::new(&asked.name)), 40);
    }
    match &state.replay {
        Some(replay) => format!("{} · {}", replay.label(state.lang), activity(state)),
        None if state.is_running() && !state.has_keys() => {
            format!("{} · {}", state.lang.tr("watching"), activity(state))
        }
        None => activity(state),
    }
}

fn activity(state: &State) -> String {
    let lang = state.lang;
    let steps = || {
        let of = state.started.as_ref().map_or(0, |started| started.max_steps);
        lang.tr_with("step {0}/{1}", &[&state.steps_done(), &of])
    };
    let with_steps = |what: &str| format!("{} · {}", lang.tr(what), steps());
    match &state.activity {
        _ if state.stopping => lang.tr("stopping and saving").to_owned(),
        Activity::Preparing(what) => format!("{} …", lang.tr(what).to_lowercase()),
        Activity::Downloading(download) => {
            format!("{} · {}", lang.tr("downloading"), download.file)
        }
        Activity::Paused => with_steps("paused"),
        Activity::Training if state.stop_after_epoch => {
            with_steps("training, stops after this epoch")
        }
        Activity::Training if state.replay.is_some() => steps(),
        Activity::Training => with_steps("training"),
        Activity::Evaluating { done, total } => {
            format!("{} · {}", lang.tr_with("evaluating {0}/{1}", &[done, total]), steps())
        }
        Activity::Saving => with_steps("saving"),
        Activity::Idle if state.failed.is_some() => lang.tr("failed").to_owned(),
        Activity::Idle => match &state.finished {
            Some(finished) if finished.stopped => with_steps("stopped"),
            Some(finished) if finished.early_stopping.is_some() => with_steps("finished"),
            None if state.is_opened() => with_steps("dead"),
            None if state.replay.is_some() => with_steps("cut off"),
            _ => lang.tr("finished").to_owned(),
        },
    }
}

/// Draws the header: the program's name, the pages, and what the run is doing.
pub fn draw_header(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let tabs = tabs(area.width, state, theme);
    let available = area.width.saturating_sub(tabs.width() as u16 + 2);
    frame.render_widget(Paragraph::new(tabs), area);
    if let Some(status) = fitting_status(usize::from(available), state) {
        let width = (available + 1).min(area.width);
        let right = Rect { x: area.right() - width, width, ..area };
        let line = Line::styled(format!("{status} "), status_style(state, theme));
        frame.render_widget(Paragraph::new(line).alignment(Alignment::Right), right);
    }
}

/// Draws the header of a small screen: the pages by number with the name of the one that is shown, and
/// what the run is doing; on a narrow one, that page alone.
pub fn draw_compact_header(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let width = usize::from(area.width);
    let tabs = tabs(area.width, state, theme);
    let status = fitting_status(width.saturating_sub(tabs.width() + 1), state);
    let (mut line, status) = if let Some(status) = status {
        (tabs, status)
    } else {
        let title = Span::styled(tab_title(state.page, state), theme.selected());
        let left = width.saturating_sub(title.width() + 1);
        let status = fitting_status(left, state);
        (Line::from(title), status.unwrap_or_else(|| truncate_width(&self::status(state), left)))
    };
    let gap = width.saturating_sub(line.width() + status.width());
    line.push_span(Span::raw(" ".repeat(gap)));
    line.push_span(Span::styled(status, status_style(state, theme)));
    frame.render_widget(Paragraph::new(line), area);
}

/// The columns below which the header has no room for the program's name, and for the titles of other
/// pages.
const NARROW: [u16; 2] = [96, 72];

/// The program's name and the pages.
fn tabs(width: u16, state: &State, theme: Theme) -> Line<'static> {
    // On a narrow screen, what the run is doing is more important.
    let [is_narrow, is_narrowest] = NARROW.map(|columns| width < columns);
    let mut spans = Vec::new();
    let pages = state.pages();
    if !is_narrow || (pages.len() < 3 && !is_narrowest) {
        spans.push(Span::styled(" nsmc-tui  ", theme.strong()));
    }
    for &page in pages {
        let title = match key_of(page, state) {
            Some(key) if is_narrowest && page != state.page => format!(" {key} "),
            _ => tab_title(page, state),
        };
        let style = if page == state.page { theme.selected() } else { theme.dim() };
        spans.push(Span::styled(title, style));
        if !is_narrow {
            spans.push(Span::raw(" "));
        }
    }
    Line::from(spans)
}

/// The number of the key that shows a page, if there is one.
fn key_of(page: Page, state: &State) -> Option<usize> {
    let has_keys = state.pages().len() > 1 && state.asked_model.is_none();
    let index = Page::ALL.iter().position(|other| *other == page)?;
    has_keys.then_some(index + 1)
}

/// The name of a page with its key.
fn tab_title(page: Page, state: &State) -> String {
    let title = state.lang.tr(page.title());
    key_of(page, state).map_or_else(|| format!(" {title} "), |key| format!(" {key} {title} "))
}

/// As much of the status and the elapsed time as fits into this many columns.
fn fitting_status(columns: usize, state: &State) -> Option<String> {
    let mut text = status(state);
    // The last parts are the least important.
    while text.width() > columns
        && let Some(end) = text.rfind(" · ").or_else(|| text.rfind(", "))
    {
        text.truncate(end);
    }
    let elapsed = clock(state.elapsed());
    if state.began.is_some() && text.width() + elapsed.len() + 3 <= columns {
        text = format!("{text} · {elapsed}");
    }
    (text.width() <= columns).then_some(text)
}

fn status_style(state: &State, theme: Theme) -> Style {
    match &state.activity {
        Activity::Idle if state.failed.is_some() => theme.error(),
        Activity::Idle => theme.good(),
        Activity::Paused => theme.warning(),
        _ if state.stopping => theme.warning(),
        _ => theme.strong(),
    }
}

/// Draws the footer: the most important keys of the page, as many as fit, or a notice.
pub fn draw_footer(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    if let Some(notice) = &state.notice {
        let style = if notice.level >= Level::Warning { theme.warning() } else { theme.good() };
        let text =
            format!(" {}", truncate_width(&notice.text, usize::from(area.width).saturating_sub(2)));
        return frame.render_widget(Paragraph::new(Line::styled(text, style)), area);
    }
    let keys: Vec<[String; 2]> = footer(state)
        .into_iter()
        .map(|(key, label)| {
            [format!(" {} ", theme.keys(&key)), format!(" {}  ", state.lang.tr(label))]
        })
        .collect();
    let labels: Vec<&str> = footer(state).into_iter().map(|(_, label)| label).collect();
    let cells = |key: &[String; 2]| key.iter().map(|part| part.width()).sum::<usize>();
    // The most important keys are kept on a narrow screen; the order stays the same.
    let mut by_rank: Vec<usize> = (0..keys.len()).collect();
    by_rank.sort_by_key(|&index| rank(labels[index]));
    let mut available = usize::from(area.width);
    let mut is_shown = vec![false; keys.len()];
    for index in by_rank {
        let width = cells(&keys[index]);
        if width <= available {
            available -= width;
            is_shown[index] = true;
        }
    }
    let mut spans = Vec::new();
    for ([key, label], _) in keys.into_iter().zip(is_shown).filter(|(_, is_shown)| *is_shown) {
        spans.push(Span::styled(key, theme.selected()));
        spans.push(Span::raw(label));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// The rank of a key by its label in English: the lowest is kept longest.
fn rank(label: &str) -> usize {
    const FIRST: [&str; 21] = [
        "quit",
        "take the keys",
        "pause",
        "resume",
        "help",
        "leave",
        "back",
        "clear, quit",
        "deselect",
        "clear cursor",
        "reset zoom",
        "clear filter",
        "restore",
        "show all",
        "reviews",
        "close",
        "cancel",
        "keep answer",
        "classify",
        "word",
        "replace",
    ];
    FIRST.iter().position(|first| *first == label).unwrap_or(FIRST.len())
}
