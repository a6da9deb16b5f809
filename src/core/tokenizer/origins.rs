//! Where the tokens of an encoded text come from, and what can replace them: what explaining a
//! prediction needs to know.

use super::{Tokenizer, TokenizerError};
use std::collections::BTreeSet;
use std::ops::Range;

/// The place of a token in the texts that were encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOrigin {
    /// The text: 0, or 1 for the second of a pair.
    pub text: usize,
    /// The token's characters in it, without spaces around them; empty if it has no others.
    pub characters: Range<usize>,
}

/// A token that can replace any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacementToken {
    /// Its id.
    pub id: u32,
    /// Its name, such as `[MASK]`.
    pub token: String,
}

impl Tokenizer {
    /// The token that says least about what it replaces: the mask token or, where there is none, the
    /// unknown token. `None` if there is neither.
    pub fn replacement(&self) -> Option<ReplacementToken> {
        let id = self.mask_token().or(self.unk_id)?;
        let token = self.inner.id_to_token(id)?;
        Some(ReplacementToken { id, token })
    }

    /// The ids of special tokens that are no part of a text: all but the mask and the unknown token.
    pub fn delimiters(&self) -> BTreeSet<u32> {
        let added = self.inner.get_added_tokens_decoder();
        let mut ids: BTreeSet<u32> =
            added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect();
        let named = [&self.special.cls, &self.special.sep, &self.special.pad];
        ids.extend(named.into_iter().filter_map(|token| self.inner.token_to_id(token)));
        ids.extend([self.sep_id]);
        for id in self.mask_token().into_iter().chain(self.unk_id) {
            ids.remove(&id);
        }
        ids
    }

    /// The origin of each token of a text or of a pair of texts, as they are encoded with this
    /// `max_length`; `None` for the special tokens around texts.
    ///
    /// # Errors
    /// As [`Self::encode`] and [`Self::encode_pair`].
    pub fn token_origins(
        &self,
        text: &str,
        text_pair: Option<&str>,
        max_length: usize,
    ) -> Result<Vec<Option<TokenOrigin>>, TokenizerError> {
        let Some(second) = text_pair else {
            let encoding = self.encode(text, max_length)?;
            let delimiters = self.delimiters();
            let tokens = encoding.ids.iter().zip(&encoding.offsets).enumerate();
            let last = encoding.ids.len().saturating_sub(1);
            let origins = tokens.map(|(index, (id, offsets))| {
                let is_around = (index == 0 || index == last) && delimiters.contains(id);
                (!is_around).then_some((0, *offsets))
            });
            return Ok(located(origins, [text, ""]));
        };
        let offsets = [self.content_offsets(text)?, self.content_offsets(second)?];
        let arranged = self.arrange_pair(offsets.each_ref().map(Vec::len), max_length)?;
        let origins = arranged.into_iter().map(|place| {
            let (text, index) = place?;
            Some((text, offsets[text][index]))
        });
        Ok(located(origins, [text, second]))
    }
}

/// The origins with these ranges of characters, without the spaces around them.
fn located(
    ranges: impl Iterator<Item = Option<(usize, (usize, usize))>>,
    texts: [&str; 2],
) -> Vec<Option<TokenOrigin>> {
    let texts = texts.map(|text| text.chars().collect::<Vec<char>>());
    let trimmed = |text: usize, (start, end): (usize, usize)| {
        let characters = &texts[text];
        let (mut start, mut end) = (start.min(characters.len()), end.min(characters.len()));
        while start < end && characters[start].is_whitespace() {
            start += 1;
        }
        while start < end && characters[end - 1].is_whitespace() {
            end -= 1;
        }
        TokenOrigin { text, characters: start..end.max(start) }
    };
    ranges.map(|range| range.map(|(text, range)| trimmed(text, range))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(origins: &[Option<TokenOrigin>], texts: [&str; 2]) -> Vec<String> {
        let text = |origin: &TokenOrigin| -> String {
            let range = origin.characters.clone();
            texts[origin.text].chars().skip(range.start).take(range.len()).collect()
        };
        origins.iter().map(|origin| origin.as_ref().map_or("-".to_owned(), text)).collect()
    }

    #[test]
    fn tokens_are_found_in_their_texts() -> anyhow::Result<()> {
        for tokenizer in [Tokenizer::small()?, Tokenizer::embedded()?] {
            let first = "정말  재미있는 영화였다!";
            let origins = tokenizer.token_origins(first, None, 64)?;
            let found = words(&origins, [first, ""]);
            assert_eq!((found[0].as_str(), found[found.len() - 1].as_str()), ("-", "-"));
            assert_eq!(found[1..found.len() - 1].concat(), "정말재미있는영화였다!");
            assert_eq!(origins.len(), tokenizer.encode(first, 64)?.ids.len());
            let second = "e\u{301}\u{1103}\u{1161}";
            for length in [64, 9, 7] {
                let origins = tokenizer.token_origins(first, Some(second), length)?;
                let pair = tokenizer.encode_pair((first, second), length)?;
                assert_eq!(origins.len(), pair.ids.len());
                let delimiters = tokenizer.delimiters();
                for (origin, id) in origins.iter().zip(&pair.ids) {
                    assert_eq!(origin.is_none(), delimiters.contains(id), "{length}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn the_mask_token_replaces_others() -> anyhow::Result<()> {
        let replacement = Tokenizer::small()?.replacement();
        assert_eq!(replacement, Some(ReplacementToken { id: 4, token: "[MASK]".to_owned() }));
        let delimiters = Tokenizer::small()?.delimiters();
        assert_eq!(delimiters.into_iter().collect::<Vec<_>>(), [0, 2, 3]);
        assert!(Tokenizer::embedded()?.replacement().is_some());
        Ok(())
    }
}
