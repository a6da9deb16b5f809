//! From text to WordPiece ids, and back to the pieces a person can read.

pub mod vocabulary;

use std::path::{Path, PathBuf};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, decoders::wordpiece::WordPiece as WordPieceDecoder};

/// The Korean vocabulary of about 8,000 pieces that ships with the program; made by
/// [`vocabulary::train`].
pub const EMBEDDED: &str = include_str!("../../assets/model/tokenizer.json");

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

/// A WordPiece tokenizer that frames each text with `[CLS]` and `[SEP]`.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    unk_id: u32,
    sep_id: u32,
    pad_id: u32,
}

impl Tokenizer {
    /// The embedded Korean vocabulary.
    ///
    /// # Errors
    /// Only if the program file itself is damaged.
    pub fn embedded() -> Result<Self, TokenizerError> {
        let file = Path::new("embedded tokenizer.json");
        Self::from_json(EMBEDDED.as_bytes(), file)
    }

    /// Reads `tokenizer.json`, else `vocab.txt`, from a model's folder. A `vocab.txt` alone is taken
    /// as cased; a `tokenizer_config.json` beside it is obeyed, with transformers' defaults.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let json = folder.join("tokenizer.json");
        if json.is_file() {
            let bytes = std::fs::read(&json).map_err(|error| unreadable(&json, error))?;
            return Self::from_json(&bytes, &json);
        }
        let vocabulary = folder.join("vocab.txt");
        if vocabulary.is_file() {
            return Self::from_vocabulary(&vocabulary);
        }
        Err(TokenizerError::Missing { folder: folder.to_path_buf() })
    }

    fn from_json(bytes: &[u8], file: &Path) -> Result<Self, TokenizerError> {
        let inner = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|error| unreadable(file, format!("not a tokenizer: {error}")))?;
        Self::new(inner, file)
    }

    fn from_vocabulary(file: &Path) -> Result<Self, TokenizerError> {
        let path = file.to_string_lossy();
        let model = WordPiece::from_file(&path)
            .unk_token("[UNK]".to_owned())
            .build()
            .map_err(|error| unreadable(file, format!("not a vocabulary: {error}")))?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let normalizer = normalizer(&folder.join("tokenizer_config.json"))?;
        let inner = assemble(model, normalizer).map_err(|error| unreadable(file, error))?;
        Self::new(inner, file)
    }

    fn new(mut inner: tokenizers::Tokenizer, file: &Path) -> Result<Self, TokenizerError> {
        // Truncation and padding are decided here, a batch at a time, whatever the file says.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| unreadable(file, error))?;
        let id = |token: &str| {
            inner
                .token_to_id(token)
                .ok_or_else(|| unreadable(file, format!("the vocabulary has no {token}")))
        };
        let (unk_id, sep_id, pad_id) = (id("[UNK]")?, id("[SEP]")?, id("[PAD]")?);
        let frame = [id("[CLS]")?, sep_id];
        let empty = inner.encode_fast("", true).map_err(|error| unreadable(file, error))?;
        if empty.get_ids() != frame {
            return Err(unreadable(file, "it does not frame a text with [CLS] and [SEP]"));
        }
        Ok(Self { inner, unk_id, sep_id, pad_id })
    }

    /// The number of `[UNK]`.
    pub fn unk_id(&self) -> u32 {
        self.unk_id
    }

    /// The number of `[PAD]`.
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

    /// Tokenizes one text, keeping at most `max_length` tokens: the front of the text, and `[SEP]`
    /// last, as `transformers` truncates.
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
            truncate(&mut encoding.tokens, max_length, "[SEP]".to_owned());
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

    /// Cuts ids to `max_length`, `[SEP]` last.
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

/// BERT's normalizer as a `tokenizer_config.json` describes it; cased if there is no such file.
fn normalizer(config: &Path) -> Result<BertNormalizer, TokenizerError> {
    if !config.is_file() {
        return Ok(BertNormalizer::new(true, true, None, false));
    }
    let text = std::fs::read_to_string(config).map_err(|error| unreadable(config, error))?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| unreadable(config, error))?;
    let flag = |name: &str| json[name].as_bool();
    Ok(BertNormalizer::new(
        true,
        flag("tokenize_chinese_chars").unwrap_or(true),
        flag("strip_accents"),
        flag("do_lower_case").unwrap_or(true),
    ))
}

