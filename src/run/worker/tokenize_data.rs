//! Tokenizes the data of a run, and collects what the user should know about it.

use crate::core::data::batching::Example;
use crate::core::data::source::tokenize;
use crate::core::text::sanitize_for_terminal;
use crate::core::tokenizer::{Tokenizer, TokenizerError, on_threads};
use crate::run::dataset::Dataset;

/// The tokenized data of a run.
pub(super) struct TokenizedData {
    pub train: Vec<Example>,
    pub eval: Vec<Example>,
    pub unlabelled: Vec<Example>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Tokenizes the samples on this many threads; 0 means one per core.
///
/// # Errors
/// If a text cannot be tokenized.
pub(super) fn tokenize_data(
    tokenizer: &Tokenizer,
    dataset: &Dataset,
    max_seq_length: usize,
    threads: usize,
) -> Result<TokenizedData, TokenizerError> {
    let encode = |samples| tokenize(tokenizer, samples, max_seq_length);
    let (train, eval, unlabelled) = on_threads(threads, || {
        let (train, eval) = (encode(&dataset.train)?, encode(&dataset.eval)?);
        Ok::<_, TokenizerError>((train, eval, encode(&dataset.unlabelled)?))
    })?;
    let mut notes = tokenizer.notes().to_vec();
    if let Some(limit) = tokenizer.model_max_length().filter(|limit| *limit < max_seq_length) {
        notes.push(format!(
            "max_seq_length {max_seq_length} is longer than the tokenizer's model_max_length of \
             {limit}, and is used, as in transformers"
        ));
    }
    for (what, samples, examples) in [
        ("the training data", &dataset.train, &train),
        ("the evaluation data", &dataset.eval, &eval),
        ("the unlabelled data", &dataset.unlabelled, &unlabelled),
    ] {
        if samples.is_empty() {
            continue;
        }
        let counts = tokenizer.count_unknown(examples.iter().map(|example| &example.ids[..]));
        let texts = samples.iter().map(|sample| sample.document.as_str());
        notes.extend(tokenizer.note_on_texts(what, counts, texts));
    }
    let notes = notes.iter().map(|note| sanitize_for_terminal(note).into_owned()).collect();
    Ok(TokenizedData { train, eval, unlabelled, notes })
}
