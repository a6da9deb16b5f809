//! What ends a run early, and what it does after a step that fails.

use super::group::Given;
use super::settings::SettingsList;
use super::train::TrainerOptions;
use crate::core::train::arguments::{NanPolicy, TrainingArguments};

const DEFAULT: &str = "default";

/// Resolves whether the run ends when the metric of the best model no longer improves, and whether it
/// continues after a step that fails; of the latter, only what is used is listed.
pub(super) fn resolve(
    given: &TrainerOptions,
    arguments: &mut TrainingArguments,
    list: &mut SettingsList,
) {
    let patience = given.early_stopping_patience.as_ref();
    arguments.early_stopping_patience = list.pick("early_stopping_patience", patience, 0, DEFAULT);
    if arguments.early_stopping_patience > 0 {
        let (threshold, default) =
            (given.early_stopping_threshold.as_ref(), arguments.early_stopping_threshold);
        arguments.early_stopping_threshold =
            list.pick("early_stopping_threshold", threshold, default, "Hugging Face default");
    }
    let used = given.nan_policy.as_ref().filter(|given| given.value == NanPolicy::Rollback);
    if let Some(Given { value, source, .. }) = used {
        arguments.nan_policy = list.add("nan_policy", *value, &source.to_string());
        let count = given.nan_rollbacks.as_ref();
        arguments.nan_rollbacks =
            list.pick("nan_rollbacks", count, arguments.nan_rollbacks, DEFAULT);
    }
    let used = given.auto_find_batch_size.as_ref().filter(|given| given.value);
    if let Some(Given { value, source, .. }) = used {
        let reason = source.to_string();
        arguments.auto_find_batch_size = list.add("auto_find_batch_size", *value, &reason);
    }
}
