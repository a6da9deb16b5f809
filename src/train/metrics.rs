//! Accuracy, F1, precision, recall and the confusion matrix, as scikit-learn computes them.

use serde::{Deserialize, Serialize};

/// Counts of true against predicted classes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confusion {
    /// `counts[true][predicted]`.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// An empty matrix for `classes` classes.
    pub fn new(classes: usize) -> Self {
        Self { counts: vec![vec![0; classes]; classes] }
    }

    /// Counts one prediction. A class outside the matrix is not counted.
    pub fn add(&mut self, label: u32, predicted: u32) {
        let cell =
            self.counts.get_mut(label as usize).and_then(|row| row.get_mut(predicted as usize));
        if let Some(cell) = cell {
            *cell += 1;
        }
    }

    /// How many predictions were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// The scores; F1, precision and recall are those of class 1, and zero where a division by
    /// zero leaves them undefined (`zero_division=0`).
    pub fn scores(&self) -> Scores {
        let right: u64 = (0..self.counts.len()).map(|i| self.counts[i][i]).sum();
        let row = |class: usize| self.counts.get(class).map_or(0, |row| row.iter().sum());
        let column =
            |class: usize| -> u64 { self.counts.iter().filter_map(|row| row.get(class)).sum() };
        let hits = self.counts.get(1).and_then(|row| row.get(1)).copied();
        let hits = hits.unwrap_or(0);
        Scores {
            accuracy: divide(right, self.total()),
            f1: divide(2 * hits, row(1) + column(1)),
            precision: divide(hits, column(1)),
            recall: divide(hits, row(1)),
        }
    }
}

fn divide(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The scores of a set of predictions, each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The share of right predictions.
    pub accuracy: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// The share of right ones among those predicted positive.
    pub precision: f64,
    /// The share of positives that were found.
    pub recall: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scores_are_scikit_learns() -> anyhow::Result<()> {
        let reference: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/reference/metrics.json"))?;
        let cases = reference["cases"].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(cases.len(), 8);
        for case in cases {
            let name = &case["name"];
            let labels: Vec<u32> = serde_json::from_value(case["references"].clone())?;
            let predictions: Vec<u32> = serde_json::from_value(case["predictions"].clone())?;
            let mut confusion = Confusion::new(2);
            for (&label, &predicted) in labels.iter().zip(&predictions) {
                confusion.add(label, predicted);
            }
            assert_eq!(serde_json::to_value(&confusion)?, case["confusion"], "{name}");
            let expected: Scores = serde_json::from_value(case.clone())?;
            assert_eq!(confusion.scores(), expected, "{name}");
        }
        Ok(())
    }

    #[test]
    fn nothing_counted_is_zero_not_a_panic() {
        assert_eq!(Confusion::new(2).scores(), Scores::default());
        assert_eq!(Confusion::new(0).scores(), Scores::default());
    }
}
