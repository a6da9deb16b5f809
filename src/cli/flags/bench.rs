//! Flags of `bench`.

use super::compute::ComputeFlags;
use super::values::value;
use crate::run::options::parse::count;
use clap::Args;

/// Flags of `bench`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct BenchFlags {
    /// A model whose shape is measured, on the hub, in a folder with config.json, or
    /// `embedded` [default: the small model that starts from random weights]
    #[arg(long, value_name = "ID|FOLDER", help_heading = "Model")]
    pub model_name_or_path: Option<String>,
    /// The branch, tag or commit of a model of the hub
    #[arg(long, value_name = "NAME", default_value = "main", help_heading = "Model")]
    pub revision: String,
    /// Encoder layers
    #[arg(long, value_name = "N", value_parser = value(count), help_heading = "Model")]
    pub layers: Option<usize>,
    /// Width of the encoder
    #[arg(long, value_name = "N", value_parser = value(count), help_heading = "Model")]
    pub hidden_size: Option<usize>,
    /// Attention heads
    #[arg(long, value_name = "N", value_parser = value(count), help_heading = "Model")]
    pub heads: Option<usize>,
    /// Width of the feed-forward part
    #[arg(long, value_name = "N", value_parser = value(count), help_heading = "Model")]
    pub intermediate_size: Option<usize>,
    /// Tokens of the vocabulary
    #[arg(long, value_name = "N", value_parser = value(count), help_heading = "Model")]
    pub vocab_size: Option<usize>,
    /// Texts in a step
    #[arg(long, value_name = "N", default_value = "32", value_parser = value(count), help_heading = "Batch")]
    pub per_device_train_batch_size: usize,
    /// Tokens of each text
    #[arg(long, value_name = "N", default_value = "24", value_parser = value(count), help_heading = "Batch")]
    pub length: usize,
    /// Tokens of each text of the batch, instead of --length and the batch size
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = value(count), help_heading = "Batch")]
    pub lengths: Vec<usize>,
    /// Store only each layer's input, as in training
    #[arg(long, help_heading = "Batch")]
    pub gradient_checkpointing: bool,
    /// Steps to measure
    #[arg(long, value_name = "N", default_value = "20", value_parser = value(count), help_heading = "Measuring")]
    pub steps: usize,
    /// Steps before them, which are not measured
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Measuring")]
    pub warmup: usize,
    /// Also measure predictions of the embedded model: of this many texts, one by one
    /// and 32 at a time
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "500", value_parser = value(count), help_heading = "Measuring")]
    pub predict: Option<usize>,
    /// Also measure training with and without the dashboard, in this many rounds of 100 steps
    #[arg(long, value_name = "ROUNDS", num_args = 0..=1, default_missing_value = "5", value_parser = value(count), help_heading = "Measuring")]
    pub screen: Option<usize>,
    #[command(flatten)]
    pub compute: ComputeFlags,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
