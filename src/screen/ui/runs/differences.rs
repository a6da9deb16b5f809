//! A table of the settings in which runs differ.

use super::NAME;
use crate::core::text::align_left;
use crate::run::run_index::{RunSummary, differing_settings};
use crate::screen::app::runs::RunComparison;
use crate::screen::lang::Lang;
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::{draw_hint, titled_block, with_note};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// The rows that the whole table needs, with its border.
pub(super) fn height(runs: &RunComparison) -> u16 {
    let side_by_side = runs.compared_summaries();
    let summaries: Vec<&RunSummary> = side_by_side.iter().map(|(_, run)| *run).collect();
    let rows = differing_settings(&summaries).len().max(1);
    u16::try_from(rows + 3).unwrap_or(u16::MAX)
}

/// A row for each setting that differs, a column for each run, as far as they fit.
pub(super) fn draw(frame: &mut Frame, area: Rect, runs: &RunComparison, lang: Lang, theme: Theme) {
    let side_by_side = runs.compared_summaries();
    let summaries: Vec<&RunSummary> = side_by_side.iter().map(|(_, run)| *run).collect();
    let table = differing_settings(&summaries);
    let mut block = titled_block(theme, lang.tr("different settings"));
    let inner = block.inner(area);
    let hint = match summaries.len() {
        0 | 1 => Some("select two or more runs to compare"),
        _ if table.is_empty() => Some("all settings are the same"),
        _ => None,
    };
    if let Some(hint) = hint {
        frame.render_widget(block, area);
        return draw_hint(frame, inner, lang.tr(hint), theme);
    }
    let width = |text: &str| Span::raw(text).width();
    let names = table.iter().map(|(name, _)| width(name)).max().unwrap_or(0).min(NAME);
    let available = usize::from(inner.width).saturating_sub(names);
    let widths: Vec<usize> = (0..summaries.len())
        .map(|run| {
            let values = table.iter().filter_map(|(_, values)| values[run].as_deref());
            let widest = values.chain([summaries[run].name.as_str()]).map(width).max();
            widest.unwrap_or(1).min(24) + 2
        })
        .collect();
    let mut used = 0;
    let fitting = widths.iter().take_while(|width| {
        used += **width;
        used <= available
    });
    let fitting = fitting.count().max(1);
    let mut head = vec![Span::raw(" ".repeat(names))];
    for ((slot, run), width) in side_by_side.iter().zip(&widths).take(fitting) {
        let style = slot.map_or(theme.strong(), |slot| theme.curve(slot));
        let name = align_left(&run.name, width - 2);
        head.push(Span::styled(format!("  {name}"), style));
    }
    let mut lines = vec![Line::from(head)];
    let rows = usize::from(inner.height).saturating_sub(1);
    for (name, values) in table.iter().take(rows) {
        let mut spans = vec![Span::styled(align_left(name, names), theme.dim())];
        for (value, width) in values.iter().zip(&widths).take(fitting) {
            let value = value.as_deref().unwrap_or("-");
            spans.push(Span::raw(format!("  {}", align_left(value, width - 2))));
        }
        lines.push(Line::from(spans));
    }
    let hidden = (summaries.len() - fitting, table.len().saturating_sub(rows));
    let more = match hidden {
        (0, 0) => None,
        (1, 0) => Some(lang.tr(" 1 more run ").to_owned()),
        (0, 1) => Some(lang.tr(" 1 more setting ").to_owned()),
        (runs, 0) => Some(lang.tr_with(" {0} more runs ", &[&runs])),
        (0, settings) => Some(lang.tr_with(" {0} more settings ", &[&settings])),
        (runs, settings) => {
            Some(lang.tr_with(" {0} more runs, {1} more settings ", &[&runs, &settings]))
        }
    };
    if let Some(more) = more {
        block = with_note(block, more, theme);
    }
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(lines), inner);
}
