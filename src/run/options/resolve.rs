//! Resolves the given options to the arguments of a run, each with its reason. Given values
//! override the recipe's values, which override Hugging Face's defaults.

use super::group::{Given, OptionGroup};
use super::pretraining_settings;
use super::recovery;
use super::settings::SettingsList;
use super::train::{OutputOptions, TrainOptions, TrainerOptions};
use crate::core::model::Pooling;
use crate::core::train::arguments::{
    ClassWeights, ConfigError, EvalStrategy, Recipe, SaveStrategy, StartingWeights, StepInterval,
    TrainingArguments,
};
use crate::core::train::event::Setting;

const HUGGING_FACE: &str = "Hugging Face default";
const TUTORIAL: &str = "tutorial";
const OFF: &str = "default";

/// The properties of a model that affect the arguments of its training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelTraits {
    /// The weights that it starts from.
    pub weights: StartingWeights,
    /// The most tokens of a text that it can process.
    pub max_tokens: usize,
    /// What its head reads, as its `config.json` says.
    pub pooling: Pooling,
}

/// Resolves the arguments of a run, and lists them with their reasons.
///
/// # Errors
/// If two arguments contradict each other.
pub fn resolve(
    options: &TrainOptions,
    model: ModelTraits,
) -> Result<(TrainingArguments, Vec<Setting>), ConfigError> {
    let given = &options.trainer;
    let recipe = given.recipe.as_ref().map(|given| given.value).unwrap_or_default();
    let mut list = SettingsList::default();
    list.pick("recipe", given.recipe.as_ref(), recipe, "default");

    list.pick("pooling", options.model.pooling.as_ref(), model.pooling, "config.json");
    if let Some(layers) = options.model.reinit_top_layers.as_ref().filter(|given| given.value > 0) {
        list.add("reinit_top_layers", layers.value, &layers.source.to_string());
    }

    check_unlabelled(options)?;
    let pretrains = options.pretraining.chosen().is_some();
    let model = match model.weights {
        // The embedded model's own defaults are for classifiers.
        StartingWeights::Embedded if pretrains => {
            ModelTraits { weights: StartingWeights::Pretrained, ..model }
        }
        _ => model,
    };
    let mut arguments = TrainingArguments::of_recipe(recipe, model.weights);
    if pretrains {
        pretraining_settings::check(options)?;
        pretraining_settings::set_defaults(&mut arguments, model.weights);
        pretraining_settings::list(&options.pretraining, model.weights, &mut list);
    }
    batches(options, model, &mut arguments, &mut list);
    optimizer(options, model, recipe, &mut arguments, &mut list);
    examples(options, model, recipe, &mut arguments, &mut list);
    evaluation(options, &mut arguments, &mut list);
    saving(&options.output, &mut arguments, &mut list);
    best_model(&options.output, &mut arguments, &mut list);
    recovery::resolve(given, &mut arguments, &mut list);
    let output = &options.output;
    arguments.report_to = list.pick(
        "report_to",
        output.report_to.as_ref(),
        arguments.report_to,
        "tutorial's logging_dir",
    );
    arguments.logging_dir = output.logging_dir.as_ref().map(|given| given.value.clone());
    arguments.seed = list.pick("seed", given.seed.as_ref(), arguments.seed, HUGGING_FACE);
    arguments.data_seed = list.pick("data_seed", given.data_seed.as_ref(), arguments.seed, "seed");
    let output_dir = options.output_dir().to_path_buf();
    arguments.output_dir =
        list.pick("output_dir", output.output_dir.as_ref(), output_dir, TUTORIAL);
    arguments.check()?;
    let mut settings = list.into_settings();
    if pretrains {
        pretraining_settings::adapt(&mut settings);
    }
    Ok((arguments, settings))
}

/// The reason for a value that comes from the recipe.
fn recipe_reason(recipe: Recipe) -> &'static str {
    match recipe {
        Recipe::Trainer => "recipe trainer",
        Recipe::Native => "recipe native",
    }
}

