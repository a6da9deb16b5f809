//! Masked language modeling: which tokens of a batch are masked, and by what.
//!
//! Whole words are drawn, each with the same probability, as by transformers'
//! `DataCollatorForLanguageModeling` with `whole_word_mask`, and each of their tokens is replaced. Every
//! draw is a hash of a key and of the token's place in the batch, so that there is no generator to
//! restore when a run is resumed, and another key masks the same text in another way.

use super::batching::PackedBatch;
use crate::core::tokenizer::TokenKinds;

/// What a drawn token is replaced by: the shares of the mask token and of random tokens. The other
/// tokens stay as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskShares {
    /// The share of the mask token.
    pub mask: f64,
    /// The share of tokens that are drawn from the whole vocabulary.
    pub random: f64,
}

impl MaskShares {
    /// BERT's shares (Devlin et al., 2019).
    pub const BERT: Self = Self { mask: 0.8, random: 0.1 };
    /// The mask token alone, as in ELECTRA (Clark et al., 2020), whose generator fills it in.
    pub const MASK_ONLY: Self = Self { mask: 1.0, random: 0.0 };
}

/// Draws the tokens to mask.
#[derive(Clone, Debug, PartialEq)]
pub struct Masker {
    kinds: TokenKinds,
    probability: f64,
    shares: MaskShares,
}

/// A batch with masked tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskedTokens {
    /// `[rows]`: the token ids after masking.
    pub ids: Vec<u32>,
    /// The rows of the tokens that are to be predicted, in order.
    pub rows: Vec<u32>,
    /// The original tokens of these rows.
    pub labels: Vec<u32>,
}

/// splitmix64's finalizer (Steele, Lea and Flood, 2014).
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A key of independent draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawKey(u64);

/// What a draw decides; each has a sequence of its own.
#[derive(Clone, Copy, Debug)]
pub enum Draw {
    /// Whether a word is masked.
    Word,
    /// What a token is replaced by.
    Kind,
    /// The random token that replaces it.
    Token,
    /// The token that a generator proposes for it.
    Sample,
}

impl DrawKey {
    /// The key of micro-batch `micro_batch` of optimizer step `step` of a run with this seed.
    pub fn new(seed: u64, step: u64, micro_batch: usize) -> Self {
        Self(mix(mix(mix(seed ^ 0x6D61_736B) ^ step) ^ micro_batch as u64))
    }

