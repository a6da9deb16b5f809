//! Reviews from wherever they come from, sampled, and as the model reads them.

use super::batching::Example;
use super::sampling::{SampleLimit, sample_indices};
use super::{DataError, Review, Split, nsmc, tsv};
use crate::tokenizer::{Tokenizer, TokenizerError};
use std::path::Path;

/// Reviews of one split, sampled, and how many bad rows were left out.
///
/// # Errors
/// If the file cannot be read.
pub fn load_reviews(
    file: Option<&Path>,
    split: Split,
    limit: Option<SampleLimit>,
    shuffle_seed: u64,
    skip_bad_rows: bool,
) -> Result<(Vec<Review>, usize), DataError> {
    let reviews = match file {
        Some(file) => tsv::read_file(file, skip_bad_rows)?,
        None => nsmc::load(split)?,
    };
    let limit = limit.unwrap_or(SampleLimit::Count(2000)).count();
    let mut rows: Vec<Option<Review>> = reviews.rows.into_iter().map(Some).collect();
    let sample = sample_indices(rows.len(), limit, shuffle_seed);
    let sample = sample.into_iter().filter_map(|i| rows[i].take()).collect();
    Ok((sample, reviews.skipped))
}

/// Reviews as the model reads them.
///
/// # Errors
/// If a review cannot be tokenized.
pub fn tokenize(
    tokenizer: &Tokenizer,
    reviews: &[Review],
    max_seq_length: usize,
) -> Result<Vec<Example>, TokenizerError> {
    let texts: Vec<&str> = reviews.iter().map(|r| r.document.as_str()).collect();
    let ids = tokenizer.encode_ids(&texts)?;
    Ok(ids
        .into_iter()
        .zip(reviews)
        .map(|(mut ids, review)| {
            tokenizer.truncate_ids(&mut ids, max_seq_length);
            Example { ids, label: review.label }
        })
        .collect())
}
