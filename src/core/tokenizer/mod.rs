//! Tokenizers: from text to token ids.

mod charsmap;
mod files;
pub mod hangul;
mod limits;
mod load;
mod origins;
mod pairs;
mod python_class;
mod rebuild;
mod threads;
mod token_kinds;
mod unknown;
pub mod vocabulary;

pub use origins::{ReplacementToken, TokenOrigin};
pub use pairs::EncodedPair;
pub use threads::on_threads;
pub use token_kinds::TokenKinds;
pub use unknown::UnknownTokens;

use crate::core::caught_panic::catch_panic;
use crate::core::text::truncate_width;
use files::{SpecialTokens, TokenizerFiles, TokenizerToSave};
use hangul::compose_hangul;
use python_class::PythonClass;
use std::path::{Path, PathBuf};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, decoders::wordpiece::WordPiece as WordPieceDecoder};

/// The small model's Korean tokenizer with about 8,000 tokens, trained by [`vocabulary::train`].
pub const SMALL: &str = include_str!("../../../assets/random/tokenizer.json");

/// The embedded model's tokenizer: the pieces of multilingual-e5-small that Korean reviews use.
const EMBEDDED: &str = include_str!("../../../assets/model/tokenizer.json");

/// The `tokenizer_config.json` of the embedded model.
const EMBEDDED_CONFIG: &str = include_str!("../../../assets/model/tokenizer_config.json");

/// BERT's special tokens, in the order of their ids in the small model's vocabulary.
pub const SPECIAL_TOKENS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// An error of a tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The folder has neither of the two supported files.
    #[error(
        "{}: no tokenizer.json and no vocab.txt in this folder. A model's folder needs one of them \
         next to its config.json. Of other files Python makes a tokenizer.json: \
         AutoTokenizer.from_pretrained(folder).save_pretrained(folder)",
        folder.display()
    )]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder has only a `SentencePiece` model.
    #[error(
        "{}: is a SentencePiece model, which is not read, and there is no tokenizer.json. Python \
         makes one of it (with the package sentencepiece): python -c \"from transformers import \
         AutoTokenizer as T; T.from_pretrained('{folder}').save_pretrained('{folder}')\"",
        file.display(),
        folder = folder.display()
    )]
    SentencePiece {
        /// The file.
        file: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// A file is not a valid tokenizer.
    #[error("{}: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A text could not be tokenized.
    #[error("{}: cannot tokenize: {reason}", file.display())]
    Encode {
        /// The file that the tokenizer was read from.
        file: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The tokenizer cannot encode pairs.
    #[error(
        "the post-processor of the tokenizer's tokenizer.json does not put two texts together, so \
         pairs of texts cannot be encoded. Name one text column with --text-column-name, or use \
         another model"
    )]
    NoPairs,
    /// The special tokens of a pair do not fit.
    #[error(
        "a pair of texts has {needed} special tokens, but at most {max_length} tokens are allowed. \
         Pass a larger --max-seq-length"
    )]
    TooShortForPairs {
        /// The number of special tokens.
        needed: usize,
        /// The maximum number of tokens.
        max_length: usize,
    },
}

/// A tokenized text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The tokens, special tokens included.
    pub tokens: Vec<String>,
    /// Their ids in the vocabulary.
    pub ids: Vec<u32>,
    /// The range of each token in the text, in characters; `(0, 0)` for special tokens.
    pub offsets: Vec<(usize, usize)>,
    /// Whether the end of the text was cut off.
    pub truncated: bool,
}

/// The ids of tokens, and the range of each in the text, in characters.
type IdsWithOffsets = (Vec<u32>, Vec<(usize, usize)>);

/// A tokenizer that adds a special token before and after each text, usually `[CLS]` and `[SEP]`.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The file that it was read from.
    file: PathBuf,
    unk_id: Option<u32>,
    sep_id: u32,
    special: SpecialTokens,
    files: TokenizerFiles,
    /// The class with which Python reads the saved files as this program does.
    class: PythonClass,
    /// Whether the start of a long text is cut off instead of its end.
    truncates_left: bool,
    /// Whether decomposed Hangul is composed first.
    composes_hangul: bool,
    notes: Vec<String>,
}

impl Tokenizer {
    /// The maximum length in tokens that the tokenizer's files set, if any.
    pub fn model_max_length(&self) -> Option<usize> {
        self.files.model_max_length()
    }

    /// The file that the tokenizer was read from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The names and contents of the tokenizer's files, as `save_pretrained` writes them, with
    /// `max_length` as `model_max_length`.
    ///
    /// # Errors
    /// If the tokenizer cannot be serialized.
    pub fn files(&self, max_length: usize) -> Result<Vec<(String, Vec<u8>)>, TokenizerError> {
        let mut files = self.files.to_save(&TokenizerToSave {
            inner: &self.inner,
            special: &self.special,
            class: self.class,
            truncates_left: self.truncates_left,
            composes_hangul: self.composes_hangul,
            max_length,
        });
        files.push(("tokenizer.json".to_owned(), self.to_json()?.into_bytes()));
        Ok(files)
    }

    /// The id of the unknown token, if there is one.
    pub fn unk_id(&self) -> Option<u32> {
        self.unk_id
    }