/// Resolves the length of the run and its batch sizes.
fn batches(
    options: &TrainOptions,
    model: ModelTraits,
    arguments: &mut TrainingArguments,
    list: &mut SettingsList,
) {
    let given = &options.trainer;
    let limit = given.max_steps.as_ref().and_then(|given| Some((given.value?, &given.source)));
    if let Some((max_steps, source)) = limit {
        arguments.max_steps = Some(list.add("max_steps", max_steps, &source.to_string()));
        if let Some(epochs) = &given.num_train_epochs {
            arguments.num_train_epochs = epochs.value;
        }
    } else {
        arguments.num_train_epochs = list.pick(
            "num_train_epochs",
            given.num_train_epochs.as_ref(),
            arguments.num_train_epochs,
            match model.weights {
                StartingWeights::Embedded => "embedded model",
                _ => TUTORIAL,
            },
        );
    }
    arguments.per_device_train_batch_size = list.pick(
        "per_device_train_batch_size",
        given.per_device_train_batch_size.as_ref(),
        arguments.per_device_train_batch_size,
        TUTORIAL,
    );
    arguments.per_device_eval_batch_size = list.pick(
        "per_device_eval_batch_size",
        given.per_device_eval_batch_size.as_ref(),
        arguments.per_device_eval_batch_size,
        TUTORIAL,
    );
    arguments.gradient_accumulation_steps = list.pick(
        "gradient_accumulation_steps",
        given.gradient_accumulation_steps.as_ref(),
        arguments.gradient_accumulation_steps,
        HUGGING_FACE,
    );
    if let Some(budget) = &given.max_tokens_per_batch {
        let reason = budget.source.to_string();
        arguments.max_tokens_per_batch =
            Some(list.add("max_tokens_per_batch", budget.value, &reason));
    }
}

/// Replaces a default number by the given number, and lists it.
fn number(
    list: &mut SettingsList,
    name: &str,
    given: Option<&Given<f64>>,
    value: &mut f64,
    default_reason: &str,
) {
    *value = list.pick(name, given, *value, default_reason);
}

/// Resolves the learning rate, weight decay, gradient clipping and the parameters of `AdamW`.
fn optimizer(
    options: &TrainOptions,
    model: ModelTraits,
    recipe: Recipe,
    arguments: &mut TrainingArguments,
    list: &mut SettingsList,
) {
    let given = &options.trainer;
    let by_recipe = recipe_reason(recipe);
    let by_weights = |depends| match model.weights {
        StartingWeights::Random if depends => "random weights",
        StartingWeights::Embedded if depends => "embedded model",
        _ => by_recipe,
    };
    number(
        list,
        "learning_rate",
        given.learning_rate.as_ref(),
        &mut arguments.learning_rate,
        by_weights(true),
    );
    arguments.lr_scheduler_type = list.pick(
        "lr_scheduler_type",
        given.lr_scheduler_type.as_ref(),
        arguments.lr_scheduler_type,
        by_recipe,
    );
    number(
        list,
        "warmup_steps",
        given.warmup_steps.as_ref(),
        &mut arguments.warmup_steps,
        by_weights(recipe == Recipe::Trainer),
    );
    let decay_reason = match recipe {
        Recipe::Trainer => by_recipe,
        Recipe::Native => "recipe native, on everything",
    };
    number(
        list,
        "weight_decay",
        given.weight_decay.as_ref(),
        &mut arguments.weight_decay,
        decay_reason,
    );
    let value = &mut arguments.max_grad_norm;
    number(list, "max_grad_norm", given.max_grad_norm.as_ref(), value, by_recipe);
    number(list, "adam_beta1", given.adam_beta1.as_ref(), &mut arguments.adam_beta1, HUGGING_FACE);
    number(list, "adam_beta2", given.adam_beta2.as_ref(), &mut arguments.adam_beta2, HUGGING_FACE);
    let value = &mut arguments.adam_epsilon;
    number(list, "adam_epsilon", given.adam_epsilon.as_ref(), value, HUGGING_FACE);
    let value = &mut arguments.layerwise_lr_decay;
    let decay_reason = match model.weights {
        StartingWeights::Embedded => "embedded model",
        _ => OFF,
    };
    number(list, "layerwise_lr_decay", given.layerwise_lr_decay.as_ref(), value, decay_reason);
    number(list, "ema_decay", given.ema_decay.as_ref(), &mut arguments.ema_decay, OFF);
    let value = &mut arguments.label_smoothing_factor;
    number(
        list,
        "label_smoothing_factor",
        given.label_smoothing_factor.as_ref(),
        value,
        HUGGING_FACE,
    );
    loss(given, arguments, list);
    if options.data.unlabelled.is_some() {
        pseudo_labels(given, arguments, list);
    }
}

