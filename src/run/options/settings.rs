//! The effective settings of a run: each value with the reason for it.

use super::dataset::DatasetOptions;
use super::group::{Given, OptionGroup};
use super::train::TrainOptions;
use crate::core::data::sampling::SampleLimit;
use crate::core::model::embedded::EMBEDDED_MODEL;
use crate::core::text::{sanitize_for_terminal, show_number};
use crate::core::train::arguments::StepInterval;
use crate::core::train::event::Setting;
use std::path::PathBuf;

/// Formats a value for display as a setting.
pub(super) trait ShowSetting {
    fn show(&self) -> String;
}

macro_rules! show_as_displayed {
    ($($Type:ty),+) => {
        $(impl ShowSetting for $Type {
            fn show(&self) -> String {
                self.to_string()
            }
        })+
    };
}

show_as_displayed!(bool, u64, usize, StepInterval);

impl ShowSetting for f64 {
    fn show(&self) -> String {
        show_number(*self)
    }
}

impl ShowSetting for String {
    fn show(&self) -> String {
        self.clone()
    }
}

impl ShowSetting for PathBuf {
    fn show(&self) -> String {
        sanitize_for_terminal(&self.display().to_string()).into_owned()
    }
}

impl<T: crate::core::named::Named> ShowSetting for T {
    fn show(&self) -> String {
        self.variant_name().to_owned()
    }
}

/// The settings in the order in which they are resolved.
#[derive(Default)]
pub(super) struct SettingsList {
    settings: Vec<Setting>,
}

impl SettingsList {
    /// Adds the given value with its source as the reason, or the default with its reason. Returns
    /// the value.
    pub(super) fn pick<T: Clone + ShowSetting>(
        &mut self,
        name: &str,
        given: Option<&Given<T>>,
        default: T,
        default_reason: &str,
    ) -> T {
        match given {
            Some(given) => self.add(name, given.value.clone(), &given.source.to_string()),
            None => self.add(name, default, default_reason),
        }
    }

    /// Like [`Self::pick`], for an option that can only be switched on: `false` counts as the
    /// default.
    pub(super) fn switch(
        &mut self,
        name: &str,
        given: Option<&Given<bool>>,
        default_reason: &str,
    ) -> bool {
        self.pick(name, given.filter(|given| given.value), false, default_reason)
    }

    /// Adds a setting, and returns its value.
    pub(super) fn add<T: ShowSetting>(&mut self, name: &str, value: T, reason: &str) -> T {
        self.settings.push(Setting {
            name: name.to_owned(),
            value: value.show(),
            reason: reason.to_owned(),
        });
        value
    }

    pub(super) fn into_settings(self) -> Vec<Setting> {
        self.settings
    }
}

/// The settings that choose the model and the data.
pub fn data_settings(options: &TrainOptions) -> Vec<Setting> {
    let given = options.given();
    let setting = |name: &str, default: &str, reason: &str| {
        let given = given.iter().find(|given| given.name == name);
        Setting {
            name: name.to_owned(),
            value: sanitize_for_terminal(given.map_or(default, |given| given.text)).into_owned(),
            reason: given.map_or_else(|| reason.to_owned(), |given| given.source.to_string()),
        }
    };
    let data = &options.data;
    let pretrains = options.pretraining.chosen().is_some();
    let mut all = vec![setting("model_name_or_path", EMBEDDED_MODEL, "default")];
    if data.dataset_name.is_some() {
        all.push(setting("dataset_name", "", ""));
    } else {
        all.push(setting("train_file", "NSMC", "embedded"));
        all.push(if data.holds_out_evaluation_rows() {
            let share = if pretrains {
                DatasetOptions::PRETRAINING_VALIDATION_SPLIT
            } else {
                DatasetOptions::DEFAULT_VALIDATION_SPLIT
            };
            let share = share.to_string();
            setting("validation_split", &share, "no validation_file")
        } else {
            setting("validation_file", "NSMC", "embedded")
        });
    }
    if data.corrections.is_some() {
        all.push(setting("corrections", "", ""));
    }
    if data.unlabelled.is_some() {
        all.push(setting("unlabelled", "", ""));
    }
    for (name, custom) in [
        ("max_train_samples", data.has_custom_training_rows()),
        ("max_eval_samples", data.has_custom_evaluation_rows()),
    ] {
        let (limit, reason) = match (pretrains, custom) {
            (true, _) if name == "max_eval_samples" => {
                (DatasetOptions::PRETRAINING_EVAL_SAMPLES, "pretraining")
            }
            (true, _) => (SampleLimit::All, "pretraining"),
            (false, true) => (DatasetOptions::default_limit(custom), "your own rows"),
            (false, false) => (DatasetOptions::default_limit(custom), "tutorial"),
        };
        all.push(setting(name, &limit.to_string(), reason));
    }
    let seed = DatasetOptions::DEFAULT_SHUFFLE_SEED.to_string();
    all.push(setting("shuffle_seed", &seed, "tutorial"));
    all
}

/// The setting that names the device; `device` is the engine's description of it.
pub fn device_setting(options: &TrainOptions, device: &str) -> Setting {
    let given = options.compute.device.as_ref();
    Setting {
        name: "device".to_owned(),
        value: sanitize_for_terminal(device).into_owned(),
        reason: given.map_or_else(|| "detected".to_owned(), |given| given.source.to_string()),
    }
}
