//! Compares the options of a resumed run with those that the run had. Each value that differs is
//! obeyed or refused, by name.

use super::group::{OptionGroup, ValueSource};
use super::resolve::{ModelTraits, resolve};
use super::settings::data_settings;
use super::train::{ModelOptions, OutputOptions, TrainOptions, TrainerOptions};
use crate::core::text::sanitize_for_terminal;
use crate::core::train::arguments::ConfigError;
use std::collections::BTreeMap;
use std::ffi::OsStr;

/// Options of one call, and of where it writes.
const NOT_COMPARED: [&str; 3] = ["output_dir", "logging_dir", "resume_from_checkpoint"];

/// Options that can only be switched on and are not listed as settings.
const SWITCHES: [&str; 6] = [
    "ignore_mismatched_sizes",
    "gradient_checkpointing",
    "auto_find_batch_size",
    "bf16",
    "tf32",
    "skip_bad_rows",
];

/// The options that the schedule of the learning rate follows from.
const SCHEDULE: [&str; 5] =
    ["learning_rate", "lr_scheduler_type", "warmup_steps", "num_train_epochs", "max_steps"];

/// Options whose effect is the data of the run. The data is compared by its content.
const DATA: [&str; 16] = [
    "train_file",
    "unlabelled",
    "validation_split",
    "max_train_samples",
    "validation_file",
    "corrections",
    "max_eval_samples",
    "skip_bad_rows",
    "dataset_name",
    "dataset_config_name",
    "text_column_name",
    "label_column_name",
    "shuffle_seed",
    "text_pair_column_name",
    "quoting",
    "slice_column",
];

/// An option whose value differs from the run's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The option's name.
    pub name: String,
    /// The run's own value, safe to print.
    pub from: String,
    /// The value now, safe to print.
    pub to: String,
    /// The value now as it was given: as a flag, a variable, or in a file.
    pub given: String,
}

impl Change {
    /// Whether the schedule of the learning rate depends on it.
    pub fn is_of_the_schedule(&self) -> bool {
        SCHEDULE.contains(&self.name.as_str())
    }

    /// Whether it selects the data.
    pub fn is_of_the_data(&self) -> bool {
        DATA.contains(&self.name.as_str())
    }

    /// Why the value of a run that has steps behind it cannot change; `None` if it can.
    pub fn refusal(&self, has_best: bool) -> Option<&'static str> {
        Some(match self.name.as_str() {
            "model_name_or_path"
            | "revision"
            | "ignore_mismatched_sizes"
            | "config_overrides"
            | "pooling"
            | "reinit_top_layers"
            | "objective"
            | "generator_layers"
            | "generator_size" => "the model is that of the checkpoint",
            "seed" => "the initial weights and dropout follow from it",
            "data_seed" | "train_sampling_strategy" => "the order of the data follows from it",
            "per_device_train_batch_size" | "gradient_accumulation_steps" => {
                "the steps done are counted in batches of this size"
            }
            "max_seq_length" => "the texts were cut to it",
            "recipe" => "the values that follow from it are given; change these by their names",
            "metric_for_best_model" | "greater_is_better" if has_best => {
                "the best model so far was selected by it"
            }
            _ => return None,
        })
    }
}

/// The options of a run that is resumed under the options `now` and had the options `own`, which
/// differ, in the order of their names.
///
/// # Errors
/// If arguments of one of them contradict each other.
pub fn changes(
    own: &TrainOptions,
    now: &TrainOptions,
    model: ModelTraits,
) -> Result<Vec<Change>, ConfigError> {
    let (before, after) = (effective(own, model)?, effective(now, model)?);
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let given = now.given();
    let differing = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let change = |name: &String| {
        let shown = |value: Option<&String>| {
            sanitize_for_terminal(value.map_or("not set", String::as_str)).into_owned()
        };
        let to = shown(after.get(name));
        let source = given.iter().find(|given| given.name == name).map(|given| given.source);
        Change {
            name: name.clone(),
            from: shown(before.get(name)),
            given: match source {
                Some(ValueSource::Flag) => format!("--{} {to}", name.replace('_', "-")),
                Some(ValueSource::Environment) => {
                    format!("NSMC_TUI_{}={to}", name.to_uppercase())
                }
                Some(source) => format!("{name} = {to} in {source}"),
                None => format!("{name} {to} (the default)"),
            },
            to,
        }
    };
    Ok(differing.map(change).collect())
}

/// The effective values of all options that are compared, by name.
fn effective(
    options: &TrainOptions,
    model: ModelTraits,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let (_, arguments) = resolve(options, model)?;
    let settings = data_settings(options).into_iter().chain(arguments);
    let mut all: BTreeMap<String, String> =
        settings.map(|setting| (setting.name, setting.value)).collect();
    for given in options.given() {
        let is_default = match given.name {
            "revision" => given.text == "main",
            "max_steps" => given.text == "-1",
            "reinit_top_layers" => given.text == "0",
            "class_weights" => given.text == "none",
            "nan_policy" => given.text == "stop",
            "rdrop_alpha" => TrainerOptions::rdrop_alpha(OsStr::new(given.text)) == Ok(0.0),
            name if SWITCHES.contains(&name) => {
                super::parse::boolean(OsStr::new(given.text)) == Ok(false)
            }
            _ => false,
        };
        if is_default || all.contains_key(given.name) {
            continue;
        }
        let text = match given.name {
            "config_overrides" => overrides(given.text),
            "probe" => sentences(given.text),
            name if SWITCHES.contains(&name) => "true".to_owned(),
            name => super::run_toml::current_value(name, given.text).to_owned(),
        };
        all.insert(given.name.to_owned(), text);
    }
    all.retain(|name, _| !NOT_COMPARED.contains(&name.as_str()));
    Ok(all)
}

/// Pinned sentences as they are given on the command line.
fn sentences(text: &str) -> String {
    let sentences = OutputOptions::probe(OsStr::new(text)).unwrap_or_default();
    sentences.iter().map(|sentence| format!("\"{sentence}\"")).collect::<Vec<_>>().join(" ")
}

/// Overrides in the order of their names.
fn overrides(text: &str) -> String {
    let Ok(mut overrides) = ModelOptions::config_overrides(OsStr::new(text)) else {
        return text.to_owned();
    };
    overrides.sort_by(|(one, _), (other, _)| one.cmp(other));
    let texts = overrides.iter().map(|(name, value)| format!("{name}={value}"));
    texts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
#[path = "resume_tests.rs"]
mod tests;
