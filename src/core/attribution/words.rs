//! The words of a text, and what each of them contributes to the probability of its class.

use super::integrated_gradients::{self, Integral};
use super::{AttributionError, ExplainMethod, Occludable, occlusion};
use crate::core::data::batching::PackedBatch;
use crate::core::engine::logits::softmax;
use crate::core::engine::{Engine, Logits};
use crate::core::number;
use crate::core::predict::{PAIR_SEPARATOR, PredictError, TextInput};
use crate::core::tokenizer::{TokenOrigin, Tokenizer};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ops::Range;

/// The most tokens of a word; longer ones, such as whole sentences without spaces, count as one word a
/// token.
const MAX_WORD_TOKENS: usize = 8;

/// The most tokens in all texts that are computed for one explanation. Of a longer text, neighbouring
/// words are replaced together, so that a run under way is not held up for longer than a step.
const MAX_ROWS: usize = 8192;

/// The most tokens that are computed at once, unless one text has more: after them, an explanation that
/// is no longer wanted ends.
const ROWS_AT_ONCE: usize = 64;

/// A part of a text: a word, or what is between words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextPart {
    /// The characters.
    pub text: String,
    /// How much this word contributes to the probability of the predicted class, from -1 to 1: by
    /// occlusion, that probability minus the one with the mask token in place of each token of this
    /// word; by integrated gradients, the sum of the attributions of its tokens. `None` between words
    /// and after the end of a truncated text.
    pub contribution: Option<f64>,
}

/// The attributions of tokens by integrated gradients, and their sum check: they sum to the probability of
/// the text minus that of the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenIntegrals {
    /// One a token, from -1 to 1, special tokens around texts included.
    #[serde(with = "number::list")]
    pub tokens: Vec<f64>,
    /// The probability of the baseline, the text of mask tokens.
    #[serde(with = "number")]
    pub baseline_score: f64,
    /// How much the sum of the attributions exceeds what it is to be.
    #[serde(with = "number")]
    pub gap: f64,
}

/// The words of a text, each with what it contributes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordAttributions {
    /// The predicted class.
    pub class: usize,
    /// Its probability, from 0 to 1.
    #[serde(with = "number")]
    pub score: f64,
    /// The token that was put in place of others: the mask token, or the unknown token.
    pub baseline: String,
    /// The text; of a pair, both texts with [`PAIR_SEPARATOR`] between them.
    pub parts: Vec<TextPart>,
    /// Those of tokens by integrated gradients; `None` for occlusion, whose contributions have no such sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrals: Option<TokenIntegrals>,
}

impl WordAttributions {
    /// How the contributions were computed.
    pub fn method(&self) -> ExplainMethod {
        match self.integrals {
            Some(_) => ExplainMethod::IntegratedGradients,
            None => ExplainMethod::Occlusion,
        }
    }

    /// The number of the word, counted from 0, that has the byte `offset` of the text; `None` between
    /// words.
    pub fn word_at(&self, offset: usize) -> Option<usize> {
        let (mut start, mut number) = (0, 0);
        for part in &self.parts {
            let end = start + part.text.len();
            let is_word = part.contribution.is_some();
            if (start..end).contains(&offset) {
                return is_word.then_some(number);
            }
            (start, number) = (end, number + usize::from(is_word));
        }
        None
    }
}

/// Explains the prediction of a text or of a pair of texts by occlusion of its words. The computation is
/// divided into short ones, before each of which `continues` is asked; `None` is returned if it says no.
///
/// # Errors
/// If the text cannot be tokenized, no token can replace others, or the computation fails.
pub fn explain_words(
    logits: &mut Logits<'_>,
    tokenizer: &Tokenizer,
    input: &TextInput<'_>,
    max_length: usize,
    continues: &mut dyn FnMut() -> bool,
) -> Result<Option<WordAttributions>, AttributionError> {
    let mut text = TextOfWords::new(tokenizer, input, max_length)?;
    text.words = together(text.words, MAX_ROWS / text.encoded.example.ids.len().max(1));
    let groups: Vec<Vec<usize>> = text.words.iter().map(|word| word.tokens.clone()).collect();
    let known = occlusion::probabilities(logits, &text.encoded, &groups, ROWS_AT_ONCE, continues)?;
    let Some(probabilities) = known else { return Ok(None) };
    let (class, score) = predicted(probabilities.first().map_or(&[], Vec::as_slice));
    let without = probabilities.iter().skip(1).map(|all| all.get(class).copied());
    let values = without.map(|without| without.map(|without| score - without)).collect();
    Ok(Some(text.attributions((class, score), values, None)))
}

