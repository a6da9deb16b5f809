//! The accuracy of slices of the texts, with intervals.

use super::class_name;
use crate::core::text::{align_left, align_right};
use crate::run::predictions::slices::{ConfidenceBand, LengthBand, Slice, SliceKind};
use crate::screen::app::State;
use crate::screen::lang::Lang;
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::with_note;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// The least and the most columns of the names.
const NAME: [usize; 2] = [12, 32];

/// The columns of the numbers of texts and mistakes, the accuracy, its interval, and its difference to
/// that of all texts.
const COUNT: usize = 7;
const ACCURACY: usize = 9;
const INTERVAL: usize = 16;
const DIFFERENCE: usize = 10;

/// The fewest columns of the drawn interval.
const MIN_DRAWN: usize = 12;

/// The width from which two tables are side by side, if the slices do not fit below one another.
const SIDE_BY_SIDE: usize = 150;

/// The columns of the table; 0 for one that does not fit.
#[derive(Clone, Copy)]
struct Columns {
    name: usize,
    mistakes: usize,
    interval: usize,
    difference: usize,
    drawn: usize,
}

impl Columns {
    fn new(names: usize, width: usize) -> Self {
        let name = names.clamp(NAME[0], NAME[1].min((width * 3 / 10).max(NAME[0])));
        let mut left = width.saturating_sub(name + COUNT + ACCURACY + 1);
        let mut take = |columns: usize, least_left: usize| {
            let fits = left >= columns + least_left;
            left -= if fits { columns } else { 0 };
            if fits { columns } else { 0 }
        };
        let drawn_least = take(MIN_DRAWN + 1, 0);
        let difference = take(DIFFERENCE, 0);
        let interval = take(INTERVAL, 0);
        let mistakes = take(COUNT, 0);
        let drawn = if drawn_least > 0 { MIN_DRAWN + left } else { 0 };
        Self { name, mistakes, interval, difference, drawn }
    }
}

/// The accuracies that the drawn intervals are scaled to.
#[derive(Clone, Copy)]
struct Scale {
    /// The accuracy at the left end; that at the right end is 1.
    from: f64,
    /// The accuracy of all texts.
    overall: f64,
}

/// Draws the table.
pub(super) fn draw(frame: &mut Frame, area: Rect, block: Block, state: &State, theme: Theme) {
    let lang = state.lang;
    let inner = block.inner(area);
    let (width, visible) =
        (usize::from(inner.width), usize::from(inner.height).saturating_sub(1).max(1));
    let slices = state.mistakes.accuracy_of_slices();
    let tables = if width >= SIDE_BY_SIDE && slices.len() > visible { 2 } else { 1 };
    let hidden = slices.len().saturating_sub(tables * visible);
    let first = state.mistakes.first_slice.min(hidden);
    let shown: Vec<&Slice> = slices.iter().skip(first).take(tables * visible).collect();
    let names = shown.iter().map(|slice| Span::raw(name(slice.kind, state)).width()).max();
    let columns = Columns::new(names.unwrap_or(0) + 1, width / tables);
    let lowest = slices.iter().filter_map(|slice| Some(slice.interval()?[0]));
    let scale = Scale {
        from: (10.0 * lowest.fold(0.9, f64::min)).floor() / 10.0,
        overall: slices.first().map_or(f64::NAN, Slice::accuracy),
    };
    let mut block = block;
    if first < hidden {
        let below = lang.tr_with(" ↓ {0} more ", &[&(hidden - first)]);
        block = with_note(block, below, theme);
    }
    frame.render_widget(block, area);
    for (number, shown) in shown.chunks(visible).enumerate() {
        let mut lines = vec![head(columns, scale, lang, theme)];
        lines.extend(shown.iter().map(|slice| row(slice, columns, scale, state, theme)));
        let x = inner.x + (number * (width / tables)) as u16;
        let place = Rect { x, width: inner.right().saturating_sub(x), ..inner };
        frame.render_widget(Paragraph::new(lines), place);
    }
}

