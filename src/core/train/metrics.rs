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

    /// The number of predictions counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// The scores. With two classes, F1, precision and recall are those of class 1; with more, the
    /// means over the classes that occur or are predicted (scikit-learn's `average="macro"`). They
    /// are zero where a division by zero leaves them undefined (`zero_division=0`).
    pub fn scores(&self) -> ClassificationScores {
        let right: u64 = (0..self.counts.len()).map(|i| self.counts[i][i]).sum();
        let (f1, precision, recall) = if self.counts.len() > 2 {
            let classes: Vec<_> = (0..self.counts.len())
                .filter(|&class| self.row(class) + self.column(class) > 0)
                .map(|class| self.scores_of(class))
                .collect();
            let mean = |pick: fn(&(f64, f64, f64)) -> f64| {
                classes.iter().map(pick).sum::<f64>() / classes.len().max(1) as f64
            };
            (mean(|scores| scores.0), mean(|scores| scores.1), mean(|scores| scores.2))
        } else {
            self.scores_of(1)
        };
        ClassificationScores { accuracy: divide(right, self.total()), f1, precision, recall }
    }

    /// The scores of each class, as scikit-learn's `classification_report` lists them
    /// (`zero_division=0`).
    pub fn per_class(&self) -> Vec<ClassScores> {
        let scores = |class| {
            let (f1, precision, recall) = self.scores_of(class);
            ClassScores { precision, recall, f1, support: self.row(class) }
        };
        (0..self.counts.len()).map(scores).collect()
    }

    /// The unweighted means over all classes, and the number of examples: the report's `macro avg`.
    pub fn macro_average(&self) -> ClassScores {
        let classes = self.per_class();
        let mean = |pick: fn(&ClassScores) -> f64| {
            classes.iter().map(pick).sum::<f64>() / classes.len().max(1) as f64
        };
        ClassScores {
            precision: mean(|class| class.precision),
            recall: mean(|class| class.recall),
            f1: mean(|class| class.f1),
            support: self.total(),
        }
    }

    /// The number of examples of this class.
    fn row(&self, class: usize) -> u64 {
        self.counts.get(class).map_or(0, |row| row.iter().sum())
    }

    /// The number of examples predicted as this class.
    fn column(&self, class: usize) -> u64 {
        self.counts.iter().filter_map(|row| row.get(class)).sum()
    }

    /// F1, precision and recall of one class.
    fn scores_of(&self, class: usize) -> (f64, f64, f64) {
        let hits = self.counts.get(class).and_then(|row| row.get(class)).copied().unwrap_or(0);
        let (row, column) = (self.row(class), self.column(class));
        (divide(2 * hits, row + column), divide(hits, column), divide(hits, row))
    }
}

fn divide(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The scores of a set of predictions, each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassificationScores {
    /// The share of right predictions.
    pub accuracy: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// The share of right predictions among those of the positive class.
    pub precision: f64,
    /// The share of positives that were found.
    pub recall: f64,
}

/// The scores of one class, each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassScores {
    /// The share of right predictions among those of this class.
    pub precision: f64,
    /// The share of this class that was found.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
    /// The number of examples of this class.
    pub support: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scores_are_scikit_learns() -> anyhow::Result<()> {
        let reference: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/reference/metrics.json"))?;
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
            let expected: ClassificationScores = serde_json::from_value(case.clone())?;
            assert_eq!(confusion.scores(), expected, "{name}");
        }
        Ok(())
    }

    #[test]
    fn of_more_than_two_classes_the_macro_means_count() {
        let mut confusion = Confusion::new(4);
        for (label, predicted) in [(0, 0), (0, 1), (1, 1), (2, 2), (2, 0), (2, 2)] {
            confusion.add(label, predicted);
        }
        // scikit-learn 1.7: precision_recall_fscore_support([0, 0, 1, 2, 2, 2],
        // [0, 1, 1, 2, 0, 2], average="macro", zero_division=0); class 3 never occurs.
        let scores = confusion.scores();
        let close = |ours: f64, theirs: f64| (ours - theirs).abs() < 1e-12;
        assert!(close(scores.accuracy, 4.0 / 6.0));
        assert!(close(scores.precision, (0.5 + 0.5 + 1.0) / 3.0));
        assert!(close(scores.recall, (0.5 + 1.0 + 2.0 / 3.0) / 3.0));
        assert!(close(scores.f1, (0.5 + 2.0 / 3.0 + 0.8) / 3.0));
    }

    #[test]
    fn each_class_is_scored_as_scikit_learns_report_does() {
        // scikit-learn 1.9:
        // from sklearn.metrics import classification_report
        // y = [0] * 10 + [1] * 7 + [2] * 5 + [3] * 2
        // p = [0] * 7 + [1] * 2 + [2] + [0] * 1 + [1] * 6 + [1] * 3 + [2] * 2 + [0] * 2
        // classification_report(y, p, labels=[0, 1, 2, 3], output_dict=True, zero_division=0)
        let counts = vec![vec![7, 2, 1, 0], vec![1, 6, 0, 0], vec![0, 3, 2, 0], vec![2, 0, 0, 0]];
        let confusion = Confusion { counts };
        let expected = [
            (0.7, 0.7, 0.7, 10),
            (0.545_454_545_454_545_4, 0.857_142_857_142_857_1, 0.666_666_666_666_666_6, 7),
            (0.666_666_666_666_666_6, 0.4, 0.5, 5),
            (0.0, 0.0, 0.0, 2),
        ];
        let average = (0.478_030_303_030_303, 0.489_285_714_285_714_3, 0.466_666_666_666_666_7, 24);
        let close = |ours: ClassScores, theirs: (f64, f64, f64, u64)| {
            let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
            assert!(near(ours.precision, theirs.0), "{ours:?}");
            assert!(near(ours.recall, theirs.1) && near(ours.f1, theirs.2), "{ours:?}");
            assert_eq!(ours.support, theirs.3);
        };
        let classes = confusion.per_class();
        assert_eq!(classes.len(), 4);
        for (ours, theirs) in classes.into_iter().zip(expected) {
            close(ours, theirs);
        }
        close(confusion.macro_average(), average);
        assert_eq!(Confusion::new(0).macro_average(), ClassScores::default());
    }

    #[test]
    fn nothing_counted_is_zero_not_a_panic() {
        assert_eq!(Confusion::new(2).scores(), ClassificationScores::default());
        assert_eq!(Confusion::new(0).scores(), ClassificationScores::default());
    }
}
