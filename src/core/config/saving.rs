//! When a run saves, what it keeps, and which model is its best.

use super::resolve::{Choices, show_name};
use super::{ConfigError, EvalStrategy, SaveStrategy, StepInterval};
use crate::cli::flags::TrainFlags;
use crate::core::text::sanitize_for_terminal;

/// The figures that an evaluation can be judged by.
const METRICS: [&str; 5] = ["loss", "accuracy", "f1", "precision", "recall"];

pub(super) struct Saving {
    pub(super) strategy: SaveStrategy,
    pub(super) steps: StepInterval,
    pub(super) total_limit: Option<usize>,
    pub(super) only_model: bool,
    pub(super) load_best_model_at_end: bool,
    pub(super) metric_for_best_model: Option<String>,
    pub(super) greater_is_better: bool,
}

/// When to save, what to keep, and what is best; with the checks of transformers'
/// `TrainingArguments.__post_init__`.
pub(super) fn saving(
    flags: &TrainFlags,
    choices: &mut Choices,
    eval_strategy: EvalStrategy,
    eval_steps: StepInterval,
    logging_steps: StepInterval,
) -> Result<Saving, ConfigError> {
    let hf = "Hugging Face default";
    let load_best_model_at_end = flags.load_best_model_at_end;
    // The best model can be gone back to only if it was saved when it was judged.
    let default = match eval_strategy {
        EvalStrategy::Epoch if load_best_model_at_end => {
            (SaveStrategy::Epoch, "load_best_model_at_end")
        }
        _ => (SaveStrategy::Steps, "tutorial"),
    };
    let strategy = choices.pick("save_strategy", flags.save_strategy, default, show_name);
    let mut steps = logging_steps;
    if strategy == SaveStrategy::Steps {
        let default = if load_best_model_at_end && eval_strategy == EvalStrategy::Steps {
            (eval_steps, "load_best_model_at_end")
        } else {
            (StepInterval::new(50.0), "tutorial")
        };
        steps = choices.pick("save_steps", flags.save_steps, default, StepInterval::to_string);
    }
    let total_limit =
        choices.pick("save_total_limit", flags.save_total_limit, (2, "tutorial"), usize::to_string);
    let only_model = choices.pick(
        "save_only_model",
        flags.save_only_model.then_some(true),
        (false, hf),
        bool::to_string,
    );
    choices.pick(
        "load_best_model_at_end",
        load_best_model_at_end.then_some(true),
        (false, hf),
        bool::to_string,
    );
    let mut metric = flags.metric_for_best_model.clone();
    if metric.is_none() && (load_best_model_at_end || strategy == SaveStrategy::Best) {
        metric = Some("loss".to_owned());
    }
    let mut greater_is_better = false;
    if let Some(name) = &metric {
        let bare = name.strip_prefix("eval_").unwrap_or(name);
        if !METRICS.contains(&bare) {
            let known = METRICS.join(", ");
            let name = sanitize_for_terminal(name);
            return Err(ConfigError(format!(
                "--metric-for-best-model {name} is not known; these are: {known}"
            )));
        }
        let given = flags.metric_for_best_model.clone();
        choices.pick("metric_for_best_model", given, (name.clone(), hf), String::clone);
        let default = (bare != "loss", hf);
        greater_is_better =
            choices.pick("greater_is_better", flags.greater_is_better, default, bool::to_string);
    }
    let saving = Saving {
        strategy,
        steps,
        // 0 keeps them all, as None does in Python.
        total_limit: Some(total_limit).filter(|limit| *limit > 0),
        only_model,
        load_best_model_at_end,
        metric_for_best_model: metric,
        greater_is_better,
    };
    saving.check(eval_strategy, eval_steps)?;
    Ok(saving)
}

impl Saving {
    fn check(
        &self,
        eval_strategy: EvalStrategy,
        eval_steps: StepInterval,
    ) -> Result<(), ConfigError> {
        let refuse = |text: String| Err(ConfigError(text));
        if self.strategy == SaveStrategy::Best && eval_strategy == EvalStrategy::No {
            return refuse("--save-strategy best needs an --eval-strategy other than no".into());
        }
        if !self.load_best_model_at_end {
            return Ok(());
        }
        match (self.strategy, eval_strategy) {
            (SaveStrategy::Best, _) | (SaveStrategy::Epoch, EvalStrategy::Epoch) => Ok(()),
            (SaveStrategy::Steps, EvalStrategy::Steps) => {
                if self.steps.is_multiple_of(eval_steps) {
                    return Ok(());
                }
                refuse(format!(
                    "--load-best-model-at-end needs --save-steps to be a multiple of \
                     --eval-steps, but {} is not one of {eval_steps}",
                    self.steps
                ))
            }
            (save, eval) => refuse(format!(
                "--load-best-model-at-end needs the save and eval strategies to match, but they \
                 are {} and {}",
                show_name(&save),
                show_name(&eval)
            )),
        }
    }
}
