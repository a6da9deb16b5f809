//! Accuracy, F1, precision, recall and the confusion matrix, as scikit-learn computes them.

mod matrix_format;

use serde::{Deserialize, Serialize};

/// A confusion matrix: the number of predictions for each pair of true and predicted class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// `[classes][classes]`: `counts[true class][predicted class]`.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// Creates an empty matrix for `classes` classes.
    pub fn new(classes: usize) -> Self {
        Self { counts: vec![vec![0; classes]; classes] }
    }

    /// Adds one prediction. Class ids outside the matrix are ignored.
    pub fn add(&mut self, label: u32, predicted: u32) {
        let cell =
            self.counts.get_mut(label as usize).and_then(|row| row.get_mut(predicted as usize));
        if let Some(cell) = cell {
            *cell += 1;
        }
    }

    /// The number of predictions in the matrix.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// The scores of all predictions. With two classes, F1, precision and recall are those of class
    /// 1; with more, they are the means over the classes that occur or are predicted
    /// (scikit-learn's `average="macro"`). A score with a zero denominator is 0
    /// (`zero_division=0`).
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

    /// The scores of each class, as in scikit-learn's `classification_report`
    /// (`zero_division=0`).
    pub fn per_class(&self) -> Vec<ClassScores> {
        let scores = |class| {
            let (f1, precision, recall) = self.scores_of(class);
            ClassScores { precision, recall, f1, support: self.row(class) }
        };
        (0..self.counts.len()).map(scores).collect()
    }

    /// The unweighted means of the scores over all classes, with the total number of examples as
    /// support: `macro avg` in scikit-learn's `classification_report`.
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

    /// The number of examples of the class.
    fn row(&self, class: usize) -> u64 {
        self.counts.get(class).map_or(0, |row| row.iter().sum())
    }

    /// The number of examples predicted as the class.
    fn column(&self, class: usize) -> u64 {
        self.counts.iter().filter_map(|row| row.get(class)).sum()
    }

    /// The F1, precision and recall of one class, in this order.
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
    /// The share of correct predictions.
    pub accuracy: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// True positives divided by predicted positives.
    pub precision: f64,
    /// True positives divided by actual positives.
    pub recall: f64,
}

/// The scores of one class, each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassScores {
    /// True positives divided by the examples predicted as the class.
    pub precision: f64,
    /// True positives divided by the examples of the class.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// The number of examples of the class.
    pub support: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scores_equal_those_of_scikit_learn() -> anyhow::Result<()> {
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
    fn more_than_two_classes_use_macro_averages() {
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
    fn class_scores_equal_those_of_scikit_learns_report() {
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
    fn an_empty_matrix_has_zero_scores() {
        assert_eq!(Confusion::new(2).scores(), ClassificationScores::default());
        assert_eq!(Confusion::new(0).scores(), ClassificationScores::default());
    }
}
