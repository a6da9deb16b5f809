//! The options of pretraining on texts without labels.

use super::group::{Given, OptionGroup, option_group};
use super::parse::{count, from_str, not_negative, positive, proper_share, whole};
use super::settings::SettingsList;
use super::train::TrainOptions;
use crate::core::data::masking::MaskShares;
use crate::core::model::{GeneratorShape, ModelConfig, Objective, Task};
use crate::core::train::arguments::{
    ConfigError, StartingWeights, StepInterval, TrainingArguments,
};
use crate::core::train::event::Setting;

option_group! {
    /// The objective of pretraining and what belongs to it.
    pub struct PretrainingOptions {
        /// The objective; without one, a classifier is fine-tuned.
        objective: Objective = from_str,
        /// The share of words that are masked.
        mlm_probability: f64 = proper_share,
        /// The number of layers of the generator of replaced tokens.
        generator_layers: usize = count,
        /// The width of the generator's layers.
        generator_size: usize = count,
        /// The weight of the discriminator's loss.
        discriminator_weight: f64 = not_negative,
        /// The factor of the learning rate of the head and of the generator.
        new_parameters_lr_factor: f64 = positive,
        /// The number of steps at the start in which only the head and the generator are trained.
        freeze_encoder_steps: u64 = whole,
    }
}

/// The default share of masked words: BERT's and ELECTRA's.
const MLM_PROBABILITY: f64 = 0.15;

/// The default weight of the discriminator's loss: ELECTRA's.
const DISCRIMINATOR_WEIGHT: f64 = 50.0;

/// The default factor of the learning rate of parameters that are not in the weights.
const NEW_PARAMETERS_LR_FACTOR: f64 = 5.0;

/// The reason for values that a run of pretraining has by default.
const PRETRAINING: &str = "pretraining";

/// Options of classifiers.
const NOT_FOR_PRETRAINING: [&str; 13] = [
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
];

impl PretrainingOptions {
    /// The objective, if the run pretrains.
    pub fn chosen(&self) -> Option<Objective> {
        self.objective.as_ref().map(|given| given.value)
    }

    /// What the model is trained for.
    ///
    /// # Errors
    /// If the generator does not fit the model.
    pub fn task(&self, config: &ModelConfig) -> Result<Task, String> {
        Ok(match self.chosen() {
            None => Task::SequenceClassification,
            Some(Objective::Mlm) => Task::MaskedLm,
            Some(Objective::Rtd) => {
                let value = |given: &Option<Given<usize>>| given.as_ref().map(|given| given.value);
                let layers = config.encoder.num_hidden_layers.div_ceil(2);
                let layers = value(&self.generator_layers).unwrap_or(layers);
                let hidden = value(&self.generator_size);
                let hidden = hidden.unwrap_or_else(|| GeneratorShape::default_hidden(config));
                Task::ReplacedTokens(GeneratorShape::new(config, layers, hidden)?)
            }
        })
    }

    /// The settings of a generator.
    pub fn generator_settings(&self, task: Task) -> Vec<Setting> {
        let Task::ReplacedTokens(shape) = task else { return Vec::new() };
        let mut list = SettingsList::default();
        let layers = "half of the model's";
        list.pick("generator_layers", self.generator_layers.as_ref(), shape.layers, layers);
        let hidden = "a third of the model's";
        list.pick("generator_size", self.generator_size.as_ref(), shape.hidden, hidden);
        list.into_settings()
    }

    /// The share of words that are masked.
    pub fn masked_share(&self) -> f64 {
        self.mlm_probability.as_ref().map_or(MLM_PROBABILITY, |given| given.value)
    }

    /// What masked tokens are replaced by.
    pub fn mask_shares(&self) -> MaskShares {
        match self.chosen() {
            Some(Objective::Rtd) => MaskShares::MASK_ONLY,
            _ => MaskShares::BERT,
        }
    }

    /// The weight of the discriminator's loss.
    pub fn discriminator_weight_or_default(&self) -> f64 {
        self.discriminator_weight.as_ref().map_or(DISCRIMINATOR_WEIGHT, |given| given.value)
    }

    /// The factor of the learning rate of the head and of the generator, which may be new or in the
    /// weights.
    pub fn head_lr_factor(&self, is_new: bool) -> f64 {
        let default = if is_new { NEW_PARAMETERS_LR_FACTOR } else { 1.0 };
        self.new_parameters_lr_factor.as_ref().map_or(default, |given| given.value)
    }

    /// The number of steps in which the encoder stays as it is.
    pub fn frozen_steps(&self) -> u64 {
        Given::value_or_default(self.freeze_encoder_steps.as_ref())
    }

    /// Lists the settings of the objective.
    pub(super) fn list(&self, weights: StartingWeights, list: &mut SettingsList) {
        let Some(objective) = self.chosen() else { return };
        list.pick("objective", self.objective.as_ref(), objective, "default");
        let paper = match objective {
            Objective::Mlm => "BERT",
            Objective::Rtd => "ELECTRA",
        };
        list.pick("mlm_probability", self.mlm_probability.as_ref(), MLM_PROBABILITY, paper);
        if objective == Objective::Rtd {
            let given = self.discriminator_weight.as_ref();
            list.pick("discriminator_weight", given, DISCRIMINATOR_WEIGHT, paper);
        }
        let given = self.new_parameters_lr_factor.as_ref();
        let (default, reason) = if weights == StartingWeights::Random {
            (1.0, "random weights")
        } else {
            (NEW_PARAMETERS_LR_FACTOR, "a new head")
        };
        list.pick("new_parameters_lr_factor", given, default, reason);
        list.pick("freeze_encoder_steps", self.freeze_encoder_steps.as_ref(), 0, "default");
    }
}

/// Refuses options that have no meaning without labels.
///
/// # Errors
/// Names the option.
pub(super) fn check(options: &TrainOptions) -> Result<(), ConfigError> {
    let given = options.given();
    let wrong = given.iter().find(|given| NOT_FOR_PRETRAINING.contains(&given.name));
    if let Some(wrong) = wrong {
        let name = wrong.name.replace('_', "-");
        return Err(ConfigError(format!(
            "--{name} is for classifiers; pretraining reads texts without labels. Leave it out"
        )));
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
