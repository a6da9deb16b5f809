//! Flags of `attach`.

use super::display::DisplayFlags;
use clap::Args;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  nsmc-tui attach                           The run in outputs, with the keys if they are free
  nsmc-tui attach my-run                    Another run; d leaves it running
  nsmc-tui attach my-run --json             Its events from the beginning to its end
  nsmc-tui attach my-run --send '{\"command\":\"predict\",\"text\":\"정말 재미있는 영화\"}'
  nsmc-tui attach my-run --send '{\"command\":\"set_learning_rate\",\"rate\":3e-5}'

Commands: pause, resume, save_checkpoint, evaluate, stop_after_epoch (\"enabled\"),
set_learning_rate (\"rate\"), stop (\"evaluate\"), predict (\"text\"), explain (\"text\": the words
that lead to its class), pin (\"text\": each evaluation classifies it), unpin (\"text\"), save_model
(again, if it could not be saved at the end).

One dashboard has the keys at a time; another one takes them over with K. A run on another computer
can only be watched, through its journal.
";

/// Flags of `attach`.
#[derive(Args, Clone, Debug)]
pub struct AttachFlags {
    /// The folder of a run under way (its --output-dir)
    #[arg(default_value = "outputs")]
    pub run: PathBuf,
    /// Print the run's events from its beginning to its end, one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Print lines instead of showing the dashboard
    #[arg(long, conflicts_with = "json")]
    pub plain: bool,
    /// Send one command, print what comes of it as JSON, and exit
    #[arg(long, value_name = "JSON", conflicts_with_all = ["json", "plain"])]
    pub send: Option<String>,
    /// How the dashboard looks
    #[command(flatten)]
    pub display: DisplayFlags,
}
