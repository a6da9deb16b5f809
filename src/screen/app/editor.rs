//! Editing a line of text, the same wherever one is typed.

use crate::core::text::sanitize_for_terminal;
use std::borrow::Cow;
use tui_input::{Input, InputRequest};
use unicode_segmentation::UnicodeSegmentation;

/// The longest line that can be typed or pasted, in characters.
pub const LONGEST: usize = 2000;

/// Edits a line. What could steer a terminal or hide does not enter it.
pub fn edit(line: &mut Input, request: InputRequest) {
    if let InputRequest::InsertChar(c) = request {
        let is_hidden = matches!(sanitize_for_terminal(c.encode_utf8(&mut [0; 4])), Cow::Owned(_));
        if is_hidden || line.value().chars().count() >= LONGEST {
            return;
        }
    }
    line.handle(request);
}

/// Types a text at the caret; what is not text (line ends, control characters) becomes a space or
/// is left out.
pub fn paste(line: &mut Input, text: &str) {
    for c in text.trim_end_matches(['\n', '\r']).chars() {
        let c = if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c };
        edit(line, InputRequest::InsertChar(c));
    }
}

/// The part of a line that a field of `columns` columns shows, and the caret's column in it. A
/// wide character is shown whole or not at all.
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
    fn what_hides_or_steers_is_not_typed() {
        let mut line = Input::default();
        for c in ['a', '\u{202e}', '\u{1b}', '\u{200b}', '가', '\u{1161}', '\u{200d}'] {
            edit(&mut line, InputRequest::InsertChar(c));
        }
        assert_eq!(line.value(), "a가\u{1161}\u{200d}", "a joiner is part of what is seen");
        paste(&mut line, "\tb\u{feff}\n");
        assert_eq!(line.value(), "a가\u{1161}\u{200d} b");
    }
}
