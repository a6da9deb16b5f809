//! The event that a run went back to a checkpoint.

use crate::core::number;
use serde::{Deserialize, Serialize};

/// A step's loss or gradient norm was not finite, and the run continues from an earlier checkpoint.
/// Events of the steps after the checkpoint are out of date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolledBack {
    /// The step of the checkpoint.
    pub step: u64,
    /// The number of epochs completed at the checkpoint, with the fraction of the current one.
    #[serde(with = "number")]
    pub epoch: f64,
    /// The step whose loss or gradient norm was not finite.
    pub failed_step: u64,
    /// The learning rate of the next step.
    #[serde(with = "number")]
    pub learning_rate: f64,
    /// How often the run went back, this time included.
    pub count: u64,
    /// How often it may.
    pub limit: u64,
    /// Seconds since training began, excluding pauses.
    #[serde(with = "number")]
    pub elapsed: f64,
}

impl RolledBack {
    /// A message with the placeholders `{0}` to `{4}`, and the values for them.
    pub fn message(&self) -> (&'static str, [String; 5]) {
        let text = "step {0} was not finite: continued from the checkpoint of step {1} with half the learning rate, {2} ({3} of {4})";
        let rate = format!("{:.2e}", self.learning_rate);
        let numbers = [self.failed_step, self.step, self.count, self.limit];
        let [failed, step, count, limit] = numbers.map(|number| number.to_string());
        (text, [failed, step, rate, count, limit])
    }
}

impl std::fmt::Display for RolledBack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (text, [failed, step, rate, count, limit]) = self.message();
        f.write_str(&crate::core::text::interpolate(text, &[&failed, &step, &rate, &count, &limit]))
    }
}
