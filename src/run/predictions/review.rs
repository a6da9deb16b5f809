//! The evaluation texts of a run.

use super::MAX_TEXT_BYTES;
use crate::core::data::Sample;
use crate::core::data::batching::Example;
use crate::core::data::slice_columns::{SliceColumn, SliceValues};
use crate::core::data::zstd::{compress, decompress};
use crate::core::tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The most reviews that are read.
const MAX_REVIEWS: usize = 1 << 20;

/// An evaluation text, or a pair of them. It is as in the data, not sanitized.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The value of the column `id`, or else the row's number.
    pub id: String,
    /// The text, or the first of a pair.
    pub text: String,
    /// The second text of a pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// The class index.
    pub label: u32,
    /// The number of tokens, without special ones around the text, after truncation.
    pub tokens: u32,
    /// The number of these that are unknown.
    pub unknown: u32,
}

impl Review {
    /// The text or, of a pair, both texts on one line, as the predict page takes them.
    pub fn line(&self) -> String {
        match &self.text_pair {
            Some(second) => {
                format!("{} {} {second}", self.text, crate::core::predict::PAIR_SEPARATOR)
            }
            None => self.text.clone(),
        }
    }

    /// The number of characters, of both texts of a pair.
    pub fn characters(&self) -> usize {
        let second = self.text_pair.as_deref().unwrap_or_default();
        self.text.chars().count() + second.chars().count()
    }

    /// The share of unknown tokens, from 0 to 1.
    pub fn unknown_share(&self) -> f64 {
        f64::from(self.unknown) / f64::from(self.tokens.max(1))
    }
}

/// The slice columns of the evaluation texts, and the values of each text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewSlices {
    /// The columns.
    pub columns: Vec<SliceColumn>,
    /// The values of each text; empty without columns.
    pub rows: Vec<SliceValues>,
}

/// The last line of the file, if there are slice columns.
#[derive(Serialize, Deserialize)]
struct SlicesLine {
    slices: ReviewSlices,
}

/// How that line begins.
const SLICES_PREFIX: &[u8] = b"{\"slices\":";

/// What the file of the texts contains.
pub(super) struct KeptTexts {
    pub reviews: Vec<Review>,
    pub slices: ReviewSlices,
    /// A short name of the texts that other texts do not have.
    pub fingerprint: String,
}

/// The evaluation texts of a run as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationTexts {
    /// The compressed file.
    pub(super) file: Vec<u8>,
    pub(super) fingerprint: String,
}

impl EvaluationTexts {
    /// The texts of samples and their tokens, in the same order, with their slice columns. `None` if
    /// they are too long to be kept.
    pub fn new(
        samples: &[Sample],
        examples: &[Example],
        tokenizer: &Tokenizer,
        slice_columns: &[SliceColumn],
    ) -> Option<Self> {
        let mut lines = Vec::new();
        for (sample, example) in samples.iter().zip(examples) {
            let counts = tokenizer.count_unknown([&example.ids[..]]);
            let review = Review {
                id: sample.id.clone(),
                text: sample.document.clone(),
                text_pair: sample.text_pair.clone(),
                label: sample.label,
                tokens: counts.tokens as u32,
                unknown: counts.unknown as u32,
            };
            serde_json::to_writer(&mut lines, &review).ok()?;
            lines.push(b'\n');
            if lines.len() as u64 > MAX_TEXT_BYTES {
                return None;
            }
        }
        let fingerprint = fingerprint(&lines);
        if !slice_columns.is_empty() {
            let rows = samples.iter().map(|sample| sample.slices.clone()).collect();
            let slices = ReviewSlices { columns: slice_columns.to_vec(), rows };
            serde_json::to_writer(&mut lines, &SlicesLine { slices }).ok()?;
            lines.push(b'\n');
        }
        let fits = samples.len() <= MAX_REVIEWS && lines.len() as u64 <= MAX_TEXT_BYTES;
        fits.then(|| Self { file: compress(&lines), fingerprint })
    }
}

/// A short name of texts that other texts do not have.
fn fingerprint(lines: &[u8]) -> String {
    let mut start = [0; 8];
    start.copy_from_slice(&Sha256::digest(lines)[..8]);
    format!("{:016x}", u64::from_be_bytes(start))
}

/// The reviews in the compressed file, and their slices.
///
/// # Errors
/// If the file is damaged or too long; the error names the line.
pub(super) fn read_texts(file: &[u8]) -> Result<KeptTexts, String> {
    let lines = decompress(file, MAX_TEXT_BYTES).map_err(|error| error.to_string())?;
    let mut reviews = Vec::new();
    let mut slices = ReviewSlices::default();
    // The bytes of the lines of reviews.
    let mut length = lines.len();
    for (line, number) in lines.split(|byte| *byte == b'\n').zip(1..) {
        if line.is_empty() {
            continue;
        }
        let at = |error: &dyn std::fmt::Display| format!("line {number}: {error}");
        if line.starts_with(SLICES_PREFIX) {
            let read: SlicesLine = serde_json::from_slice(line).map_err(|error| at(&error))?;
            slices = read.slices;
            length -= line.len() + 1;
            continue;
        }
        if reviews.len() >= MAX_REVIEWS {
            return Err(format!("it has more than {MAX_REVIEWS} texts"));
        }
        let review: Review = serde_json::from_slice(line).map_err(|error| at(&error))?;
        reviews.push(review);
    }
    if !slices.fit(reviews.len()) {
        return Err("its slices are not those of its texts".to_owned());
    }
    let fingerprint = fingerprint(lines.get(..length).unwrap_or_default());
    Ok(KeptTexts { reviews, slices, fingerprint })
}

impl ReviewSlices {
    /// Whether each of so many texts has a value of each column, or none.
    fn fit(&self, texts: usize) -> bool {
        let is_known = |(value, column): (&Option<u8>, &SliceColumn)| {
            value.is_none_or(|value| usize::from(value) < column.values.len())
        };
        let fits = |row: &SliceValues| {
            row.len() == self.columns.len() && row.iter().zip(&self.columns).all(is_known)
        };
        let count = if self.columns.is_empty() { 0 } else { texts };
        self.rows.len() == count && self.rows.iter().all(fits)
    }
}
