//! Which tokens of a vocabulary are special, and which continue a word: what masking needs to know.

use super::Tokenizer;
use tokenizers::ModelWrapper;

/// The usual mask tokens, for a tokenizer whose files name none.
const MASK_TOKENS: [&str; 2] = ["[MASK]", "<mask>"];

/// What the first token of a word begins with in vocabularies of `SentencePiece` and of byte-level BPE.
const WORD_STARTS: [char; 2] = ['\u{2581}', '\u{120}'];

/// What is known of the tokens of a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenKinds {
    /// The id of the mask token.
    pub mask_token: u32,
    /// For each id: whether it is a special token, which is never masked.
    pub is_special: Vec<bool>,
    /// For each id: whether the token continues the word of the token before it.
    pub continues_word: Vec<bool>,
}

impl Tokenizer {
    /// The mask token, if there is one.
    pub(super) fn mask_token(&self) -> Option<u32> {
        let named = self.files.special("mask_token");
        let usual = MASK_TOKENS.iter().map(|token| (*token).to_owned());
        named.into_iter().chain(usual).find_map(|token| self.inner.token_to_id(&token))
    }

    /// Whether a token continues the word of the one before it, by WordPiece's prefix; `None` in other
    /// vocabularies.
    pub fn continues_word(&self, id: u32) -> Option<bool> {
        let ModelWrapper::WordPiece(model) = self.inner.get_model() else {
            return None;
        };
        let prefix = model.continuing_subword_prefix.as_str();
        let token = self.inner.id_to_token(id)?;
        (!prefix.is_empty()).then(|| token.starts_with(prefix))
    }

    /// What each token of the vocabulary is; `None` if there is no mask token.
    ///
    /// A token continues the word of the one before it if it begins with WordPiece's prefix (`##`), or,
    /// where tokens mark the starts of words (`▁` in `SentencePiece`, `Ġ` in byte-level BPE), if it does
    /// not.
    pub fn token_kinds(&self) -> Option<TokenKinds> {
        let mask_token = self.mask_token()?;
        let vocabulary = self.inner.get_vocab(true);
        let size = vocabulary.values().max().map_or(0, |highest| *highest as usize + 1);
        let prefix = match self.inner.get_model() {
            ModelWrapper::WordPiece(model) => Some(model.continuing_subword_prefix.clone()),
            _ => None,
        };
        let start = WORD_STARTS.into_iter().find(|start| {
            prefix.is_none() && vocabulary.keys().any(|token| token.starts_with(*start))
        });
        let continues = |token: &str| match (&prefix, start) {
            (Some(prefix), _) => !prefix.is_empty() && token.starts_with(prefix.as_str()),
            (None, Some(start)) => !token.starts_with(start),
            (None, None) => false,
        };
        // An id that no token has is never in a text, and counts as special.
        let mut kinds = TokenKinds {
            mask_token,
            is_special: vec![true; size],
            continues_word: vec![false; size],
        };
        for (token, id) in &vocabulary {
            kinds.is_special[*id as usize] = false;
            kinds.continues_word[*id as usize] = continues(token);
        }
        let added = self.inner.get_added_tokens_decoder();
        let added = added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id);
        let special = [&self.special.cls, &self.special.sep, &self.special.pad];
        let special = special.into_iter().filter_map(|token| self.inner.token_to_id(token));
        for id in added.chain(special).chain(self.unk_id).chain([mask_token]) {
            if let Some(is_special) = kinds.is_special.get_mut(id as usize) {
                *is_special = true;
            }
        }
        Some(kinds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_the_embedded_vocabulary_continue_words() -> anyhow::Result<()> {
        let tokenizer = Tokenizer::small()?;
        let kinds = tokenizer.token_kinds().ok_or_else(|| anyhow::anyhow!("no mask token"))?;
        assert_eq!(kinds.mask_token, 4);
        assert_eq!(kinds.is_special[..6], [true, true, true, true, true, false]);
        assert_eq!(kinds.is_special.len(), tokenizer.vocab_size());
        let encoding = tokenizer.encode("재미있는 영화였습니다", 64)?;
        for (token, id) in encoding.tokens.iter().zip(encoding.ids) {
            assert_eq!(kinds.continues_word[id as usize], token.starts_with("##"), "{token}");
        }
        Ok(())
    }
}
