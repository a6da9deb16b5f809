//! The rows that a text is shown in: lines are broken after spaces, or between graphemes where a word
//! is wider than the row.

use ratatui::buffer::CellWidth;
use std::borrow::Cow;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// What is shown of a grapheme without a width of its own, such as a combining mark at the start of
/// a line, and of one that is wider than [`WIDEST`].
const REPLACED: &str = "\u{fffd}";

/// The most cells of a grapheme. Only marks in a row without a base, such as a flag's letter with
/// several skin tones, are wider.
const WIDEST: u16 = 4;

/// What is drawn for a grapheme, and its width in cells, from 1 to 4.
pub fn shown(grapheme: &str) -> (&str, usize) {
    match grapheme.cell_width() {
        width @ 1..=WIDEST => (grapheme, usize::from(width)),
        _ => (REPLACED, 1),
    }
}

/// The cells of a text on one row.
pub fn cells_of(text: &str) -> usize {
    text.graphemes(true).map(|grapheme| shown(grapheme).1).sum()
}

/// A row's text as it is drawn.
pub fn drawn(text: &str) -> Cow<'_, str> {
    if text.graphemes(true).all(|grapheme| shown(grapheme).0 == grapheme) {
        return Cow::Borrowed(text);
    }
    text.graphemes(true).map(|grapheme| shown(grapheme).0).collect::<String>().into()
}

/// The rows of a text in a field of `columns` columns, as ranges of bytes without the line ends. The
/// last column is left to the caret.
pub fn rows(text: &str, columns: usize) -> Vec<Range<usize>> {
    let limit = columns.saturating_sub(1).max(2);
    let (mut rows, mut start) = (Vec::new(), 0);
    for line in text.split('\n') {
        push_rows(text, start..start + line.len(), limit, &mut rows);
        start += line.len() + 1;
    }
    rows
}

/// Adds the rows of one line.
fn push_rows(text: &str, line: Range<usize>, limit: usize, rows: &mut Vec<Range<usize>>) {
    let mut start = line.start;
    // The end of the last word and its spaces, and the cells up to it.
    let (mut word_end, mut word_cells) = (start, 0);
    let mut cells = 0;
    for (offset, grapheme) in text[line.clone()].grapheme_indices(true) {
        let at = line.start + offset;
        let width = shown(grapheme).1;
        while cells + width > limit && cells > 0 {
            if word_end > start {
                rows.push(start..word_end);
                (start, cells) = (word_end, cells - word_cells);
            } else {
                rows.push(start..at);
                (start, cells) = (at, 0);
            }
            (word_end, word_cells) = (start, 0);
        }
        cells += width;
        if grapheme.chars().all(char::is_whitespace) {
            (word_end, word_cells) = (at + grapheme.len(), cells);
        }
    }
    rows.push(start..line.end);
}

/// The row and the column of the caret at a byte offset. Between two rows of one line, it is at the
/// start of the second.
pub fn position(text: &str, rows: &[Range<usize>], caret: usize) -> (usize, usize) {
    let row = rows.iter().rposition(|row| row.start <= caret).unwrap_or(0);
    let start = rows.get(row).map_or(0, |row| row.start);
    (row, cells_of(text.get(start..caret).unwrap_or_default()))
}

/// The byte offset in a row that is nearest to a column and not beyond it.
pub fn offset_at(text: &str, rows: &[Range<usize>], row: usize, column: usize) -> usize {
    let Some(range) = rows.get(row) else { return text.len() };
    // The end of a row that continues is the start of the next one.
    let continues = rows.get(row + 1).is_some_and(|next| next.start == range.end);
    let (mut offset, mut cells) = (range.start, 0);
    for grapheme in text[range.clone()].graphemes(true) {
        cells += shown(grapheme).1;
        let next = offset + grapheme.len();
        if cells > column || (continues && next == range.end) {
            break;
        }
        offset = next;
    }
    offset
}
