//! The command line: names are those of Hugging Face's `TrainingArguments` wherever it has one,
//! and `_` may be written for `-`.

mod bench;
mod compute;
mod display;
mod figures;
mod merge;
mod replay;
pub mod run_file;
mod runs;
mod shared;
mod train;
mod values;

pub use bench::BenchFlags;
pub use compute::Compute;
pub use display::{ColourChoice, DisplayFlags, GlyphChoice, LangChoice, Markers, ThemeChoice};
pub use figures::FiguresFlags;
pub use merge::{Sources, parse};
pub use replay::ReplayFlags;
pub use runs::RunsFlags;
pub use shared::{
    Columns, DataFlags, EvalSource, EvaluateFlags, PredictFlags, SavedModel, Shuffle,
    TokenizeFlags, TrainSource,
};
pub use train::TrainFlags;

use clap::{Parser, Subcommand};
use values::count;

const EXAMPLES: &str = "\
Examples:
  nsmc-tui                                  Fine-tune the embedded model on 2,000 NSMC reviews
  nsmc-tui train --plain --seed 7           The same without a screen, from another seed
  nsmc-tui train --max-train-samples all --max-eval-samples all --num-train-epochs 1
  nsmc-tui train --train-file mine.csv --text-column-name comment --output-dir mine
  nsmc-tui train --model-name-or-path klue/bert-base --load-best-model-at-end
  nsmc-tui train --resume-from-checkpoint   Go on where a run was cut off
  nsmc-tui predict \"정말 재미있는 영화\"       Ask the model that training saved
  nsmc-tui predict --json < reviews.txt     One JSON object a line of input
  nsmc-tui train --device cuda --bf16       On a GPU (of a build with --features cuda)
  nsmc-tui evaluate --max-eval-samples all  Judge it on the 50,000 test reviews
";

const MEASURED: &str = "\
Examples:
  nsmc-tui bench --predict --screen         The embedded model: a step, answers, the dashboard
  nsmc-tui bench --layers 12 --hidden-size 768 --heads 12 --intermediate-size 3072 \\
      --vocab-size 119547 --per-device-train-batch-size 8 --length 32
  nsmc-tui bench --model-name-or-path klue/bert-base --device cuda --bf16 --length 119

Measured in November 2026 on two cores of an AMD EPYC (Zen 4), two threads: the second example's
step takes 970 ms, 1.35 times as fast as PyTorch 2.15 with sdpa and fused AdamW (1.47 times at
4 layers of 256, batch 32 × 24). tests/peer/step.py measures that again. Nothing was measured on a
GPU yet. For one, build with: cargo build --release --features cuda (no toolkit is needed; the
driver, NVRTC and cuBLAS of CUDA 12 or 13 are looked for at run time).

Memory is the most that was held at once: on the CPU the whole process (its peak resident set), on
a card what its buffers take. The share reached is that of a step's matrix products in the rate of
the matrix product alone, measured on the same threads.
";

const DEFAULTS: &str = "\
What holds where no flag says otherwise:
                              --recipe trainer       --recipe native
  learning_rate               5e-5                   5e-5
    from random weights       2e-4                   2e-4
  warmup_steps                0                      0
    from random weights       0.1 of all steps       0
  lr_scheduler_type           linear                 constant
  weight_decay                0                      0.01, biases and LayerNorm too
  max_grad_norm               1                      0 (no clipping)
  train_sampling_strategy     group_by_length        sequential
Both: 10 epochs, batches of 32, logging and saving every 50 steps, 2 checkpoints kept, seed 42:
the tutorial's. The embedded
model starts from random weights, for which fine-tuning's 5e-5 is too small a rate to learn in
630 steps. The dashboard's settings page shows every value and why it holds.

Every flag can stand in a TOML file (--config run.toml: learning_rate = 5e-5) or in the environment
(NSMC_TUI_LEARNING_RATE=5e-5). A flag wins over the environment, that over the file.

A run repeats bit for bit on the same machine and program for the same --seed, whatever the
number of threads (--threads, RAYON_NUM_THREADS); another kind of processor may round differently.

On a GPU: build with cargo build --release --features cuda (no toolkit is needed; NVIDIA's driver,
NVRTC and cuBLAS of CUDA 12 or 13 are looked for at run time), then --device cuda --bf16.
";

/// Fine-tune a Korean sentiment classifier from a terminal, watch it learn, and question it.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
#[command(next_line_help = false, max_term_width = 100)]
pub struct Cli {
    /// What to do; training, if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Training's flags may be given without `train`.
    #[command(flatten)]
    pub train: TrainFlags,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fine-tune a model and watch it learn (what happens without a subcommand)
    #[command(after_help = DEFAULTS)]
    Train(Box<TrainFlags>),
    /// Play a run back from its journal, on the dashboard or in lines
    #[command(after_help = replay::EXAMPLES)]
    Replay(ReplayFlags),
    /// List the runs below a folder, and compare them
    #[command(after_help = runs::EXAMPLES)]
    Runs(RunsFlags),
    /// Draw a run's curves and confusion matrix, as SVG and PNG
    #[command(after_help = figures::EXAMPLES)]
    Figures(FiguresFlags),
    /// Judge a saved model on the evaluation reviews
    Evaluate(EvaluateFlags),
    /// Classify sentences, given as arguments or as lines of standard input
    Predict(PredictFlags),
    /// Show what the data looks like
    Data(DataFlags),
    /// Show how a text is cut into pieces
    Tokenize(TokenizeFlags),
    /// Measure how fast this machine trains and answers
    #[command(after_help = MEASURED)]
    Bench(Box<BenchFlags>),
    /// Print a script that completes commands and flags in a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, for `man -l -`
    Man,
    /// Train the embedded vocabulary again, from NSMC's train split, and print it
    #[command(hide = true)]
    TrainTokenizer {
        /// How many pieces
        #[arg(long, default_value_t = 8000, value_parser = count)]
        vocab_size: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::ffi::OsString;

    fn parsed(line: &[&str]) -> Result<Cli, clap::Error> {
        parse([&["nsmc-tui"], line].concat().into_iter().map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            ["--learning-rate", "0"],
            ["--learning-rate", "nan"],
            ["--per-device-train-batch-size", "0"],
            ["--max-seq-length", "2"],
            ["--max-steps", "0"],
            ["--adam-beta2", "1"],
            ["--warmup-steps", "-1"],
            ["--max-train-samples", "none"],
            ["--config-overrides", "hidden_size"],
        ] {
            assert!(parsed(&line).is_err(), "{line:?}");
        }
        assert!(parsed(&["--max-steps", "-1"]).is_ok());
        assert!(parsed(&["--warmup_ratio", "0.06"]).is_ok());
    }
}
