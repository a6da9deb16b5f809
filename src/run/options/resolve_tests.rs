//! Tests of the resolved arguments and the reasons for them.

use super::*;
use crate::run::options::{OptionGroup, ValueSource};
use std::ffi::OsStr;

const PRETRAINED: ModelTraits =
    ModelTraits { weights: StartingWeights::Pretrained, max_tokens: 512, pooling: Pooling::Cls };
const RANDOM: ModelTraits =
    ModelTraits { weights: StartingWeights::Random, max_tokens: 160, pooling: Pooling::Cls };

fn try_resolve(
    flags: &[(&str, &str)],
    model: ModelTraits,
) -> Result<(TrainingArguments, Vec<Setting>), ConfigError> {
    let mut options = TrainOptions::default();
    for (name, text) in flags {
        let outcome = options.set(name, OsStr::new(text), &ValueSource::Flag);
        assert_eq!(outcome, Some(Ok(())), "{name} = {text}");
    }
    resolve(&options, model)
}

fn resolved(flags: &[(&str, &str)], model: ModelTraits) -> (TrainingArguments, Vec<Setting>) {
    try_resolve(flags, model).unwrap_or_else(|error| panic!("{error}"))
}

fn value_and_reason<'a>(settings: &'a [Setting], name: &str) -> (&'a str, &'a str) {
    let setting = settings.iter().find(|setting| setting.name == name);
    setting.map(|setting| (&*setting.value, &*setting.reason)).unwrap_or_default()
}

#[test]
fn without_options_the_recipes_values_apply() {
    let (arguments, settings) = resolved(&[], PRETRAINED);
    let expected = TrainingArguments::of_recipe(Recipe::Trainer, StartingWeights::Pretrained);
    assert_eq!(arguments, expected);
    assert_eq!(value_and_reason(&settings, "learning_rate"), ("5e-5", "recipe trainer"));
    let (arguments, settings) = resolved(&[("recipe", "native")], PRETRAINED);
    assert_eq!(
        arguments,
        TrainingArguments::of_recipe(Recipe::Native, StartingWeights::Pretrained)
    );
    let expected = ("0.01", "recipe native, on everything");
    assert_eq!(value_and_reason(&settings, "weight_decay"), expected);
    assert_eq!(value_and_reason(&settings, "recipe"), ("native", "flag"));
}

#[test]
fn random_weights_have_a_separate_default_learning_rate() {
    let (arguments, settings) = resolved(&[], RANDOM);
    assert_eq!((arguments.learning_rate, arguments.warmup_steps), (2e-4, 0.1));
    assert_eq!(value_and_reason(&settings, "learning_rate").1, "random weights");
    let (arguments, settings) = resolved(&[("learning_rate", "1e-5")], RANDOM);
    assert_eq!(arguments.learning_rate, 1e-5);
    assert_eq!(value_and_reason(&settings, "learning_rate"), ("1e-5", "flag"));
    let (arguments, settings) = resolved(&[("recipe", "native")], RANDOM);
    assert_eq!((arguments.learning_rate, arguments.warmup_steps), (2e-4, 0.0));
    assert_eq!(value_and_reason(&settings, "warmup_steps").1, "recipe native");
}

#[test]
fn a_limit_of_steps_replaces_the_epochs() {
    let (arguments, settings) = resolved(&[("max_steps", "5")], PRETRAINED);
    assert_eq!(arguments.max_steps(2000), 5);
    assert_eq!(value_and_reason(&settings, "max_steps"), ("5", "flag"));
    assert_eq!(value_and_reason(&settings, "num_train_epochs"), ("", ""));
    let (arguments, _) = resolved(&[("max_steps", "-1"), ("num_train_epochs", "2")], PRETRAINED);
    assert_eq!((arguments.max_steps, arguments.num_train_epochs), (None, 2.0));
}

#[test]
fn max_seq_length_never_exceeds_the_models_positions() {
    let (arguments, settings) = resolved(&[("max_seq_length", "999")], RANDOM);
    assert_eq!(arguments.max_seq_length, 160);
    assert!(value_and_reason(&settings, "max_seq_length").1.starts_with("999 requested"));
    assert_eq!(resolved(&[], RANDOM).0.max_seq_length, 160);
    let short = ModelTraits { max_tokens: 64, ..RANDOM };
    let (arguments, settings) = resolved(&[], short);
    assert_eq!(arguments.max_seq_length, 64);
    assert_eq!(
        value_and_reason(&settings, "max_seq_length").1,
        "the model's or its tokenizer's limit"
    );
}

#[test]
fn a_switch_set_to_false_counts_as_the_default() {
    let (_, settings) = resolved(&[("save_only_model", "no")], PRETRAINED);
    let default = ("false", "Hugging Face default");
    assert_eq!(value_and_reason(&settings, "save_only_model"), default);
    let (_, settings) = resolved(&[("save_only_model", "1")], PRETRAINED);
    assert_eq!(value_and_reason(&settings, "save_only_model"), ("true", "flag"));
}

#[test]
fn checkpoints_follow_evaluations_if_the_best_model_is_loaded() {
    let (arguments, settings) = resolved(&[], PRETRAINED);
    assert_eq!(arguments.save_strategy, SaveStrategy::Steps);
    assert_eq!((arguments.save_steps.of(630), arguments.save_total_limit), (50, Some(2)));
    assert_eq!(arguments.metric_for_best_model, None);
    assert_eq!(value_and_reason(&settings, "save_steps").1, "tutorial");
    let best = ("load_best_model_at_end", "true");
    let (arguments, _) = resolved(&[best], PRETRAINED);
    assert_eq!(arguments.save_strategy, SaveStrategy::Epoch);
    assert_eq!(arguments.metric_for_best_model.as_deref(), Some("loss"));
    assert!(!arguments.greater_is_better);
    let steps = [best, ("eval_strategy", "steps"), ("eval_steps", "30")];
    let (arguments, _) = resolved(&steps, PRETRAINED);
    assert_eq!(arguments.save_steps, StepInterval::new(30.0));
    let (arguments, _) = resolved(&[("metric_for_best_model", "eval_f1")], PRETRAINED);
    assert!(arguments.greater_is_better);
    assert_eq!(resolved(&[("save_total_limit", "0")], PRETRAINED).0.save_total_limit, None);
    let shares = [best, ("eval_strategy", "steps"), ("eval_steps", "0.1"), ("save_steps", "0.2")];
    assert_eq!(resolved(&shares, PRETRAINED).0.save_steps.of(100), 20);
}

#[test]
fn contradictions_that_transformers_rejects_are_rejected() {
    let message = |flags: &[(&str, &str)]| {
        try_resolve(flags, PRETRAINED).map_or_else(|error| error.to_string(), |_| String::new())
    };
    let best = ("load_best_model_at_end", "true");
    assert!(message(&[best, ("save_strategy", "steps")]).contains("steps and epoch"));
    let steps = [best, ("eval_strategy", "steps"), ("eval_steps", "30"), ("save_steps", "50")];
    assert!(message(&steps).contains("50 is not one of 30"));
    assert!(message(&[("metric_for_best_model", "bleu")]).contains("bleu is not known"));
    let never = [("save_strategy", "best"), ("eval_strategy", "no")];
    assert!(message(&never).contains("needs an"));
    let weights = [("class_weights", "balanced"), ("label_smoothing_factor", "0.1")];
    assert!(message(&weights).contains("exclude each other"));
}
