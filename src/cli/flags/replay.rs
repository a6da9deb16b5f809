//! Flags of `replay`.

use super::display::DisplayFlags;
use super::values::value;
use crate::run::options::parse::positive;
use clap::Args;
use std::ffi::OsStr;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  nsmc-tui replay                           The run in outputs, twenty times as fast as it was
  nsmc-tui replay mine --speed 5            Another run, more slowly
  nsmc-tui replay --speed max               All of it at once, to look at its charts
  nsmc-tui replay --plain --speed max       Its lines
  nsmc-tui replay run.jsonl                 What `nsmc-tui train --json > run.jsonl` wrote
";

/// Flags of `replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayFlags {
    /// The folder of a run, or a file of events with one JSON object a line
    #[arg(default_value = "outputs")]
    pub run: PathBuf,
    /// Playback speed as a multiple of real time; `max` shows everything at once
    #[arg(long, value_name = "N|max", default_value = "20", value_parser = value(speed))]
    pub speed: f64,
    /// Print lines instead of showing the dashboard
    #[arg(long)]
    pub plain: bool,
    /// Print one JSON object an event
    #[arg(long, conflicts_with = "plain")]
    pub json: bool,
    /// How the dashboard looks
    #[command(flatten)]
    pub display: DisplayFlags,
}

/// A factor; infinite for `max`.
fn speed(text: &OsStr) -> Result<f64, String> {
    if text == "max" {
        return Ok(f64::INFINITY);
    }
    positive(text).map_err(|_| "expected a number above 0, or max".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_positive_or_max() {
        let speed = |text: &str| speed(OsStr::new(text));
        assert_eq!(speed("max"), Ok(f64::INFINITY));
        assert_eq!(speed("0.5"), Ok(0.5));
        for nonsense in ["0", "-1", "nan", "inf", "", "fast", "1e999"] {
            assert!(speed(nonsense).is_err(), "{nonsense}");
        }
    }
}
