//! Text for terminals: sanitizing, truncating, padding and wrapping by display width.

use std::borrow::Cow;
use std::fmt::{Display, Write};
use std::path::Path;
use textwrap::WordSeparator;
use textwrap::core::break_words;
use textwrap::wrap_algorithms::wrap_first_fit;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Whether a character can control a terminal, reorder the text (bidirectional overrides) or is
/// invisible.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with each tab and line end as a space and every other control, bidirectional-override
/// or invisible character as `�`.
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

/// A path for display: [`sanitize_for_terminal`], but with line ends and tabs as `�`, too. A path
/// without a `�` is shown as it is; one with a `�` is not the name of a file.
pub fn display_path(path: &Path) -> String {
    let text = path.display().to_string().replace(['\t', '\n', '\r'], "\u{fffd}");
    sanitize_for_terminal(&text).into_owned()
}

/// The terminal columns that a text occupies, grapheme by grapheme, as the dashboard draws it.
fn columns_of(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// The sanitized text cut to `columns` terminal columns, with `…` at the end if it was cut and there is
/// a column for it. No grapheme is cut in two.
pub fn truncate_width(text: &str, columns: usize) -> String {
    if columns == 0 {
        return String::new();
    }
    // Only the visible part is read, because the text may be a megabyte long.
    let head: String = text.chars().take(columns * 4 + 1).collect();
    let text = sanitize_for_terminal(&head);
    let (mut width, mut cut) = (0, 0);
    for (start, grapheme) in text.grapheme_indices(true) {
        width += grapheme.width();
        if width > columns {
            return text[..cut].to_owned() + "…";
        }
        if width < columns {
            cut = start + grapheme.len();
        }
    }
    text.into_owned()
}

/// The text truncated to `columns` terminal columns and padded with spaces at the end.
pub fn align_left(text: &str, columns: usize) -> String {
    let text = truncate_width(text, columns);
    let padding = " ".repeat(columns.saturating_sub(columns_of(&text)));
    text + &padding
}

/// The text truncated to `columns` terminal columns and padded with spaces at the start.
pub fn align_right(text: &str, columns: usize) -> String {
    let text = truncate_width(text, columns);
    " ".repeat(columns.saturating_sub(columns_of(&text))) + &text
}

/// The text in lines of at most `columns` terminal columns, broken at spaces where there are any.
/// The lines together are the whole text; spaces at the end of a line may exceed the width.
pub fn wrap_width(text: &str, columns: usize) -> Vec<&str> {
    let words = WordSeparator::AsciiSpace.find_words(text);
    let words = break_words(words, columns);
    let mut start = 0;
    let lines = wrap_first_fit(&words, &[columns as f64]).into_iter().map(|line| {
        let length: usize = line.iter().map(|word| word.word.len() + word.whitespace.len()).sum();
        let from = start;
        start += length;
        &text[from..start]
    });
    lines.collect()
}

/// The sanitized text, escaped for XML content and attribute values. Characters that XML 1.0 does
/// not have (controls, U+FFFE and U+FFFF) are `�`.
pub fn escape_xml(text: &str) -> String {
    let text = sanitize_for_terminal(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

/// The template with `{0}`, `{1}` and so on replaced by the values, in any order. A placeholder
/// without a value is removed.
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

/// A duration as `1:02` or `1:02:03`.
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.clamp(0.0, 1e9).round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A number in a short form: `5e-5`, `0.01`, `10`.
pub fn show_number(value: f64) -> String {
    let is_short = value == 0.0 || (1e-3..1e16).contains(&value.abs());
    if is_short { format!("{value}") } else { format!("{value:e}") }
}

/// JSON on one line that is safe to print: the unprintable characters that `serde_json` does not
/// escape (DEL, C1 controls, bidirectional overrides) are written as `\uXXXX`.
///
/// # Errors
/// If the value cannot be serialized.
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
    fn truncation_counts_columns_and_keeps_graphemes_whole() {
        assert_eq!(truncate_width("한글이다", 8), "한글이다");
        assert_eq!(truncate_width("한글이다.", 8), "한글이…");
        assert_eq!(truncate_width("abc", 2), "a…");
        assert_eq!(truncate_width("abc", 0), "");
        assert_eq!(truncate_width("", 0), "");
        // Conjoining jamo and joined emoji are one grapheme of two columns.
        assert_eq!(truncate_width("\u{1112}\u{1161}\u{11ab}글", 3), "\u{1112}\u{1161}\u{11ab}…");
        let family = "👨\u{200d}👩\u{200d}👧";
        assert_eq!(truncate_width(&family.repeat(2), 4), family.repeat(2));
        assert_eq!(truncate_width(&family.repeat(3), 4), format!("{family}…"));
        // A ligature of two graphemes.
        assert_eq!(truncate_width("\u{644}\u{627}\u{644}\u{627}", 3), "\u{644}\u{627}…");
    }

    #[test]
    fn wrapped_lines_are_the_whole_text_and_within_the_width() {
        let text = "the checkpoint: /a/very/long/path/without/a/blank 한국어 문장";
        let lines = wrap_width(text, 12);
        assert_eq!(lines.concat(), text);
        for line in &lines {
            assert!(line.trim_end().width() <= 12, "{line:?}");
        }
        assert_eq!(wrap_width("", 5), [""]);
        assert_eq!(wrap_width("한국어 문장", 6), ["한국어 ", "문장"]);
        assert_eq!(wrap_width("한국어문장", 5), ["한국", "어문", "장"]);
        assert_eq!(wrap_width("a     b", 3), ["a     ", "b"]);
    }

    #[test]
    fn padding_counts_columns() {
        assert_eq!(align_left("긍정", 6), "긍정  ");
        assert_eq!(align_right("긍정", 6), "  긍정");
        assert_eq!(align_left("매우 부정적", 6), "매우 …");
        assert_eq!(align_right("abc", 2), "a…");
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape_xml("<a b=\"c\">&\u{1b}"), "&lt;a b=&quot;c&quot;&gt;&amp;�");
        // `Char` of XML 1.0 has U+FFFD and the supplementary planes.
        assert_eq!(escape_xml("\u{ffff}\u{fffe}\u{0}\u{fffd}\u{1ffff}"), "����\u{1ffff}");
    }

    #[test]
    fn placeholders_are_replaced_in_any_order() {
        assert_eq!(interpolate("step {0} of {1}", &[&3, &"ten"]), "step 3 of ten");
        assert_eq!(interpolate("{1}개 중 {0}개", &[&3, &10]), "10개 중 3개");
        assert_eq!(interpolate("{2}{x} and {", &[&1]), " and {");
        assert_eq!(interpolate("{0}", &[&"{0}"]), "{0}", "values are not templates");
    }

    #[test]
    fn json_output_has_no_unprintable_characters() -> serde_json::Result<()> {
        let text = "\u{9b}x\u{7f}\u{202e}\u{1b}\u{e0041}";
        let json = to_json(&text)?;
        assert!(json.is_ascii() && !json.contains('\u{7f}'), "{json:?}");
        assert_eq!(serde_json::from_str::<String>(&json)?, text);
        Ok(())
    }
}
