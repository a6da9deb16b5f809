//! Flags over the recipe's values over Hugging Face's defaults, each with the reason why it holds.

use super::saving::saving;
use super::{
    ConfigError, EvalStrategy, ModelTraits, Recipe, ReportTo, StepInterval, TrainingArguments,
};
use crate::cli::flags::{Sources, TrainFlags};
use crate::core::data::batching::SamplingStrategy;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::event::Setting;
use crate::core::train::schedule::SchedulerType;
use clap::ValueEnum;
use std::path::PathBuf;

/// How many tokens are kept of a text: NSMC's longest review has 142 of mBERT's.
pub const DEFAULT_LENGTH: usize = 160;

/// The rate for a small model from random weights. Fine-tuning's 5e-5 is for weights that already
/// know the language; from random ones it hardly leaves the start in 630 steps.
const RANDOM_WEIGHTS_RATE: f64 = 2e-4;

/// The warm-up that goes with it, as a share of all steps.
const RANDOM_WEIGHTS_WARMUP: f64 = 0.1;

/// Collects each setting with its reason.
pub(super) struct Choices<'a> {
    settings: Vec<Setting>,
    sources: &'a Sources,
}

impl Choices<'_> {
    /// The flag's value if it was given, else the default, for the reason given.
    pub(super) fn pick<T>(
        &mut self,
        name: &str,
        flag: Option<T>,
        (default, why): (T, &str),
        show: impl Fn(&T) -> String,
    ) -> T {
        let (value, why) = match flag {
            Some(value) => (value, self.sources.of(name)),
            None => (default, why.to_owned()),
        };
        self.settings.push(Setting { name: name.to_owned(), value: show(&value), why });
        value
    }
}

impl Choices<'_> {
    /// Says more of why the latest setting holds.
    fn amend_reason(&mut self, why: &str) {
        if let Some(latest) = self.settings.last_mut() {
            why.clone_into(&mut latest.why);
        }
    }
}

/// A number as one would type it: `5e-5`, `0.01`, `10`.
pub fn show_number(value: &f64) -> String {
    if *value != 0.0 && value.abs() < 1e-3 { format!("{value:e}") } else { format!("{value}") }
}

