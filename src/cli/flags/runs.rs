//! Flags of `runs`.

use super::display::DisplayFlags;
use super::values::choice_value;
use crate::run::run_index::RunOrder;
use clap::Args;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  nsmc-tui runs                             The runs below this folder, to compare
  nsmc-tui runs experiments --sort accuracy The best one first
  nsmc-tui runs --filter \"finished learning_rate=5e-5\"
  nsmc-tui runs --plain                     A table, with what sets each run apart
  nsmc-tui runs --json | jq -r 'select(.best.eval_accuracy > 0.76) | .run'
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
    /// Only runs that have all these words in their name, model or status, or as a setting (seed=7)
    #[arg(long, value_name = "WORDS", default_value = "", hide_default_value = true)]
    pub filter: String,
    /// Print a table instead of showing the dashboard
    #[arg(long)]
    pub plain: bool,
    /// Print one JSON object a run
    #[arg(long, conflicts_with = "plain")]
    pub json: bool,
    /// How the dashboard looks
    #[command(flatten)]
    pub display: DisplayFlags,
}
