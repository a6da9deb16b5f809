//! Hangul that is decomposed into jamo (Unicode's NFD), as in file names of macOS.

use std::borrow::Cow;
use unicode_normalization::char::compose;

/// Whether a character is a vowel or a final consonant that NFC joins to the character before it.
fn is_joined(c: char) -> bool {
    matches!(c, '\u{1161}'..='\u{1175}' | '\u{11a8}'..='\u{11c2}')
}

/// Whether a text has decomposed Hangul.
pub fn is_decomposed(text: &str) -> bool {
    text.contains(is_joined)
}

/// The text with its jamo composed into syllables, as NFC does, which leaves everything else as it
/// is; and, if something was composed, the index in `text` of each character and of the end.
pub(super) fn compose_hangul(text: &str) -> (Cow<'_, str>, Vec<usize>) {
    if !is_decomposed(text) {
        return (Cow::Borrowed(text), Vec::new());
    }
    let mut composed: Vec<char> = Vec::new();
    let mut starts = Vec::new();
    let mut count = 0;
    for (index, c) in text.chars().enumerate() {
        let last = composed.last_mut();
        let joined =
            last.filter(|_| is_joined(c)).and_then(|last| Some((compose(*last, c)?, last)));
        if let Some((syllable, last)) = joined {
            *last = syllable;
        } else {
            composed.push(c);
            starts.push(index);
        }
        count = index + 1;
    }
    starts.push(count);
    (Cow::Owned(composed.into_iter().collect()), starts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::UnicodeNormalization;

    #[test]
    fn hangul_is_composed_as_by_nfc_and_nothing_else_changes() {
        for text in
            ["최고의 영화", "각갂", "뷁 \u{1112}\u{1161}\u{11ab}\u{1100}", "값값", "가\u{11a8}"]
        {
            let decomposed: String = text.nfd().collect();
            let composed: String = text.nfc().collect();
            assert_eq!(compose_hangul(&decomposed).0, composed);
        }
        // NFC would replace this compatibility ideograph, which NSMC contains, and compose é.
        let text = "盧 e\u{301} \u{1161}";
        assert_eq!(compose_hangul(text).0, text);
        let (text, starts) = compose_hangul("a\u{1112}\u{1161}\u{11ab}b");
        assert_eq!((&*text, &starts[..]), ("a한b", &[0, 1, 4, 5][..]));
    }
}
