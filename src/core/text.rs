//! Text that came from outside, made fit to be shown.

use std::borrow::Cow;
use std::fmt::{Display, Write};
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

/// The first `columns` terminal columns of the printable text, with `…` where it was cut.
pub fn truncate_width(text: &str, columns: usize) -> String {
    let mut width = 0;
    let mut cut = String::new();
    // Only as much as can be shown is looked at: the text may be a megabyte.
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

/// The excerpt of `columns` terminal columns, filled up with blanks behind it.
pub fn padded(text: &str, columns: usize) -> String {
    let cut = truncate_width(text, columns);
    let width: usize = cut.chars().map(|c| c.width().unwrap_or(0)).sum();
    cut + &" ".repeat(columns.saturating_sub(width))
}

/// The excerpt of `columns` terminal columns, filled up with blanks before it.
pub fn right_aligned(text: &str, columns: usize) -> String {
    let padded = padded(text, columns);
    let cut = padded.trim_end_matches(' ');
    " ".repeat(padded.len() - cut.len()) + cut
}

/// The text in lines of at most `columns` terminal columns, broken at blanks where there are any.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
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

/// The printable text, for the inside of XML and its attributes.
pub fn xml_escaped(text: &str) -> String {
    let text =
        sanitize_for_terminal(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

/// A text with values for `{0}`, `{1}` and so on, in whatever order it has them.
pub fn fill(template: &str, values: &[&dyn Display]) -> String {
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

/// A number as one would type it: `5e-5`, `0.01`, `10`.
pub fn show_number(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-3 { format!("{value:e}") } else { format!("{value}") }
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
    fn nothing_that_steers_a_terminal_survives() {
        let hostile = "a\u{1b}[31m\u{9b}2J\u{7f}\u{202e}b\tc\r\n";
        assert_eq!(sanitize_for_terminal(hostile), "a�[31m�2J��b c  ");
        assert!(matches!(sanitize_for_terminal("한글 👍"), Cow::Borrowed(_)));
    }

    #[test]
    fn an_excerpt_is_cut_by_width() {
        assert_eq!(truncate_width("한글이다", 8), "한글이다");
        assert_eq!(truncate_width("한글이다.", 8), "한글이…");
        assert_eq!(truncate_width("abc", 2), "a…");
        assert_eq!(truncate_width("abc", 0), "…");
    }

    #[test]
    fn wrapping_loses_nothing_and_keeps_to_the_width() {
        let text = "the checkpoint: /a/very/long/path/without/a/blank 한국어 문장";
        let lines = wrapped(text, 12);
        assert_eq!(lines.concat(), text);
        for line in &lines {
            let width: usize = line.trim_end().chars().map(|c| c.width().unwrap_or(0)).sum();
            assert!(width <= 12, "{line:?}");
        }
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn filling_up_counts_columns() {
        assert_eq!(padded("긍정", 6), "긍정  ");
        assert_eq!(right_aligned("긍정", 6), "  긍정");
        assert_eq!(padded("매우 부정적", 6), "매우 …");
        assert_eq!(right_aligned("abc", 2), "a…");
    }

    #[test]
    fn markup_in_a_text_is_text() {
        assert_eq!(xml_escaped("<a b=\"c\">&\u{1b}"), "&lt;a b=&quot;c&quot;&gt;&amp;�");
    }

    #[test]
    fn values_are_filled_in_wherever_the_text_has_them() {
        assert_eq!(fill("step {0} of {1}", &[&3, &"ten"]), "step 3 of ten");
        assert_eq!(fill("{1}개 중 {0}개", &[&3, &10]), "10개 중 3개");
        assert_eq!(fill("{2}{x} and {", &[&1]), " and {");
        assert_eq!(fill("{0}", &[&"{0}"]), "{0}", "a value is no template");
    }

    #[test]
    fn json_escapes_what_serde_json_leaves_bare() -> serde_json::Result<()> {
        let text = "\u{9b}x\u{7f}\u{202e}\u{1b}\u{e0041}";
        let json = to_json(&text)?;
        assert!(json.is_ascii() && !json.contains('\u{7f}'), "{json:?}");
        assert_eq!(serde_json::from_str::<String>(&json)?, text);
        Ok(())
    }
}
