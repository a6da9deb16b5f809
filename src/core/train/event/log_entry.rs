//! Entries of the log history, with the names and the order of Hugging Face's Trainer.

use super::{Evaluated, Finished, Step};
use crate::core::number;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// An entry of `log_history` in `trainer_state.json`: values by name.
pub type LogEntry = Map<String, Value>;

/// An entry was added to the log history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// Seconds since training began.
    #[serde(with = "number")]
    pub elapsed: f64,
    /// The log entry.
    #[serde(flatten)]
    pub entry: LogEntry,
}

/// The values of a training [`LogEntry`], which is written every `logging_steps` steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingLog {
    /// The number of steps completed.
    pub step: u64,
    /// The number of epochs completed, with the fraction of the current one.
    pub epoch: f64,
    /// The mean loss of the steps since the previous entry.
    pub loss: f64,
    /// The last step's gradient norm, before clipping.
    pub grad_norm: f64,
    /// The last step's learning rate.
    pub learning_rate: f64,
    /// The mean fraction of unlabelled examples with pseudo-labels since the previous entry.
    pub pseudo_labelled: Option<f64>,
}

impl Logged {
    /// The values of a training entry; `None` for an entry of an evaluation or of the end of the
    /// run.
    pub fn training(&self) -> Option<TrainingLog> {
        let number = |name: &str| self.entry.get(name)?.as_f64();
        Some(TrainingLog {
            step: self.entry.get("step")?.as_u64()?,
            epoch: number("epoch")?,
            loss: number("loss")?,
            grad_norm: number("grad_norm")?,
            learning_rate: number("learning_rate")?,
            pseudo_labelled: number(PSEUDO_LABELLED),
        })
    }
}

impl TrainingLog {
    /// The values of a step whose loss or gradient norm is not finite. Such a step ends the run
    /// before it is logged, but it is displayed.
    pub fn of_failed_step(step: &Step) -> Option<Self> {
        (!step.is_finite()).then_some(Self {
            step: step.step,
            epoch: step.epoch,
            loss: step.loss,
            grad_norm: step.grad_norm,
            learning_rate: step.learning_rate,
            pseudo_labelled: step.pseudo_labelled,
        })
    }
}

fn object(value: Value) -> LogEntry {
    match value {
        Value::Object(entry) => entry,
        _ => LogEntry::new(),
    }
}

/// The log entry of a training step; `loss` is the mean loss since the previous entry. The losses of
/// a generator and a discriminator are those of the step, as the gradient norm is.
pub fn training_entry(step: &Step, loss: f64) -> LogEntry {
    let mut entry = object(json!({
        "epoch": step.epoch,
        "grad_norm": step.grad_norm,
        "learning_rate": step.learning_rate,
        "loss": loss,
        "step": step.step,
    }));
    if let Some(parts) = step.parts {
        entry.insert("generator_loss".to_owned(), json!(parts.generator_loss));
        entry.insert("discriminator_loss".to_owned(), json!(parts.discriminator_loss));
    }
    entry
}

/// The name of the fraction of unlabelled examples with pseudo-labels in a log entry.
const PSEUDO_LABELLED: &str = "pseudo_labelled";

/// The log entry of a training step with the mean fraction of pseudo-labelled examples since the
/// previous entry, if there were unlabelled ones.
pub fn with_pseudo_labels(mut entry: LogEntry, fraction: Option<f64>) -> LogEntry {
    if let Some(fraction) = fraction {
        entry.insert(PSEUDO_LABELLED.to_owned(), json!(fraction));
    }
    entry
}

/// The name of the temperature in a log entry.
pub const EVAL_TEMPERATURE: &str = "eval_temperature";

/// The log entry of an evaluation in batches of `batch_size` examples.
pub fn evaluation_entry(evaluated: &Evaluated, batch_size: usize) -> LogEntry {
    let metrics = &evaluated.metrics;
    let batches = metrics.eval_samples.div_ceil(batch_size.max(1) as u64);
    let mut entry = object(json!({
        "epoch": evaluated.epoch,
        "eval_accuracy": metrics.eval_accuracy,
        "eval_f1": metrics.eval_f1,
        "eval_loss": metrics.eval_loss,
        "eval_runtime": rounded(metrics.eval_runtime, 4),
        "eval_samples_per_second": rounded(metrics.eval_samples_per_second, 3),
        "eval_steps_per_second": rounded(batches as f64 / metrics.eval_runtime, 3),
        "step": evaluated.step,
    }));
    if let Some(temperature) = metrics.eval_temperature {
        entry.insert(EVAL_TEMPERATURE.to_owned(), json!(temperature));
    }
    if let Some(perplexity) = metrics.perplexity {
        entry.insert("eval_perplexity".to_owned(), json!(perplexity));
        match metrics.eval_generator_loss {
            Some(loss) => {
                entry.insert("eval_generator_loss".to_owned(), json!(loss));
                entry.insert("eval_precision".to_owned(), json!(metrics.eval_precision));
                entry.insert("eval_recall".to_owned(), json!(metrics.eval_recall));
            }
            // Masked tokens have no F1.
            None => drop(entry.shift_remove("eval_f1")),
        }
    }
    entry
}

/// The log entry of the end of training.
pub fn end_entry(finished: &Finished) -> LogEntry {
    let metrics = &finished.metrics;
    object(json!({
        "epoch": metrics.epoch,
        "step": finished.global_step,
        "total_flos": metrics.total_flos,
        "train_loss": metrics.train_loss,
        "train_runtime": rounded(metrics.train_runtime, 4),
        "train_samples_per_second": rounded(metrics.train_samples_per_second, 3),
        "train_steps_per_second": rounded(metrics.train_steps_per_second, 3),
    }))
}

/// Rounds to `digits` decimal places, as transformers' `speed_metrics` does.
fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    let rounded = (value * scale).round() / scale;
    if rounded.is_finite() { rounded } else { 0.0 }
}
