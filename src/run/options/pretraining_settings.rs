//! The settings of a run of pretraining: defaults, reasons, and options that it refuses.

use super::group::{OptionGroup, ValueSource};
use super::pretraining::{
    DISCRIMINATOR_WEIGHT, MLM_PROBABILITY, NEW_PARAMETERS_LR_FACTOR, PretrainingOptions,
};
use super::settings::SettingsList;
use super::train::TrainOptions;
use crate::core::model::{Objective, Task};
use crate::core::train::arguments::{
    ConfigError, StartingWeights, StepInterval, TrainingArguments,
};
use crate::core::train::event::Setting;

/// The reason for values that a run of pretraining has by default.
const PRETRAINING: &str = "pretraining";

/// Options of classifiers.
const NOT_FOR_PRETRAINING: [&str; 17] = [
    "label_column_name",
    "text_pair_column_name",
    "label_smoothing_factor",
    "pooling",
    "greater_is_better",
    "class_weights",
    "rdrop_alpha",
    "unlabelled",
    "unlabelled_batch_size",
    "pseudo_label_warmup",
    "pseudo_label_threshold",
    "pseudo_label_weight",
    "ema_decay",
    "probe",
    "save_predictions",
    "slice_column",
    "corrections",
];

/// The settings of a generator.
pub fn generator_settings(options: &PretrainingOptions, task: Task) -> Vec<Setting> {
    let Task::ReplacedTokens(shape) = task else { return Vec::new() };
    let mut list = SettingsList::default();
    let layers = "half of the model's";
    list.pick("generator_layers", options.generator_layers.as_ref(), shape.layers, layers);
    let hidden = "a third of the model's";
    list.pick("generator_size", options.generator_size.as_ref(), shape.hidden, hidden);
    list.into_settings()
}

/// Lists the settings of the objective.
pub(super) fn list(
    options: &PretrainingOptions,
    weights: StartingWeights,
    list: &mut SettingsList,
) {
    let Some(objective) = options.chosen() else { return };
    list.pick("objective", options.objective.as_ref(), objective, "default");
    let paper = match objective {
        Objective::Mlm => "BERT",
        Objective::Rtd => "ELECTRA",
    };
    list.pick("mlm_probability", options.mlm_probability.as_ref(), MLM_PROBABILITY, paper);
    if objective == Objective::Rtd {
        let given = options.discriminator_weight.as_ref();
        list.pick("discriminator_weight", given, DISCRIMINATOR_WEIGHT, paper);
    }
    let given = options.new_parameters_lr_factor.as_ref();
    let (default, reason) = if weights == StartingWeights::Random {
        (1.0, "random weights")
    } else {
        (NEW_PARAMETERS_LR_FACTOR, "a new head")
    };
    list.pick("new_parameters_lr_factor", given, default, reason);
    list.pick("freeze_encoder_steps", options.freeze_encoder_steps.as_ref(), 0, "default");
}

/// Refuses options that have no meaning without labels.
///
/// # Errors
/// Names the option.
pub(super) fn check(options: &TrainOptions) -> Result<(), ConfigError> {
    let given = options.given();
    // A run that is resumed is compared with its own options, which may be a classifier's.
    let is_own =
        |source: &ValueSource| matches!(source, ValueSource::RunToml | ValueSource::Checkpoint);
    let wrong = given
        .iter()
        .find(|given| NOT_FOR_PRETRAINING.contains(&given.name) && !is_own(given.source));
    if let Some(wrong) = wrong {
        let name = wrong.name.replace('_', "-");
        return Err(ConfigError(format!(
            "--{name} is for classifiers; pretraining reads texts without labels. Leave it out"
        )));
    }
    if options.pretraining.chosen() == Some(Objective::Mlm) {
        let of_generator = ["generator_layers", "generator_size", "discriminator_weight"];
        let unused =
            given.iter().find(|given| of_generator.contains(&given.name) && !is_own(given.source));
        if let Some(unused) = unused {
            let name = unused.name.replace('_', "-");
            return Err(ConfigError(format!(
                "--{name} is for --objective rtd, whose generator replaces tokens; leave it out"
            )));
        }
    }
    let metric = options.output.metric_for_best_model.as_ref();
    let is_loss = |name: &str| name.strip_prefix("eval_").unwrap_or(name) == "loss";
    if metric.is_some_and(|metric| !is_loss(&metric.value)) {
        return Err(ConfigError(
            "pretraining selects the best model by its loss; leave out --metric-for-best-model"
                .to_owned(),
        ));
    }
    Ok(())
}

/// The defaults of pretraining: those of transformers' `run_mlm.py`, with BERT's weight decay and
/// RoBERTa's warm-up.
pub(super) fn set_defaults(arguments: &mut TrainingArguments, weights: StartingWeights) {
    arguments.num_train_epochs = 3.0;
    arguments.weight_decay = 0.01;
    arguments.save_steps = StepInterval::new(500.0);
    if weights != StartingWeights::Random {
        arguments.warmup_steps = 0.06;
    }
}

/// The settings of a run of pretraining: without those of classifiers, and with its own reasons.
pub(super) fn adapt(settings: &mut Vec<Setting>) {
    settings.retain(|setting| !NOT_FOR_PRETRAINING.contains(&setting.name.as_str()));
    for setting in settings {
        let is_default = setting.reason == "tutorial"
            || (["weight_decay", "warmup_steps"].contains(&setting.name.as_str())
                && setting.reason == "recipe trainer");
        if is_default {
            PRETRAINING.clone_into(&mut setting.reason);
        }
    }
}
