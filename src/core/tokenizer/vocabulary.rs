//! Training the vocabulary that ships with the program, so that it can be made again.

use super::files::TokenizerFiles;
use super::{SPECIAL_TOKENS, Tokenizer, TokenizerError, assemble};
use std::collections::BTreeMap;
use std::path::Path;
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::{
    AddedToken, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, Trainer, normalizers::BertNormalizer, pre_tokenizers::bert::BertPreTokenizer,
};

/// Trains a lower-casing WordPiece vocabulary of `size` pieces. The same texts give the same
/// vocabulary on every run and machine.
///
/// `tokenizers`' own trainer numbers the `##` continuation characters in the order of a hash map,
/// and that order decides between equally good merges; so they are all given beforehand, sorted.
/// Every character of the texts becomes a piece, so that `[UNK]` is left to characters never seen.
///
/// # Errors
/// If the trainer refuses the texts.
pub fn train(texts: &[&str], size: usize) -> Result<Tokenizer, TokenizerError> {
    train_inner(texts, size).map_err(|error| TokenizerError::Encode(error.to_string()))
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
    // Each word is given as often as it occurs: the trainer counts for itself.
    let repeated =
        words.iter().flat_map(|(word, count)| std::iter::repeat_n(word.as_str(), *count));
    trainer.feed(repeated, |word| Ok(vec![word.to_owned()]))?;
    let mut model = WordPiece::default();
    trainer.train(&mut model)?;
    let name = Path::new("the trained vocabulary");
    let inner = assemble(model, normalizer(), [None, None])?;
    Ok(Tokenizer::new(inner, name, TokenizerFiles::default())?)
}

/// Lower-casing, but leaving accents: taking them off would take Hangul syllables apart.
fn normalizer() -> BertNormalizer {
    BertNormalizer::new(true, true, Some(false), true)
}

/// How often each word occurs, as BERT's normalizer and word splitting see it.
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
    fn the_shipped_vocabulary_is_the_one_that_training_gives() -> anyhow::Result<()> {
        let rows = nsmc::load(Split::Train)?.rows;
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let shipped = Tokenizer::embedded()?;
        let trained = train(&texts, shipped.vocab_size())?;
        assert_eq!(trained.to_json()?, shipped.to_json()?);
        Ok(())
    }
}
