//! The settings, as a page and as a panel.

use super::theme::Theme;
use super::widgets::{draw_hint, with_note};
use crate::core::text::truncate_width;
use crate::core::train::event::Started;
use crate::screen::app::State;
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use unicode_width::UnicodeWidthStr;

/// Draws the model and every setting with its value and its origin, from line `scroll` on. Returns
/// the maximum of `scroll`.
pub fn draw(
    frame: &mut Frame,
    area: Rect,
    block: Block,
    state: &State,
    theme: Theme,
    scroll: usize,
) -> usize {
    let inner = block.inner(area);
    let Some(started) = &state.started else {
        frame.render_widget(block, area);
        draw_hint(frame, inner, state.lang.tr("not yet known"), theme);
        return 0;
    };
    let mut lines: Vec<Line> =
        model_lines(started, usize::from(inner.width), state.lang, theme).into();
    let widest = started.settings.iter().map(|s| s.name.len()).max().unwrap_or(0);
    // On a small screen, a value follows its name at once.
    let name_width = if theme.is_frameless() { 0 } else { widest };
    // Settings that the user chose come first and defaults last: a small panel shows what matters.
    let rank = |origin: &str| match origin {
        "flag" => 0,
        "random weights" => 1,
        _ if origin.starts_with("recipe") => 2,
        "Hugging Face default" => 4,
        _ => 3,
    };
    let mut settings: Vec<_> = started.settings.iter().collect();
    settings.sort_by_key(|setting| rank(&setting.reason));
    for setting in settings {
        let value = match setting.name.as_str() {
            "device" => truncate_width(&device(&setting.value, state.lang), 40),
            _ => truncate_width(&setting.value, 40),
        };
        let style = if setting.reason == "flag" { theme.strong() } else { Style::new() };
        let name = format!("{:<name_width$}  ", setting.name);
        let reason = format!("  {}", state.lang.tr(&setting.reason));
        let mut left = usize::from(inner.width);
        let mut spans = Vec::new();
        for (text, style) in [(name, Style::new()), (value, style), (reason, theme.dim())] {
            let text = truncate_width(&text, left);
            left -= text.width();
            spans.push(Span::styled(text, style));
        }
        lines.push(Line::from(spans));
    }
    let height = usize::from(inner.height);
    let limit = lines.len().saturating_sub(height);
    let scroll = scroll.min(limit);
    let block = if lines.len() > height + scroll {
        let more = state.lang.tr_with(" {0} more ", &[&(lines.len() - height - scroll)]);
        with_note(block, more, theme)
    } else {
        block
    };
    let shown: Vec<Line> = lines.into_iter().skip(scroll).take(height).collect();
    frame.render_widget(Paragraph::new(shown).block(block), area);
    limit
}

/// The lines of the model and of every setting.
pub(super) fn rows(started: &Started) -> usize {
    MODEL_LINES + started.settings.len()
}

/// The lines about the model.
const MODEL_LINES: usize = 3;

/// The name of a device in the user's language: `cpu, 2 threads`, behind which may be more.
fn device(value: &str, lang: Lang) -> String {
    let end = value.match_indices(", ").nth(1).map_or(value.len(), |(at, _)| at);
    let (name, more) = value.split_at(end);
    lang.tr_filled(name) + more
}

fn model_lines(
    started: &Started,
    width: usize,
    lang: Lang,
    theme: Theme,
) -> [Line<'static>; MODEL_LINES] {
    let millions = format!("{:.2}", started.parameters as f64 / 1e6);
    let (train, eval) = (started.train_samples, started.eval_samples);
    // A saved model that is asked without a run has no samples.
    let size = if train + eval == 0 {
        lang.tr_with("{0} M parameters", &[&millions])
    } else {
        lang.tr_with("{0} M parameters, {1} + {2} samples", &[&millions, &train, &eval])
    };
    [
        Line::styled(
            truncate_width(&lang.tr_filled(&started.model), width.min(60)),
            theme.strong(),
        ),
        Line::from(truncate_width(&lang.tr_filled(&started.architecture), width)),
        Line::from(truncate_width(&size, width)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_is_named_in_the_users_language() {
        for (value, korean) in [
            ("cpu, 2 threads", "cpu, 스레드 2개"),
            ("cpu, 1 thread", "cpu, 스레드 1개"),
            ("cpu, 16 threads, bf16", "cpu, 스레드 16개, bf16"),
            ("cuda:0", "cuda:0"),
        ] {
            assert_eq!(device(value, Lang::Korean), korean);
            assert_eq!(device(value, Lang::English), value);
        }
    }
}
