//! Pairs of texts, encoded as by transformers: the special tokens and token types of a pair, and
//! truncation by `longest_first`.

use super::files::TokenizerFiles;
use super::{Tokenizer, TokenizerError};
use crate::core::caught_panic::catch_panic;
use rayon::prelude::*;
use serde_json::Value;
use std::ops::Range;
use tokenizers::{Encoding as CrateEncoding, Token};

/// A tokenized pair of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedPair {
    /// The token ids, special tokens included.
    pub ids: Vec<u32>,
    /// The type of each token; empty if all are 0.
    pub type_ids: Vec<u32>,
    /// Whether a text was truncated.
    pub truncated: bool,
}

/// A part of an encoded pair, with its token type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    First(u32),
    Second(u32),
    Special(u32, u32),
}

/// The order of the texts and of the special tokens in a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PairTemplate {
    pieces: Vec<Piece>,
    /// Whether the start of a long text is cut off instead of its end.
    truncates_left: bool,
}

/// What determines the template of a pair in transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PairFormat {
    /// The classes `BertTokenizer` and `DebertaV2Tokenizer`: `[CLS] A [SEP] B [SEP]`.
    Bert,
    /// The class `RobertaTokenizer` and the like: `<s> A </s></s> B </s>`.
    Roberta,
    /// The post-processor of `tokenizer.json`.
    File,
}

impl PairFormat {
    /// The format that follows from the class that transformers' `AutoTokenizer` chooses: the named
    /// one, or else that of the model's type. A class that it does not know is a generic one.
    fn of(files: &TokenizerFiles, cls: &str) -> Self {
        let model = match files.model_type() {
            Some("bert" | "distilbert" | "electra") => "BertTokenizer",
            Some("roberta") => "RobertaTokenizer",
            Some("xlm-roberta") => "XLMRobertaTokenizer",
            Some("deberta-v2") => "DebertaV2Tokenizer",
            // The embedded tokenizer, and folders without a model.
            None if cls == "[CLS]" => "BertTokenizer",
            _ => "TokenizersBackend",
        };
        let class = files.class_name().map(|name| name.strip_suffix("Fast").unwrap_or(name));
        match class.unwrap_or(model) {
            "BertTokenizer" | "DistilBertTokenizer" | "ElectraTokenizer" | "DebertaV2Tokenizer" => {
                Self::Bert
            }
            "RobertaTokenizer" | "XLMRobertaTokenizer" | "CamembertTokenizer" => Self::Roberta,
            _ => Self::File,
        }
    }

    /// Whether the model reads token types from the tokenizer: as `model_input_names` says, or else
    /// as the class does. Otherwise they are 0. Models without embeddings of types ignore them.
    fn returns_types(self, files: &TokenizerFiles) -> bool {
        if !files.model_has_types() {
            return false;
        }
        let names = files.value("model_input_names").and_then(Value::as_array);
        names.map_or(self == Self::Bert, |names| names.iter().any(|name| name == "token_type_ids"))
    }
}

impl Tokenizer {
    /// Tokenizes a pair of texts. If it is longer than `max_length` tokens, tokens are removed from
    /// the longer of the two, and from both once they are equally long (`longest_first`).
    ///
    /// # Errors
    /// If a text cannot be tokenized, or `max_length` is too small for the special tokens.
    pub fn encode_pair(
        &self,
        (first, second): (&str, &str),
        max_length: usize,
    ) -> Result<EncodedPair, TokenizerError> {
        self.pair_template()?.encode(self, (first, second), max_length)
    }

    /// As [`Self::encode_pair`], for many pairs, computed on all threads.
    ///
    /// # Errors
    /// As [`Self::encode_pair`].
    pub fn encode_pairs(
        &self,
        pairs: &[(&str, &str)],
        max_length: usize,
    ) -> Result<Vec<EncodedPair>, TokenizerError> {
        let template = self.pair_template()?;
        pairs.par_iter().map(|pair| template.encode(self, *pair, max_length)).collect()
    }

    /// The highest type of a token in a pair of texts.
    ///
    /// # Errors
    /// If the tokenizer's files do not define how pairs are encoded.
    pub fn highest_type(&self) -> Result<u32, TokenizerError> {
        let template = self.pair_template()?;
        Ok(template.pieces.iter().map(|piece| piece.kind()).max().unwrap_or(0))
    }

    /// The tokens with these ids.
    pub fn tokens(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().map(|&id| self.inner.id_to_token(id).unwrap_or_default()).collect()
    }

    fn pair_template(&self) -> Result<PairTemplate, TokenizerError> {
        let cls_id = self.inner.token_to_id(&self.special.cls).unwrap_or_default();
        let format = PairFormat::of(&self.files, &self.special.cls);
        let (cls, sep) = (Piece::Special(cls_id, 0), Piece::Special(self.sep_id, 0));
        let mut pieces = match format {
            PairFormat::Bert => {
                let last = Piece::Special(self.sep_id, 1);
                vec![cls, Piece::First(0), sep, Piece::Second(1), last]
            }
            PairFormat::Roberta => vec![cls, Piece::First(0), sep, sep, Piece::Second(0), sep],
            PairFormat::File => self.pieces_of_file()?,
        };
        if !format.returns_types(&self.files) {
            pieces = pieces.into_iter().map(|piece| piece.with_type(0)).collect();
        }
        Ok(PairTemplate { pieces, truncates_left: self.truncates_left })
    }

