//! The saved models that `predict` asks.

use crate::cli::commands::saved;
use crate::cli::flags::{PredictFlags, SavedModelFlags};
use crate::run::worker::asked_model::{AskedModel, AskedModels};
use crate::run::worker::check_pairs;

/// Loads the model, and the one that it is compared with.
///
/// # Errors
/// If a model cannot be loaded, or one reads pairs of texts and the other does not.
pub(super) fn load(flags: &PredictFlags) -> anyhow::Result<AskedModels> {
    let first = load_one(flags, &flags.model)?;
    let trained_on_pairs = first.model.config().text_pair_columns().is_some();
    let reads_pairs = flags.text_pair.unwrap_or(trained_on_pairs);
    if reads_pairs {
        check_pairs(&first.model, &first.tokenizer)?;
    }
    let mut compared = None;
    if let Some(name) = &flags.compare {
        let model = SavedModelFlags {
            model_name_or_path: name.clone(),
            revision: "main".to_owned(),
            ..flags.model.clone()
        };
        let other = load_one(flags, &model)?;
        let other_reads_pairs = other.model.config().text_pair_columns().is_some();
        anyhow::ensure!(
            flags.text_pair.is_some() || other_reads_pairs == reads_pairs,
            "{name}: one of the two models was trained on pairs of texts, the other on single \
             texts. Pass --text-pair=true or --text-pair=false to ask both alike"
        );
        if reads_pairs {
            check_pairs(&other.model, &other.tokenizer)?;
        }
        compared = Some(other);
    }
    Ok(AskedModels { first, compared, reads_pairs })
}

fn load_one(flags: &PredictFlags, model: &SavedModelFlags) -> anyhow::Result<AskedModel> {
    saved::load_to_ask(model, &flags.compute, flags.int8)
}