/// Resolves what is added to the loss; only what is used is listed.
fn loss(given: &TrainerOptions, arguments: &mut TrainingArguments, list: &mut SettingsList) {
    let used = given.class_weights.as_ref().filter(|given| given.value != ClassWeights::None);
    if let Some(Given { value, source, .. }) = used {
        arguments.class_weights = list.add("class_weights", *value, &source.to_string());
    }
    let used = given.rdrop_alpha.as_ref().filter(|given| given.value > 0.0);
    if let Some(Given { value, source, .. }) = used {
        arguments.rdrop_alpha = list.add("rdrop_alpha", *value, &source.to_string());
    }
}

/// Refuses options of unlabelled texts where there are none.
fn check_unlabelled(options: &TrainOptions) -> Result<(), ConfigError> {
    let is_without_effect =
        |name: &str| name.starts_with("pseudo_label_") || name == "unlabelled_batch_size";
    let given = options.given();
    match given.iter().find(|given| is_without_effect(given.name)) {
        Some(given) if options.data.unlabelled.is_none() => Err(ConfigError(format!(
            "--{} needs --unlabelled FILE, or --unlabelled nsmc",
            given.name.replace('_', "-")
        ))),
        _ => Ok(()),
    }
}

/// Resolves how unlabelled examples are labelled and trained on.
fn pseudo_labels(
    given: &TrainerOptions,
    arguments: &mut TrainingArguments,
    list: &mut SettingsList,
) {
    const DEFAULT: &str = "default";
    let size = given.unlabelled_batch_size.as_ref();
    arguments.unlabelled_batch_size =
        list.pick("unlabelled_batch_size", size, arguments.unlabelled_batch_size, DEFAULT);
    for (name, given, value) in [
        ("pseudo_label_warmup", &given.pseudo_label_warmup, &mut arguments.pseudo_label_warmup),
        (
            "pseudo_label_threshold",
            &given.pseudo_label_threshold,
            &mut arguments.pseudo_label_threshold,
        ),
        ("pseudo_label_weight", &given.pseudo_label_weight, &mut arguments.pseudo_label_weight),
    ] {
        number(list, name, given.as_ref(), value, DEFAULT);
    }
}

/// Resolves the order and the length of the examples.
fn examples(
    options: &TrainOptions,
    model: ModelTraits,
    recipe: Recipe,
    arguments: &mut TrainingArguments,
    list: &mut SettingsList,
) {
    const LEAST_PADDING: &str = "least padding";
    let given = &options.trainer;
    arguments.train_sampling_strategy = list.pick(
        "train_sampling_strategy",
        given.train_sampling_strategy.as_ref(),
        arguments.train_sampling_strategy,
        match recipe {
            Recipe::Trainer => LEAST_PADDING,
            Recipe::Native => recipe_reason(recipe),
        },
    );
    arguments.pad_to_max_length =
        list.switch("pad_to_max_length", given.pad_to_max_length.as_ref(), LEAST_PADDING);
    let (default, longest) = (arguments.max_seq_length, model.max_tokens);
    arguments.max_seq_length = match &given.max_seq_length {
        Some(requested) if requested.value > longest => {
            let requested = requested.value;
            let reason = format!("{requested} requested, but the model has no more positions");
            list.add("max_seq_length", longest, &reason)
        }
        requested if longest >= default => {
            list.pick("max_seq_length", requested.as_ref(), default, "covers NSMC's longest")
        }
        requested => list.pick(
            "max_seq_length",
            requested.as_ref(),
            longest,
            "the model's or its tokenizer's limit",
        ),
    };
}

