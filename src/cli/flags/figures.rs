//! Flags of `figures`.

use clap::Args;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  nsmc-tui figures                          loss_curves and confusion_matrix, in outputs
  nsmc-tui figures mine --to report         Those of another run, elsewhere
";

/// Flags of `figures`.
#[derive(Args, Clone, Debug)]
pub struct FiguresFlags {
    /// The folder of a run, or a file of events with one JSON object a line
    #[arg(default_value = "outputs")]
    pub run: PathBuf,
    /// The folder to write the figures to [default: the run's]
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
}
