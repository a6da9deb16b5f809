//! Finding a text in a line, whatever the case.

use std::ops::Range;
use unicode_width::UnicodeWidthChar;

/// A text that is looked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    text: String,
    lower: Vec<char>,
}

impl Query {
    /// Looks for this text; nothing is found if it is empty.
    pub fn new(text: &str) -> Self {
        let lower = text.chars().flat_map(char::to_lowercase).collect();
        Self { text: text.to_owned(), lower }
    }

    /// The text as it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.lower.is_empty()
    }

    /// Whether it occurs.
    pub fn is_in(&self, line: &str) -> bool {
        self.next_in(line, 0).is_some()
    }

    /// Where it occurs, as ranges of bytes that do not overlap. A range takes in the marks that
    /// its last character wears, so that none is drawn without it.
    pub fn ranges(&self, line: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut from = 0;
        while let Some(mut range) = self.next_in(line, from) {
            let marks = line[range.end..].chars().take_while(|c| c.width() == Some(0));
            range.end += marks.map(char::len_utf8).sum::<usize>();
            from = range.end;
            found.push(range);
        }
        found
    }

    fn next_in(&self, line: &str, from: usize) -> Option<Range<usize>> {
        if self.is_empty() {
            return None;
        }
        let mut starts = line[from..].char_indices().map(|(at, _)| from + at);
        starts.find_map(|at| Some(at..at + self.length_at_start(&line[at..])?))
    }

    /// How many bytes of the line it takes, if the line begins with it.
    fn length_at_start(&self, line: &str) -> Option<usize> {
        let mut wanted = self.lower.iter().peekable();
        for (at, c) in line.char_indices() {
            if wanted.peek().is_none() {
                return Some(at);
            }
            // A capital may have several small letters.
            for lower in c.to_lowercase() {
                match wanted.next() {
                    Some(&next) if next == lower => {}
                    Some(_) => return None,
                    None => break,
                }
            }
        }
        wanted.peek().is_none().then_some(line.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(pattern: &str, line: &'a str) -> Vec<&'a str> {
        Query::new(pattern).ranges(line).into_iter().map(|range| &line[range]).collect()
    }

    #[test]
    fn case_does_not_matter_and_korean_is_found() {
        assert_eq!(found("LOSS", "loss 0.5, Loss 0.4"), ["loss", "Loss"]);
        assert_eq!(found("영화", "이 영화는 좋은 영화다"), ["영화", "영화"]);
        assert_eq!(found("straße", "STRASSE Straße"), ["Straße"]);
        assert_eq!(found("i", "İstanbul"), ["İ"], "its small form is an i with a dot above");
        assert_eq!(found("", "a"), [""; 0]);
        assert_eq!(found("ab", "a"), [""; 0]);
    }

    #[test]
    fn what_is_found_does_not_overlap() {
        assert_eq!(found("aa", "aaaaa"), ["aa", "aa"]);
    }

    #[test]
    fn a_mark_stays_with_its_letter() {
        assert_eq!(found("e", "re\u{301}sume"), ["e\u{301}", "e"]);
        // A syllable of parts: the final consonant has no width of its own.
        assert_eq!(
            found("\u{1112}\u{1161}", "\u{1112}\u{1161}\u{11ab}글"),
            ["\u{1112}\u{1161}\u{11ab}"]
        );
    }
}
