//! What a run is told to do: flags over the recipe's values over Hugging Face's defaults, each
//! with the reason why it holds.

use crate::cli::TrainFlags;
use crate::data::batching::SamplingStrategy;
use crate::text::printable;
use crate::train::event::Setting;
use crate::train::schedule::SchedulerType;
use clap::ValueEnum;
use std::path::PathBuf;

/// A set of values that belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Recipe {
    /// Hugging Face Trainer's defaults with the tutorial's arguments
    #[default]
    Trainer,
    /// The tutorial's hand-written PyTorch loop: a constant rate, weight decay 0.01 on
    /// everything, no clipping, data in order
    Native,
}

impl Recipe {
    /// The value that holds under this recipe.
    fn either<T>(self, trainer: T, native: T) -> T {
        match self {
            Self::Trainer => trainer,
            Self::Native => native,
        }
    }
}

/// Hugging Face's `eval_strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EvalStrategy {
    /// Only at the end
    No,
    /// Every --eval-steps steps, and at the end
    Steps,
    /// After each epoch, and at the end
    Epoch,
}

/// Everything the trainer needs to know, by Hugging Face's names.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are Hugging Face's, and --help explains each")]
pub struct TrainingArguments {
    pub output_dir: PathBuf,
    pub num_train_epochs: f64,
    /// Overrides `num_train_epochs` where set.
    pub max_steps: Option<u64>,
    pub per_device_train_batch_size: usize,
    pub per_device_eval_batch_size: usize,
    pub learning_rate: f64,
    pub lr_scheduler_type: SchedulerType,
    /// Steps, or below 1 a share of all steps.
    pub warmup_steps: f64,
    pub weight_decay: f64,
    /// Whether weight decay also applies to biases and layer normalisations.
    pub decay_everything: bool,
    pub adam_beta1: f64,
    pub adam_beta2: f64,
    pub adam_epsilon: f64,
    /// 0 does not clip.
    pub max_grad_norm: f64,
    pub label_smoothing_factor: f64,
    pub train_sampling_strategy: SamplingStrategy,
    pub pad_to_max_length: bool,
    pub max_seq_length: usize,
    pub eval_strategy: EvalStrategy,
    pub eval_steps: u64,
    pub logging_steps: u64,
    pub seed: u64,
    pub data_seed: u64,
}

impl TrainingArguments {
    /// Steps in one epoch over `samples` examples.
    pub fn steps_per_epoch(&self, samples: usize) -> u64 {
        samples.div_ceil(self.per_device_train_batch_size.max(1)).max(1) as u64
    }

    /// Steps in the whole run, as the Trainer counts them.
    pub fn max_steps(&self, samples: usize) -> u64 {
        self.max_steps.unwrap_or_else(|| {
            (self.num_train_epochs * self.steps_per_epoch(samples) as f64).ceil() as u64
        })
    }

    /// Epochs of the whole run: as asked for, or those that `max_steps` reaches into.
    pub fn epochs(&self, samples: usize) -> f64 {
        match self.max_steps {
            Some(steps) => steps.div_ceil(self.steps_per_epoch(samples)) as f64,
            None => self.num_train_epochs,
        }
    }

    /// Warm-up in steps: a value below 1 is a share, rounded up as the Trainer does.
    pub fn warmup(&self, max_steps: u64) -> u64 {
        if self.warmup_steps < 1.0 {
            (self.warmup_steps * max_steps as f64).ceil() as u64
        } else {
            self.warmup_steps as u64
        }
    }
}

/// What the model says about its training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelTraits {
    /// Whether it starts from random weights.
    pub random_weights: bool,
    /// How many positions it has.
    pub max_position_embeddings: usize,
}

/// How many tokens are kept of a text: NSMC's longest review has 142 of mBERT's.
pub const DEFAULT_LENGTH: usize = 160;

/// The rate for a small model from random weights. Fine-tuning's 5e-5 is for weights that already
/// know the language; from random ones it hardly leaves the start in 630 steps.
const RANDOM_WEIGHTS_RATE: f64 = 2e-4;

/// The warm-up that goes with it, as a share of all steps.
const RANDOM_WEIGHTS_WARMUP: f64 = 0.1;

/// Collects each setting with its reason.
struct Choices {
    settings: Vec<Setting>,
}

impl Choices {
    /// The flag's value if it was given, else the default, for the reason given.
    fn pick<T>(
        &mut self,
        name: &str,
        flag: Option<T>,
        (default, why): (T, &str),
        show: impl Fn(&T) -> String,
    ) -> T {
        let (value, why) = match flag {
            Some(value) => (value, "flag"),
            None => (default, why),
        };
        self.settings.push(Setting {
            name: name.to_owned(),
            value: show(&value),
            why: why.to_owned(),
        });
        value
    }
}

impl Choices {
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

fn show_name<T: ValueEnum>(value: &T) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Works out what holds for a run, and lists it with the reasons.
#[expect(clippy::too_many_lines, reason = "one setting after the other, in the order listed")]
pub fn resolve(flags: &TrainFlags, model: ModelTraits) -> (TrainingArguments, Vec<Setting>) {
    let recipe = flags.recipe.unwrap_or_default();
    let mut choices = Choices { settings: Vec::new() };
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
    let learning_rate = choices.pick("learning_rate", flags.learning_rate, rate, number);
    let lr_scheduler_type = choices.pick(
        "lr_scheduler_type",
        flags.lr_scheduler_type,
        (recipe.either(SchedulerType::Linear, SchedulerType::Constant), by),
        show_name,
    );
    let warmup_steps = choices.pick("warmup_steps", flags.warmup_steps, warmup, number);
    let weight_decay =
        choices.pick("weight_decay", flags.weight_decay, (recipe.either(0.0, 0.01), by), |decay| {
            let scope = recipe.either("", " on everything");
            number(decay) + scope
        });
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
    let longest = model.max_position_embeddings;
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
    let logging_steps = choices.pick("logging_steps", flags.logging_steps, (50, tutorial), steps);
    let mut eval_steps = logging_steps;
    if eval_strategy == EvalStrategy::Steps {
        let default = (logging_steps, "logging_steps");
        eval_steps = choices.pick("eval_steps", flags.eval_steps, default, steps);
    }
    let seed = choices.pick("seed", flags.seed, (42, hf), steps);
    let data_seed = choices.pick("data_seed", flags.data_seed, (seed, "seed"), steps);
    let output_dir = choices.pick(
        "output_dir",
        flags.output_dir.clone(),
        (PathBuf::from("outputs"), tutorial),
        |path| printable(&path.display().to_string()).into_owned(),
    );

    let arguments = TrainingArguments {
        output_dir,
        num_train_epochs,
        max_steps,
        per_device_train_batch_size,
        per_device_eval_batch_size,
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
        seed,
        data_seed,
    };
    (arguments, choices.settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRETRAINED: ModelTraits =
        ModelTraits { random_weights: false, max_position_embeddings: 512 };
    const RANDOM: ModelTraits = ModelTraits { random_weights: true, max_position_embeddings: 160 };

    fn of(line: &[&str], model: ModelTraits) -> (TrainingArguments, Vec<Setting>) {
        let line = [&["nsmc-tui"], line].concat();
        let cli = crate::cli::parse(line.into_iter().map(Into::into));
        resolve(&cli.map(|cli| cli.train).unwrap_or_default(), model)
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
}
