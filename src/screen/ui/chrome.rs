//! The line above and the line below every page.

use super::theme::Theme;
use crate::core::text::truncate_width;
use crate::run::protocol::Activity;
use crate::run::summary::clock;
use crate::screen::app::State;
use crate::screen::app::log::Level;
use crate::screen::keymap::{BINDINGS, places};
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

/// What the run is doing, in a few words.
pub fn status(state: &State) -> String {
    if let Some(runs) = &state.runs {
        return match runs.count() {
            _ if !runs.is_complete => state.lang.tr("looking for runs …").to_owned(),
            1 => state.lang.tr("1 run").to_owned(),
            count => state.lang.fill("{0} runs", &[&count]),
        };
    }
    match &state.replay {
        Some(replay) => format!("{} · {}", replay.label(state.lang), what_it_does(state)),
        None => what_it_does(state),
    }
}

fn what_it_does(state: &State) -> String {
    let lang = state.lang;
    let steps = || {
        let of = state.started.as_ref().map_or(0, |started| started.max_steps);
        lang.fill("step {0}/{1}", &[&state.steps_done(), &of])
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
            format!("{} · {}", lang.fill("evaluating {0}/{1}", &[done, total]), steps())
        }
        Activity::Saving => with_steps("saving"),
        Activity::Idle if state.failed.is_some() => lang.tr("failed").to_owned(),
        Activity::Idle => match &state.finished {
            Some(finished) if finished.stopped => with_steps("stopped"),
            None if state.replay.is_some() => with_steps("cut off"),
            _ => lang.tr("finished").to_owned(),
        },
    }
}

/// The program, the pages, and what the run is doing.
pub fn draw_header(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    // Where there is little room, what the run is doing matters more than the program's name.
    let name = if area.width >= 72 { " nsmc-tui " } else { "" };
    let mut spans = vec![Span::styled(name, theme.strong())];
    for (number, &page) in state.pages().iter().enumerate() {
        let style = if page == state.page { theme.selected() } else { theme.dim() };
        spans.push(Span::raw(" "));
        let title = state.lang.tr(page.title());
        let alone = state.pages().len() == 1;
        spans.push(Span::styled(
            if alone { format!(" {title} ") } else { format!(" {} {title} ", number + 1) },
            style,
        ));
    }
    let tabs = Line::from(spans);
    let style = match &state.activity {
        Activity::Idle if state.failed.is_some() => theme.error(),
        Activity::Idle => theme.good(),
        Activity::Paused => theme.warning(),
        _ if state.stopping => theme.warning(),
        _ => theme.strong(),
    };
    let mut right = status(state);
    let room = usize::from(area.width).saturating_sub(tabs.width() + 2);
    if right.width() > room {
        right = right.split(" · ").next().unwrap_or_default().to_owned();
    }
    let elapsed = clock(state.elapsed());
    if state.began.is_some() && right.width() + elapsed.len() + 3 <= room {
        right = format!("{right} · {elapsed}");
    }
    frame.render_widget(Paragraph::new(tabs), area);
    if right.width() <= room {
        let status = Line::styled(format!("{right} "), style);
        frame.render_widget(
            Paragraph::new(status).alignment(Alignment::Right),
            right_of(area, room),
        );
    }
}

/// The last `width + 1` columns of a line.
fn right_of(area: Rect, width: usize) -> Rect {
    let width = (width as u16 + 1).min(area.width);
    Rect { x: area.right() - width, width, ..area }
}

/// The keys that hold here, as many as there is room for.
pub fn draw_footer(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    if let Some(notice) = &state.notice {
        let style = if notice.level >= Level::Warning { theme.warning() } else { theme.good() };
        let text =
            format!(" {}", truncate_width(&notice.text, usize::from(area.width).saturating_sub(2)));
        return frame.render_widget(Paragraph::new(Line::styled(text, style)), area);
    }
    let mut spans = Vec::new();
    let mut room = usize::from(area.width);
    let mut said = Vec::new();
    for place in places(state) {
        for binding in BINDINGS.iter().filter(|binding| binding.place == *place) {
            let (Some(label), Some(key)) = (binding.footer, binding.keys.first()) else {
                continue;
            };
            if said.contains(&label) {
                continue;
            }
            let name = format!(" {} ", theme.keys(&key.name()));
            let label_cells = format!(" {}  ", state.lang.tr(label));
            let width = Span::raw(name.as_str()).width() + Span::raw(label_cells.as_str()).width();
            if width > room {
                continue;
            }
            room -= width;
            said.push(label);
            spans.push(Span::styled(name, theme.selected()));
            spans.push(Span::raw(label_cells));
        }
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}
