//! Weights of classes in the loss.

use super::arguments::ClassWeights;
use crate::core::data::batching::Example;

impl ClassWeights {
    /// The weight of each of `classes` classes for these training examples; `None` if all are 1.
    ///
    /// `balanced` is scikit-learn's `compute_class_weight`: `n / (k × n_c)`, with `n` examples, `k`
    /// classes and `n_c` examples of a class. scikit-learn refuses a class without examples; here it
    /// has the weight 0, because no loss of the training is ever multiplied by it.
    pub fn of(self, examples: &[Example], classes: usize) -> Option<Vec<f32>> {
        if self == Self::None {
            return None;
        }
        let mut counts = vec![0_usize; classes];
        for example in examples {
            if let Some(count) = counts.get_mut(example.label as usize) {
                *count += 1;
            }
        }
        let weight = |count: usize| match count {
            0 => 0.0,
            count => (examples.len() as f64 / (classes * count) as f64) as f32,
        };
        Some(counts.into_iter().map(weight).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_weights_are_those_of_scikit_learn() {
        let examples: Vec<Example> =
            [0, 1, 1, 2, 1, 1, 2].map(|label| Example::new(vec![2, 3], label)).into();
        // compute_class_weight("balanced", classes=np.arange(3), y=[0, 1, 1, 2, 1, 1, 2])
        let expected = [2.333_333_3, 0.583_333_3, 1.166_666_6];
        let ours = ClassWeights::Balanced.of(&examples, 3).unwrap_or_default();
        assert_eq!(ours.len(), 3);
        for (ours, expected) in ours.iter().zip(expected) {
            assert!((ours - expected).abs() < 1e-6, "{ours} {expected}");
        }
        assert_eq!(ClassWeights::None.of(&examples, 3), None);
        // A class without examples does not change the ratio of the other weights.
        let four = ClassWeights::Balanced.of(&examples, 4).unwrap_or_default();
        assert_eq!((four[0] / four[1], four[3]), (4.0, 0.0));
    }
}