/// As [`explain_words`], by either method, with an engine that does nothing else.
///
/// # Errors
/// As [`explain_words`]; for integrated gradients also if the engine does not compute them.
pub fn explain_words_by(
    method: ExplainMethod,
    engine: &mut dyn Engine,
    tokenizer: &Tokenizer,
    input: &TextInput<'_>,
    max_length: usize,
    continues: &mut dyn FnMut() -> bool,
) -> Result<Option<WordAttributions>, AttributionError> {
    if method == ExplainMethod::Occlusion {
        let logits = &mut |batch: &_| engine.logits(batch);
        return explain_words(logits, tokenizer, input, max_length, continues);
    }
    let text = TextOfWords::new(tokenizer, input, max_length)?;
    let batch = PackedBatch::new([&text.encoded.example], 0);
    let logits = engine.logits(&batch).map_err(PredictError::from)?;
    let (class, _) = predicted(&softmax(&logits));
    let [_, rows] = integrated_gradients::MAX_ROWS;
    let found =
        integrated_gradients::of_tokens(engine, &text.encoded, class as u32, rows, continues)?;
    let Some(Integral { values: tokens, ends: [baseline_score, score], gap }) = found else {
        return Ok(None);
    };
    let sum = |word: &Word| Some(word.tokens.iter().map(|&token| tokens[token]).sum());
    let values = text.words.iter().map(sum).collect();
    let integrals = TokenIntegrals { tokens, baseline_score, gap };
    Ok(Some(text.attributions((class, score), values, Some(integrals))))
}

/// The most probable class and its probability.
fn predicted(probabilities: &[f64]) -> (usize, f64) {
    let larger =
        |best, class| if probabilities[class] > probabilities[best] { class } else { best };
    let class = (0..probabilities.len()).fold(0, larger);
    (class, probabilities.get(class).copied().unwrap_or(f64::NAN))
}

/// A text or a pair of texts, encoded, and its words.
struct TextOfWords {
    encoded: Occludable,
    /// The characters of each text.
    texts: Vec<Vec<char>>,
    words: Vec<Word>,
}

impl TextOfWords {
    fn new(
        tokenizer: &Tokenizer,
        input: &TextInput<'_>,
        max_length: usize,
    ) -> Result<Self, AttributionError> {
        let encoded = Occludable::new(tokenizer, input, max_length)?;
        let texts = std::iter::once(input.text).chain(input.text_pair);
        let texts: Vec<Vec<char>> = texts.map(|text| text.chars().collect()).collect();
        let origins = tokenizer
            .token_origins(input.text, input.text_pair, max_length)
            .map_err(PredictError::from)?;
        let words = words(&encoded, &origins, &texts, |id| tokenizer.continues_word(id));
        Ok(Self { encoded, texts, words })
    }

    /// The attributions of the words to a class with this probability; `values` has one for each word.
    fn attributions(
        self,
        (class, score): (usize, f64),
        values: Vec<Option<f64>>,
        integrals: Option<TokenIntegrals>,
    ) -> WordAttributions {
        let values = values.into_iter().map(|value| value.filter(|value| value.is_finite()));
        let words: Vec<(Word, Option<f64>)> = self.words.into_iter().zip(values).collect();
        let mut parts = Vec::new();
        for (number, characters) in self.texts.iter().enumerate() {
            if number > 0 {
                let text = format!(" {PAIR_SEPARATOR} ");
                parts.push(TextPart { text, contribution: None });
            }
            let words = words.iter().filter(|(word, _)| word.text == number);
            parts.extend(parts_of(characters, words));
        }
        let baseline = self.encoded.replacement.token;
        WordAttributions { class, score, baseline, parts, integrals }
    }
}

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    /// The text: 0, or 1 for the second of a pair.
    text: usize,
    /// Its characters.
    characters: Range<usize>,
    /// Its tokens.
    tokens: Vec<usize>,
}

