//! `trainer_state.json`, the file in which Hugging Face's Trainer stores the state of a run.
//! transformers reads it with `TrainerState(**json)`, so it must have exactly these keys.

use super::early_stopping::EarlyStopping;
use super::event::LogEntry;
use crate::core::train::arguments::{EvalStrategy, SaveStrategy, TrainingArguments};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// transformers' `TrainerState`, with the fields in the order of the JSON file.
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

/// The default of `eval_steps` and `save_steps` in `TrainerState`, for a strategy that does not use
/// them.
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

    /// Whether the run was evaluated.
    pub fn has_evaluation(&self) -> bool {
        self.log_history.iter().any(|entry| entry.contains_key("eval_loss"))
    }

    /// Sets the step and the values that depend on it, as the Trainer does before saving.
    pub fn advance_to(&mut self, step: u64, epoch: f64, total_flos: f64) {
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

    /// Records the state of early stopping, after [`Self::advance_to`].
    pub(super) fn record_early_stopping(&mut self, stopping: &EarlyStopping) {
        stopping.write_to(&mut self.stateful_callbacks);
        if stopping.is_due() {
            self.stateful_callbacks["TrainerControl"]["args"]["should_training_stop"] = json!(true);
        }
    }

    /// The contents of the JSON file.
    pub fn to_json(&self) -> String {
        // Serializing these plain numbers and strings cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::event::{Evaluated, Step, evaluation_entry, training_entry};

    const REFERENCE: &str = include_str!("../../../tests/reference/hf_trainer/trainer_state.json");

    #[test]
    fn a_file_of_the_trainer_is_read_and_written_unchanged() -> serde_json::Result<()> {
        let state: TrainerState = serde_json::from_str(REFERENCE)?;
        let ours: Value = serde_json::from_str(&state.to_json())?;
        assert_eq!(ours, serde_json::from_str::<Value>(REFERENCE)?);
        // The texts may differ in indentation and in the format of exponents, so compare the order
        // of the keys.
        let keys = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| line.starts_with("  \""));
            lines.filter_map(|line| line.split('"').nth(1).map(str::to_owned)).collect()
        };
        assert_eq!(keys(&state.to_json()), keys(REFERENCE));
        Ok(())
    }

    #[test]
    fn a_new_state_has_the_same_keys_as_the_trainers_file() -> anyhow::Result<()> {
        let arguments = TrainingArguments::default();
        let mut state = TrainerState::new(&arguments, 2000);
        state.advance_to(50, 50.0 / 63.0, 1e9);
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
    fn log_entries_have_the_same_names_as_the_trainers() -> serde_json::Result<()> {
        let state: TrainerState = serde_json::from_str(REFERENCE)?;
        let names = |entry: &LogEntry| entry.keys().cloned().collect::<Vec<_>>();
        let step = Step {
            step: 2,
            epoch: 0.4,
            loss: 0.7,
            grad_norm: 0.18,
            learning_rate: 4.5e-5,
            parts: None,
            samples: 32,
            pseudo_labelled: None,
            tokens: 700,
            elapsed: 1.0,
        };
        assert_eq!(names(&training_entry(&step, 0.69)), names(&state.log_history[0]));
        let evaluated: Evaluated = serde_json::from_value(json!({
            "step": 5, "epoch": 1.0, "elapsed": 1.0, "eval_loss": 0.69, "eval_accuracy": 0.5,
            "eval_f1": 0.6, "eval_precision": 0.5, "eval_recall": 0.5, "eval_samples": 160,
            "eval_confusion": [[40, 40], [40, 40]], "eval_runtime": 1.7,
            "eval_samples_per_second": 90.2,
        }))?;
        assert_eq!(names(&evaluation_entry(&evaluated, 32)), names(&state.log_history[2]));
        Ok(())
    }
}
