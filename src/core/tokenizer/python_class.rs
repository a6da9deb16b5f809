//! The tokenizer classes of transformers.

use serde_json::Value;

/// A class of transformers, by the way it reads `tokenizer.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PythonClass {
    /// `BertTokenizer`, which is also ELECTRA's and `DistilBERT`'s.
    Bert,
    /// `RobertaTokenizer`: byte-level BPE.
    Roberta,
    /// `XLMRobertaTokenizer`: `SentencePiece`'s Unigram.
    XlmRoberta,
    /// `DebertaV2Tokenizer`: `SentencePiece`'s Unigram with BERT's special tokens.
    DebertaV2,
    /// `PreTrainedTokenizerFast`: as the file says.
    Generic,
    /// A class that is not known here.
    Other,
}

impl PythonClass {
    /// The class with this name, with or without `Fast` at its end.
    pub(super) fn named(name: &str) -> Self {
        match name.strip_suffix("Fast").unwrap_or(name) {
            "BertTokenizer"
            | "DistilBertTokenizer"
            | "ElectraTokenizer"
            | "MobileBertTokenizer"
            | "SqueezeBertTokenizer" => Self::Bert,
            "RobertaTokenizer" | "BartTokenizer" => Self::Roberta,
            "XLMRobertaTokenizer" => Self::XlmRoberta,
            "DebertaV2Tokenizer" => Self::DebertaV2,
            "PreTrainedTokenizer" | "TokenizersBackend" => Self::Generic,
            _ => Self::Other,
        }
    }

    /// The class that transformers uses for a `model_type` if the files name none.
    pub(super) fn of_model_type(model_type: &str) -> Self {
        match model_type {
            "bert" | "distilbert" | "electra" => Self::Bert,
            "roberta" => Self::Roberta,
            "xlm-roberta" => Self::XlmRoberta,
            "deberta-v2" => Self::DebertaV2,
            _ => Self::Generic,
        }
    }

    /// The name that is written to `tokenizer_config.json`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bert => "BertTokenizer",
            Self::Roberta => "RobertaTokenizer",
            Self::XlmRoberta => "XLMRobertaTokenizer",
            Self::DebertaV2 => "DebertaV2Tokenizer",
            Self::Generic | Self::Other => "PreTrainedTokenizerFast",
        }
    }

    /// The type of the model that the class builds from a `tokenizer.json`.
    pub(super) fn model(self) -> Option<&'static str> {
        match self {
            Self::Bert => Some("WordPiece"),
            Self::Roberta => Some("BPE"),
            Self::XlmRoberta | Self::DebertaV2 => Some("Unigram"),
            Self::Generic | Self::Other => None,
        }
    }

    /// The default special tokens of the class, by role.
    pub(super) fn default_tokens(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Self::DebertaV2 => &[
                ("bos_token", "[CLS]"),
                ("eos_token", "[SEP]"),
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Self::Roberta | Self::XlmRoberta => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
                ("sep_token", "</s>"),
                ("pad_token", "<pad>"),
                ("cls_token", "<s>"),
                ("mask_token", "<mask>"),
            ],
            Self::Generic | Self::Other => &[],
        }
    }
}

/// The id of a token, which is in the vocabulary or an added token.
pub(super) fn find_id(json: &Value, token: &str) -> Option<u64> {
    let vocabulary = &json["model"]["vocab"];
    let in_list = || {
        let position = vocabulary.as_array()?.iter().position(|pair| pair[0] == token);
        position.map(|position| position as u64)
    };
    let added = || {
        let found = json["added_tokens"].as_array()?.iter().find(|added| added["content"] == token);
        found?["id"].as_u64()
    };
    vocabulary.get(token).and_then(Value::as_u64).or_else(in_list).or_else(added)
}
