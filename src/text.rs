//! Text that came from outside, made fit to be shown.

use std::borrow::Cow;
use std::fmt::Write;
use unicode_width::UnicodeWidthChar;

/// Whether a character could steer a terminal, reorder the line or hide.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with each tab and line end as a space and each other character that could steer a
/// terminal (C0, C1, bidirectional overrides) as `�`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    text.chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' => ' ',
            c if is_unprintable(c) => '\u{fffd}',
            c => c,
        })
        .collect::<String>()
        .into()
}

/// The first `columns` terminal columns of the printable text, with `…` where it was cut.
pub fn excerpt(text: &str, columns: usize) -> String {
    let mut width = 0;
    let mut cut = String::new();
    // Only as much as can be shown is looked at: the text may be a megabyte.
    let head: String = text.chars().take(columns * 4 + 1).collect();
    for c in printable(&head).chars() {
        width += c.width().unwrap_or(0);
        if width > columns {
            while cut.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>() + 1 > columns {
                if cut.pop().is_none() {
                    break;
                }
            }
            cut.push('…');
            return cut;
        }
        cut.push(c);
    }
    cut
}

/// JSON on one line that is safe to print: what `serde_json` leaves bare (DEL, the C1 controls,
/// bidirectional overrides) is written as `\uXXXX`.
///
/// # Errors
/// If the value cannot be serialised.
pub fn to_json(value: &impl serde::Serialize) -> serde_json::Result<String> {
    let json = serde_json::to_string(value)?;
    if !json.contains(is_unprintable) {
        return Ok(json);
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_unprintable(c) {
            // Writing to a string cannot fail.
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    Ok(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_survives() {
        let hostile = "a\u{1b}[31m\u{9b}2J\u{7f}\u{202e}b\tc\r\n";
        assert_eq!(printable(hostile), "a�[31m�2J��b c  ");
        assert!(matches!(printable("한글 👍"), Cow::Borrowed(_)));
    }

    #[test]
    fn an_excerpt_is_cut_by_width() {
        assert_eq!(excerpt("한글이다", 8), "한글이다");
        assert_eq!(excerpt("한글이다.", 8), "한글이…");
        assert_eq!(excerpt("abc", 2), "a…");
        assert_eq!(excerpt("abc", 0), "…");
    }

    #[test]
    fn json_escapes_what_serde_json_leaves_bare() -> serde_json::Result<()> {
        let text = "\u{9b}x\u{7f}\u{202e}\u{1b}";
        let json = to_json(&text)?;
        assert!(json.is_ascii() && !json.contains('\u{7f}'), "{json:?}");
        assert_eq!(serde_json::from_str::<String>(&json)?, text);
        Ok(())
    }
}
