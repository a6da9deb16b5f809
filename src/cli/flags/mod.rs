//! The command line: names are those of Hugging Face's `TrainingArguments` wherever it has one,
//! and `_` may be written for `-`.

mod attach;
mod bench;
mod compute;
mod display;
mod export;
mod figures;
mod notify;
mod pretrain;
mod replay;
mod runs;
mod saved;
#[cfg(feature = "serve")]
mod serve;
mod shared;
mod sweep;
mod train;
mod values;

pub use attach::AttachFlags;
pub use bench::BenchFlags;
pub use compute::ComputeFlags;
pub use display::{DisplayFlags, GivenDisplay};
pub use export::{ExportFlags, ExportFormat};
pub use figures::FiguresFlags;
pub use notify::NotifyFlags;
pub use pretrain::PretrainFlags;
pub use replay::ReplayFlags;
pub use runs::RunsFlags;
pub use saved::{DataFlags, EvaluateFlags, PredictFlags, TokenizeFlags};
#[cfg(feature = "serve")]
pub use serve::ServeFlags;
pub use shared::SavedModelFlags;
pub use sweep::SweepFlags;
pub use train::{InvocationOptions, TrainFlags};

use crate::run::options::parse::count;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use values::value;

const EXAMPLES: &str = "\
Examples:
  nsmc-tui                                  Fine-tune the embedded model on 2,000 NSMC reviews
  nsmc-tui train --plain --seed 7           The same without a screen, from another seed
  nsmc-tui train --max-train-samples all --max-eval-samples all --num-train-epochs 1
  nsmc-tui train --train-file mine.csv --text-column-name comment --output-dir mine
  nsmc-tui train --model-name-or-path klue/bert-base --load-best-model-at-end
  nsmc-tui train --resume-from-checkpoint   Resume a run from its last checkpoint
  nsmc-tui predict \"정말 재미있는 영화\"       Classify a text with the saved model
  nsmc-tui predict --json < reviews.txt     One JSON object for each line of input
  nsmc-tui train --device cuda --bf16       On a GPU (of a build with --features cuda)
  nsmc-tui evaluate --max-eval-samples all  Evaluate it on the 50,000 test reviews
";

const MEASURED: &str = "\
Examples:
  nsmc-tui bench --model-name-or-path embedded --predict --screen
  nsmc-tui bench --layers 12 --hidden-size 768 --heads 12 --intermediate-size 3072 \\
      --vocab-size 119547 --per-device-train-batch-size 8 --length 32
  nsmc-tui bench --model-name-or-path klue/bert-base --device cuda --bf16 --length 119

For a GPU, build with: cargo build --release --features cuda (no toolkit is needed; the driver,
NVRTC and cuBLAS of CUDA 12 or 13 are looked up at run time). tests/peer/step.py compares a step
with PyTorch's.

Memory is the peak: on the CPU the peak resident set of the process, on a GPU the peak size of its
buffers. The share reached is the rate of a step's matrix products, divided by the rate of a matrix
product alone on the same threads.
";

const DEFAULTS: &str = "\
Defaults:
                              --recipe trainer       --recipe native
  num_train_epochs            10                     10
    of the embedded model     4                      4
  learning_rate               5e-5                   5e-5
    of the embedded model     1e-4                   1e-4
    from random weights       2e-4                   2e-4
  layerwise_lr_decay          1                      1
    of the embedded model     0.85                   0.85
  warmup_steps                0                      0
    embedded, random          0.1 of all steps       0
  lr_scheduler_type           linear                 constant
  weight_decay                0                      0.01, biases and LayerNorm too
  max_grad_norm               1                      0 (no clipping)
  train_sampling_strategy     group_by_length        sequential
Both recipes: batches of 32, logging and saving every 50 steps, 2 checkpoints kept, seed 42, as in
the tutorial. With random weights, a learning rate of 5e-5 is too small to learn in 630 steps. The
dashboard's settings page shows every value and the reason for it.

Every option can also be given in a TOML file (--config run.toml: learning_rate = 5e-5) or in the
environment (NSMC_TUI_LEARNING_RATE=5e-5). A flag overrides the environment, and the environment
the file.

A run repeats bit for bit on the same computer and program for the same --seed, whatever the number
of threads (--threads, RAYON_NUM_THREADS); another kind of processor may round differently.

Signals: SIGTERM and Ctrl-C end the run within the time of one step (in an evaluation, of one batch)
and of writing a checkpoint and the model; a second one, more than a second later, ends it at once. SIGUSR1 saves a checkpoint. With
--resume-from-checkpoint auto, the same command starts a job and continues it (sbatch --requeue
--signal=TERM@120).

On a GPU: build with cargo build --release --features cuda (no toolkit is needed; NVIDIA's driver,
NVRTC and cuBLAS of CUDA 12 or 13 are looked up at run time), then --device cuda --bf16.
";

