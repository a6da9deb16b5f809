//! A setting that a sweep varies: `NAME=VALUE,VALUE`, `NAME=LOW..HIGH` or `NAME=log:LOW..HIGH`.

use crate::core::data::sampling::Generator;
use crate::core::text::show_number;
use crate::run::options::{OptionGroup, TrainOptions, ValueSource, assign};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;

/// The option of which every configuration is trained with all values.
pub(super) const SEED: &str = "seed";

/// Before a range whose logarithm is drawn uniformly.
const LOG: &str = "log:";

/// Between the ends of a range.
const TO: &str = "..";

/// Options that the sweep itself sets for each trial.
pub(super) const OF_THE_SWEEP: [&str; 3] = ["output_dir", "logging_dir", "resume_from_checkpoint"];

/// The values of one configuration, by option; seeds are not a part of it.
pub type Configuration = BTreeMap<String, String>;

/// A setting that a sweep varies.
#[derive(Clone, Debug, PartialEq)]
pub struct SweptSetting {
    /// The name of the option.
    pub name: &'static str,
    values: SweptValues,
}

#[derive(Clone, Debug, PartialEq)]
enum SweptValues {
    List(Vec<String>),
    Range { low: f64, high: f64, is_log: bool, is_whole: bool, text: String },
}

impl SweptSetting {
    /// The listed values; `None` for a range.
    pub fn list(&self) -> Option<&[String]> {
        match &self.values {
            SweptValues::List(values) => Some(values),
            SweptValues::Range { .. } => None,
        }
    }

    /// The values as they are given.
    pub fn values_text(&self) -> String {
        match &self.values {
            SweptValues::List(values) => values.join(","),
            SweptValues::Range { text, .. } => text.clone(),
        }
    }

    /// Draws a value. Numbers of a range have four significant digits.
    pub(super) fn draw(&self, generator: &mut Generator) -> String {
        match &self.values {
            SweptValues::List(values) => {
                let at = (generator.uniform() * values.len() as f64) as usize;
                values[at.min(values.len() - 1)].clone()
            }
            SweptValues::Range { low, high, is_log, is_whole, .. } => {
                // A whole number stands for the interval of 1 around it.
                let margin = if *is_whole { 0.5 } else { 0.0 };
                let (from, to) = (low - margin, high + margin);
                let share = generator.uniform();
                let value = if *is_log {
                    (from.ln() + share * (to.ln() - from.ln())).exp()
                } else {
                    from + share * (to - from)
                };
                let value = if *is_whole { value.round() } else { four_digits(value) };
                show_number(value.clamp(*low, *high))
            }
        }
    }

    /// Adds the values of another `--set` of the same option.
    ///
    /// # Errors
    /// If one of the two is a range, or a value is listed twice.
    pub fn extend(&mut self, other: Self) -> Result<(), String> {
        let name = self.name;
        match (&mut self.values, other.values) {
            (SweptValues::List(values), SweptValues::List(more)) => {
                values.extend(more);
                check_distinct(name, values)
            }
            _ => Err(format!("{name} is given twice; a range is its only value")),
        }
    }
}

/// The number rounded to four significant digits.
pub(super) fn four_digits(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

impl fmt::Display for SweptSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.values_text())
    }
}

impl FromStr for SweptSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, text) = text.split_once('=').ok_or(
            "expected NAME=VALUE,VALUE,… or NAME=LOW..HIGH, such as learning_rate=5e-5,1e-4",
        )?;
        let name = canonical_name(&name.trim().replace('-', "_"))?;
        if OF_THE_SWEEP.contains(&name) {
            return Err(format!("{name} cannot be varied: each trial has a folder of its own"));
        }
        if name == "probe" {
            return Err("probe cannot be varied: it does not change the training".to_owned());
        }
        let text = text.trim();
        let (ends, is_log) = match text.strip_prefix(LOG) {
            Some(ends) => (ends, true),
            None => (text, false),
        };
        let ends = ends.split_once(TO).and_then(|(low, high)| {
            let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
            Some((number(low)?, number(high)?))
        });
        let values = match ends {
            Some((low, high)) => range(name, low, high, is_log, text)?,
            None if is_log => {
                return Err(format!("expected {name}=log:LOW..HIGH with two numbers"));
            }
            None => list(name, text)?,
        };
        Ok(Self { name, values })
    }
}

/// The name of an option that may be given by an alias.
fn canonical_name(name: &str) -> Result<&'static str, String> {
    if let Some(known) = TrainOptions::names().into_iter().find(|known| *known == name) {
        return Ok(known);
    }
    // The only options with aliases have numbers as values. An unknown name is an error of `assign`.
    let mut options = TrainOptions::default();
    if options.set(name, OsStr::new("0"), &ValueSource::Flag).is_none() {
        assign(&mut options, name, "0", &ValueSource::Flag)?;
    }
    let given = options.given().first().map(|given| given.name);
    given.ok_or_else(|| format!("{name} is another name of an option; use its own name"))
}

/// Checks that a value is one of its option.
pub(super) fn check_value(name: &str, text: &str) -> Result<(), String> {
    assign(&mut TrainOptions::default(), name, text, &ValueSource::Flag)
}

fn list(name: &'static str, text: &str) -> Result<SweptValues, String> {
    let values: Vec<String> = text.split(',').map(|value| value.trim().to_owned()).collect();
    for value in &values {
        check_value(name, value)?;
    }
    check_distinct(name, &values)?;
    Ok(SweptValues::List(values))
}

