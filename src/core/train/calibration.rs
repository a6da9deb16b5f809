//! Calibration: confidence and accuracy in ten bins, and the expected calibration error (Guo et
//! al., "On Calibration of Modern Neural Networks", ICML 2017, equations 2, 3 and 5).

use crate::core::number;
use serde::{Deserialize, Serialize};

/// The number of confidence bins, each of width 0.1.
pub const BINS: usize = 10;

/// The statistics of the predictions whose confidence is in one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// The number of predictions.
    pub count: u64,
    /// The mean probability of the predicted class; 0 without predictions.
    #[serde(with = "number")]
    pub confidence: f64,
    /// The share of correct predictions; 0 without predictions.
    #[serde(with = "number")]
    pub accuracy: f64,
}

/// The bins of an evaluation, in ascending order of confidence: bin `i` contains the confidences in
/// `(i / 10, (i + 1) / 10]`. It is empty when read from a journal of an earlier version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Calibration {
    /// The bins: [`BINS`] of them, or none.
    pub bins: Vec<Bin>,
}

impl Calibration {
    /// The number of predictions in all bins.
    pub fn total(&self) -> u64 {
        self.bins.iter().map(|bin| bin.count).sum()
    }

    /// The expected calibration error, from 0 to 1: the mean of `|accuracy - confidence|` over the
    /// bins, weighted by their numbers of predictions. `None` without predictions.
    pub fn expected_calibration_error(&self) -> Option<f64> {
        let total = self.total();
        let distance = |bin: &Bin| bin.count as f64 * (bin.accuracy - bin.confidence).abs();
        (total > 0).then(|| self.bins.iter().map(distance).sum::<f64>() / total as f64)
    }
}

/// Accumulates predictions into bins.
#[derive(Clone, Debug, Default)]
pub struct Reliability {
    bins: [BinSums; BINS],
}

#[derive(Clone, Copy, Debug, Default)]
struct BinSums {
    count: u64,
    confidence: f64,
    right: u64,
}

impl Reliability {
    /// Adds one prediction. `confidence` is the probability of the predicted class; NaN is ignored.
    pub fn add(&mut self, confidence: f64, right: bool) {
        if confidence.is_nan() {
            return;
        }
        let bin = (1..BINS).filter(|&edge| confidence > edge as f64 / BINS as f64).count();
        let sums = &mut self.bins[bin];
        sums.count += 1;
        sums.confidence += confidence;
        sums.right += u64::from(right);
    }

    /// The statistics of the bins.
    pub fn calibration(&self) -> Calibration {
        let mean = |sum: f64, count: u64| if count == 0 { 0.0 } else { sum / count as f64 };
        let bin = |sums: &BinSums| Bin {
            count: sums.count,
            confidence: mean(sums.confidence, sums.count),
            accuracy: mean(sums.right as f64, sums.count),
        };
        Calibration { bins: self.bins.iter().map(bin).collect() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::core::engine::logits::{class_of, confidence_of};

    /// The logits and the true class of each example.
    pub const ROWS: [([f32; 3], u32); 8] = [
        ([2.0, 0.0, -1.0], 0),
        ([0.1, 0.0, 0.05], 2),
        ([-1.0, 3.0, 0.5], 1),
        ([0.0, 1.0, 0.0], 1),
        ([0.0, 1.1, 0.0], 0),
        ([5.0, 0.0, 0.0], 0),
        ([0.0, 0.0, 4.5], 1),
        ([1.0, 2.0, 0.0], 1),
    ];

    fn counted() -> Calibration {
        let mut reliability = Reliability::default();
        for (logits, label) in ROWS {
            reliability.add(confidence_of(&logits), class_of(&logits) == label);
        }
        reliability.calibration()
    }

    #[test]
    fn the_bins_and_the_error_equal_those_of_numpy() {
        // import numpy as np
        // x = np.array([[2, 0, -1], [.1, 0, .05], [-1, 3, .5], [0, 1, 0], [0, 1.1, 0], [5, 0, 0],
        //               [0, 0, 4.5], [1, 2, 0]], np.float32).astype(np.float64)
        // y = np.array([0, 2, 1, 1, 0, 0, 1, 1])
        // p = np.exp(x - x.max(1, keepdims=True)); p /= p.sum(1, keepdims=True)
        // confidence, right = p.max(1), p.argmax(1) == y
        // bins = np.digitize(confidence, np.arange(1, 10) / 10, right=True)
        // found = [bins == i for i in range(10)]
        // for b in found:
        //     print(b.sum(), confidence[b].mean() if b.any() else 0,
        //           right[b].mean() if b.any() else 0)
        // print(sum(b.mean() * abs(right[b].mean() - confidence[b].mean())
        //           for b in found if b.any()))
        let none = (0, 0.0, 0.0);
        let expected = [
            none,
            none,
            none,
            (1, 0.350_131_861_701_129_87, 0.0),
            none,
            (1, 0.576_116_884_765_829_1, 1.0),
            (2, 0.632_786_982_975_042_5, 0.5),
            none,
            (1, 0.843_794_734_481_339_5, 1.0),
            (3, 0.957_909_377_383_743_6, 2.0 / 3.0),
        ];
        let calibration = counted();
        assert_eq!(calibration.bins.len(), BINS);
        for (bin, (count, confidence, accuracy)) in calibration.bins.iter().zip(expected) {
            assert_eq!(bin.count, count);
            assert!((bin.confidence - confidence).abs() < 1e-12, "{bin:?}");
            assert!((bin.accuracy - accuracy).abs() < 1e-12, "{bin:?}");
        }
        let error = calibration.expected_calibration_error().unwrap_or_default();
        assert!((error - 0.258_690_292_569_409_7).abs() < 1e-12, "{error}");
        assert_eq!(calibration.total(), 8);
    }

    #[test]
    fn a_bin_edge_belongs_to_the_lower_bin_and_nan_is_ignored() {
        let mut reliability = Reliability::default();
        for tenth in 0..=10 {
            reliability.add(f64::from(tenth) / 10.0, true);
        }
        reliability.add(f64::NAN, true);
        let counts: Vec<u64> = reliability.calibration().bins.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [2, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn there_is_no_error_without_predictions() {
        assert_eq!(Calibration::default().expected_calibration_error(), None);
        assert_eq!(Reliability::default().calibration().expected_calibration_error(), None);
    }

    #[test]
    fn a_calibration_round_trips_through_json() -> serde_json::Result<()> {
        let calibration = counted();
        let json = serde_json::to_string(&calibration)?;
        assert_eq!(serde_json::from_str::<Calibration>(&json)?, calibration);
        Ok(())
    }
}
