//! Flags of `serve`.

use super::compute::ComputeFlags;
use super::shared::SavedModelFlags;
use super::values::value;
use crate::run::options::parse::count;
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Shown after the help of `serve`.
pub const EXAMPLES: &str = "\
Examples:
  nsmc-tui serve --model-name-or-path my-run
  curl 127.0.0.1:3000/predict -H 'Content-Type: application/json' \\
    -d '{\"inputs\": \"정말 재미있는 영화\"}'
      [{\"score\":0.98,\"label\":\"positive\"},{\"score\":0.02,\"label\":\"negative\"}]

POST /predict takes and answers what Hugging Face's Text Embeddings Inference does: \"inputs\" is a
text, a pair [\"a\", \"b\"] or a batch [[\"a\"], [\"a\", \"b\"]]; \"raw_scores\": true asks for logits and
\"truncate\": true cuts texts that are too long. Errors are {\"error\", \"error_type\"}. GET /health, /info
and /metrics (Prometheus). Requests that wait are answered in one batch.

Only this computer can connect unless --hostname says otherwise, which needs a key. Clients send it
as the header Authorization: Bearer KEY; over an open network, put a proxy with TLS before it.
Ctrl-C or SIGTERM ends the server after the requests under way.";

/// Flags of `serve`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct ServeFlags {
    #[command(flatten)]
    pub model: SavedModelFlags,
    /// The name or address to listen at
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1", visible_alias = "host")]
    pub hostname: String,
    /// The port to listen at; 0 for any free one
    #[arg(long, value_name = "N", default_value = "3000")]
    pub port: u16,
    /// The file with the key that clients have to send; also the environment variable
    /// `NSMC_TUI_API_KEY`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub api_key_file: Option<PathBuf>,
    /// The most requests under way; another one is answered with status 429
    #[arg(long, value_name = "N", default_value = "512", value_parser = value(count))]
    pub max_concurrent_requests: usize,
    /// The most texts of a request
    #[arg(long, value_name = "N", default_value = "32", value_parser = value(count))]
    pub max_client_batch_size: usize,
    /// The most bytes of a request
    #[arg(long, value_name = "BYTES", default_value = "2000000", value_parser = value(count))]
    pub payload_limit: usize,
    /// Cut texts that are too long, instead of refusing them
    #[arg(long)]
    pub auto_truncate: bool,
    #[command(flatten)]
    pub compute: ComputeFlags,
    /// Quantize weights to int8 on the CPU: faster for large models, nearly the same results
    #[arg(long, help_heading = "Computing")]
    pub int8: bool,
}
