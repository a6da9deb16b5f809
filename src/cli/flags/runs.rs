//! Flags of `runs`.

use super::display::DisplayFlags;
use super::values::choice_value;
use crate::run::run_index::{Query, RunOrder};
use clap::Args;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  nsmc-tui runs                             The runs below this folder, to compare
  nsmc-tui runs experiments --sort accuracy The best one first
  nsmc-tui runs --filter \"finished learning_rate=5e-5\"
  nsmc-tui runs --filter \"eval_accuracy > 0.8 AND NOT (dead OR tag:old)\"
  nsmc-tui runs --plain                     A table, with a column for each setting that differs
  nsmc-tui runs --json | jq -r 'select(.status == \"running\") | .pid'
  nsmc-tui runs --csv mine eval_loss        The points of a curve

Filters:
  A word                 a part of the name, model, status, note or a tag
  name = value           a setting or metric; also != < <= > >=
  tag:baseline           a tag
  note:text              a part of the note
  AND, OR, NOT, ( )      join conditions; AND may be left out
  Besides settings: status (running, finished, failed, stopped, dead), run, model, eval_accuracy,
  eval_f1, eval_loss, loss, step, max_steps, epoch, train_samples, eval_samples, train_runtime.
";

/// Flags of `runs`.
#[derive(Args, Clone, Debug)]
pub struct RunsFlags {
    /// The folder to search for runs, with its subfolders
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// The order of the list
    #[arg(long, value_name = "BY", default_value_t, value_parser = choice_value::<RunOrder>())]
    pub sort: RunOrder,
    /// Reverse the order
    #[arg(long)]
    pub reverse: bool,
    /// Only runs that match, such as `seed=7 AND eval_accuracy > 0.8`; see below
    #[arg(
        long,
        value_name = "QUERY",
        default_value = "",
        hide_default_value = true,
        value_parser = query
    )]
    pub filter: String,
    /// Print a table instead of showing the dashboard
    #[arg(long)]
    pub plain: bool,
    /// Print one JSON object a run
    #[arg(long, conflicts_with = "plain")]
    pub json: bool,
    /// Print the points of a run's curve as `step,value`: `loss`, `learning_rate`, `grad_norm`,
    /// `eval_loss`, `eval_accuracy`, `eval_f1`, `train_accuracy` and others
    #[arg(
        long,
        num_args = 2,
        value_names = ["RUN", "CURVE"],
        conflicts_with_all = ["plain", "json", "filter", "sort", "reverse"]
    )]
    pub csv: Option<Vec<String>>,
    /// How the dashboard looks
    #[command(flatten)]
    pub display: DisplayFlags,
}

/// Checks a filter.
fn query(text: &str) -> Result<String, String> {
    Query::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}