pub(super) fn show_name<T: ValueEnum>(value: &T) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Works out what holds for a run, and lists it with the reasons.
///
/// # Errors
/// If two settings contradict each other.
#[expect(clippy::too_many_lines, reason = "one setting after the other, in the order listed")]
pub fn resolve(
    flags: &TrainFlags,
    model: ModelTraits,
) -> Result<(TrainingArguments, Vec<Setting>), ConfigError> {
    let recipe = flags.recipe.unwrap_or_default();
    let mut choices = Choices { settings: Vec::new(), sources: &flags.sources };
    let by = recipe.either("recipe trainer", "recipe native");
    let hf = "Hugging Face default";
    let tutorial = "tutorial";
    choices.pick("recipe", flags.recipe, (recipe, "default"), show_name);

    // The recipe's own value where it is a matter of method; where the weights are random, the
    // rate and the warm-up follow from that.
    let rate =
        if model.random_weights { (RANDOM_WEIGHTS_RATE, "random weights") } else { (5e-5, by) };
    let warmup = if model.random_weights && recipe == Recipe::Trainer {
        (RANDOM_WEIGHTS_WARMUP, "random weights")
    } else {
        (0.0, by)
    };
    let number = show_number;
    let count = |value: &usize| value.to_string();
    let steps = |value: &u64| value.to_string();

    let max_steps = flags.max_steps.and_then(|steps| u64::try_from(steps).ok());
    let num_train_epochs = if let Some(max_steps) = max_steps {
        choices.pick("max_steps", Some(max_steps), (0, ""), steps);
        flags.num_train_epochs.unwrap_or(10.0)
    } else {
        choices.pick("num_train_epochs", flags.num_train_epochs, (10.0, tutorial), number)
    };
    let per_device_train_batch_size = choices.pick(
        "per_device_train_batch_size",
        flags.per_device_train_batch_size,
        (32, tutorial),
        count,
    );
    let per_device_eval_batch_size = choices.pick(
        "per_device_eval_batch_size",
        flags.per_device_eval_batch_size,
        (32, tutorial),
        count,
    );
    let gradient_accumulation_steps = choices.pick(
        "gradient_accumulation_steps",
        flags.gradient_accumulation_steps,
        (1, hf),
        count,
    );
    if let Some(budget) = flags.max_tokens_per_batch {
        choices.pick("max_tokens_per_batch", Some(budget), (0, ""), count);
    }
    let learning_rate = choices.pick("learning_rate", flags.learning_rate, rate, number);
    let lr_scheduler_type = choices.pick(
        "lr_scheduler_type",
        flags.lr_scheduler_type,
        (recipe.either(SchedulerType::Linear, SchedulerType::Constant), by),
        show_name,
    );
    let warmup_steps = choices.pick("warmup_steps", flags.warmup_steps, warmup, number);
    let decay_by = recipe.either("recipe trainer", "recipe native, on everything");
    let decay = (recipe.either(0.0, 0.01), decay_by);
    let weight_decay = choices.pick("weight_decay", flags.weight_decay, decay, number);
    let max_grad_norm =
        choices.pick("max_grad_norm", flags.max_grad_norm, (recipe.either(1.0, 0.0), by), number);
    let adam_beta1 = choices.pick("adam_beta1", flags.adam_beta1, (0.9, hf), number);
    let adam_beta2 = choices.pick("adam_beta2", flags.adam_beta2, (0.999, hf), number);
    let adam_epsilon = choices.pick("adam_epsilon", flags.adam_epsilon, (1e-8, hf), number);
    let label_smoothing_factor =
        choices.pick("label_smoothing_factor", flags.label_smoothing_factor, (0.0, hf), number);
    let train_sampling_strategy = choices.pick(
        "train_sampling_strategy",
        flags.train_sampling_strategy,
        recipe.either(
            (SamplingStrategy::GroupByLength, "least padding"),
            (SamplingStrategy::Sequential, by),
        ),
        show_name,
    );
    let pad_to_max_length = flags.pad_to_max_length;
    choices.pick(
        "pad_to_max_length",
        pad_to_max_length.then_some(true),
        (false, "least padding"),
        bool::to_string,
    );
    let longest = model.max_tokens;
    let max_seq_length = choices.pick(
        "max_seq_length",
        flags.max_seq_length.map(|length| length.min(longest)),
        if longest >= DEFAULT_LENGTH {
            (DEFAULT_LENGTH, "covers NSMC's longest")
        } else {
            (longest, "the model's positions")
        },
        count,
    );
    if let Some(asked) = flags.max_seq_length.filter(|asked| *asked > longest) {
        choices.amend_reason(&format!("{asked} asked, but the model has no more positions"));
    }
    let eval_strategy = choices.pick(
        "eval_strategy",
        flags.eval_strategy,
        (EvalStrategy::Epoch, tutorial),
        show_name,
    );
    let interval = StepInterval::to_string;
    let fifty = (StepInterval::new(50.0), tutorial);
    let logging_steps = choices.pick("logging_steps", flags.logging_steps, fifty, interval);
    let mut eval_steps = logging_steps;
    if eval_strategy == EvalStrategy::Steps {
        let default = (logging_steps, "logging_steps");
        eval_steps = choices.pick("eval_steps", flags.eval_steps, default, interval);
    }
    let saving = saving(flags, &mut choices, eval_strategy, eval_steps, logging_steps)?;
    let report_to = choices.pick(
        "report_to",
        flags.report_to,
        (ReportTo::Tensorboard, "tutorial's logging_dir"),
        show_name,
    );
    let seed = choices.pick("seed", flags.seed, (42, hf), steps);
    let data_seed = choices.pick("data_seed", flags.data_seed, (seed, "seed"), steps);
    let output_dir = choices.pick(
        "output_dir",
        flags.output_dir.clone(),
        (PathBuf::from("outputs"), tutorial),
        |path| sanitize_for_terminal(&path.display().to_string()).into_owned(),
    );

    let arguments = TrainingArguments {
        output_dir,
        num_train_epochs,
        max_steps,
        per_device_train_batch_size,
        per_device_eval_batch_size,
        gradient_accumulation_steps,
        max_tokens_per_batch: flags.max_tokens_per_batch,
        learning_rate,
        lr_scheduler_type,
        warmup_steps,
        weight_decay,
        decay_everything: recipe == Recipe::Native,
        adam_beta1,
        adam_beta2,
        adam_epsilon,
        max_grad_norm,
        label_smoothing_factor,
        train_sampling_strategy,
        pad_to_max_length,
        max_seq_length,
        eval_strategy,
        eval_steps,
        logging_steps,
        save_strategy: saving.strategy,
        save_steps: saving.steps,
        save_total_limit: saving.total_limit,
        save_only_model: saving.only_model,
        load_best_model_at_end: saving.load_best_model_at_end,
        metric_for_best_model: saving.metric_for_best_model,
        greater_is_better: saving.greater_is_better,
        report_to,
        logging_dir: flags.logging_dir.clone(),
        seed,
        data_seed,
    };
    Ok((arguments, choices.settings))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
