//! Display of untrusted text: control characters, width in terminal columns, escaping.

use std::borrow::Cow;
use std::fmt::{Display, Write};
use unicode_width::UnicodeWidthChar;

/// Whether a character is a control character, changes the text direction, or is invisible.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Replaces tabs and line ends with spaces, and other control characters (C0, C1), bidirectional
/// overrides and invisible characters with `�`.
pub fn sanitize_for_terminal(text: &str) -> Cow<'_, str> {
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

/// The sanitized text, cut to at most `columns` terminal columns; a cut text ends with `…`.
pub fn truncate_width(text: &str, columns: usize) -> String {
    let mut width = 0;
    let mut cut = String::new();
    // The text may be a megabyte long: only its start is scanned.
    let head: String = text.chars().take(columns * 4 + 1).collect();
    for c in sanitize_for_terminal(&head).chars() {
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

/// The text cut or padded on the right to exactly `columns` terminal columns.
pub fn align_left(text: &str, columns: usize) -> String {
    let cut = truncate_width(text, columns);
    let width: usize = cut.chars().map(|c| c.width().unwrap_or(0)).sum();
    cut + &" ".repeat(columns.saturating_sub(width))
}

/// The text cut or padded on the left to exactly `columns` terminal columns.
pub fn align_right(text: &str, columns: usize) -> String {
    let padded = align_left(text, columns);
    let cut = padded.trim_end_matches(' ');
    " ".repeat(padded.len() - cut.len()) + cut
}

/// Wraps the text into lines of at most `columns` terminal columns, at spaces where possible. The
/// lines joined together are the text again.
pub fn wrap_width(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let width = |text: &str| text.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>();
        if used > 0 && used + width(word.trim_end()) > columns {
            lines.push(String::new());
            used = 0;
        }
        for c in word.chars() {
            let cell = c.width().unwrap_or(0);
            if used + cell > columns && c != ' ' {
                lines.push(String::new());
                used = 0;
            }
            let last = lines.len() - 1;
            lines[last].push(c);
            used += cell;
        }
    }
    lines
}

/// The sanitized text, escaped for XML content and attribute values.
pub fn escape_xml(text: &str) -> String {
    let text =
        sanitize_for_terminal(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

/// Replaces `{0}`, `{1}`, … in a template with the values of these indices. A placeholder without a
/// value is removed.
pub fn interpolate(template: &str, values: &[&dyn Display]) -> String {
    let (mut filled, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((number, behind)) = after.split_once('}') else { break };
        filled.push_str(before);
        if let Some(value) = number.parse().ok().and_then(|at: usize| values.get(at)) {
            // Writing to a string cannot fail.
            let _ = write!(filled, "{value}");
        }
        rest = behind;
    }
    filled + rest
}

/// JSON on one line that is safe to print: characters that `serde_json` does not escape (DEL, C1
/// control characters, bidirectional overrides) are written as `\uXXXX`.
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
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
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
    fn control_characters_are_replaced() {
        let hostile = "a\u{1b}[31m\u{9b}2J\u{7f}\u{202e}b\tc\r\n";
        assert_eq!(sanitize_for_terminal(hostile), "a�[31m�2J��b c  ");
        assert!(matches!(sanitize_for_terminal("한글 👍"), Cow::Borrowed(_)));
    }

    #[test]
    fn text_is_truncated_by_width() {
        assert_eq!(truncate_width("한글이다", 8), "한글이다");
        assert_eq!(truncate_width("한글이다.", 8), "한글이…");
        assert_eq!(truncate_width("abc", 2), "a…");
        assert_eq!(truncate_width("abc", 0), "…");
    }

    #[test]
    fn wrapped_lines_keep_the_text_and_the_width() {
        let text = "the checkpoint: /a/very/long/path/without/a/blank 한국어 문장";
        let lines = wrap_width(text, 12);
        assert_eq!(lines.concat(), text);
        for line in &lines {
            let width: usize = line.trim_end().chars().map(|c| c.width().unwrap_or(0)).sum();
            assert!(width <= 12, "{line:?}");
        }
        assert_eq!(wrap_width("", 5), [""]);
    }

    #[test]
    fn padding_counts_terminal_columns() {
        assert_eq!(align_left("긍정", 6), "긍정  ");
        assert_eq!(align_right("긍정", 6), "  긍정");
        assert_eq!(align_left("매우 부정적", 6), "매우 …");
        assert_eq!(align_right("abc", 2), "a…");
    }

    #[test]
    fn xml_markup_is_escaped() {
        assert_eq!(escape_xml("<a b=\"c\">&\u{1b}"), "&lt;a b=&quot;c&quot;&gt;&amp;�");
    }

    #[test]
    fn placeholders_are_replaced_by_index() {
        assert_eq!(interpolate("step {0} of {1}", &[&3, &"ten"]), "step 3 of ten");
        assert_eq!(interpolate("{1}개 중 {0}개", &[&3, &10]), "10개 중 3개");
        assert_eq!(interpolate("{2}{x} and {", &[&1]), " and {");
        assert_eq!(interpolate("{0}", &[&"{0}"]), "{0}", "a value is not interpolated again");
    }

    #[test]
    fn json_escapes_control_characters() -> serde_json::Result<()> {
        let text = "\u{9b}x\u{7f}\u{202e}\u{1b}\u{e0041}";
        let json = to_json(&text)?;
        assert!(json.is_ascii() && !json.contains('\u{7f}'), "{json:?}");
        assert_eq!(serde_json::from_str::<String>(&json)?, text);
        Ok(())
    }
}
