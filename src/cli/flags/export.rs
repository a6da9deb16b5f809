//! Flags of `export`.

use super::shared::SavedModelFlags;
use super::values::choice_value;
use crate::core::named::named_enum;
use clap::Args;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  nsmc-tui export --format onnx             outputs/model.onnx, of the model in outputs
  nsmc-tui export --format onnx --model-name-or-path mine --output reviews.onnx

The inputs are those of transformers (input_ids, attention_mask and, for models with more than one
token type, token_type_ids), each of any batch and length; the output is logits. The tokenizer stays
the model's tokenizer.json. The file's metadata has the names of the classes (id2label). Weights are in
the file, which holds less than 2 GiB.
";

named_enum! {
    /// The format of an exported model.
    pub enum ExportFormat {
        /// ONNX with opset 17, for ONNX Runtime and other programs
        Onnx = "onnx",
    }
}

/// Flags of `export`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct ExportFlags {
    /// The format to write
    #[arg(long, value_name = "FORMAT", value_parser = choice_value::<ExportFormat>())]
    pub format: ExportFormat,
    #[command(flatten)]
    pub model: SavedModelFlags,
    /// The file to write [default: model.onnx in the folder of the model, or here for one of the hub]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