    /// A number from 0 to below 1 for a row of the batch.
    pub fn uniform(self, draw: Draw, row: usize) -> f64 {
        let bits = mix(self.0 ^ mix((row as u64) << 2 | draw as u64));
        (bits >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Masker {
    /// Masks each word with `probability`.
    pub fn new(kinds: TokenKinds, probability: f64, shares: MaskShares) -> Self {
        Self { kinds, probability, shares }
    }

    /// The number of token ids.
    pub fn vocab_size(&self) -> usize {
        self.kinds.is_special.len()
    }

    fn is_special(&self, id: u32) -> bool {
        self.kinds.is_special.get(id as usize).copied().unwrap_or(true)
    }

    fn continues_word(&self, id: u32) -> bool {
        self.kinds.continues_word.get(id as usize).copied().unwrap_or(false)
    }

    /// The words of a batch: the rows of each, special tokens left out.
    fn words(&self, batch: &PackedBatch) -> Vec<std::ops::Range<usize>> {
        let mut words: Vec<std::ops::Range<usize>> = Vec::new();
        for ends in batch.starts.windows(2) {
            let mut in_word = false;
            for row in ends[0] as usize..ends[1] as usize {
                let id = batch.ids[row];
                let is_special = self.is_special(id);
                match words.last_mut() {
                    Some(word) if in_word && !is_special && self.continues_word(id) => {
                        word.end = row + 1;
                    }
                    _ if !is_special => words.push(row..row + 1),
                    _ => {}
                }
                in_word = !is_special;
            }
        }
        words
    }

    /// Masks a batch. If no word is drawn, one word is masked all the same, unless there is none.
    pub fn mask(&self, batch: &PackedBatch, key: DrawKey) -> MaskedTokens {
        let words = self.words(batch);
        let draw = |word: &std::ops::Range<usize>| key.uniform(Draw::Word, word.start);
        let mut drawn: Vec<_> =
            words.iter().filter(|word| draw(word) < self.probability).cloned().collect();
        if drawn.is_empty() {
            drawn.extend(words.iter().min_by(|a, b| draw(a).total_cmp(&draw(b))).cloned());
        }
        let mut masked = MaskedTokens { ids: batch.ids.clone(), ..MaskedTokens::default() };
        for row in drawn.into_iter().flatten() {
            masked.rows.push(row as u32);
            masked.labels.push(batch.ids[row]);
            let kind = key.uniform(Draw::Kind, row);
            if kind < self.shares.mask {
                masked.ids[row] = self.kinds.mask_token;
            } else if kind < self.shares.mask + self.shares.random {
                let token = key.uniform(Draw::Token, row) * self.vocab_size() as f64;
                masked.ids[row] = token as u32;
            }
        }
        masked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::data::batching::Example;

    /// Ids 0 to 4 are special, 4 is the mask token; even ids from 6 on continue a word.
    fn masker(shares: MaskShares) -> Masker {
        let kinds = TokenKinds {
            mask_token: 4,
            is_special: (0..100).map(|id| id < 5).collect(),
            continues_word: (0..100).map(|id| id > 5 && id % 2 == 0).collect(),
        };
        Masker::new(kinds, 0.15, shares)
    }

    fn batch(texts: usize) -> PackedBatch {
        let text = |n: usize| {
            let inner = (0..20).map(|i| 5 + ((n * 31 + i * 17) % 95) as u32);
            Example::new(std::iter::once(2).chain(inner).chain([3]).collect(), 0)
        };
        PackedBatch::new(&(0..texts).map(text).collect::<Vec<_>>(), 0)
    }

    #[test]
    fn whole_words_are_drawn_with_the_given_probability() {
        let (masker, batch) = (masker(MaskShares::BERT), batch(2000));
        let masked = masker.mask(&batch, DrawKey::new(1, 2, 0));
        let words = masker.words(&batch);
        let rows: std::collections::HashSet<usize> =
            masked.rows.iter().map(|&row| row as usize).collect();
        let mut drawn = 0;
        for word in &words {
            let inside = word.clone().filter(|row| rows.contains(row)).count();
            assert!(inside == 0 || inside == word.len());
            drawn += usize::from(inside > 0);
        }
        let share = drawn as f64 / words.len() as f64;
        assert!((share - 0.15).abs() < 0.005, "{share}");
        let count = masked.rows.len() as f64;
        let with_mask = masked.rows.iter().filter(|&&row| masked.ids[row as usize] == 4).count();
        let kept = masked.rows.iter().zip(&masked.labels);
        let kept = kept.filter(|&(&row, &label)| masked.ids[row as usize] == label).count();
        assert!((with_mask as f64 / count - 0.8).abs() < 0.02);
        assert!((kept as f64 / count - 0.1).abs() < 0.02);
        for (row, &id) in masked.ids.iter().enumerate() {
            assert!(rows.contains(&row) || id == batch.ids[row]);
        }
        assert!(masked.labels.iter().all(|&label| label >= 5), "a special token was masked");
    }

    #[test]
    fn words_begin_after_special_tokens_and_end_with_their_text() {
        let masker = masker(MaskShares::BERT);
        let text = |ids: &[u32]| Example::new(ids.to_vec(), 0);
        let batch = PackedBatch::new(&[text(&[2, 8, 10, 7, 3]), text(&[2, 8, 3])], 0);
        assert_eq!(masker.words(&batch), [1..3, 3..4, 6..7]);
    }

    #[test]
    fn masks_depend_on_seed_step_and_micro_batch_alone() {
        let (masker, batch) = (masker(MaskShares::MASK_ONLY), batch(20));
        let of = |seed, step, part| masker.mask(&batch, DrawKey::new(seed, step, part));
        assert_eq!(of(1, 1, 0), of(1, 1, 0));
        for other in [of(2, 1, 0), of(1, 2, 0), of(1, 1, 1)] {
            assert_ne!(of(1, 1, 0).rows, other.rows);
        }
        assert!(of(1, 1, 0).rows.iter().all(|&row| of(1, 1, 0).ids[row as usize] == 4));
    }

    #[test]
    fn at_least_one_word_is_masked() {
        let masker = masker(MaskShares::BERT);
        let one = |ids: &[u32]| PackedBatch::new(&[Example::new(ids.to_vec(), 0)], 0);
        for step in 0..50 {
            let masked = masker.mask(&one(&[2, 7, 9, 3]), DrawKey::new(1, step, 0));
            assert!(!masked.rows.is_empty());
        }
        assert!(masker.mask(&one(&[2, 3]), DrawKey::new(1, 1, 0)).rows.is_empty());
    }
}
