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

/// The compatibility letters of the initial consonants from U+1100, the vowels from U+1161 and the
/// final consonants from U+11A8 (Unicode, Hangul Compatibility Jamo).
const LETTERS: [(char, &str); 3] = [
    ('\u{1100}', "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"),
    ('\u{1161}', "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"),
    ('\u{11a8}', "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"),
];

/// The text with its jamo composed into syllables, and those that remain as letters of their own:
/// vowels and final consonants alone have no width, so that a terminal does not show them. Archaic
/// letters follow fillers, which have a width.
pub fn visible_hangul(text: &str) -> Cow<'_, str> {
    let is_jamo = |c: char| matches!(c, '\u{1100}'..='\u{11ff}');
    let (composed, _) = compose_hangul(text);
    if !composed.contains(is_jamo) {
        return composed;
    }
    let mut visible = String::with_capacity(composed.len());
    for c in composed.chars() {
        let letter = LETTERS.iter().find_map(|&(first, letters)| {
            letters.chars().nth((c as usize).checked_sub(first as usize)?)
        });
        match letter {
            Some(letter) => visible.push(letter),
            None if matches!(c, '\u{1160}'..='\u{11a7}') => visible.extend(['\u{115f}', c]),
            None if matches!(c, '\u{11a8}'..='\u{11ff}') => {
                visible.extend(['\u{115f}', '\u{1160}', c]);
            }
            None => visible.push(c),
        }
    }
    visible.into()
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
        assert_eq!(visible_hangul("##ab 영화"), "##ab 영화");
        let (text, starts) = compose_hangul("a\u{1112}\u{1161}\u{11ab}b");
        assert_eq!((&*text, &starts[..]), ("a한b", &[0, 1, 4, 5][..]));
    }

    #[test]
    fn every_jamo_is_visible() {
        use unicode_segmentation::UnicodeSegmentation;
        use unicode_width::UnicodeWidthStr;
        let compatible: String = "ㅋㅋ ㅠㅠ ㄳ".nfkc().collect();
        assert_eq!(visible_hangul(&compatible), "ㅋㅋ ㅠㅠ ㄳ");
        assert_eq!(visible_hangul("##\u{1172}"), "##ㅠ");
        assert_eq!(visible_hangul("\u{1112}\u{1161}\u{11ab}\u{1172}"), "한ㅠ");
        for c in ('\u{1100}'..='\u{11ff}').filter(|c| !matches!(c, '\u{115f}' | '\u{1160}')) {
            let shown = visible_hangul(c.encode_utf8(&mut [0; 4])).into_owned();
            assert!(shown.graphemes(true).all(|grapheme| grapheme.width() == 2), "{c:?} {shown:?}");
            let letter: String =
                shown.nfkc().filter(|c| !matches!(c, '\u{115f}' | '\u{1160}')).collect();
            assert!(letter == c.to_string() || c >= '\u{11a8}', "{c:?} {letter:?}");
        }
    }
}
