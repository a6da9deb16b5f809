//! Editing a line of text.

use crate::core::text::sanitize_for_terminal;
use std::borrow::Cow;
use tui_input::{Input, InputRequest};
use unicode_segmentation::UnicodeSegmentation;

/// The maximum number of characters of a line.
pub const MAX_CHARS: usize = 2000;

/// Edits a line. Control characters and invisible characters are not inserted.
pub fn edit(line: &mut Input, request: InputRequest) {
    if let InputRequest::InsertChar(c) = request {
        let is_hidden = matches!(sanitize_for_terminal(c.encode_utf8(&mut [0; 4])), Cow::Owned(_));
        if is_hidden || line.value().chars().count() >= MAX_CHARS {
            return;
        }
    }
    line.handle(request);
}

/// Inserts a text at the caret. Line ends and tabs become spaces, control characters are removed.
pub fn paste(line: &mut Input, text: &str) {
    for c in text.trim_end_matches(['\n', '\r']).chars() {
        let c = if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c };
        edit(line, InputRequest::InsertChar(c));
    }
}

/// The part of a line that fits into `columns` columns around the caret, and the column of the
/// caret in it. A wide character is shown whole or not at all.
pub fn visible_part(line: &Input, columns: usize) -> (String, usize) {
    let width = |text: &str| unicode_width::UnicodeWidthStr::width(text);
    let caret = line.visual_cursor();
    let start = (caret + 1).saturating_sub(columns);
    let (mut passed, mut shown) = (0, String::new());
    let mut offset = None;
    for grapheme in line.value().graphemes(true) {
        if passed >= start {
            let offset = *offset.get_or_insert(passed);
            if passed + width(grapheme) > offset + columns {
                break;
            }
            shown.push_str(grapheme);
        }
        passed += width(grapheme);
    }
    (shown, caret.saturating_sub(offset.unwrap_or(caret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_and_control_characters_are_not_inserted() {
        let mut line = Input::default();
        for c in ['a', '\u{202e}', '\u{1b}', '\u{200b}', '가', '\u{1161}', '\u{200d}'] {
            edit(&mut line, InputRequest::InsertChar(c));
        }
        assert_eq!(line.value(), "a가\u{1161}\u{200d}", "a joiner is part of a visible character");
        paste(&mut line, "\tb\u{feff}\n");
        assert_eq!(line.value(), "a가\u{1161}\u{200d} b");
    }
}
