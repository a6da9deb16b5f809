//! Checks that the arguments are consistent, as transformers' `TrainingArguments.__post_init__`
//! does.

use super::{
    ClassWeights, ConfigError, EvalStrategy, NanPolicy, SaveStrategy, StepInterval,
    TrainingArguments,
};
use crate::core::text::sanitize_for_terminal;

/// The values of `metric_for_best_model`: the evaluation metrics that can select the best model.
pub const BEST_MODEL_METRICS: [&str; 5] = ["loss", "accuracy", "f1", "precision", "recall"];

impl TrainingArguments {
    /// Checks that the best model can be selected and loaded at the end.
    ///
    /// # Errors
    /// If the metric is unknown, or if the best model would not be saved when it is evaluated; or
    /// if label smoothing and class weights are combined.
    pub fn check(&self) -> Result<(), ConfigError> {
        if let Some(name) = &self.metric_for_best_model {
            let bare = name.strip_prefix("eval_").unwrap_or(name);
            if !BEST_MODEL_METRICS.contains(&bare) {
                return Err(ConfigError(format!(
                    "--metric-for-best-model {} is not known; use one of {}",
                    sanitize_for_terminal(name),
                    BEST_MODEL_METRICS.join(", ")
                )));
            }
        }
        if self.class_weights != ClassWeights::None && self.label_smoothing_factor > 0.0 {
            return Err(ConfigError(
                "--class-weights and --label-smoothing-factor exclude each other: transformers' \
                 label smoothing has no class weights, and PyTorch's also weights the smoothed \
                 labels. Leave one of them out"
                    .to_owned(),
            ));
        }
        if self.save_strategy == SaveStrategy::Best && self.eval_strategy == EvalStrategy::No {
            return Err(ConfigError(
                "--save-strategy best needs an --eval-strategy other than no".to_owned(),
            ));
        }
        self.check_rollback()?;
        self.check_early_stopping()?;
        if !self.load_best_model_at_end {
            return Ok(());
        }
        match (self.save_strategy, self.eval_strategy) {
            (SaveStrategy::Best, _) | (SaveStrategy::Epoch, EvalStrategy::Epoch) => Ok(()),
            (SaveStrategy::Steps, EvalStrategy::Steps) => {
                if self.save_steps.is_multiple_of(self.eval_steps) {
                    Ok(())
                } else {
                    Err(not_a_multiple(&self.save_steps, &self.eval_steps))
                }
            }
            (save, eval) => Err(ConfigError(format!(
                "--load-best-model-at-end needs the same --save-strategy and --eval-strategy, but \
                 they are {save} and {eval}"
            ))),
        }
    }

    /// A note for the user on arguments that work together otherwise than they may expect.
    pub fn note(&self) -> Option<String> {
        (self.early_stopping_patience > 0 && !self.load_best_model_at_end).then(|| {
            "early stopping without --load-best-model-at-end: the run saves its last model, not its \
             best one"
                .to_owned()
        })
    }

    /// A run can only go back to a checkpoint that can be resumed from.
    fn check_rollback(&self) -> Result<(), ConfigError> {
        if self.nan_policy != NanPolicy::Rollback {
            return Ok(());
        }
        let problem = if self.save_only_model {
            "leave out --save-only-model"
        } else if self.save_strategy == SaveStrategy::No {
            "use a --save-strategy other than no"
        } else {
            return Ok(());
        };
        Err(ConfigError(format!(
            "--nan-policy rollback needs checkpoints to go back to: {problem}"
        )))
    }

    /// As `EarlyStoppingCallback` checks at the beginning of training.
    fn check_early_stopping(&self) -> Result<(), ConfigError> {
        if self.early_stopping_patience == 0 {
            return Ok(());
        }
        let missing = if self.metric_for_best_model.is_none() {
            "--metric-for-best-model, such as loss, or --load-best-model-at-end"
        } else if self.eval_strategy == EvalStrategy::No {
            "an --eval-strategy other than no"
        } else {
            return Ok(());
        };
        Err(ConfigError(format!("--early-stopping-patience needs {missing}")))
    }

    /// Repeats the check of [`Self::check`] after fractions are converted to steps, for a run over
    /// `samples` examples.
    ///
    /// # Errors
    /// If the best model would not be saved when it is evaluated.
    pub fn check_steps(&self, samples: usize) -> Result<(), ConfigError> {
        let by_steps =
            self.eval_strategy == EvalStrategy::Steps && self.save_strategy == SaveStrategy::Steps;
        if !self.load_best_model_at_end || !by_steps {
            return Ok(());
        }
        let of = |interval: StepInterval| interval.of(self.max_steps(samples));
        let (save, eval) = (of(self.save_steps), of(self.eval_steps));
        if save.is_multiple_of(eval) { Ok(()) } else { Err(not_a_multiple(&save, &eval)) }
    }
}

fn not_a_multiple(save: &impl std::fmt::Display, eval: &impl std::fmt::Display) -> ConfigError {
    ConfigError(format!(
        "--load-best-model-at-end needs --save-steps to be a multiple of --eval-steps, but {save} \
         is not one of {eval}"
    ))
}
