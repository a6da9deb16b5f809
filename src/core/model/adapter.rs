//! PEFT adapters, which are refused: their weights belong to a base model, and are not applied.

use super::ModelError;
use std::path::Path;

/// Refuses a folder with an adapter, alone or beside a model. transformers applies it if the Python
/// package peft is installed.
///
/// # Errors
/// If there is one; names it and the remedy.
pub(super) fn refuse(folder: &Path) -> Result<(), ModelError> {
    let file = folder.join("adapter_config.json");
    if !file.exists() {
        return Ok(());
    }
    let reason = "is a PEFT adapter, which is not applied. Merge it into its base model once in \
                  Python, with model.merge_and_unload().save_pretrained('FOLDER'), and pass that \
                  folder; or remove this file to use the model beside it";
    Err(ModelError::Config { file, reason: reason.to_owned() })
}