/// BERT's tokenizer around a vocabulary: a normalizer, its word splitting, `[CLS] … [SEP]`.
fn assemble(
    model: WordPiece,
    normalizer: BertNormalizer,
) -> tokenizers::Result<tokenizers::Tokenizer> {
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let id = |token: &str| {
        let id = tokenizer.token_to_id(token);
        id.ok_or_else(|| format!("the vocabulary has no {token}"))
    };
    let frame =
        BertProcessing::new(("[SEP]".to_owned(), id("[SEP]")?), ("[CLS]".to_owned(), id("[CLS]")?));
    tokenizer.with_normalizer(Some(normalizer))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_post_processor(Some(frame));
    tokenizer.with_decoder(Some(WordPieceDecoder::default()));
    let special = SPECIAL_TOKENS.map(|token| AddedToken::from(token, true));
    tokenizer.add_special_tokens(special)?;
    Ok(tokenizer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decompressed(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut out = Vec::new();
        std::io::Read::read_to_end(&mut ruzstd::decoding::StreamingDecoder::new(bytes)?, &mut out)?;
        Ok(out)
    }

    /// mBERT's tokenizer from the one file named.
    fn mbert(name: &str, compressed: &[u8]) -> anyhow::Result<Tokenizer> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join(name), decompressed(compressed)?)?;
        Ok(Tokenizer::from_folder(folder.path())?)
    }

    fn mbert_both_ways() -> anyhow::Result<[Tokenizer; 2]> {
        Ok([
            mbert("vocab.txt", include_bytes!("../../tests/reference/mbert/vocab.txt.zst"))?,
            mbert(
                "tokenizer.json",
                include_bytes!("../../tests/reference/mbert/tokenizer.json.zst"),
            )?,
        ])
    }

    #[test]
    fn mberts_tokens_are_transformers() -> anyhow::Result<()> {
        let reference: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/reference/tokens.json"))?;
        let cases = reference["cases"].as_array().map_or(&[][..], Vec::as_slice);
        assert!(cases.len() > 300);
        for tokenizer in mbert_both_ways()? {
            assert_eq!(tokenizer.vocab_size(), 119_547);
            for case in cases {
                let text = case["text"].as_str().unwrap_or_default();
                let expected: Vec<u32> = serde_json::from_value(case["ids"].clone())?;
                assert_eq!(tokenizer.encode(text, usize::MAX)?.ids, expected, "{text:?}");
                assert_eq!(tokenizer.encode_ids(&[text])?[0], expected, "{text:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_samples_figures_are_the_references() -> anyhow::Result<()> {
        use crate::data::{Split, sampling::SampleLimit, source::load_reviews, summary::summarize};
        let reference: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/reference/sample_2000.json"))?;
        let [tokenizer, _] = mbert_both_ways()?;
        for (key, split) in [("train", Split::Train), ("test", Split::Test)] {
            let limit = Some(SampleLimit::Count(2000));
            let (sample, _) = load_reviews(None, split, limit, 42, false)?;
            let ours = serde_json::to_value(summarize(&sample, &tokenizer, true)?)?;
            for name in ["positives", "longest_in_tokens", "mean_tokens", "ids"] {
                assert_eq!(ours[name], reference[key][name], "{key} {name}");
            }
            let first = &reference[key]["first"];
            assert_eq!(ours["first"]["document"], first[1]);
            assert_eq!(ours["first"]["label"].to_string(), first[2].as_str().unwrap_or_default());
        }
        Ok(())
    }

    #[test]
    fn truncation_keeps_the_front_and_the_separator() -> Result<(), TokenizerError> {
        let tokenizer = Tokenizer::embedded()?;
        let whole = tokenizer.encode("재미있는 영화 였다 정말로", usize::MAX)?;
        assert!(!whole.truncated && whole.ids.len() > 4);
        let cut = tokenizer.encode("재미있는 영화 였다 정말로", 4)?;
        assert!(cut.truncated);
        assert_eq!(cut.ids[..3], whole.ids[..3]);
        assert_eq!(cut.tokens.last().map(String::as_str), Some("[SEP]"));
        assert_eq!((cut.ids.len(), cut.offsets.len()), (4, 4));
        Ok(())
    }

    #[test]
    fn offsets_count_characters() -> Result<(), TokenizerError> {
        let encoding = Tokenizer::embedded()?.encode("영화 😀", 64)?;
        let (_, end) = encoding.offsets[encoding.offsets.len() - 2];
        assert_eq!(end, 4);
        Ok(())
    }

    #[test]
    fn hangul_is_not_taken_apart() -> Result<(), TokenizerError> {
        let encoding = Tokenizer::embedded()?.encode("영화", 64)?;
        assert_eq!(encoding.tokens, ["[CLS]", "영화", "[SEP]"]);
        Ok(())
    }

    #[test]
    fn a_folder_without_a_tokenizer_says_what_it_needs() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let message = Tokenizer::from_folder(folder.path())
            .map_or_else(|error| error.to_string(), |_| String::new());
        assert!(message.contains("no tokenizer.json and no vocab.txt"), "{message}");
        std::fs::write(folder.path().join("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n")?;
        let message = Tokenizer::from_folder(folder.path())
            .map_or_else(|error| error.to_string(), |_| String::new());
        assert!(message.contains("no [SEP]"), "{message}");
        Ok(())
    }
}
