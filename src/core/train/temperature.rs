//! Temperature scaling: one number that logits are divided by, so that the confidence of a model is
//! its accuracy on average (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
//! section 4.2). It changes no predicted class.

use crate::core::bounded_file;
use crate::core::train::checkpoint::TRAINER_STATE;
use crate::core::train::event::EVAL_TEMPERATURE;
use crate::core::train::trainer_state::TrainerState;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The file in a saved model's folder with its temperature.
pub const CALIBRATION: &str = "calibration.json";

/// The lowest and the highest temperature. A minimum of the loss outside of it is none: a model whose
/// predictions are all correct has its minimum at 0.
const RANGE: [f64; 2] = [0.05, 20.0];

/// The most logits that are kept for a fit: 4 MiB.
const MAX_LOGITS: usize = 1 << 20;

/// The most bytes of a file with a temperature. A log history of a long run has megabytes.
const MAX_BYTES: u64 = 64 << 20;

/// The logits and the classes of an evaluation, or of evenly spaced examples of it if there are too
/// many.
#[derive(Clone, Debug)]
pub struct TemperatureFit {
    classes: usize,
    /// One of this many examples is kept.
    stride: usize,
    seen: usize,
    logits: Vec<f32>,
    labels: Vec<u32>,
}

impl TemperatureFit {
    /// A fit to at most `examples` examples of a model with `classes` classes.
    pub fn new(classes: usize, examples: usize) -> Self {
        let stride = examples.saturating_mul(classes).div_ceil(MAX_LOGITS).max(1);
        Self { classes, stride, seen: 0, logits: Vec::new(), labels: Vec::new() }
    }

    /// Adds an example: the logit of each class, and the true class.
    pub fn add(&mut self, logits: &[f32], label: u32) {
        if self.seen.is_multiple_of(self.stride) && logits.len() == self.classes {
            self.logits.extend_from_slice(logits);
            self.labels.push(label);
        }
        self.seen += 1;
    }

    /// The temperature with the lowest mean negative log-likelihood. `None` if there is none within
    /// the range, as for a model whose predictions are all correct, or if a logit is not finite.
    ///
    /// The loss is convex in `1 / T`; its derivative is `mean(E_p[z] - z_y)` and its second one
    /// `mean(Var_p[z])`, where `p = softmax(z / T)`. Newton's method is kept within the interval
    /// that has the root.
    pub fn temperature(&self) -> Option<f64> {
        let [mut low, mut high] = [1.0 / RANGE[1], 1.0 / RANGE[0]];
        let is_inside = self.derivatives(low)?.0 < 0.0 && self.derivatives(high)?.0 > 0.0;
        if !is_inside {
            return None;
        }
        let mut inverse = 1.0;
        for _ in 0..200 {
            let (slope, curvature) = self.derivatives(inverse)?;
            if slope > 0.0 {
                high = inverse;
            } else {
                low = inverse;
            }
            let newton = inverse - slope / curvature;
            let next =
                if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
            if (next - inverse).abs() <= 1e-13 * inverse {
                break;
            }
            inverse = next;
        }
        Some(1.0 / inverse)
    }

    /// The first and the second derivative of the mean loss at `1 / T`; `None` if they are not
    /// finite.
    fn derivatives(&self, inverse: f64) -> Option<(f64, f64)> {
        let (mut slope, mut curvature) = (0.0, 0.0);
        for (logits, &label) in self.logits.chunks_exact(self.classes.max(1)).zip(&self.labels) {
            let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
            for &logit in logits {
                // Relative to the highest logit, which no difference depends on.
                let logit = f64::from(logit) - f64::from(highest);
                let weight = (logit * inverse).exp();
                sum += weight;
                first += weight * logit;
                second += weight * logit * logit;
            }
            let mean = first / sum;
            let target = f64::from(*logits.get(label as usize)?) - f64::from(highest);
            slope += mean - target;
            curvature += second / sum - mean * mean;
        }
        let count = self.labels.len() as f64;
        let (slope, curvature) = (slope / count, curvature / count);
        (slope.is_finite() && curvature.is_finite()).then_some((slope, curvature))
    }
}

/// Whether a number can be a temperature.
pub fn is_temperature(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

/// The content of [`CALIBRATION`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedTemperature {
    /// What logits are divided by.
    pub temperature: f64,
    /// The step of the evaluation that it was fitted to.
    pub step: u64,
}

impl SavedTemperature {
    /// The temperature of the last evaluation in a log history that is not after `step`.
    pub fn of_history(state: &TrainerState, step: u64) -> Option<Self> {
        let mut found = state.log_history.iter().rev().filter_map(|entry| {
            let step = entry.get("step").and_then(Value::as_u64)?;
            entry.get("eval_loss")?;
            Some((step, entry.get(EVAL_TEMPERATURE).and_then(Value::as_f64)))
        });
        let (step, temperature) = found.find(|(at, _)| *at <= step)?;
        let temperature = temperature.filter(|value| is_temperature(*value))?;
        Some(Self { temperature, step })
    }

    /// The text of the file.
    pub fn to_json(self) -> String {
        // Serializing two numbers cannot fail.
        serde_json::to_string_pretty(&self).unwrap_or_default() + "\n"
    }
}

/// Why the temperature of a saved model cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// The file cannot be read.
    #[error("{file}: {error}", file = file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The error.
        error: std::io::Error,
    },
    /// The file has no temperature.
    #[error(
        "{file}: {reason}. A number above 0 is expected as \"temperature\"; without the file, \
         probabilities are not calibrated",
        file = file.display()
    )]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The temperature of the model in a folder: that of [`CALIBRATION`] or, in a checkpoint, that of the
/// last evaluation in its `trainer_state.json`. `None` if there is none.
///
/// # Errors
/// If [`CALIBRATION`] cannot be read or has no temperature.
pub fn of_folder(folder: &Path) -> Result<Option<f64>, CalibrationError> {
    let file = folder.join(CALIBRATION);
    let text = match bounded_file::read_text(&file, MAX_BYTES) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(of_checkpoint(folder));
        }
        Err(error) => return Err(CalibrationError::Io { file, error }),
    };
    let value: Value = match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(error) => {
            return Err(CalibrationError::Malformed { file, reason: error.to_string() });
        }
    };
    match value.get("temperature").and_then(Value::as_f64).filter(|value| is_temperature(*value)) {
        Some(temperature) => Ok(Some(temperature)),
        None => Err(CalibrationError::Malformed { file, reason: "no temperature".to_owned() }),
    }
}

/// The temperature of a checkpoint. A state of another program may have any form, and has none.
fn of_checkpoint(folder: &Path) -> Option<f64> {
    let text = bounded_file::read_text(&folder.join(TRAINER_STATE), MAX_BYTES).ok()?;
    let state: TrainerState = serde_json::from_str(&text).ok()?;
    SavedTemperature::of_history(&state, state.global_step).map(|saved| saved.temperature)
}

#[cfg(test)]
#[path = "temperature_tests.rs"]
mod tests;
