//! Tokenizers: from text to token ids.

mod files;
pub mod vocabulary;

use crate::core::bounded_file;
use files::{MAX_BYTES, SpecialTokens, TokenizerFiles};
use std::path::{Path, PathBuf};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::{BertNormalizer, NormalizerWrapper};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, decoders::wordpiece::WordPiece as WordPieceDecoder};

/// The embedded Korean tokenizer with about 8,000 tokens, trained by [`vocabulary::train`].
pub const EMBEDDED: &str = include_str!("../../../assets/model/tokenizer.json");

/// BERT's special tokens, in the order of their ids in the embedded vocabulary.
pub const SPECIAL_TOKENS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// An error of a tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The folder has neither of the two supported files.
    #[error(
        "{}: no tokenizer.json and no vocab.txt in this folder. A model's folder needs one of them \
         next to its config.json.",
        folder.display()
    )]
    Missing {
        /// The folder.
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
    #[error("cannot tokenize: {0}")]
    Encode(String),
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

/// A tokenizer that adds a special token before and after each text, usually `[CLS]` and `[SEP]`.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    unk_id: Option<u32>,
    sep_id: u32,
    special: SpecialTokens,
    files: TokenizerFiles,
}

impl Tokenizer {
    /// The embedded Korean tokenizer.
    ///
    /// # Errors
    /// Only if the program file is damaged.
    pub fn embedded() -> Result<Self, TokenizerError> {
        let file = Path::new("embedded tokenizer.json");
        Self::from_json(EMBEDDED.as_bytes(), file, TokenizerFiles::default())
    }

    /// Reads `tokenizer.json`, or else `vocab.txt`, from a model's folder. A
    /// `tokenizer_config.json` next to it applies, with transformers' defaults; a `vocab.txt`
    /// without one is cased if it contains upper-case letters.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let files = TokenizerFiles::read(folder)?;
        let json = folder.join("tokenizer.json");
        if json.is_file() {
            let bytes = bounded_file::read(&json, MAX_BYTES);
            let bytes = bytes.map_err(|error| unreadable(&json, error))?;
            return Self::from_json(&bytes, &json, files);
        }
        let vocabulary = folder.join("vocab.txt");
        if vocabulary.is_file() {
            return Self::from_vocabulary(&vocabulary, files);
        }
        Err(TokenizerError::Missing { folder: folder.to_path_buf() })
    }

    fn from_json(bytes: &[u8], file: &Path, files: TokenizerFiles) -> Result<Self, TokenizerError> {
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|error| unreadable(file, format!("not a tokenizer: {error}")))?;
        if let Some(NormalizerWrapper::BertNormalizer(normalizer)) = inner.get_normalizer()
            && files.overrides_normalizer()
        {
            let mut adjusted = *normalizer;
            files.configure(&mut adjusted);
            inner.with_normalizer(Some(adjusted)).map_err(|error| unreadable(file, error))?;
        }
        Self::new(inner, file, files)
    }

    fn from_vocabulary(file: &Path, files: TokenizerFiles) -> Result<Self, TokenizerError> {
        let path = file.to_string_lossy();
        let model = WordPiece::from_file(&path)
            .unk_token(files.special("unk_token").unwrap_or_else(|| "[UNK]".to_owned()))
            .build()
            .map_err(|error| unreadable(file, format!("not a vocabulary: {error}")))?;
        let has_upper = |token: &String| token.contains(|c: char| c.is_ascii_uppercase());
        let is_ordinary = |token: &&String| !token.starts_with('[');
        let is_cased =
            tokenizers::Model::get_vocab(&model).keys().filter(is_ordinary).any(has_upper);
        let cls_and_sep = ["cls_token", "sep_token"].map(|role| files.special(role));
        let inner = assemble(model, files.normalizer(is_cased), cls_and_sep)
            .and_then(|mut inner| {
                inner.add_tokens(files.added_tokens())?;
                Ok(inner)
            })
            .map_err(|error| unreadable(file, error))?;
        Self::new(inner, file, files)
    }

    fn new(
        mut inner: tokenizers::Tokenizer,
        file: &Path,
        files: TokenizerFiles,
    ) -> Result<Self, TokenizerError> {
        // The file's settings for truncation and padding are ignored: the caller truncates and
        // packs.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| unreadable(file, error))?;
        // The token that a file defines, or else BERT's or RoBERTa's.
        let find = |role: &str, defaults: [&str; 2]| {
            let candidates = files
                .special(role)
                .map_or_else(|| defaults.map(str::to_owned).to_vec(), |token| vec![token]);
            let id = candidates
                .iter()
                .find_map(|token| Some((token.clone(), inner.token_to_id(token)?)));
            id.ok_or_else(|| unreadable(file, format!("the vocabulary has no {}", candidates[0])))
        };
        let unk = find("unk_token", ["[UNK]", "<unk>"]).ok();
        let (sep, sep_id) = find("sep_token", ["[SEP]", "</s>"])?;
        let (pad, _) = find("pad_token", ["[PAD]", "<pad>"])?;
        let (cls, cls_id) = find("cls_token", ["[CLS]", "<s>"])?;
        let empty = inner.encode_fast("", true).map_err(|error| unreadable(file, error))?;
        if empty.get_ids() != [cls_id, sep_id] {
            let reason = format!("it does not add {cls} before and {sep} after a text");
            return Err(unreadable(file, reason));
        }
        let (unk, unk_id) = unk.unzip();
        Ok(Self { inner, unk_id, sep_id, special: SpecialTokens { cls, sep, pad, unk }, files })
    }

    /// The maximum length in tokens that the tokenizer's files set, if any.
    pub fn model_max_length(&self) -> Option<usize> {
        self.files.model_max_length()
    }

    /// The names and contents of the tokenizer's files, as `save_pretrained` writes them, with
    /// `max_length` as `model_max_length`.
    ///
    /// # Errors
    /// If the tokenizer cannot be serialized.
    pub fn files(&self, max_length: usize) -> Result<Vec<(String, Vec<u8>)>, TokenizerError> {
        let mut files = self.files.to_save(&self.inner, &self.special, max_length);
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
        self.inner.to_string(true).map_err(|error| TokenizerError::Encode(error.to_string()))
    }

    /// Tokenizes one text, truncated at the end to `max_length` tokens, of which the last is the
    /// separator, as in transformers.
    ///
    /// # Errors
    /// If the text cannot be tokenized.
    pub fn encode(&self, text: &str, max_length: usize) -> Result<Encoding, TokenizerError> {
        let encoded = self
            .inner
            .encode_char_offsets(text, true)
            .map_err(|error| TokenizerError::Encode(error.to_string()))?;
        let mut encoding = Encoding {
            tokens: encoded.get_tokens().to_vec(),
            ids: encoded.get_ids().to_vec(),
            offsets: encoded.get_offsets().to_vec(),
            truncated: false,
        };
        if encoding.ids.len() > max_length {
            truncate(&mut encoding.ids, max_length, self.sep_id);
            truncate(&mut encoding.tokens, max_length, self.special.sep.clone());
            truncate(&mut encoding.offsets, max_length, (0, 0));
            encoding.truncated = true;
        }
        Ok(encoding)
    }

    /// The token ids of many texts, not truncated, computed on all threads.
    ///
    /// # Errors
    /// If a text cannot be tokenized.
    pub fn encode_ids(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, TokenizerError> {
        use rayon::prelude::*;
        texts
            .par_iter()
            .map(|text| {
                self.inner
                    .encode_fast(*text, true)
                    .map(|encoding| encoding.get_ids().to_vec())
                    .map_err(|error| TokenizerError::Encode(error.to_string()))
            })
            .collect()
    }

    /// Truncates ids to `max_length`; the last one is the separator.
    pub fn truncate_ids(&self, ids: &mut Vec<u32>, max_length: usize) {
        if ids.len() > max_length {
            truncate(ids, max_length, self.sep_id);
        }
    }
}

