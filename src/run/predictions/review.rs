//! The evaluation texts of a run.

use super::MAX_TEXT_BYTES;
use crate::core::data::Sample;
use crate::core::data::batching::Example;
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

/// The evaluation texts of a run as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationTexts {
    /// The compressed file.
    pub(super) file: Vec<u8>,
    pub(super) fingerprint: String,
}

impl EvaluationTexts {
    /// The texts of samples and their tokens, in the same order. `None` if they are too long to be
    /// kept.
    pub fn new(samples: &[Sample], examples: &[Example], tokenizer: &Tokenizer) -> Option<Self> {
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
        (samples.len() <= MAX_REVIEWS)
            .then(|| Self { file: compress(&lines), fingerprint: fingerprint(&lines) })
    }
}

/// A short name of texts that other texts do not have.
fn fingerprint(lines: &[u8]) -> String {
    let mut start = [0; 8];
    start.copy_from_slice(&Sha256::digest(lines)[..8]);
    format!("{:016x}", u64::from_be_bytes(start))
}

/// The reviews in the compressed file, and their fingerprint.
///
/// # Errors
/// If the file is damaged or too long; the error names the line.
pub(super) fn read_texts(file: &[u8]) -> Result<(Vec<Review>, String), String> {
    let lines = decompress(file, MAX_TEXT_BYTES).map_err(|error| error.to_string())?;
    let mut reviews = Vec::new();
    for (line, number) in lines.split(|byte| *byte == b'\n').zip(1..) {
        if line.is_empty() {
            continue;
        }
        if reviews.len() >= MAX_REVIEWS {
            return Err(format!("it has more than {MAX_REVIEWS} texts"));
        }
        let review: Review =
            serde_json::from_slice(line).map_err(|error| format!("line {number}: {error}"))?;
        reviews.push(review);
    }
    Ok((reviews, fingerprint(&lines)))
}
