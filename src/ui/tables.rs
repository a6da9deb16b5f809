//! The settings and the log.

use super::theme::Theme;
use crate::app::log::Level;
use crate::app::{Page, State};
use crate::text::{excerpt, wrapped};
use crate::train::event::Started;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use std::borrow::Cow;

/// Every setting with its value and why it holds, from line `scroll` on.
pub fn draw_settings(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    theme: Theme,
    block: Block,
    scroll: usize,
) {
    let inner = block.inner(area);
    let Some(started) = &state.started else {
        frame.render_widget(block, area);
        frame.render_widget(Paragraph::new(Line::styled("not yet known", theme.dim())), inner);
        return;
    };
    let mut lines = model_lines(started, theme);
    let name_width = started.settings.iter().map(|s| s.name.len()).max().unwrap_or(0);
    // What was chosen first, defaults last: a small panel shows what matters.
    let rank = |why: &str| match why {
        "flag" => 0,
        "random weights" => 1,
        _ if why.starts_with("recipe") => 2,
        "Hugging Face default" => 4,
        _ => 3,
    };
    let mut settings: Vec<_> = started.settings.iter().collect();
    settings.sort_by_key(|setting| rank(&setting.why));
    for setting in settings {
        let value = excerpt(&setting.value, 40);
        let style = if setting.why == "flag" { theme.warning() } else { theme.strong() };
        lines.push(Line::from(vec![
            Span::raw(format!("{:<name_width$}  ", setting.name)),
            Span::styled(value, style),
            Span::styled(format!("  {}", setting.why), theme.dim()),
        ]));
    }
    let room = usize::from(inner.height);
    let limit = lines.len().saturating_sub(room);
    if state.page == Page::Settings && state.overlay.is_none() {
        state.scroll_limit.set(limit);
    }
    let scroll = scroll.min(limit);
    let block = if lines.len() > room + scroll {
        let more = format!(" {} more ", lines.len() - room - scroll);
        let hint = Line::styled(more, theme.dim()).alignment(Alignment::Right);
        block.title_bottom(hint)
    } else {
        block
    };
    let shown: Vec<Line> = lines.into_iter().skip(scroll).take(room).collect();
    frame.render_widget(Paragraph::new(shown).block(block), area);
}

fn model_lines(started: &Started, theme: Theme) -> Vec<Line<'static>> {
    vec![
        Line::styled(excerpt(&started.model, 60), theme.strong()),
        Line::from(started.architecture.clone()),
        Line::from(format!(
            "{:.2} M parameters, {} + {} reviews",
            started.parameters as f64 / 1e6,
            started.train_samples,
            started.eval_samples
        )),
    ]
}

/// The latest lines, or earlier ones when scrolled back.
pub fn draw_log(frame: &mut Frame, area: Rect, state: &State, theme: Theme, mut block: Block) {
    let inner = block.inner(area);
    let room = usize::from(inner.height);
    // On its own page a line is told whole; elsewhere its beginning is enough.
    let width = usize::from(inner.width.saturating_sub(8)).max(1);
    let mut lines: Vec<(&str, Level, Cow<str>)> = Vec::with_capacity(state.log.lines.len());
    for line in &state.log.lines {
        // No text has more columns than bytes, so that most lines need no second look.
        if state.page != Page::Log || line.text.len() <= width {
            lines.push((&line.time, line.level, Cow::Borrowed(&line.text)));
            continue;
        }
        let mut time = line.time.as_str();
        for part in wrapped(&line.text, width) {
            lines.push((time, line.level, Cow::Owned(part)));
            time = "";
        }
    }
    let limit = lines.len().saturating_sub(room);
    if state.page != Page::Settings && state.overlay.is_none() {
        state.scroll_limit.set(limit);
    }
    let scroll = state.log.scroll.min(limit);
    if scroll > 0 {
        let hint = Line::styled(format!(" {scroll} newer below "), theme.warning());
        block = block.title_bottom(hint.alignment(Alignment::Right));
    }
    let end = lines.len() - scroll;
    let shown: Vec<Line> = lines[end.saturating_sub(room)..end]
        .iter()
        .map(|(time, level, text)| {
            let style = match level {
                Level::Info => Style::new(),
                Level::Result => theme.strong(),
                Level::Warning => theme.warning(),
                Level::Error => theme.error(),
            };
            Line::from(vec![
                Span::styled(format!("{time:>7} "), theme.dim()),
                Span::styled(text.as_ref(), style),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(shown).block(block), area);
}
