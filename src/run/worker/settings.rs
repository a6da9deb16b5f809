//! The table of settings that a run shows and keeps.

use super::dataset::default_limit;
use crate::cli::flags::TrainFlags;
use crate::core::engine::Engine;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::event::Setting;

/// The settings that say which reviews are used, before all others.
pub(super) fn with_data(flags: &TrainFlags, settings: Vec<Setting>) -> Vec<Setting> {
    let setting = |name: &str, default: &str, why: &str| {
        let given = flags.sources.given().find(|(given, _)| *given == name);
        Setting {
            name: name.to_owned(),
            value: sanitize_for_terminal(given.map_or(default, |(_, value)| value)).into_owned(),
            why: if given.is_some() { flags.sources.of(name) } else { why.to_owned() },
        }
    };
    let mut all = vec![setting("model_name_or_path", "small Korean BERT", "embedded")];
    if flags.columns.dataset_name.is_some() {
        all.push(setting("dataset_name", "", ""));
    } else {
        all.push(setting("train_file", "NSMC", "embedded"));
        let own_split = flags.eval_source.validation_file.is_none()
            && (flags.train_source.train_file.is_some()
                || flags.train_source.validation_split.is_some());
        all.push(if own_split {
            setting("validation_split", "0.1", "no validation_file")
        } else {
            setting("validation_file", "NSMC", "embedded")
        });
    }
    let own = flags.columns.dataset_name.is_some() || flags.train_source.train_file.is_some();
    let own_eval = own || flags.eval_source.validation_file.is_some();
    for (name, own) in [("max_train_samples", own), ("max_eval_samples", own_eval)] {
        let why = if own { "your own rows" } else { "tutorial" };
        all.push(setting(name, &default_limit(own).to_string(), why));
    }
    all.push(setting("shuffle_seed", "42", "tutorial"));
    all.extend(settings);
    all
}

/// What computes.
pub(super) fn device(flags: &TrainFlags, engine: &dyn Engine) -> Setting {
    let given = flags.sources.given().any(|(name, _)| name == "device");
    Setting {
        name: "device".to_owned(),
        value: sanitize_for_terminal(&engine.device()).into_owned(),
        why: if given { flags.sources.of("device") } else { "what there is".to_owned() },
    }
}
