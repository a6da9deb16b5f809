//! The accuracy of slices of the texts, with intervals.

use super::class_name;
use crate::core::text::{align_left, align_right};
use crate::run::predictions::slices::{LengthBand, Slice, SliceKind};
use crate::screen::app::State;
use crate::screen::lang::Lang;
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::border_note;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// The columns of the names.
const NAME: usize = 24;

/// Draws the table.
pub(super) fn draw(frame: &mut Frame, area: Rect, block: Block, state: &State, theme: Theme) {
    let lang = state.lang;
    let inner = block.inner(area);
    let bar = usize::from(inner.width).saturating_sub(NAME + 8 + 9 + 18 + 2).min(60);
    let head = [
        align_left("", NAME),
        align_right(lang.tr("texts"), 8),
        align_right(lang.tr("accuracy"), 9),
        align_right(lang.tr("95 % (Wilson)"), 18),
    ];
    let mut lines = vec![Line::styled(head.concat(), theme.dim())];
    let slices = state.mistakes.accuracy_of_slices();
    let overall = slices.first().map_or(f64::NAN, Slice::accuracy);
    let visible = usize::from(inner.height).saturating_sub(1);
    let hidden = slices.len().saturating_sub(visible);
    let first = state.mistakes.first_slice.min(hidden);
    let shown = slices.iter().skip(first).take(visible);
    lines.extend(shown.map(|slice| row(slice, overall, bar, state, theme)));
    let mut block = block;
    if first < hidden {
        let below = lang.tr_with(" ↓ {0} more ", &[&(hidden - first)]);
        block = block.title_bottom(border_note(below, theme));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn row(slice: &Slice, overall: f64, bar: usize, state: &State, theme: Theme) -> Line<'static> {
    let [low, high] = slice.interval().unwrap_or([0.0, 1.0]);
    // A slice whose interval does not have the accuracy of all texts in it is different.
    let style = match slice.kind {
        SliceKind::All => theme.strong(),
        _ if high < overall => theme.error(),
        _ if low > overall => theme.good(),
        _ => theme.dim(),
    };
    let mut spans = vec![
        Span::raw(align_left(&name(slice.kind, state), NAME)),
        Span::raw(format!("{:>8}", slice.total)),
        Span::styled(format!("{:>8.1}%", 100.0 * slice.accuracy()), style),
        Span::styled(
            align_right(&format!("{:.1} – {:.1}", 100.0 * low, 100.0 * high), 18),
            theme.dim(),
        ),
        Span::raw("  "),
    ];
    spans.extend(interval([low, slice.accuracy(), high], overall, bar, theme));
    Line::from(spans)
}

/// The interval on a line from 0 to 1, with the accuracy of the slice and that of all texts.
fn interval(
    [low, accuracy, high]: [f64; 3],
    overall: f64,
    width: usize,
    theme: Theme,
) -> Vec<Span<'static>> {
    if width < 10 {
        return Vec::new();
    }
    let cell = |value: f64| (value.clamp(0.0, 1.0) * (width - 1) as f64).round() as usize;
    let (low, accuracy, high, overall) = (cell(low), cell(accuracy), cell(high), cell(overall));
    let symbol = |at: usize| match at {
        at if at == accuracy => Span::styled("●", theme.eval()),
        at if (low..=high).contains(&at) => Span::styled("━", theme.train()),
        at if at == overall => Span::styled("│", theme.dim()),
        _ => Span::styled("·", theme.grid()),
    };
    (0..width).map(symbol).collect()
}

/// The name of a slice.
fn name(kind: SliceKind, state: &State) -> String {
    let lang = state.lang;
    match kind {
        SliceKind::All => lang.tr("all texts").to_owned(),
        SliceKind::Label(class) => lang.tr_with("label {0}", &[&class_name(state, class)]),
        SliceKind::Length(band) => length_name(band, lang),
        SliceKind::Unknown(true) => lang.tr("with [UNK]").to_owned(),
        SliceKind::Unknown(false) => lang.tr("without [UNK]").to_owned(),
        SliceKind::Emoji(true) => lang.tr("with emoji").to_owned(),
        SliceKind::Emoji(false) => lang.tr("without emoji").to_owned(),
        SliceKind::Value { column, value } => {
            let column = state.mistakes.slice_columns().get(column);
            let value = column.and_then(|column| column.values.get(value));
            let name = column.map_or("?", |column| column.name.as_str());
            format!("{name} {}", value.map_or("?", String::as_str))
        }
    }
}

/// The name of a range of lengths.
pub(super) fn length_name(band: LengthBand, lang: Lang) -> String {
    match band.to {
        Some(to) => lang.tr_with("{0} to {1} characters", &[&band.from, &to]),
        None => lang.tr_with("{0} characters or more", &[&band.from]),
    }
}