/// Joins the tokens of each word: those that follow one another without a space, unless a letter and
/// another character meet there, or the token begins a word in its vocabulary.
fn words(
    text: &Occludable,
    origins: &[Option<TokenOrigin>],
    texts: &[Vec<char>],
    continues: impl Fn(u32) -> Option<bool>,
) -> Vec<Word> {
    let is_letter = |text: usize, index: usize| {
        texts.get(text).and_then(|text| text.get(index)).is_some_and(|c| c.is_alphanumeric())
    };
    let mut words: Vec<Word> = Vec::new();
    for (token, origin) in origins.iter().enumerate() {
        let Some(origin) = origin.as_ref().filter(|origin| !origin.characters.is_empty()) else {
            continue;
        };
        if !text.is_content.get(token).copied().unwrap_or(false) {
            continue;
        }
        let (number, Range { start, end }) = (origin.text, origin.characters.clone());
        let joined = words.last_mut().filter(|word| {
            let touches = word.text == number && start <= word.characters.end;
            let shares_a_character = start < word.characters.end;
            let both = start > 0
                && is_letter(number, start - 1) == is_letter(number, start)
                && continues(text.example.ids[token]) != Some(false);
            touches && (shares_a_character || both)
        });
        match joined {
            Some(word) => {
                word.characters.end = word.characters.end.max(end);
                word.tokens.push(token);
            }
            None => words.push(Word { text: number, characters: start..end, tokens: vec![token] }),
        }
    }
    let mut words: Vec<Word> =
        words.into_iter().flat_map(|word| split_long(word, origins)).collect();
    add_others(&mut words, &text.is_content);
    words
}

/// Adds each token that has no characters of its own, such as the mark of a space alone, to the word
/// after it or, behind the last word, to that.
fn add_others(words: &mut [Word], is_content: &[bool]) {
    let known: HashSet<usize> = words.iter().flat_map(|word| word.tokens.clone()).collect();
    for token in (0..is_content.len()).filter(|token| is_content[*token] && !known.contains(token))
    {
        let is_later = |word: &Word| word.tokens.last().is_some_and(|last| *last > token);
        let word = words.iter().position(is_later).unwrap_or(words.len().saturating_sub(1));
        if let Some(word) = words.get_mut(word) {
            word.tokens.push(token);
            word.tokens.sort_unstable();
        }
    }
}

/// The word or, of a long one, a word for each of its tokens that has characters of its own.
fn split_long(word: Word, origins: &[Option<TokenOrigin>]) -> Vec<Word> {
    if word.tokens.len() <= MAX_WORD_TOKENS {
        return vec![word];
    }
    let mut parts: Vec<Word> = Vec::new();
    for &token in &word.tokens {
        let Some(origin) = &origins[token] else { continue };
        let Range { start, end } = origin.characters.clone();
        match parts.last_mut().filter(|part| start < part.characters.end) {
            Some(part) => {
                part.characters.end = part.characters.end.max(end);
                part.tokens.push(token);
            }
            None => {
                parts.push(Word { text: word.text, characters: start..end, tokens: vec![token] });
            }
        }
    }
    parts
}

/// At most about `limit` words: neighbours of the same text joined.
fn together(words: Vec<Word>, limit: usize) -> Vec<Word> {
    let at_once = words.len().div_ceil(limit.max(1)).max(1);
    let mut joined: Vec<(Word, usize)> = Vec::new();
    for word in words {
        match joined.last_mut().filter(|(last, n)| *n < at_once && last.text == word.text) {
            Some((last, count)) => {
                last.characters.end = word.characters.end;
                last.tokens.extend(word.tokens);
                *count += 1;
            }
            None => joined.push((word, 1)),
        }
    }
    joined.into_iter().map(|(word, _)| word).collect()
}

/// The words of one text and what is between them.
fn parts_of<'a>(
    characters: &[char],
    words: impl Iterator<Item = &'a (Word, Option<f64>)>,
) -> Vec<TextPart> {
    let mut parts = Vec::new();
    let mut next = 0;
    let mut push = |range: Range<usize>, contribution| {
        if let Some(part) = characters.get(range).filter(|part| !part.is_empty()) {
            parts.push(TextPart { text: part.iter().collect(), contribution });
        }
    };
    for (word, contribution) in words {
        push(next..word.characters.start, None);
        push(word.characters.clone(), *contribution);
        next = word.characters.end;
    }
    push(next..characters.len(), None);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_without_characters_belong_to_the_next_word() {
        let word = |tokens: &[usize]| Word { text: 0, characters: 0..1, tokens: tokens.to_vec() };
        let tokens =
            |words: &[Word]| words.iter().map(|word| word.tokens.clone()).collect::<Vec<_>>();
        let mut words = vec![word(&[2, 4]), word(&[6])];
        let is_content = [false, true, true, true, true, true, true, true, false];
        add_others(&mut words, &is_content);
        assert_eq!(tokens(&words), [vec![1, 2, 3, 4], vec![5, 6, 7]]);
        add_others(&mut [], &is_content);
    }
}
