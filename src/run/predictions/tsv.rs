//! Writing tab-separated values as pandas reads them by default.

use std::borrow::Cow;

/// A field: quoted if it contains a tab, a line end or a quotation mark, with each quotation mark
/// doubled, as Python's `csv.QUOTE_MINIMAL`.
pub fn field(text: &str) -> Cow<'_, str> {
    if text.contains(['\t', '\n', '\r', '"']) {
        Cow::Owned(quoted(text))
    } else {
        Cow::Borrowed(text)
    }
}

/// A field in quotation marks, with each quotation mark inside doubled.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_special_fields_are_quoted() {
        assert_eq!(field("한 줄 평, 좋아요"), "한 줄 평, 좋아요");
        assert_eq!(field("a\tb"), "\"a\tb\"");
        assert_eq!(field("그는 \"최고\""), "\"그는 \"\"최고\"\"\"");
        assert_eq!(field("두\n줄"), "\"두\n줄\"");
    }
}
