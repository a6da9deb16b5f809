//! `trainer_state.json`: what Hugging Face's Trainer remembers of a run. transformers reads it by
//! `TrainerState(**json)`, so it has these keys and no others.

use super::event::{Evaluated, Finished, Step};
use crate::core::train::arguments::{EvalStrategy, SaveStrategy, TrainingArguments};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One line of the log: figures by name.
pub type LogEntry = Map<String, Value>;

/// transformers' `TrainerState`, its fields in the order in which it writes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Hugging Face's")]
pub struct TrainerState {
    pub best_global_step: Option<u64>,
    pub best_metric: Option<f64>,
    pub best_model_checkpoint: Option<String>,
    pub epoch: f64,
    pub eval_steps: u64,
    pub global_step: u64,
    pub is_hyper_param_search: bool,
    pub is_local_process_zero: bool,
    pub is_world_process_zero: bool,
    pub log_history: Vec<LogEntry>,
    pub logging_steps: u64,
    pub max_steps: u64,
    pub num_input_tokens_seen: u64,
    pub num_train_epochs: u64,
    pub save_steps: u64,
    pub stateful_callbacks: Value,
    pub total_flos: f64,
    pub train_batch_size: usize,
    pub trial_name: Option<String>,
    pub trial_params: Option<Value>,
}

/// What `TrainerState` says of steps that a strategy does not use.
const UNUSED_STEPS: u64 = 500;

impl TrainerState {
    /// The state before the first step of a run over `samples` examples.
    pub fn new(arguments: &TrainingArguments, samples: usize) -> Self {
        Self {
            best_global_step: None,
            best_metric: None,
            best_model_checkpoint: None,
            epoch: 0.0,
            eval_steps: match arguments.eval_strategy {
                EvalStrategy::Steps => arguments.eval_steps.of(arguments.max_steps(samples)),
                EvalStrategy::No | EvalStrategy::Epoch => UNUSED_STEPS,
            },
            global_step: 0,
            is_hyper_param_search: false,
            is_local_process_zero: true,
            is_world_process_zero: true,
            log_history: Vec::new(),
            logging_steps: arguments.logging_steps.of(arguments.max_steps(samples)),
            max_steps: arguments.max_steps(samples),
            num_input_tokens_seen: 0,
            num_train_epochs: arguments.epochs(samples).ceil() as u64,
            save_steps: match arguments.save_strategy {
                SaveStrategy::Steps => arguments.save_steps.of(arguments.max_steps(samples)),
                SaveStrategy::No | SaveStrategy::Epoch | SaveStrategy::Best => UNUSED_STEPS,
            },
            stateful_callbacks: json!({}),
            total_flos: 0.0,
            train_batch_size: arguments.per_device_train_batch_size,
            trial_name: None,
            trial_params: None,
        }
    }

    /// Notes that the run stands at this step, about to save.
    pub fn stand_at(&mut self, step: u64, epoch: f64, total_flos: f64) {
        self.global_step = step;
        self.epoch = epoch;
        self.total_flos = total_flos;
        self.stateful_callbacks = json!({
            "TrainerControl": {
                "args": {
                    "should_epoch_stop": false,
                    "should_evaluate": false,
                    "should_log": false,
                    "should_save": true,
                    "should_training_stop": step >= self.max_steps,
                },
                "attributes": {},
            }
        });
    }

    fn log(&mut self, entry: Value) -> &LogEntry {
        if let Value::Object(entry) = entry {
            self.log_history.push(entry);
        }
        let last = self.log_history.len() - 1;
        &self.log_history[last]
    }

    /// Logs a step; `loss` is the mean since the step logged before.
    pub fn log_step(&mut self, step: &Step, loss: f64) -> &LogEntry {
        self.log(json!({
            "epoch": step.epoch,
            "grad_norm": step.grad_norm,
            "learning_rate": step.learning_rate,
            "loss": loss,
            "step": step.step,
        }))
    }

