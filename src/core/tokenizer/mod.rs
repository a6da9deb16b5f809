//! From text to WordPiece ids, and back to the pieces a person can read.

mod files;
pub mod vocabulary;

use files::{Roles, TokenizerFiles};
use std::path::{Path, PathBuf};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::{BertNormalizer, NormalizerWrapper};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, decoders::wordpiece::WordPiece as WordPieceDecoder};

/// The Korean vocabulary of about 8,000 pieces that ships with the program; made by
/// [`vocabulary::train`].
pub const EMBEDDED: &str = include_str!("../../../assets/model/tokenizer.json");

/// BERT's special tokens, in the order in which our own vocabulary numbers them.
pub const SPECIAL_TOKENS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// What can be wrong with a tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// Neither of the two known files is there.
    #[error(
        "{}: no tokenizer.json and no vocab.txt in it. A model's folder needs one of them \
         beside its config.json.",
        folder.display()
    )]
    Missing {
        /// The folder searched.
        folder: PathBuf,
    },
    /// A file is there but is not a tokenizer.
    #[error("{}: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// A text could not be tokenized.
    #[error("cannot tokenize: {0}")]
    Encode(String),
}

/// A tokenized text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The pieces, special ones included.
    pub tokens: Vec<String>,
    /// Their numbers in the vocabulary.
    pub ids: Vec<u32>,
    /// Where each piece stands in the text, in characters; special tokens are `(0, 0)`.
    pub offsets: Vec<(usize, usize)>,
    /// Whether the text was longer than allowed and lost its end.
    pub truncated: bool,
}

/// A tokenizer that frames each text with a first and a last token, `[CLS]` and `[SEP]` in most.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    unk_id: Option<u32>,
    sep_id: u32,
    pad_id: u32,
    roles: Roles,
    files: TokenizerFiles,
}

impl Tokenizer {
    /// The embedded Korean vocabulary.
    ///
    /// # Errors
    /// Only if the program file itself is damaged.
    pub fn embedded() -> Result<Self, TokenizerError> {
        let file = Path::new("embedded tokenizer.json");
        Self::from_json(EMBEDDED.as_bytes(), file, TokenizerFiles::default())
    }

    /// Reads `tokenizer.json`, else `vocab.txt`, from a model's folder. A
    /// `tokenizer_config.json` beside them is obeyed, with transformers' defaults; a `vocab.txt`
    /// without one is taken as cased if it holds upper-case letters.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let files = TokenizerFiles::read(folder)?;
        let json = folder.join("tokenizer.json");
        if json.is_file() {
            let bytes = std::fs::read(&json).map_err(|error| unreadable(&json, error))?;
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
            && files.overrules()
        {
            let mut adjusted = *normalizer;
            files.adjust(&mut adjusted);
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
        let upper = |piece: &String| piece.contains(|c: char| c.is_ascii_uppercase());
        let is_piece = |piece: &&String| !piece.starts_with('[');
        let is_cased = tokenizers::Model::get_vocab(&model).keys().filter(is_piece).any(upper);
        let frame = ["cls_token", "sep_token"].map(|role| files.special(role));
        let inner = assemble(model, files.normalizer(is_cased), frame)
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
        // Truncation and padding are decided here, a batch at a time, whatever the file says.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| unreadable(file, error))?;
        // BERT's names, else RoBERTa's, where no file tells.
        let find = |role: &str, usual: [&str; 2]| {
            let named = files
                .special(role)
                .map_or_else(|| usual.map(str::to_owned).to_vec(), |named| vec![named]);
            let id =
                named.iter().find_map(|token| Some((token.clone(), inner.token_to_id(token)?)));
            id.ok_or_else(|| unreadable(file, format!("the vocabulary has no {}", named[0])))
        };
        let unk = find("unk_token", ["[UNK]", "<unk>"]).ok();
        let (sep, sep_id) = find("sep_token", ["[SEP]", "</s>"])?;
        let (pad, pad_id) = find("pad_token", ["[PAD]", "<pad>"])?;
        let (cls, cls_id) = find("cls_token", ["[CLS]", "<s>"])?;
        let empty = inner.encode_fast("", true).map_err(|error| unreadable(file, error))?;
        if empty.get_ids() != [cls_id, sep_id] {
            let reason = format!("it does not frame a text with {cls} and {sep}");
            return Err(unreadable(file, reason));
        }
        let (unk, unk_id) = unk.unzip();
        Ok(Self { inner, unk_id, sep_id, pad_id, roles: Roles { cls, sep, pad, unk }, files })
    }

    /// The longest text that the tokenizer's own files allow, in tokens, if they do.
    pub fn model_max_length(&self) -> Option<usize> {
        self.files.model_max_length()
    }

    /// The files that hold this tokenizer, as `save_pretrained` writes them: names and contents.
    /// Python's `model_max_length` becomes `max_length`.
    ///
    /// # Errors
    /// If it cannot be serialised.
    pub fn files(&self, max_length: usize) -> Result<Vec<(String, Vec<u8>)>, TokenizerError> {
        let mut files = self.files.written(&self.inner, &self.roles, max_length);
        files.push(("tokenizer.json".to_owned(), self.to_json()?.into_bytes()));
        Ok(files)
    }

    /// The number of the unknown token, if there is one.
    pub fn unk_id(&self) -> Option<u32> {
        self.unk_id
    }

    /// The number of the padding token.
    pub fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// The highest number of any piece.
    pub fn highest_id(&self) -> u32 {
        self.inner.get_vocab(true).into_values().max().unwrap_or(0)
    }

    /// How many pieces there are, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The whole tokenizer as `tokenizer.json` holds it.
    ///
    /// # Errors
    /// If it cannot be serialised.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        self.inner.to_string(true).map_err(|error| TokenizerError::Encode(error.to_string()))
    }

    /// Tokenizes one text, keeping at most `max_length` tokens: the front of the text, and the
    /// separator last, as `transformers` truncates.
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
            truncate(&mut encoding.tokens, max_length, self.roles.sep.clone());
            truncate(&mut encoding.offsets, max_length, (0, 0));
            encoding.truncated = true;
        }
        Ok(encoding)
    }

    /// The ids alone, of many texts, untruncated, on all threads.
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

    /// Cuts ids to `max_length`, the separator last.
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

/// BERT's tokenizer around a vocabulary: a normalizer, its word splitting, `[CLS] … [SEP]`.
fn assemble(
    model: WordPiece,
    normalizer: BertNormalizer,
    frame: [Option<String>; 2],
) -> tokenizers::Result<tokenizers::Tokenizer> {
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let id = |token: &str| {
        let id = tokenizer.token_to_id(token);
        id.ok_or_else(|| format!("the vocabulary has no {token}"))
    };
    let [cls, sep] = frame;
    let cls = cls.unwrap_or_else(|| "[CLS]".to_owned());
    let sep = sep.unwrap_or_else(|| "[SEP]".to_owned());
    let (cls_id, sep_id) = (id(&cls)?, id(&sep)?);
    let frame = BertProcessing::new((sep.clone(), sep_id), (cls.clone(), cls_id));
    tokenizer.with_normalizer(Some(normalizer))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_post_processor(Some(frame));
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
