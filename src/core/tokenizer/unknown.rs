//! Unknown tokens: words that the vocabulary cannot express, which all look alike to the model.

use super::Tokenizer;
use super::hangul::{is_decomposed, visible_hangul};
use crate::core::text::truncate_width;

/// The most unknown words that a note names, and the columns of each.
const MAX_NAMED: usize = 5;
const NAME_WIDTH: usize = 20;

/// How many of some tokens are unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnknownTokens {
    /// The number of unknown tokens.
    pub unknown: usize,
    /// The number of tokens, without the special ones around each text.
    pub tokens: usize,
}

impl UnknownTokens {
    /// Whether more than a tenth of the tokens are unknown, which is worth a note.
    pub fn is_notable(self) -> bool {
        self.unknown * 10 > self.tokens
    }

    /// The share of unknown tokens as `"34%"`.
    pub fn percent(self) -> String {
        format!("{:.0}%", self.unknown as f64 / self.tokens.max(1) as f64 * 100.0)
    }
}

impl Tokenizer {
    /// Counts the unknown tokens of encoded texts.
    pub fn count_unknown<'t>(&self, texts: impl IntoIterator<Item = &'t [u32]>) -> UnknownTokens {
        let mut counts = UnknownTokens::default();
        for ids in texts {
            let inner = ids.get(1..ids.len().saturating_sub(1)).unwrap_or_default();
            counts.tokens += inner.len();
            counts.unknown += inner.iter().filter(|id| Some(**id) == self.unk_id).count();
        }
        counts
    }

    /// Whether decomposed Hangul is composed before it is tokenized, which Python does not do with the
    /// files of this tokenizer.
    pub fn composes_hangul(&self) -> bool {
        self.composes_hangul
    }

    /// A note for the user if many tokens of `what` (such as `"the training data"`) are unknown, or
    /// else if its `texts` are tokenized differently by Python.
    pub fn note_on_texts<'t>(
        &self,
        what: &str,
        counts: UnknownTokens,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> Option<String> {
        if !counts.is_notable() {
            let differs = self.composes_hangul && texts.into_iter().any(is_decomposed);
            return differs.then(|| {
                format!(
                    "the Hangul of {what} is decomposed (Unicode's NFD, as in file names of macOS). \
                     It is composed here, but not by Python's tokenizer, to which it is unknown: \
                     convert texts to NFC for the saved model there"
                )
            });
        }
        let unk = self.special.unk.as_deref().unwrap_or("unknown");
        let reason = if !self.composes_hangul && texts.into_iter().any(is_decomposed) {
            "Hangul is decomposed there (Unicode's NFD, as in file names of macOS): convert it to \
             NFC"
        } else {
            "Check that the tokenizer belongs to the model and to the language"
        };
        Some(format!(
            "{} of the tokens of {what} are unknown ({unk}), and the model cannot tell them apart. \
             {reason}",
            counts.percent()
        ))
    }

    /// A note for the user if many tokens of one input, a text or a pair of `texts`, are unknown: it
    /// names the unknown words, at most five. It is that of [`Self::note_on_texts`] if Unicode's
    /// normalization matters. Safe to print.
    pub fn note_on_input(&self, counts: UnknownTokens, texts: &[&str]) -> Option<String> {
        let is_decomposed = texts.iter().copied().any(is_decomposed);
        let words = if counts.is_notable() && (self.composes_hangul || !is_decomposed) {
            self.unknown_words(texts, counts.unknown)
        } else {
            Vec::new()
        };
        if words.is_empty() {
            let what = texts.first().map_or_else(String::new, |text| truncate_width(text, 40));
            return self.note_on_texts(&format!("\"{what}\""), counts, texts.iter().copied());
        }
        let named = words.iter().take(MAX_NAMED);
        let mut words_named = named.map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ");
        if words.len() > MAX_NAMED {
            words_named += ", …";
        }
        Some(format!(
            "not in the vocabulary: {words_named}; the model cannot tell them apart from other \
             unknown words"
        ))
    }

    /// The different parts of texts that are unknown tokens, in their order, each cut to a width, from
    /// the first `limit` unknown tokens. Empty if a text cannot be tokenized.
    fn unknown_words(&self, texts: &[&str], limit: usize) -> Vec<String> {
        let mut unknown = Vec::new();
        for text in texts {
            let Ok((ids, offsets)) = self.encode_with_offsets(text, false) else {
                return Vec::new();
            };
            let characters: Vec<char> = text.chars().collect();
            let found = ids.iter().zip(offsets).filter(|(id, _)| Some(**id) == self.unk_id);
            unknown.extend(found.filter_map(|(_, (start, end))| {
                let part: String = characters.get(start..end)?.iter().collect();
                Some(truncate_width(visible_hangul(part.trim()).trim(), NAME_WIDTH))
            }));
        }
        unknown.truncate(limit);
        let mut words: Vec<String> = Vec::new();
        for word in unknown.into_iter().filter(|word| !word.is_empty()) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }
}