    /// Logs an evaluation over batches of `batch_size`.
    pub fn log_evaluation(&mut self, evaluated: &Evaluated, batch_size: usize) -> &LogEntry {
        let metrics = &evaluated.metrics;
        let batches = metrics.eval_samples.div_ceil(batch_size.max(1) as u64);
        self.log(json!({
            "epoch": evaluated.epoch,
            "eval_accuracy": metrics.eval_accuracy,
            "eval_f1": metrics.eval_f1,
            "eval_loss": metrics.eval_loss,
            "eval_runtime": rounded(metrics.eval_runtime, 4),
            "eval_samples_per_second": rounded(metrics.eval_samples_per_second, 3),
            "eval_steps_per_second": rounded(batches as f64 / metrics.eval_runtime, 3),
            "step": evaluated.step,
        }))
    }

    /// Logs the end of training.
    pub fn log_end(&mut self, finished: &Finished) -> &LogEntry {
        let metrics = &finished.metrics;
        self.log(json!({
            "epoch": metrics.epoch,
            "step": finished.global_step,
            "total_flos": metrics.total_flos,
            "train_loss": metrics.train_loss,
            "train_runtime": rounded(metrics.train_runtime, 4),
            "train_samples_per_second": rounded(metrics.train_samples_per_second, 3),
            "train_steps_per_second": rounded(metrics.train_steps_per_second, 3),
        }))
    }

    /// The text of the file.
    pub fn to_json(&self) -> String {
        // Plain numbers and strings: there is nothing in it that could fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// As transformers rounds its `speed_metrics`.
fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    let rounded = (value * scale).round() / scale;
    if rounded.is_finite() { rounded } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = include_str!("../../../tests/reference/hf_trainer/trainer_state.json");

    #[test]
    fn the_trainers_own_file_is_read_and_written_again() -> serde_json::Result<()> {
        let state: TrainerState = serde_json::from_str(REFERENCE)?;
        let ours: Value = serde_json::from_str(&state.to_json())?;
        assert_eq!(ours, serde_json::from_str::<Value>(REFERENCE)?);
        // The order too, but for the indentation and how an exponent is written.
        let keys = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| line.starts_with("  \""));
            lines.filter_map(|line| line.split('"').nth(1).map(str::to_owned)).collect()
        };
        assert_eq!(keys(&state.to_json()), keys(REFERENCE));
        Ok(())
    }

    #[test]
    fn a_new_state_has_the_keys_of_the_trainers() -> anyhow::Result<()> {
        let arguments = TrainingArguments::default();
        let mut state = TrainerState::new(&arguments, 2000);
        state.stand_at(50, 50.0 / 63.0, 1e9);
        let ours: Value = serde_json::from_str(&state.to_json())?;
        let theirs: Value = serde_json::from_str(REFERENCE)?;
        let keys = |value: &Value| -> Vec<String> {
            value.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect()
        };
        assert_eq!(keys(&ours), keys(&theirs));
        assert_eq!(ours["stateful_callbacks"]["TrainerControl"]["args"]["should_save"], true);
        assert_eq!((state.max_steps, state.num_train_epochs, state.save_steps), (630, 10, 50));
        Ok(())
    }

    #[test]
    fn log_entries_have_the_trainers_names() -> serde_json::Result<()> {
        let state: TrainerState = serde_json::from_str(REFERENCE)?;
        let names = |entry: &LogEntry| entry.keys().cloned().collect::<Vec<_>>();
        let mut ours = state.clone();
        let step = Step {
            step: 2,
            epoch: 0.4,
            loss: 0.7,
            grad_norm: 0.18,
            learning_rate: 4.5e-5,
            samples: 32,
            tokens: 700,
            elapsed: 1.0,
        };
        assert_eq!(names(ours.log_step(&step, 0.69)), names(&state.log_history[0]));
        let evaluated: Evaluated = serde_json::from_value(json!({
            "step": 5, "epoch": 1.0, "elapsed": 1.0, "eval_loss": 0.69, "eval_accuracy": 0.5,
            "eval_f1": 0.6, "eval_precision": 0.5, "eval_recall": 0.5, "eval_samples": 160,
            "eval_confusion": [[40, 40], [40, 40]], "eval_runtime": 1.7,
            "eval_samples_per_second": 90.2,
        }))?;
        assert_eq!(names(ours.log_evaluation(&evaluated, 32)), names(&state.log_history[2]));
        Ok(())
    }
}
