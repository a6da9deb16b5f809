//! Flags of `sweep`.

use super::values::{choice_value, value};
use crate::run::options::parse::{count, whole};
use crate::run::sweep::{SearchKind, SweepMetric, SweptSetting};
use crate::screen::display::LanguageChoice;
use clap::{Args, ValueHint};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  nsmc-tui sweep --set learning_rate=5e-5,1e-4,2e-4 --set seed=42,1,2
  nsmc-tui sweep --set seed=1,2,3,4,5 -- --train-file mine.csv --num-train-epochs 3
  nsmc-tui sweep --search random --trials 20 --set learning_rate=log:1e-5..5e-4 \\
      --set weight_decay=0..0.1 --jobs 4 --devices 0,1,2,3 -- --device cuda --bf16
  nsmc-tui sweep --search halving --trials 27 --set learning_rate=log:1e-5..5e-4
  nsmc-tui sweep --output-dir sweeps          Resume a sweep, or print its table again
  nsmc-tui runs sweeps                        The trials under way and ended, with their curves

Names of settings are those of run.toml and of the flags of nsmc-tui train, whose flags follow --.
Each configuration is trained with each seed, and has a row in the table: the mean of --metric at the
end of its trials, with the 95 % interval of the mean by Student's t, from two seeds on. That
interval says how much the mean depends on the seed, not how well the metric would be on other texts; and
the best of many configurations was chosen on the evaluation rows, so evaluate it on others.

Each trial is a run in a process and a folder of its own (trial-001, ...). A trial that fails is named and
does not count. The folder of the sweep has the plan (sweep.toml) and the arguments of the best trial
(best.toml). After Ctrl-C, SIGTERM or a kill, the same command, or --output-dir alone, resumes the
sweep: finished trials are kept, and those that had begun continue from their checkpoints.

Successive halving (Jamieson and Talwalkar, 2016): all configurations are trained for a share of
--num-train-epochs, the best 1/eta of them for eta times as long, and so on, up to
--num-train-epochs. Each is trained anew, so that the schedule of its learning rate is that of a run of
that length.
";

/// Flags of `sweep`.
#[derive(Args, Clone, Debug)]
pub struct SweepFlags {
    /// A setting to vary: a list of values, or for random draws a range, `LOW..HIGH`, or
    /// `log:LOW..HIGH`, whose logarithm is drawn uniformly; may be given several times
    #[arg(long, value_name = "NAME=VALUE,…", help_heading = "Search", value_parser = value(setting))]
    pub set: Vec<SweptSetting>,
    /// How configurations are chosen [default: grid]
    #[arg(long, value_name = "HOW", help_heading = "Search", value_parser = choice_value::<SearchKind>())]
    pub search: Option<SearchKind>,
    /// Configurations to draw, each of which is trained with every seed
    #[arg(long, value_name = "N", help_heading = "Search", value_parser = value(count))]
    pub trials: Option<usize>,
    /// Seed of the draws [default: 42]
    #[arg(long, value_name = "SEED", help_heading = "Search", value_parser = value(whole::<u64>))]
    pub search_seed: Option<u64>,
    /// With --search halving: the best 1/ETA of the configurations are trained for ETA times as many
    /// epochs [default: 3]
    #[arg(long, value_name = "ETA", help_heading = "Search", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub eta: Option<u32>,
    /// The metric by which configurations are compared [default:
    /// `eval_accuracy`]
    #[arg(long, value_name = "METRIC", help_heading = "Search", value_parser = choice_value::<SweepMetric>())]
    pub metric: Option<SweepMetric>,
    /// Trials at once; each has an equal share of the threads [default: 1, or one for each of
    /// --devices]
    #[arg(long, value_name = "N", help_heading = "Running", value_parser = value(count))]
    pub jobs: Option<usize>,
    /// GPUs, one for each job, as `CUDA_VISIBLE_DEVICES` names them: numbers or UUIDs; one that is
    /// named twice has two jobs
    #[arg(long, value_name = "N,…", value_delimiter = ',', help_heading = "Running", value_parser = value(device))]
    pub devices: Vec<String>,
    /// Try trials again that failed in an earlier call
    #[arg(long, help_heading = "Running")]
    pub retry_failed: bool,
    /// The folder of the sweep; with that of an earlier sweep, it is resumed
    #[arg(long, value_name = "FOLDER", default_value = "sweeps", value_hint = ValueHint::AnyPath, help_heading = "Output")]
    pub output_dir: PathBuf,
    /// Print a line for each trial instead of redrawing the table, as without a terminal
    #[arg(long, help_heading = "Output")]
    pub plain: bool,
    /// The language of messages; the table is in English [default: auto]
    #[arg(long, value_name = "LANGUAGE", value_parser = choice_value::<LanguageChoice>(), help_heading = "Output")]
    pub lang: Option<LanguageChoice>,
    /// Print one JSON object a configuration instead of the table
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Flags of nsmc-tui train, for all trials
    #[arg(last = true, value_name = "TRAIN FLAGS")]
    pub train: Vec<OsString>,
}

fn setting(text: &OsStr) -> Result<SweptSetting, String> {
    text.to_str().ok_or("expected UTF-8")?.parse()
}

/// A device as `CUDA_VISIBLE_DEVICES` names it.
fn device(text: &OsStr) -> Result<String, String> {
    let is_name = |text: &&str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '/');
        !text.is_empty() && text.chars().all(is_part) && !text.starts_with('-')
    };
    let name = text.to_str().filter(is_name);
    name.map(str::to_owned).ok_or_else(|| "expected a number, or a UUID such as GPU-…".to_owned())
}
