//! The saved model that `evaluate` and `predict` work on.

use crate::cli::SavedModel;
use crate::config::DEFAULT_LENGTH;
use crate::model::{BertForSequenceClassification, folder};
use crate::text::printable;
use crate::tokenizer::Tokenizer;
use crate::worker::check_vocabulary;

/// A model, its tokenizer and how many tokens it reads.
pub struct Loaded {
    pub model: BertForSequenceClassification,
    pub tokenizer: Tokenizer,
    pub max_seq_length: usize,
}

/// Loads the model; says on stderr if its file does not hold all of it.
pub fn load(saved: &SavedModel) -> anyhow::Result<Loaded> {
    let path = &saved.model_name_or_path;
    anyhow::ensure!(
        folder::holds_a_model(path),
        "{}: no config.json with a model.safetensors in it. Train a model first (nsmc-tui \
         train), or name a folder with --model-name-or-path",
        path.display()
    );
    let tokenizer = Tokenizer::from_folder(path)?;
    let (model, report) = folder::load(path, &[], 42)?;
    check_vocabulary(&model, &tokenizer)?;
    if !report.missing.is_empty() {
        eprintln!(
            "warning: {} of the model's tensors are not in its file and were initialised at \
             random, so its answers mean nothing: {}",
            report.missing.len(),
            report.missing.join(", ")
        );
    }
    if !report.unexpected.is_empty() {
        let names = report.unexpected.join(", ");
        eprintln!("note: in the file, but not used: {}", printable(&names));
    }
    let longest = model.config().bert.max_position_embeddings;
    Ok(Loaded {
        max_seq_length: saved.max_seq_length.unwrap_or(DEFAULT_LENGTH).min(longest),
        model,
        tokenizer,
    })
}
