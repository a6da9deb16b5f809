//! Training the vocabulary of the small model, so that it is reproducible.

use super::files::TokenizerFiles;
use super::{SPECIAL_TOKENS, Tokenizer, TokenizerError, assemble};
use std::collections::BTreeMap;
use std::path::Path;
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::{
    AddedToken, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, Trainer, normalizers::BertNormalizer, pre_tokenizers::bert::BertPreTokenizer,
};

/// What messages call the result.
const NAME: &str = "the trained vocabulary";

/// Trains a lower-casing WordPiece vocabulary of `size` tokens. The same texts give the same
/// vocabulary in every run and on every computer.
///
/// The trainer of `tokenizers` numbers the continuations (`##c`) in the order of a hash map, which
/// decides between equally frequent merges; so they are passed to it sorted, as special tokens.
/// Every character of the texts becomes a token, so that `[UNK]` represents only characters that
/// are not in the texts.
///
/// # Errors
/// If the trainer fails.
pub fn train(texts: &[&str], size: usize) -> Result<Tokenizer, TokenizerError> {
    train_inner(texts, size).map_err(|error| super::unreadable(Path::new(NAME), error))
}

fn train_inner(texts: &[&str], size: usize) -> tokenizers::Result<Tokenizer> {
    let words = word_counts(texts)?;
    let mut continuations: Vec<String> =
        words.keys().flat_map(|word| word.chars().skip(1)).map(|c| format!("##{c}")).collect();
    continuations.sort_unstable();
    continuations.dedup();
    let special = SPECIAL_TOKENS
        .into_iter()
        .map(str::to_owned)
        .chain(continuations)
        .map(|token| AddedToken::from(token, true))
        .collect();
    let mut trainer = WordPieceTrainer::builder()
        .vocab_size(size)
        .show_progress(false)
        .special_tokens(special)
        .build();
    // The trainer counts words, so each word is repeated as often as it occurs.
    let repeated =
        words.iter().flat_map(|(word, count)| std::iter::repeat_n(word.as_str(), *count));
    trainer.feed(repeated, |word| Ok(vec![word.to_owned()]))?;
    let mut model = WordPiece::default();
    trainer.train(&mut model)?;
    let inner = assemble(model, normalizer())?;
    Ok(Tokenizer::new(inner, Path::new(NAME), TokenizerFiles::default())?)
}

/// Lower-casing without stripping accents, which would decompose Hangul syllables.
fn normalizer() -> BertNormalizer {
    BertNormalizer::new(true, true, Some(false), true)
}

/// The frequency of each word after normalization and pre-tokenization.
fn word_counts(texts: &[&str]) -> tokenizers::Result<BTreeMap<String, usize>> {
    let normalizer = normalizer();
    let mut counts = BTreeMap::new();
    for text in texts {
        let mut normalized = NormalizedString::from(*text);
        normalizer.normalize(&mut normalized)?;
        let mut split = PreTokenizedString::from(normalized);
        BertPreTokenizer.pre_tokenize(&mut split)?;
        for (word, _, _) in split.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
            match counts.get_mut(word) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(word.to_owned(), 1);
                }
            }
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::data::{Split, nsmc};

    #[test]
    fn training_reproduces_the_embedded_vocabulary() -> anyhow::Result<()> {
        let rows = nsmc::load(Split::Train)?.rows;
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let embedded = Tokenizer::small()?;
        let trained = train(&texts, embedded.vocab_size())?;
        assert_eq!(trained.to_json()?, embedded.to_json()?);
        Ok(())
    }
}