/// Resolves when to evaluate and when to log.
fn evaluation(options: &TrainOptions, arguments: &mut TrainingArguments, list: &mut SettingsList) {
    let given = &options.trainer;
    arguments.eval_strategy =
        list.pick("eval_strategy", given.eval_strategy.as_ref(), arguments.eval_strategy, TUTORIAL);
    arguments.logging_steps =
        list.pick("logging_steps", given.logging_steps.as_ref(), arguments.logging_steps, TUTORIAL);
    arguments.eval_steps = arguments.logging_steps;
    if arguments.eval_strategy == EvalStrategy::Steps {
        let eval_steps = given.eval_steps.as_ref();
        arguments.eval_steps =
            list.pick("eval_steps", eval_steps, arguments.logging_steps, "logging_steps");
    }
}

/// Resolves when checkpoints are written and how many remain.
fn saving(output: &OutputOptions, arguments: &mut TrainingArguments, list: &mut SettingsList) {
    const LOAD_BEST: &str = "load_best_model_at_end";
    let load_best = output.load_best_model_at_end.as_ref().is_some_and(|given| given.value);
    // The best model can be loaded only if a checkpoint is written at each evaluation.
    let (strategy, reason) = match arguments.eval_strategy {
        EvalStrategy::Epoch if load_best => (SaveStrategy::Epoch, LOAD_BEST),
        _ => (arguments.save_strategy, TUTORIAL),
    };
    arguments.save_strategy =
        list.pick("save_strategy", output.save_strategy.as_ref(), strategy, reason);
    let default_steps: StepInterval = arguments.save_steps;
    arguments.save_steps = arguments.logging_steps;
    if arguments.save_strategy == SaveStrategy::Steps {
        let (steps, reason) = if load_best && arguments.eval_strategy == EvalStrategy::Steps {
            (arguments.eval_steps, LOAD_BEST)
        } else {
            (default_steps, TUTORIAL)
        };
        arguments.save_steps = list.pick("save_steps", output.save_steps.as_ref(), steps, reason);
    }
    let default = arguments.save_total_limit.unwrap_or(0);
    let limit = list.pick("save_total_limit", output.save_total_limit.as_ref(), default, TUTORIAL);
    // 0 keeps all checkpoints, as None does in Python.
    arguments.save_total_limit = Some(limit).filter(|limit| *limit > 0);
    arguments.save_only_model =
        list.switch("save_only_model", output.save_only_model.as_ref(), HUGGING_FACE);
    // The run reads it from the options: it is no argument of the trainer.
    list.pick("save_predictions", output.save_predictions.as_ref(), true, OFF);
    arguments.load_best_model_at_end =
        list.switch(LOAD_BEST, output.load_best_model_at_end.as_ref(), HUGGING_FACE);
}

/// Resolves the metric that selects the best model, if a best model is selected.
fn best_model(output: &OutputOptions, arguments: &mut TrainingArguments, list: &mut SettingsList) {
    let given = output.metric_for_best_model.as_ref();
    let chooses = arguments.load_best_model_at_end || arguments.save_strategy == SaveStrategy::Best;
    if given.is_none() && !chooses {
        return;
    }
    let metric = list.pick("metric_for_best_model", given, "loss".to_owned(), HUGGING_FACE);
    let is_loss = metric.strip_prefix("eval_").unwrap_or(&metric) == "loss";
    arguments.metric_for_best_model = Some(metric);
    arguments.greater_is_better =
        list.pick("greater_is_better", output.greater_is_better.as_ref(), !is_loss, HUGGING_FACE);
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
