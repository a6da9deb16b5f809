//! The settings.

use super::theme::Theme;
use crate::core::text::truncate_width;
use crate::core::train::event::Started;
use crate::screen::app::State;
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// Every setting with its value and why it holds, from line `scroll` on. Returns the last line that it can start at.
pub fn draw_settings(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    theme: Theme,
    block: Block,
    scroll: usize,
) -> usize {
    let inner = block.inner(area);
    let Some(started) = &state.started else {
        frame.render_widget(block, area);
        frame.render_widget(
            Paragraph::new(Line::styled(state.lang.tr("not yet known"), theme.dim())),
            inner,
        );
        return 0;
    };
    let mut lines = model_lines(started, state.lang, theme);
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
        let value = truncate_width(&setting.value, 40);
        let style = if setting.why == "flag" { theme.warning() } else { theme.strong() };
        lines.push(Line::from(vec![
            Span::raw(format!("{:<name_width$}  ", setting.name)),
            Span::styled(value, style),
            Span::styled(format!("  {}", state.lang.tr(&setting.why)), theme.dim()),
        ]));
    }
    let room = usize::from(inner.height);
    let limit = lines.len().saturating_sub(room);
    let scroll = scroll.min(limit);
    let block = if lines.len() > room + scroll {
        let more = state.lang.fill(" {0} more ", &[&(lines.len() - room - scroll)]);
        let hint = Line::styled(more, theme.dim()).alignment(Alignment::Right);
        block.title_bottom(hint)
    } else {
        block
    };
    let shown: Vec<Line> = lines.into_iter().skip(scroll).take(room).collect();
    frame.render_widget(Paragraph::new(shown).block(block), area);
    limit
}

fn model_lines(started: &Started, lang: Lang, theme: Theme) -> Vec<Line<'static>> {
    vec![
        Line::styled(truncate_width(&started.model, 60), theme.strong()),
        Line::from(started.architecture.clone()),
        Line::from(lang.fill(
            "{0} M parameters, {1} + {2} reviews",
            &[
                &format!("{:.2}", started.parameters as f64 / 1e6),
                &started.train_samples,
                &started.eval_samples,
            ],
        )),
    ]
}
