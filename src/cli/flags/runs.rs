//! Flags of `runs`.

use super::display::DisplayFlags;
use crate::run::run_index::RunOrder;
use clap::builder::PossibleValue;
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

impl ValueEnum for RunOrder {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Recent => ("recent", "The one written to last comes first"),
            Self::Name => ("name", "By name"),
            Self::Accuracy => ("accuracy", "The highest evaluation accuracy first"),
            Self::F1 => ("f1", "The highest F1 (at the best accuracy) first"),
            Self::Loss => ("loss", "The lowest evaluation loss first"),
            Self::Time => ("time", "The shortest training time first"),
        };
        Some(PossibleValue::new(name).help(help))
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