fn truncate<T>(items: &mut Vec<T>, max_length: usize, last: T) {
    items.truncate(max_length.saturating_sub(1));
    items.push(last);
}

#[expect(clippy::needless_pass_by_value, reason = "errors come by value")]
fn unreadable(file: &Path, reason: impl ToString) -> TokenizerError {
    TokenizerError::Unreadable { file: file.to_path_buf(), reason: reason.to_string() }
}

/// BERT's tokenizer for a WordPiece model: normalizer, pre-tokenizer, post-processor and decoder.
fn assemble(
    model: WordPiece,
    normalizer: BertNormalizer,
    cls_and_sep: [Option<String>; 2],
) -> tokenizers::Result<tokenizers::Tokenizer> {
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let id = |token: &str| {
        let id = tokenizer.token_to_id(token);
        id.ok_or_else(|| format!("the vocabulary has no {token}"))
    };
    let [cls, sep] = cls_and_sep;
    let cls = cls.unwrap_or_else(|| "[CLS]".to_owned());
    let sep = sep.unwrap_or_else(|| "[SEP]".to_owned());
    let (cls_id, sep_id) = (id(&cls)?, id(&sep)?);
    let post_processor = BertProcessing::new((sep.clone(), sep_id), (cls.clone(), cls_id));
    tokenizer.with_normalizer(Some(normalizer))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_post_processor(Some(post_processor));
    tokenizer.with_decoder(Some(WordPieceDecoder::default()));
    let known = |token: &&str| tokenizer.token_to_id(token).is_some();
    let special = SPECIAL_TOKENS.into_iter().chain([cls.as_str(), sep.as_str()]);
    let special: Vec<AddedToken> =
        special.filter(known).map(|token| AddedToken::from(token, true)).collect();
    tokenizer.add_special_tokens(special)?;
    Ok(tokenizer)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
