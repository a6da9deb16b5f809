//! Statistics of a split.

use super::Sample;
use super::source::pairs;
use crate::core::tokenizer::{Tokenizer, TokenizerError};
use serde::Serialize;

/// The first sample of a split.
#[derive(Clone, Debug, Serialize)]
pub struct FirstSample {
    /// The sample's id.
    pub id: String,
    /// The text.
    pub document: String,
    /// The second text of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// The class index.
    pub label: u32,
}

/// Statistics of one split.
#[derive(Clone, Debug, Serialize)]
pub struct SplitSummary {
    /// The number of samples.
    pub rows: usize,
    /// The number of samples with the label 1.
    pub positives: usize,
    /// The length of the longest text in tokens, special tokens included, before truncation.
    pub longest_in_tokens: usize,
    /// The mean length in tokens, special tokens included, before truncation.
    pub mean_tokens: f64,
    /// The share of texts with at least one `[UNK]`, from 0 to 1.
    pub unk_share: f64,
    /// The first sample.
    pub first: Option<FirstSample>,
    /// The ids of all samples in order, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
    /// The length of each text in characters, of pairs that of both together.
    #[serde(skip)]
    pub characters: Vec<usize>,
    /// The length of each text in tokens.
    #[serde(skip)]
    pub tokens: Vec<usize>,
}

/// Computes the statistics of a split.
///
/// # Errors
/// If a text cannot be tokenized.
pub fn summarize(
    rows: &[Sample],
    tokenizer: &Tokenizer,
    with_ids: bool,
) -> Result<SplitSummary, TokenizerError> {
    let texts: Vec<&str> = rows.iter().map(|r| r.document.as_str()).collect();
    let encodings = if rows.iter().any(|row| row.text_pair.is_some()) {
        let pairs = tokenizer.encode_pairs(&pairs(rows), usize::MAX)?;
        pairs.into_iter().map(|pair| pair.ids).collect()
    } else {
        tokenizer.encode_ids(&texts)?
    };
    let tokens: Vec<usize> = encodings.iter().map(Vec::len).collect();
    let unknown = encodings
        .iter()
        .filter(|ids| tokenizer.unk_id().is_some_and(|id| ids.contains(&id)))
        .count();
    let share = |count: usize| count as f64 / rows.len().max(1) as f64;
    Ok(SplitSummary {
        rows: rows.len(),
        positives: rows.iter().filter(|r| r.label == 1).count(),
        longest_in_tokens: tokens.iter().copied().max().unwrap_or(0),
        mean_tokens: share(tokens.iter().sum()),
        unk_share: share(unknown),
        first: rows.first().map(|r| FirstSample {
            id: r.id.clone(),
            document: r.document.clone(),
            text_pair: r.text_pair.clone(),
            label: r.label,
        }),
        ids: with_ids.then(|| rows.iter().map(|r| r.id.clone()).collect()),
        characters: rows
            .iter()
            .map(|r| {
                let pair = r.text_pair.as_ref().map_or(0, |pair| pair.chars().count());
                r.document.chars().count() + pair
            })
            .collect(),
        tokens,
    })
}

/// Counts of lengths in bins of equal width: `(start, end (exclusive), count)`.
pub fn histogram(lengths: &[usize], bins: usize) -> Vec<(usize, usize, usize)> {
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let width = (longest + 1).div_ceil(bins.max(1)).max(1);
    let mut counts = vec![0; longest / width + 1];
    for length in lengths {
        counts[length / width] += 1;
    }
    counts.into_iter().enumerate().map(|(i, count)| (i * width, (i + 1) * width, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_every_value_once() {
        let bins = histogram(&[0, 1, 5, 9, 9, 10], 4);
        assert_eq!(bins, [(0, 3, 2), (3, 6, 1), (6, 9, 0), (9, 12, 3)]);
        assert_eq!(histogram(&[], 4), [(0, 1, 0)]);
    }
}
