//! Searching a text in a line without regard to case.

use std::ops::Range;
use unicode_width::UnicodeWidthChar;

/// A text to search for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    text: String,
    lower: Vec<char>,
}

impl Query {
    /// A query for this text; an empty one matches nothing.
    pub fn new(text: &str) -> Self {
        let lower = text.chars().flat_map(char::to_lowercase).collect();
        Self { text: text.to_owned(), lower }
    }

    /// The text as it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.lower.is_empty()
    }

    /// Whether a line contains the text.
    pub fn matches(&self, line: &str) -> bool {
        self.find_from(line, 0).is_some()
    }

    /// The byte ranges of all occurrences, which do not overlap. A range includes the combining
    /// marks of its last character.
    pub fn ranges(&self, line: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut from = 0;
        while let Some(mut range) = self.find_from(line, from) {
            let marks = line[range.end..].chars().take_while(|c| c.width() == Some(0));
            range.end += marks.map(char::len_utf8).sum::<usize>();
            from = range.end;
            found.push(range);
        }
        found
    }

    fn find_from(&self, line: &str, from: usize) -> Option<Range<usize>> {
        if self.is_empty() {
            return None;
        }
        let mut starts = line[from..].char_indices().map(|(at, _)| from + at);
        starts.find_map(|at| Some(at..at + self.prefix_length(&line[at..])?))
    }

    /// The length of the match in bytes, if the line begins with the text.
    fn prefix_length(&self, line: &str) -> Option<usize> {
        let mut rest = self.lower.iter().peekable();
        for (at, c) in line.char_indices() {
            if rest.peek().is_none() {
                return Some(at);
            }
            // One uppercase letter may have several lowercase letters.
            for lower in c.to_lowercase() {
                match rest.next() {
                    Some(&next) if next == lower => {}
                    Some(_) => return None,
                    None => break,
                }
            }
        }
        rest.peek().is_none().then_some(line.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(query: &str, line: &'a str) -> Vec<&'a str> {
        Query::new(query).ranges(line).into_iter().map(|range| &line[range]).collect()
    }

    #[test]
    fn case_is_ignored_and_korean_is_found() {
        assert_eq!(found("LOSS", "loss 0.5, Loss 0.4"), ["loss", "Loss"]);
        assert_eq!(found("영화", "이 영화는 좋은 영화다"), ["영화", "영화"]);
        assert_eq!(found("straße", "STRASSE Straße"), ["Straße"]);
        assert_eq!(found("i", "İstanbul"), ["İ"], "its lowercase is an i with a dot above");
        assert_eq!(found("", "a"), [""; 0]);
        assert_eq!(found("ab", "a"), [""; 0]);
    }

    #[test]
    fn matches_do_not_overlap() {
        assert_eq!(found("aa", "aaaaa"), ["aa", "aa"]);
    }

    #[test]
    fn combining_marks_stay_with_their_letter() {
        assert_eq!(found("e", "re\u{301}sume"), ["e\u{301}", "e"]);
        // A syllable of separate letters (jamo): the final consonant has zero width.
        assert_eq!(
            found("\u{1112}\u{1161}", "\u{1112}\u{1161}\u{11ab}글"),
            ["\u{1112}\u{1161}\u{11ab}"]
        );
    }
}
