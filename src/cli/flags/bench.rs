//! Flags of `bench`.

use super::compute::Compute;
use super::values::count;
use clap::Args;

/// Flags of `bench`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct BenchFlags {
    /// A model's shape, on the hub or in a folder with config.json [default: the embedded one's]
    #[arg(long, value_name = "ID|FOLDER", help_heading = "Model")]
    pub model_name_or_path: Option<String>,
    /// The branch, tag or commit of a model of the hub
    #[arg(long, value_name = "NAME", default_value = "main", help_heading = "Model")]
    pub revision: String,
    /// Encoder layers
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Model")]
    pub layers: Option<usize>,
    /// Width of the encoder
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Model")]
    pub hidden_size: Option<usize>,
    /// Attention heads
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Model")]
    pub heads: Option<usize>,
    /// Width of the feed-forward part
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Model")]
    pub intermediate_size: Option<usize>,
    /// Pieces of the vocabulary
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Model")]
    pub vocab_size: Option<usize>,
    /// Reviews a step
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = count, help_heading = "Batch")]
    pub per_device_train_batch_size: usize,
    /// Tokens of every review
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = count, help_heading = "Batch")]
    pub length: usize,
    /// Tokens of each review of the batch, instead of --length and the batch size
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = count, help_heading = "Batch")]
    pub lengths: Vec<usize>,
    /// Keep only each layer's input, as in training
    #[arg(long, help_heading = "Batch")]
    pub gradient_checkpointing: bool,
    /// Steps that count
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = count, help_heading = "Measuring")]
    pub steps: usize,
    /// Steps before them
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Measuring")]
    pub warmup: usize,
    /// Ask the embedded model's shape about so many reviews, too, one by one and 32 at a time
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "500", value_parser = count, help_heading = "Measuring")]
    pub predict: Option<usize>,
    /// Train with and without the dashboard, too, in so many rounds of 100 steps
    #[arg(long, value_name = "ROUNDS", num_args = 0..=1, default_missing_value = "5", value_parser = count, help_heading = "Measuring")]
    pub screen: Option<usize>,
    #[command(flatten)]
    pub compute: Compute,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