/// Checks that no value is listed twice, in whatever notation.
fn check_distinct(name: &str, values: &[String]) -> Result<(), String> {
    let is_same = |one: &String, other: &String| {
        one == other
            || matches!((one.parse::<f64>(), other.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
    };
    for (at, value) in values.iter().enumerate() {
        if values[..at].iter().any(|before| is_same(before, value)) {
            return Err(format!("{name} lists {value} twice"));
        }
    }
    Ok(())
}

fn range(
    name: &'static str,
    low: f64,
    high: f64,
    is_log: bool,
    text: &str,
) -> Result<SweptValues, String> {
    if name == SEED {
        return Err(
            "seed needs a list of values: each configuration is trained with all".to_owned()
        );
    }
    if low >= high {
        return Err(format!("{name}: the range {text} is empty; write the lower end first"));
    }
    if is_log && low <= 0.0 {
        return Err(format!("{name}: the range {text} has no logarithm; begin it above 0"));
    }
    // An option that refuses a number with a fraction is a whole number.
    let middle = f64::midpoint(low, high);
    let fraction = if middle.fract() == 0.0 { middle - 0.5 } else { middle };
    let is_whole = low.fract() == 0.0
        && high.fract() == 0.0
        && check_value(name, &show_number(fraction)).is_err();
    for end in [low, high] {
        check_value(name, &show_number(end))?;
    }
    if !is_whole {
        check_value(name, &show_number(fraction))?;
    }
    Ok(SweptValues::Range { low, high, is_log, is_whole, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<SweptSetting, String> {
        text.parse()
    }

    #[test]
    fn lists_and_ranges_are_read_and_written() -> Result<(), String> {
        let rates = parsed("learning-rate= 5e-5, 1e-4")?;
        assert_eq!(rates.name, "learning_rate");
        assert_eq!(rates.list(), Some(&["5e-5".to_owned(), "1e-4".to_owned()][..]));
        assert_eq!(rates.to_string(), "learning_rate=5e-5,1e-4");
        assert_eq!(parsed("warmup_ratio=0.1,0.2")?.name, "warmup_steps");
        let range = parsed("learning_rate=log:1e-5..5e-4")?;
        assert_eq!(range.list(), None);
        assert_eq!(parsed(&range.to_string())?, range);
        // Paths may begin with two dots.
        assert!(parsed("train_file=../a.tsv,../b.tsv")?.list().is_some());
        Ok(())
    }

    #[test]
    fn draws_are_within_the_range_and_valid() -> Result<(), String> {
        let mut generator = Generator::new(1);
        let draws = |text: &str, generator: &mut Generator| -> Result<Vec<f64>, String> {
            let setting = parsed(text)?;
            let draw = |_| {
                let text = setting.draw(generator);
                check_value(setting.name, &text)?;
                text.parse::<f64>().map_err(|error| error.to_string())
            };
            (0..2000).map(draw).collect()
        };
        let rates = draws("learning_rate=log:1e-5..1e-3", &mut generator)?;
        let below = rates.iter().filter(|rate| **rate < 1e-4).count();
        assert!((900..1100).contains(&below), "half of the logarithms: {below}");
        assert!(rates.iter().all(|rate| (1e-5..=1e-3).contains(rate)));
        let decays = draws("weight_decay=0..0.1", &mut generator)?;
        let below = decays.iter().filter(|decay| **decay < 0.05).count();
        assert!((900..1100).contains(&below), "{below}");
        let sizes = draws("per_device_train_batch_size=1..4", &mut generator)?;
        for size in 1..=4 {
            let count = sizes.iter().filter(|drawn| **drawn == f64::from(size)).count();
            assert!((400..600).contains(&count), "{size}: {count}");
        }
        Ok(())
    }

    #[test]
    fn invalid_settings_are_refused_by_name() {
        for (text, expected) in [
            ("learning_rate", "expected NAME=VALUE"),
            ("learning_rte=1", "unknown option learning_rte; did you mean learning_rate?"),
            ("learning_rate=1e-4,x", "invalid value 'x' for learning_rate: expected a number"),
            ("learning_rate=-1..1", "invalid value '-1' for learning_rate"),
            ("learning_rate=1e-4,0.0001", "learning_rate lists 0.0001 twice"),
            ("learning_rate=2..1", "the range 2..1 is empty"),
            ("weight_decay=log:0..1", "has no logarithm"),
            ("weight_decay=log:1", "expected weight_decay=log:LOW..HIGH"),
            ("lr_scheduler_type=0..1", "for lr_scheduler_type"),
            ("per_device_train_batch_size=1.5..8", "for per_device_train_batch_size"),
            ("seed=1..9", "seed needs a list"),
            ("output_dir=a,b", "output_dir cannot be varied"),
            ("plain=true", "unknown option plain"),
        ] {
            let error = parsed(text).err().unwrap_or_default();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_setting_may_be_given_in_parts() -> Result<(), String> {
        let mut seeds = parsed("seed=1,2")?;
        seeds.extend(parsed("seed=3")?)?;
        assert_eq!(seeds.to_string(), "seed=1,2,3");
        assert!(seeds.extend(parsed("seed=2")?).is_err());
        let mut range = parsed("weight_decay=0..1")?;
        assert!(range.extend(parsed("weight_decay=2")?).is_err());
        Ok(())
    }
}