    /// The highest token id.
    pub fn highest_id(&self) -> u32 {
        self.inner.get_vocab(true).into_values().max().unwrap_or(0)
    }

    /// The number of tokens, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The contents of `tokenizer.json`.
    ///
    /// # Errors
    /// If the tokenizer cannot be serialized.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        self.inner.to_string(true).map_err(|error| unreadable(&self.file, error))
    }

    /// What the user should know of how the files are read, in particular where transformers would
    /// read them differently.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Tokenizes one text, truncated to `max_length` tokens, of which the last is the separator, as
    /// in transformers: at the end, unless the files set `truncation_side` to `left`.
    ///
    /// # Errors
    /// If the text cannot be tokenized; names the tokenizer's file.
    pub fn encode(&self, text: &str, max_length: usize) -> Result<Encoding, TokenizerError> {
        let (ids, offsets) = self.encode_with_offsets(text, true)?;
        let mut encoding = Encoding {
            // Of an unknown token, Unigram's encoding has the piece of the text.
            tokens: self.tokens(&ids),
            truncated: ids.len() > max_length,
            ids,
            offsets,
        };
        self.truncate(&mut encoding.ids, max_length, self.sep_id);
        self.truncate(&mut encoding.tokens, max_length, self.special.sep.clone());
        self.truncate(&mut encoding.offsets, max_length, (0, 0));
        Ok(encoding)
    }

    /// The ids of a text's tokens, not truncated, and their ranges in it, in characters; with
    /// `is_whole`, also of the special tokens around it.
    fn encode_with_offsets(
        &self,
        text: &str,
        is_whole: bool,
    ) -> Result<IdsWithOffsets, TokenizerError> {
        let (text, starts) = self.prepared(text);
        let encoded = self.caught(|| self.inner.encode_char_offsets(&*text, is_whole))?;
        let in_text = |index: usize| starts.get(index).copied().unwrap_or(index);
        let offsets = encoded.get_offsets().iter();
        let offsets = offsets.map(|&(start, end)| (in_text(start), in_text(end))).collect();
        Ok((encoded.get_ids().to_vec(), offsets))
    }

    /// The token ids of many texts, not truncated, computed on the threads of the current pool; see
    /// [`on_threads`].
    ///
    /// # Errors
    /// If a text cannot be tokenized; names the tokenizer's file.
    pub fn encode_ids(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, TokenizerError> {
        use rayon::prelude::*;
        texts
            .par_iter()
            .map(|text| {
                let (text, _) = self.prepared(text);
                let encoded = self.caught(|| self.inner.encode_fast(&*text, true))?;
                Ok(encoded.get_ids().to_vec())
            })
            .collect()
    }

    /// Truncates ids to `max_length`; the last one is the separator.
    pub fn truncate_ids(&self, ids: &mut Vec<u32>, max_length: usize) {
        self.truncate(ids, max_length, self.sep_id);
    }

    /// The text as it is handed to the crate, and, if it differs, the index in `text` of each of
    /// its characters.
    fn prepared<'t>(&self, text: &'t str) -> (std::borrow::Cow<'t, str>, Vec<usize>) {
        if self.composes_hangul { compose_hangul(text) } else { (text.into(), Vec::new()) }
    }

    /// Calls the crate, which panics on some texts if the tokenizer's file is damaged.
    fn caught<T>(
        &self,
        encode: impl FnOnce() -> tokenizers::Result<T>,
    ) -> Result<T, TokenizerError> {
        let failed = |reason: String| TokenizerError::Encode { file: self.file.clone(), reason };
        match catch_panic(encode) {
            Ok(result) => result.map_err(|error| failed(truncate_width(&error.to_string(), 160))),
            Err(panic) => Err(failed(format!("{panic}. The file is damaged, or unsupported"))),
        }
    }

    fn truncate<T>(&self, items: &mut Vec<T>, max_length: usize, last: T) {
        if items.len() <= max_length {
            return;
        }
        if self.truncates_left {
            let kept = max_length.saturating_sub(2);
            items.drain(1..items.len() - 1 - kept);
        } else {
            items.truncate(max_length.saturating_sub(1));
            items.push(last);
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "errors come by value")]
fn unreadable(file: &Path, reason: impl ToString) -> TokenizerError {
    TokenizerError::Unreadable { file: file.to_path_buf(), reason: reason.to_string() }
}

/// BERT's tokenizer for a WordPiece model: normalizer, pre-tokenizer, post-processor and decoder.
fn assemble(
    model: WordPiece,
    normalizer: BertNormalizer,
) -> tokenizers::Result<tokenizers::Tokenizer> {
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let token = |token: &str| {
        let id = tokenizer.token_to_id(token);
        id.map(|id| (token.to_owned(), id)).ok_or_else(|| format!("the vocabulary has no {token}"))
    };
    let post_processor = BertProcessing::new(token("[SEP]")?, token("[CLS]")?);
    tokenizer.with_normalizer(Some(normalizer))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_post_processor(Some(post_processor));
    tokenizer.with_decoder(Some(WordPieceDecoder::default()));
    tokenizer.add_special_tokens(SPECIAL_TOKENS.map(|token| AddedToken::from(token, true)))?;
    Ok(tokenizer)
}

#[cfg(test)]
mod class_tests;
#[cfg(test)]
mod embedded_tests;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
#[path = "tests.rs"]
mod tests;
