//! The result of an evaluation for each example, in little memory.

use super::evaluation::ExampleResult;
use crate::core::engine::logits::{class_of, softmax};

/// The most probabilities of an evaluation that are kept: four million, in eight mebibytes.
pub const MAX_PROBABILITIES: usize = 1 << 22;

/// The value of a probability of 1.
const ONE: f64 = 65535.0;

/// The predicted class, the probabilities and the loss of each example, in the order of the examples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    classes: usize,
    /// `[examples]`: the predicted class.
    predicted: Vec<u16>,
    /// `[examples]`: the loss.
    losses: Vec<f32>,
    /// `[examples][classes]`: the probabilities in 65535ths, rounded.
    probabilities: Vec<u16>,
}

impl Outcomes {
    /// Room for the results of this many examples. `None` if they are too many to be kept.
    pub fn new(examples: usize, classes: usize) -> Option<Self> {
        let values = examples.checked_mul(classes)?;
        (values <= MAX_PROBABILITIES && classes > 0).then(|| Self {
            classes,
            predicted: vec![0; examples],
            losses: vec![f32::NAN; examples],
            probabilities: vec![0; values],
        })
    }

    /// The results with these values; `None` if their numbers contradict each other, or a class does
    /// not exist.
    pub fn from_parts(
        classes: usize,
        predicted: Vec<u16>,
        losses: Vec<f32>,
        probabilities: Vec<u16>,
    ) -> Option<Self> {
        let examples = predicted.len();
        let is_consistent = losses.len() == examples
            && Some(probabilities.len()) == examples.checked_mul(classes)
            && predicted.iter().all(|class| usize::from(*class) < classes);
        is_consistent.then_some(Self { classes, predicted, losses, probabilities })
    }

    /// Sets the result for one example.
    pub fn set(&mut self, result: ExampleResult<'_>) {
        let ExampleResult { index, logits, loss } = result;
        let own = index * self.classes..(index + 1) * self.classes;
        let (Some(predicted), Some(kept), Some(probabilities)) = (
            self.predicted.get_mut(index),
            self.losses.get_mut(index),
            self.probabilities.get_mut(own),
        ) else {
            return;
        };
        (*predicted, *kept) = (class_of(logits) as u16, loss as f32);
        for (probability, exact) in probabilities.iter_mut().zip(softmax(logits)) {
            // A conversion of NaN gives 0; the loss says that the result is not finite.
            *probability = (exact * ONE).round() as u16;
        }
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.predicted.len()
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.predicted.is_empty()
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// `[examples]`: the predicted classes.
    pub fn predicted(&self) -> &[u16] {
        &self.predicted
    }

    /// `[examples]`: the losses.
    pub fn losses(&self) -> &[f32] {
        &self.losses
    }

    /// `[examples][classes]`: the probabilities in 65535ths.
    pub fn scaled_probabilities(&self) -> &[u16] {
        &self.probabilities
    }

    /// The probability of a class for an example, within 1/131070; 0 if there is no such example.
    pub fn probability(&self, example: usize, class: usize) -> f64 {
        let found = self.probabilities.get(example * self.classes + class);
        found.map_or(0.0, |scaled| f64::from(*scaled) / ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_kept_within_their_precision() {
        let mut outcomes = Outcomes::new(3, 2).unwrap_or_default();
        let logits = [[0.0, 3f32.ln()], [40.0, -40.0], [f32::NAN, 0.0]];
        for (index, loss) in [(2, f64::NAN), (0, 0.5), (1, 80.0)] {
            outcomes.set(ExampleResult { index, logits: &logits[index], loss });
        }
        outcomes.set(ExampleResult { index: 3, logits: &logits[0], loss: 0.0 });
        assert_eq!((outcomes.len(), outcomes.predicted()), (3, &[1, 0, 0][..]));
        assert!((outcomes.probability(0, 1) - 0.75).abs() < 1e-5);
        assert_eq!((outcomes.probability(1, 0), outcomes.probability(1, 1)), (1.0, 0.0));
        assert_eq!(outcomes.losses()[..2], [0.5, 80.0]);
        assert!(outcomes.losses()[2].is_nan());
        assert_eq!(outcomes.probability(7, 0), 0.0);
    }

    #[test]
    fn too_many_or_contradictory_values_are_refused() {
        assert!(Outcomes::new(50_000, 2).is_some());
        assert!(Outcomes::new(50_000, 1000).is_none() && Outcomes::new(usize::MAX, 2).is_none());
        let parts = |predicted: u16, probabilities| {
            Outcomes::from_parts(2, vec![predicted], vec![0.5], probabilities)
        };
        assert!(parts(1, vec![1, 2]).is_some());
        assert!(parts(2, vec![1, 2]).is_none() && parts(1, vec![1]).is_none());
    }
}