/// Fine-tune a text classifier from a terminal, watch it train, and query it.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
#[command(next_line_help = false, max_term_width = 100)]
pub struct Cli {
    /// The command; `train` if none is given.
    #[command(subcommand)]
    pub command: Option<CliCommand>,
    /// The flags of `train`, which may be left out.
    #[command(flatten)]
    pub train: TrainFlags,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Fine-tune a model (the default subcommand)
    #[command(after_help = DEFAULTS)]
    Train(Box<TrainFlags>),
    /// Train a model further on texts without labels: masked or replaced words
    #[command(after_help = pretrain::EXAMPLES)]
    #[command(mut_args(|argument| {
        let is_hidden = pretrain::HIDDEN.contains(&argument.get_id().as_str());
        if is_hidden { argument.hide(true) } else { pretrain::without_default(argument) }
    }))]
    Pretrain(Box<PretrainFlags>),
    /// Come back to a run under way: its dashboard, with keys and questions
    #[command(after_help = attach::EXAMPLES)]
    Attach(AttachFlags),
    /// Replay a run from its journal, on the dashboard or as lines
    #[command(after_help = replay::EXAMPLES)]
    Replay(ReplayFlags),
    /// Train with several seeds and settings, and compare the means
    #[command(after_help = sweep::EXAMPLES)]
    Sweep(Box<SweepFlags>),
    /// List the runs below a folder, and compare them
    #[command(after_help = runs::EXAMPLES)]
    Runs(RunsFlags),
    /// Draw a run's curves and confusion matrix, as SVG and PNG
    #[command(after_help = figures::EXAMPLES)]
    Figures(FiguresFlags),
    /// Evaluate a saved model on the evaluation rows
    Evaluate(Box<EvaluateFlags>),
    /// Classify sentences, given as arguments or as lines of standard input
    Predict(Box<PredictFlags>),
    /// Answer questions over HTTP, as Hugging Face's Text Embeddings Inference does
    #[cfg(feature = "serve")]
    #[command(after_help = serve::EXAMPLES)]
    Serve(ServeFlags),
    /// Write a saved model in a format of other programs
    #[command(after_help = export::EXAMPLES)]
    Export(ExportFlags),
    /// Show statistics and a sample of the dataset
    Data(Box<DataFlags>),
    /// Show how a text is tokenized
    Tokenize(TokenizeFlags),
    /// Measure training and inference speed on this computer
    #[command(after_help = MEASURED)]
    Bench(Box<BenchFlags>),
    /// Print a script that completes commands and flags in a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, for `man -l -`
    Man,
    /// Print the licenses of this program and of the model, letters and data that it contains
    Licenses,
    /// Train the small model's vocabulary again, from NSMC's train split, and print it
    #[command(hide = true)]
    TrainTokenizer {
        /// How many tokens
        #[arg(long, default_value = "8000", value_parser = value(count))]
        vocab_size: usize,
    },
    /// Restore the terminal if the dashboard is killed; the dashboard starts this itself
    #[command(name = crate::screen::terminal::guardian::COMMAND, hide = true)]
    GuardTerminal,
}

/// Parses a command line. `_` may be written for `-` in the names of flags.
///
/// # Errors
/// The errors of clap, which include requests for the help and the version.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(with_dashes(arguments))
}

/// Converts `--some_flag=a_b` to `--some-flag=a_b`, up to the argument `--`.
fn with_dashes(arguments: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut are_flags = true;
    arguments.into_iter().map(move |argument| {
        let Some(text) = argument.to_str() else {
            return argument;
        };
        are_flags &= text != "--";
        match text.strip_prefix("--") {
            Some(flag) if are_flags && !flag.is_empty() => {
                let (name, value) =
                    flag.find('=').map_or((flag, ""), |equals| flag.split_at(equals));
                format!("--{}{value}", name.replace('_', "-")).into()
            }
            _ => argument,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parsed(line: &[&str]) -> Result<Cli, clap::Error> {
        parse([&["nsmc-tui"], line].concat().into_iter().map(OsString::from))
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn invalid_values_are_refused() {
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

    #[test]
    fn underscores_are_dashes_in_names_only() -> Result<(), clap::Error> {
        let train = parsed(&["--output_dir=my_run", "--num_train_epochs", "3"])?.train;
        assert_eq!(train.output_dir.map(|given| given.text).as_deref(), Some("my_run"));
        assert_eq!(train.num_train_epochs.map(|given| given.value), Some(3.0));
        let cli = parsed(&["predict", "--", "--not_a_flag"])?;
        let Some(CliCommand::Predict(predict)) = cli.command else {
            panic!("not predict");
        };
        assert_eq!(predict.texts, ["--not_a_flag"]);
        Ok(())
    }

    #[test]
    fn display_flags_are_named_as_the_help_says() -> Result<(), clap::Error> {
        use crate::screen::display::{ColorChoice, GlyphChoice, Markers, ThemeChoice};
        let line = ["--theme=solarized-light", "--colour", "256", "--glyphs", "utf8"];
        let display = parsed(&line)?.train.display.options();
        assert_eq!(display.theme, Some(ThemeChoice::SolarizedLight));
        assert_eq!(display.color, ColorChoice::Indexed);
        assert_eq!(display.glyphs, GlyphChoice::Utf8);
        assert_eq!(
            (display.markers, display.low_bandwidth, display.no_mouse),
            (None, false, false)
        );
        let line = ["train", "--markers=ascii", "--low_bandwidth", "--no-mouse=on"];
        let Some(CliCommand::Train(train)) = parsed(&line)?.command else {
            panic!("not train");
        };
        let display = train.display.options();
        assert_eq!(display.markers, Some(Markers::Ascii));
        assert!(display.low_bandwidth && display.no_mouse);
        assert!(parsed(&["--theme", "pink"]).is_err());
        assert!(parsed(&["--color", "17"]).is_err());
        Ok(())
    }

    #[test]
    fn old_names_of_values_are_still_accepted() -> Result<(), clap::Error> {
        use crate::core::engine::Ops;
        for name in ["reference", "plain"] {
            let train = parsed(&["--ops", name])?.train;
            assert_eq!(train.compute.ops.map(|given| given.value), Some(Ops::Reference));
        }
        Ok(())
    }
}