    /// The pieces that the post-processor of `tokenizer.json` makes of two texts.
    fn pieces_of_file(&self) -> Result<Vec<Piece>, TokenizerError> {
        // Two texts of one token each, with ids that no vocabulary has.
        const FIRST: u32 = u32::MAX;
        const SECOND: u32 = u32::MAX - 1;
        let text = |id| CrateEncoding::from_tokens(vec![Token::new(id, String::new(), (0, 0))], 0);
        let process = || self.inner.post_process(text(FIRST), Some(text(SECOND)), true);
        // The crate panics on a template with an unknown special token.
        let encoding = catch_panic(process).ok().and_then(Result::ok);
        let encoding = encoding.ok_or(TokenizerError::NoPairs)?;
        let ids = encoding.get_ids().iter().zip(encoding.get_type_ids());
        let pieces: Vec<Piece> = ids
            .map(|(&id, &kind)| match id {
                FIRST => Piece::First(kind),
                SECOND => Piece::Second(kind),
                id => Piece::Special(id, kind),
            })
            .collect();
        let has = |wanted: fn(&Piece) -> bool| pieces.iter().any(wanted);
        if has(|piece| matches!(piece, Piece::First(_)))
            && has(|piece| matches!(piece, Piece::Second(_)))
        {
            Ok(pieces)
        } else {
            Err(TokenizerError::NoPairs)
        }
    }

    /// The ranges of a text's tokens in it, in characters.
    pub(super) fn content_offsets(
        &self,
        text: &str,
    ) -> Result<Vec<(usize, usize)>, TokenizerError> {
        Ok(self.encode_with_offsets(text, false)?.1)
    }

    /// Of each token of a pair of texts with this many tokens: its text and its index there; `None`
    /// for special tokens.
    pub(super) fn arrange_pair(
        &self,
        lengths: [usize; 2],
        max_length: usize,
    ) -> Result<Vec<Option<(usize, usize)>>, TokenizerError> {
        let template = self.pair_template()?;
        let kept = template.kept(lengths, max_length)?;
        let mut places = Vec::new();
        for piece in &template.pieces {
            match piece {
                Piece::First(_) => places.extend(kept[0].clone().map(|index| Some((0, index)))),
                Piece::Second(_) => places.extend(kept[1].clone().map(|index| Some((1, index)))),
                Piece::Special(..) => places.push(None),
            }
        }
        Ok(places)
    }

    /// The token ids of a text without special tokens around it.
    fn content_ids(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let (text, _) = self.prepared(text);
        let encoded = self.caught(|| self.inner.encode_fast(&*text, false))?;
        Ok(encoded.get_ids().to_vec())
    }
}

impl Piece {
    fn kind(self) -> u32 {
        match self {
            Self::First(kind) | Self::Second(kind) | Self::Special(_, kind) => kind,
        }
    }

    fn with_type(self, kind: u32) -> Self {
        match self {
            Self::First(_) => Self::First(kind),
            Self::Second(_) => Self::Second(kind),
            Self::Special(id, _) => Self::Special(id, kind),
        }
    }
}

impl PairTemplate {
    fn encode(
        &self,
        tokenizer: &Tokenizer,
        (first, second): (&str, &str),
        max_length: usize,
    ) -> Result<EncodedPair, TokenizerError> {
        let texts = [tokenizer.content_ids(first)?, tokenizer.content_ids(second)?];
        let lengths = texts.each_ref().map(Vec::len);
        let kept = self.kept(lengths, max_length)?;
        let (mut ids, mut type_ids) = (Vec::new(), Vec::new());
        for piece in &self.pieces {
            match *piece {
                Piece::First(_) => ids.extend_from_slice(&texts[0][kept[0].clone()]),
                Piece::Second(_) => ids.extend_from_slice(&texts[1][kept[1].clone()]),
                Piece::Special(id, _) => ids.push(id),
            }
            type_ids.resize(ids.len(), piece.kind());
        }
        if type_ids.iter().all(|&kind| kind == 0) {
            type_ids.clear();
        }
        let truncated = kept.map(|kept| kept.len()) != lengths;
        Ok(EncodedPair { ids, type_ids, truncated })
    }

    /// The tokens to keep of two texts of these lengths, so that both fit into `max_length` with the
    /// special tokens.
    fn kept(
        &self,
        lengths: [usize; 2],
        max_length: usize,
    ) -> Result<[Range<usize>; 2], TokenizerError> {
        let is_special = |piece: &&Piece| matches!(piece, Piece::Special(..));
        let needed = self.pieces.iter().filter(is_special).count();
        let Some(room) = max_length.checked_sub(needed) else {
            return Err(TokenizerError::TooShortForPairs { needed, max_length });
        };
        let kept = longest_first(lengths, room);
        Ok([0, 1].map(|text| {
            let (length, kept) = (lengths[text], kept[text]);
            if self.truncates_left { length - kept..length } else { 0..kept }
        }))
    }
}

/// The numbers of tokens to keep of two texts, so that at most `room` remain: `LongestFirst` in
/// `truncate_encodings` of the crate `tokenizers`.
fn longest_first(lengths: [usize; 2], room: usize) -> [usize; 2] {
    let [first, second] = lengths;
    if first + second <= room {
        return lengths;
    }
    let (shorter, longer) = (first.min(second), first.max(second));
    let mut kept = if shorter > room {
        [shorter, shorter]
    } else {
        [shorter, shorter.max(room - shorter).min(longer)]
    };
    if kept[0] + kept[1] > room {
        kept = [room / 2, room / 2 + room % 2];
    }
    if first > second {
        kept.reverse();
    }
    kept
}

#[cfg(test)]
#[path = "pairs_tests.rs"]
mod tests;
