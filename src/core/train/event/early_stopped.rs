//! The end of a run by early stopping.

use serde::{Deserialize, Serialize};

/// Why a run ended before its last step without being stopped by the user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopped {
    /// The metric that did not improve, such as `eval_loss`.
    pub metric: String,
    /// The number of evaluations in a row in which it did not improve.
    pub evaluations: u64,
    /// Its best value, if any evaluation had one that is a number.
    pub best_metric: Option<f64>,
    /// The step of the best value.
    pub best_step: Option<u64>,
}

impl EarlyStopped {
    /// A message about the end at `step`, with the placeholders `{0}` to `{4}`, and the values for
    /// them.
    pub fn message(&self, step: u64) -> (&'static str, [String; 5]) {
        let (text, value, best_step) = match (self.best_metric, self.best_step) {
            (Some(value), Some(best_step)) => (
                "finished at step {0}: evaluations in a row without a better {1}: {2}; best {3} at step {4}",
                format!("{value:.4}"),
                best_step.to_string(),
            ),
            _ => (
                "finished at step {0}: evaluations in a row without a better {1}: {2}",
                String::new(),
                String::new(),
            ),
        };
        let (metric, evaluations) = (self.metric.clone(), self.evaluations.to_string());
        (text, [step.to_string(), metric, evaluations, value, best_step])
    }
}
