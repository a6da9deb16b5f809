//! The prediction for a pinned sentence.

use crate::core::number;
use serde::{Deserialize, Serialize};

/// The prediction for a sentence that the user has pinned, at one evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The sentence; of a pair, both texts.
    pub text: String,
    /// The name of the predicted class.
    pub label: String,
    /// The probability of each class, indexed by class id.
    #[serde(with = "number::list")]
    pub probabilities: Vec<f64>,
}

impl Probe {
    /// The probability that is drawn over the run: of two classes that of class 1, else that of the
    /// predicted class; NaN without classes.
    pub fn charted(&self) -> f64 {
        match self.probabilities[..] {
            [_, second] => second,
            _ => self.probabilities.iter().copied().reduce(f64::max).unwrap_or(f64::NAN),
        }
    }
}
