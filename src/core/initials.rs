//! Initial consonants of Hangul, by which Koreans search: `ㅎㄷ` finds 혼동.

/// The initial consonants of syllables, in the order of Unicode.
const INITIALS: [char; 19] = [
    'ㄱ', 'ㄲ', 'ㄴ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ',
    'ㅌ', 'ㅍ', 'ㅎ',
];

/// Pairs of consonants that an input method joins, which no syllable begins with.
const JOINED: [(char, &str); 11] = [
    ('ㄳ', "ㄱㅅ"),
    ('ㄵ', "ㄴㅈ"),
    ('ㄶ', "ㄴㅎ"),
    ('ㄺ', "ㄹㄱ"),
    ('ㄻ', "ㄹㅁ"),
    ('ㄼ', "ㄹㅂ"),
    ('ㄽ', "ㄹㅅ"),
    ('ㄾ', "ㄹㅌ"),
    ('ㄿ', "ㄹㅍ"),
    ('ㅀ', "ㄹㅎ"),
    ('ㅄ', "ㅂㅅ"),
];

/// The search as single initial consonants; `None` unless it has nothing but consonants and spaces.
pub fn of_search(search: &str) -> Option<String> {
    let mut initials = String::new();
    for c in search.chars() {
        if let Some((_, pair)) = JOINED.iter().find(|(joined, _)| *joined == c) {
            initials.push_str(pair);
        } else if INITIALS.contains(&c) || c == ' ' {
            initials.push(c);
        } else {
            return None;
        }
    }
    (!initials.trim().is_empty()).then_some(initials)
}

/// The text with each syllable of Hangul as its initial consonant.
pub fn of_text(text: &str) -> String {
    const FIRST: u32 = 0xac00;
    const LAST: u32 = 0xd7a3;
    /// Syllables that begin with the same consonant: 21 vowels with 28 endings.
    const EACH: u32 = 588;
    let initial = |c: char| match u32::from(c) {
        code @ FIRST..=LAST => INITIALS[((code - FIRST) / EACH) as usize],
        _ => c,
    };
    text.chars().map(initial).collect()
}

/// Whether the initial consonants of a text contain those of a search; spaces of the text may be left
/// out.
pub fn contains(text: &str, search: &str) -> bool {
    let Some(search) = of_search(search) else { return false };
    let text = of_text(text);
    text.contains(&search) || text.replace(' ', "").contains(&search.replace(' ', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syllables_have_the_consonant_they_begin_with() {
        assert_eq!(of_text("혼동 행렬 F1"), "ㅎㄷ ㅎㄹ F1");
        assert_eq!(of_text("가까힣빵쓰"), "ㄱㄲㅎㅃㅆ");
    }

    #[test]
    fn a_search_of_consonants_finds_the_words_that_begin_with_them() {
        for search in ["ㅎㄷ", "ㅎㄷ ㅎㄹ", "ㅎㄷㅎㄹ", "ㅎㄹ"] {
            assert!(contains("혼동 행렬", search), "{search}");
        }
        // As an input method joins ㄱ and ㅅ.
        assert!(contains("검색 결과", "ㄳ"));
        for search in ["ㅎㅎ", "혼ㄷ", "혼동", "", " ", "a"] {
            assert!(!contains("혼동 행렬", search), "{search}");
        }
    }
}
