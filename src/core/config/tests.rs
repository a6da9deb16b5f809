//! What holds where, and why.

use super::*;
use crate::core::config::SaveStrategy;

const PRETRAINED: ModelTraits = ModelTraits { random_weights: false, max_tokens: 512 };
const RANDOM: ModelTraits = ModelTraits { random_weights: true, max_tokens: 160 };

fn try_of(
    line: &[&str],
    model: ModelTraits,
) -> Result<(TrainingArguments, Vec<Setting>), ConfigError> {
    let line = [&["nsmc-tui"], line].concat();
    let cli = crate::cli::flags::parse(line.into_iter().map(Into::into));
    resolve(&cli.map(|cli| cli.train).unwrap_or_default(), model)
}

fn of(line: &[&str], model: ModelTraits) -> (TrainingArguments, Vec<Setting>) {
    try_of(line, model).unwrap_or_else(|error| panic!("{error}"))
}

fn why(settings: &[Setting], name: &str) -> (String, String) {
    settings
        .iter()
        .find(|setting| setting.name == name)
        .map(|setting| (setting.value.clone(), setting.why.clone()))
        .unwrap_or_default()
}

#[test]
fn the_trainer_recipe_is_the_tutorials() {
    let (arguments, settings) = of(&[], PRETRAINED);
    assert_eq!(arguments.learning_rate, 5e-5);
    assert_eq!(arguments.num_train_epochs, 10.0);
    assert_eq!(arguments.per_device_train_batch_size, 32);
    assert_eq!((arguments.weight_decay, arguments.max_grad_norm), (0.0, 1.0));
    assert_eq!(arguments.lr_scheduler_type, SchedulerType::Linear);
    assert_eq!(arguments.max_steps(2000), 630);
    assert_eq!(arguments.warmup(630), 0);
    assert_eq!(why(&settings, "learning_rate").1, "recipe trainer");
}

#[test]
fn the_native_recipe_is_the_tutorials_loop() {
    let (arguments, _) = of(&["--recipe", "native"], PRETRAINED);
    assert_eq!(arguments.learning_rate, 5e-5);
    assert_eq!((arguments.weight_decay, arguments.max_grad_norm), (0.01, 0.0));
    assert!(arguments.decay_everything);
    assert_eq!(arguments.lr_scheduler_type, SchedulerType::Constant);
    assert_eq!(arguments.train_sampling_strategy, SamplingStrategy::Sequential);
}

#[test]
fn random_weights_get_their_own_rate_unless_a_flag_says_otherwise() {
    let (_, settings) = of(&[], RANDOM);
    assert_eq!(why(&settings, "learning_rate").1, "random weights");
    let (arguments, settings) = of(&["--learning_rate", "1e-5"], RANDOM);
    assert_eq!(arguments.learning_rate, 1e-5);
    assert_eq!(why(&settings, "learning_rate"), ("1e-5".to_owned(), "flag".to_owned()));
}

#[test]
fn shares_and_steps_of_warm_up() {
    let (arguments, _) = of(&["--warmup-steps", "0.1"], PRETRAINED);
    assert_eq!(arguments.warmup(630), 63);
    let (arguments, _) = of(&["--warmup_steps=7"], PRETRAINED);
    assert_eq!(arguments.warmup(630), 7);
    let (arguments, _) = of(&["--max-steps", "5"], PRETRAINED);
    assert_eq!(arguments.max_steps(2000), 5);
}

#[test]
fn the_length_never_exceeds_the_positions() {
    let (arguments, settings) = of(&["--max-seq-length", "999"], RANDOM);
    assert_eq!(arguments.max_seq_length, 160);
    assert!(why(&settings, "max_seq_length").1.starts_with("999 asked"));
    assert_eq!(of(&[], RANDOM).0.max_seq_length, 160);
}

#[test]
fn saving_is_the_tutorials_unless_the_best_is_wanted() {
    let (arguments, settings) = of(&[], PRETRAINED);
    assert_eq!(arguments.save_strategy, SaveStrategy::Steps);
    assert_eq!((arguments.save_steps.of(630), arguments.save_total_limit), (50, Some(2)));
    assert_eq!(arguments.metric_for_best_model, None);
    assert_eq!(why(&settings, "save_steps").1, "tutorial");
    let (arguments, _) = of(&["--load-best-model-at-end"], PRETRAINED);
    assert_eq!(arguments.save_strategy, SaveStrategy::Epoch);
    assert_eq!(arguments.metric_for_best_model.as_deref(), Some("loss"));
    assert!(!arguments.greater_is_better);
    let (arguments, _) = of(&["--metric-for-best-model", "eval_f1"], PRETRAINED);
    assert!(arguments.greater_is_better);
    assert_eq!(of(&["--save-total-limit", "0"], PRETRAINED).0.save_total_limit, None);
}

#[test]
fn what_transformers_refuses_is_refused() {
    let message = |line: &[&str]| {
        try_of(line, PRETRAINED).map_or_else(|error| error.to_string(), |_| String::new())
    };
    let best = "--load-best-model-at-end";
    assert!(message(&[best, "--save-strategy", "steps"]).contains("steps and epoch"));
    let steps = ["--eval-strategy", "steps", "--eval-steps", "30", "--save-steps", "50"];
    assert!(message(&[&[best], &steps[..]].concat()).contains("50 is not one of 30"));
    assert!(message(&["--metric-for-best-model", "bleu"]).contains("bleu is not known"));
    assert!(message(&["--save-strategy", "best", "--eval-strategy", "no"]).contains("needs an"));
}

#[test]
fn intervals_are_steps_or_shares() {
    let of = |line: &[&str]| of(line, PRETRAINED).0;
    assert_eq!(of(&["--save-steps", "0.1"]).save_steps.of(630), 63);
    assert_eq!(of(&["--save_steps=30"]).save_steps.of(630), 30);
    assert_eq!(of(&["--logging-steps", "0.001"]).logging_steps.of(10), 1);
    let best = ["--load-best-model-at-end", "--eval-strategy", "steps"];
    let shares = ["--eval-steps", "0.1", "--save-steps", "0.2"];
    assert_eq!(of(&[&best[..], &shares].concat()).save_steps.of(100), 20);
}
