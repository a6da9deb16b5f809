//! Flags of `runs`.

use super::display::DisplayFlags;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  nsmc-tui runs                             The runs below this folder, to compare
  nsmc-tui runs experiments --sort accuracy The best one first
  nsmc-tui runs --filter \"finished learning_rate=5e-5\"
  nsmc-tui runs --plain                     A table, with what sets each run apart
  nsmc-tui runs --json | jq -r 'select(.best.eval_accuracy > 0.76) | .run'
";

/// By what runs are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RunOrder {
    /// The one written to last comes first
    #[default]
    Recent,
    /// By name
    Name,
    /// The highest evaluation accuracy first
    Accuracy,
    /// The highest F1 (at the best accuracy) first
    F1,
    /// The lowest evaluation loss first
    Loss,
    /// The shortest training time first
    Time,
}

impl RunOrder {
    /// All of them, in the order in which a key goes through them.
    pub const ALL: [Self; 6] =
        [Self::Recent, Self::Name, Self::Accuracy, Self::F1, Self::Loss, Self::Time];

    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recent => "recent",
            Self::Name => "name",
            Self::Accuracy => "accuracy",
            Self::F1 => "F1",
            Self::Loss => "eval loss",
            Self::Time => "time",
        }
    }
}

/// Flags of `runs`.
#[derive(Args, Clone, Debug)]
pub struct RunsFlags {
    /// Below which folder to look for runs
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// By what to sort
    #[arg(long, value_name = "BY", value_enum, default_value_t)]
    pub sort: RunOrder,
    /// The last one first
    #[arg(long)]
    pub reverse: bool,
    /// Only runs with all these words in their name, model, status or settings (seed=7)
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
