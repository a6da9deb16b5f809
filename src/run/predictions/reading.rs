//! Reads what a run has kept of its evaluations.

use super::keeper::steps;
use super::outcome_file::{MAX_BYTES, decode};
use super::review::{KeptTexts, ReviewSlices, read_texts};
use super::{FOLDER, MAX_TEXT_BYTES, Review, TEXTS, step_file};
use crate::core::bounded_file;
use crate::core::text::{display_path, sanitize_for_terminal};
use crate::core::train::Outcomes;
use std::io::ErrorKind;
use std::path::Path;

/// The most evaluations that are read: more than a run keeps.
const MAX_EVALUATIONS: usize = 256;

/// The most bytes of the evaluations that are read, as they are held in memory.
const MAX_TOTAL_BYTES: usize = 256 << 20;

/// The outcomes of one evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptEvaluation {
    /// The number of steps done.
    pub step: u64,
    /// The number of epochs done, with the fraction of the current one.
    pub epoch: f64,
    /// The result for each review.
    pub outcomes: Outcomes,
}

/// The evaluation texts of a run, and the outcomes of its evaluations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// The texts.
    pub reviews: Vec<Review>,
    /// The columns that divide the texts into slices.
    pub slices: ReviewSlices,
    /// The evaluations, in the order of their steps.
    pub evaluations: Vec<KeptEvaluation>,
    /// What could not be read, for display.
    pub problems: Vec<String>,
}

impl Predictions {
    /// Reads the files in the folder of a run; `None` if it keeps none. Evaluations of other texts, of
    /// an earlier run, are left out; what is damaged is left out and named.
    ///
    /// # Errors
    /// If the texts cannot be read; the error is safe to show.
    pub fn read(run: &Path) -> Result<Option<Self>, String> {
        let folder = run.join(FOLDER);
        let file = folder.join(TEXTS);
        let failed = |file: &Path, error: &str| {
            format!("{}: {}", display_path(file), sanitize_for_terminal(error))
        };
        let texts = match bounded_file::read(&file, MAX_TEXT_BYTES) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&file, &error.to_string())),
            Ok(texts) => texts,
        };
        let KeptTexts { reviews, slices, fingerprint } =
            read_texts(&texts).map_err(|error| failed(&file, &error))?;
        let steps = steps(&folder).map_err(|error| failed(&folder, &error.to_string()))?;
        let mut found = Self { reviews, slices, ..Self::default() };
        let mut bytes_read = 0;
        // The latest ones are the most important.
        for step in steps.into_iter().rev().take(MAX_EVALUATIONS) {
            let file = folder.join(step_file(step));
            let bytes = match bounded_file::read(&file, MAX_BYTES) {
                // The run goes back to a checkpoint, or removes one of many evaluations.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => {
                    found.problems.push(failed(&file, &error.to_string()));
                    continue;
                }
                Ok(bytes) => bytes,
            };
            bytes_read += bytes.len();
            if bytes_read > MAX_TOTAL_BYTES {
                break;
            }
            match decode(&bytes) {
                Ok((header, _)) if header.texts != fingerprint => {}
                Ok((header, outcomes))
                    if header.step == step && outcomes.len() == found.reviews.len() =>
                {
                    let epoch = header.epoch;
                    found.evaluations.push(KeptEvaluation { step, epoch, outcomes });
                }
                Ok(_) => found.problems.push(failed(&file, "it is of another step or other texts")),
                Err(reason) => found.problems.push(failed(&file, &reason)),
            }
        }
        found.evaluations.reverse();
        Ok(Some(found))
    }
}
