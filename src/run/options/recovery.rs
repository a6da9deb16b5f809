//! What a run does after a step that fails.

use super::group::Given;
use super::settings::SettingsList;
use super::train::TrainerOptions;
use crate::core::train::arguments::{NanPolicy, TrainingArguments};

/// Resolves whether the run continues after a step that fails; only what is used is listed.
pub(super) fn resolve(
    given: &TrainerOptions,
    arguments: &mut TrainingArguments,
    list: &mut SettingsList,
) {
    let used = given.nan_policy.as_ref().filter(|given| given.value == NanPolicy::Rollback);
    if let Some(Given { value, source, .. }) = used {
        arguments.nan_policy = list.add("nan_policy", *value, &source.to_string());
        let count = given.nan_rollbacks.as_ref();
        arguments.nan_rollbacks =
            list.pick("nan_rollbacks", count, arguments.nan_rollbacks, "default");
    }
    let used = given.auto_find_batch_size.as_ref().filter(|given| given.value);
    if let Some(Given { value, source, .. }) = used {
        let reason = source.to_string();
        arguments.auto_find_batch_size = list.add("auto_find_batch_size", *value, &reason);
    }
}