fn head(columns: Columns, scale: Scale, lang: Lang, theme: Theme) -> Line<'static> {
    let right = |text: &str, columns: usize| align_right(lang.tr(text), columns);
    let mut text = align_left("", columns.name) + &right("texts", COUNT);
    text += &right("wrong", columns.mistakes);
    text += &right("accuracy", ACCURACY);
    text += &right("to all", columns.difference);
    text += &right("95 % (Wilson)", columns.interval);
    if columns.drawn > 0 {
        let from = format!(" {:.0}%", 100.0 * scale.from);
        text += &from;
        text += &align_right("100%", (columns.drawn + 1).saturating_sub(from.len()));
    }
    Line::styled(text, theme.dim())
}

fn row(
    slice: &Slice,
    columns: Columns,
    scale: Scale,
    state: &State,
    theme: Theme,
) -> Line<'static> {
    let (overall, accuracy) = (scale.overall, slice.accuracy());
    let [low, high] = slice.interval().unwrap_or([0.0, 1.0]);
    // A slice whose interval does not have the accuracy of all texts in it is different.
    let style = match slice.kind {
        SliceKind::All => theme.strong(),
        _ if high < overall => theme.error(),
        _ if low > overall => theme.good(),
        _ => theme.dim(),
    };
    let is_all = slice.kind == SliceKind::All;
    let difference =
        if is_all { String::new() } else { format!("{:+.1}", 100.0 * (accuracy - overall)) };
    let mistakes = (slice.total - slice.right).to_string();
    let interval = format!("{:.1} – {:.1}", 100.0 * low, 100.0 * high);
    let mut spans = vec![
        Span::raw(align_left(&name(slice.kind, state), columns.name)),
        Span::raw(align_right(&slice.total.to_string(), COUNT)),
        Span::raw(align_right(&mistakes, columns.mistakes)),
        Span::styled(align_right(&format!("{:.1}%", 100.0 * accuracy), ACCURACY), style),
        Span::styled(align_right(&difference, columns.difference), style),
        Span::styled(align_right(&interval, columns.interval), theme.dim()),
    ];
    if columns.drawn > 0 {
        spans.push(Span::raw(" "));
        spans.extend(drawn([low, accuracy, high], columns.drawn, scale, theme));
    }
    Line::from(spans)
}

/// The interval on a line from the least to 1, with the accuracy of the slice and that of all texts.
fn drawn(
    [low, accuracy, high]: [f64; 3],
    width: usize,
    scale: Scale,
    theme: Theme,
) -> Vec<Span<'static>> {
    let cell = |value: f64| {
        let share = (value - scale.from) / (1.0 - scale.from).max(f64::MIN_POSITIVE);
        (share.clamp(0.0, 1.0) * (width - 1) as f64).round() as usize
    };
    let (low, accuracy, high, overall) =
        (cell(low), cell(accuracy), cell(high), cell(scale.overall));
    let symbol = |at: usize| match at {
        at if at == accuracy => Span::styled("●", theme.eval()),
        at if at == low => Span::styled("├", theme.train()),
        at if at == high => Span::styled("┤", theme.train()),
        at if at == overall => Span::styled("│", theme.dim()),
        at if (low..=high).contains(&at) => Span::styled("─", theme.train()),
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
        SliceKind::Answer(class) => lang.tr_with("answer {0}", &[&class_name(state, class)]),
        SliceKind::Length(band) => length_name(band, lang),
        SliceKind::Confidence(ConfidenceBand { from: 0, to }) => {
            lang.tr_with("confidence below {0} %", &[&to])
        }
        SliceKind::Confidence(ConfidenceBand { from, to }) => {
            lang.tr_with("confidence {0} to {1} %", &[&from, &to])
        }
        SliceKind::Marks(true) => lang.tr("with ! or ?").to_owned(),
        SliceKind::Marks(false) => lang.tr("without ! and ?").to_owned(),
        SliceKind::Digits(true) => lang.tr("with digits").to_owned(),
        SliceKind::Digits(false) => lang.tr("without digits").to_owned(),
        SliceKind::Latin(true) => lang.tr("with Latin letters").to_owned(),
        SliceKind::Latin(false) => lang.tr("without Latin letters").to_owned(),
        SliceKind::LabelLength(class, band) => {
            format!("{}, {}", class_name(state, class), length_name(band, lang))
        }
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
