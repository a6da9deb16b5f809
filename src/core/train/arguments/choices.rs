//! Recipes, strategies and intervals.

use crate::core::named::named_enum;

named_enum! {
    /// A set of default values for the training arguments.
    #[derive(Default)]
    pub enum Recipe {
        /// Hugging Face Trainer's defaults with the tutorial's arguments
        @default Trainer = "trainer",
        /// The tutorial's hand-written PyTorch loop: a constant rate, weight decay 0.01 on
        /// everything, no clipping, data in order
        Native = "native",
    }
}

named_enum! {
    /// The weights that a run starts from; defaults depend on them.
    #[derive(Default, serde::Deserialize, serde::Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum StartingWeights {
        /// Random numbers
        Random = "random",
        /// The pretrained model that is part of the program
        Embedded = "embedded",
        /// Those of another pretrained model
        @default Pretrained = "pretrained",
    }
}

impl StartingWeights {
    /// The weights of a model that is not part of the program, with or without a file of weights.
    pub fn of_file(exists: bool) -> Self {
        if exists { Self::Pretrained } else { Self::Random }
    }
}

named_enum! {
    /// What follows a step whose loss or gradient norm is NaN or infinite.
    #[derive(Default)]
    pub enum NanPolicy {
        /// The run fails
        @default Stop = "stop",
        /// The run continues from its last good checkpoint with half the learning rate
        Rollback = "rollback",
    }
}

named_enum! {
    /// Hugging Face's `eval_strategy`.
    pub enum EvalStrategy {
        /// Only at the end
        No = "no",
        /// Every --eval-steps steps, and at the end
        Steps = "steps",
        /// After each epoch, and at the end
        Epoch = "epoch",
    }
}

named_enum! {
    /// Hugging Face's `save_strategy`.
    pub enum SaveStrategy {
        /// No checkpoints, only the model at the end
        No = "no",
        /// Every --save-steps steps, and at the last
        Steps = "steps",
        /// After each epoch
        Epoch = "epoch",
        /// Whenever an evaluation is the best so far
        Best = "best",
    }
}

named_enum! {
    /// Hugging Face's `report_to`: where a run's metrics are written besides the journal.
    pub enum ReportTo {
        /// Event files for TensorBoard
        Tensorboard = "tensorboard",
        /// Nowhere else
        None = "none",
    }
}

named_enum! {
    /// The weights of classes in the training loss.
    #[derive(Default)]
    pub enum ClassWeights {
        /// All classes weigh the same
        @default None = "none",
        /// A class weighs the more, the fewer training texts it has: n / (k × its texts), as
        /// `compute_class_weight` of scikit-learn computes
        Balanced = "balanced",
    }
}

/// An interval in steps; a value below 1 is a fraction of all steps, as in transformers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepInterval(f64);

impl StepInterval {
    /// Creates an interval from a number of steps, or from a fraction of all steps if below 1.
    pub fn new(steps_or_share: f64) -> Self {
        Self(steps_or_share)
    }

    /// The interval in steps, for a run of `max_steps` steps; at least one.
    pub fn of(self, max_steps: u64) -> u64 {
        let steps = if self.0 < 1.0 { (self.0 * max_steps as f64).ceil() } else { self.0 };
        (steps as u64).max(1)
    }

    /// Whether each multiple of this interval is also a multiple of `other`.
    pub(super) fn is_multiple_of(self, other: Self) -> bool {
        if (self.0 < 1.0) != (other.0 < 1.0) {
            return false;
        }
        let times = self.0 / other.0;
        (times - times.round()).abs() < 1e-9 && times >= 1.0
    }
}

impl std::fmt::Display for StepInterval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_steps_or_fractions_of_all_steps() {
        assert_eq!(StepInterval::new(0.1).of(630), 63);
        assert_eq!(StepInterval::new(30.0).of(630), 30);
        assert_eq!(StepInterval::new(0.001).of(10), 1);
        assert!(StepInterval::new(0.2).is_multiple_of(StepInterval::new(0.1)));
        assert!(!StepInterval::new(50.0).is_multiple_of(StepInterval::new(30.0)));
        assert!(!StepInterval::new(1.0).is_multiple_of(StepInterval::new(0.5)));
    }
}
