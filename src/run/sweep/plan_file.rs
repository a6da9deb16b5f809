//! The file of a sweep's plan.

use super::plan::{PlanError, SweepPlan};
use super::setting::{Configuration, SEED, SweptSetting, check_value};
use crate::core::atomic_write::write_atomically;
use crate::core::bounded_file::read_text;
use crate::core::text::{display_path, sanitize_for_terminal};
use crate::core::write_advice::advice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The name of the file in the folder of a sweep.
pub const PLAN: &str = "sweep.toml";

/// The version of the format.
const VERSION: u32 = 1;

/// The most bytes of a plan: ten thousand configurations of many settings.
const MAX_BYTES: u64 = 16 << 20;

const HEADER: &str = "\
# The plan of a sweep. nsmc-tui sweep --output-dir FOLDER, with this folder, resumes it.
# Paths are relative to the folder the program is called in.

";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    version: u32,
    search: String,
    metric: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trials: Option<usize>,
    /// A number of TOML has 63 bits.
    search_seed: String,
    eta: u32,
    #[serde(default)]
    epochs: Vec<String>,
    settings: Vec<String>,
    train: BTreeMap<String, String>,
    configurations: Vec<Configuration>,
}

impl SweepPlan {
    /// Writes the plan into the folder of a sweep.
    ///
    /// # Errors
    /// If it cannot be written; the error names the file and a remedy.
    pub fn write(&self, folder: &Path) -> Result<(), PlanError> {
        let path = folder.join(PLAN);
        let plan = PlanFile {
            version: VERSION,
            search: self.search.to_string(),
            metric: self.metric.to_string(),
            trials: self.trials,
            search_seed: self.search_seed.to_string(),
            eta: self.eta,
            epochs: self.epochs.clone(),
            settings: self.settings.iter().map(ToString::to_string).collect(),
            train: self.train.clone(),
            configurations: self.configurations.clone(),
        };
        let text = toml::to_string(&plan)
            .map_err(|error| PlanError::File(format!("{}: {error}", display_path(&path))))?;
        write_atomically(&path, (HEADER.to_owned() + &text).as_bytes()).map_err(|error| {
            let shown = display_path(&path);
            PlanError::File(format!("{shown}: cannot be written: {error}. {}", advice(&error)))
        })
    }

    /// Reads and checks the plan in the folder of a sweep; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read or is not a plan; the error names the file and, if known, the line.
    pub fn read(folder: &Path) -> Result<Option<Self>, PlanError> {
        let path = folder.join(PLAN);
        let shown = display_path(&path);
        let text = match read_text(&path, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(PlanError::File(format!("{shown}: {error}"))),
        };
        let file: PlanFile = toml::from_str(&text).map_err(|error| {
            let byte = error.span().map_or(0, |span| span.start);
            let line = text.get(..byte).unwrap_or_default().matches('\n').count() + 1;
            let message = sanitize_for_terminal(error.message()).into_owned();
            PlanError::File(format!("{shown}:{line}: {message}. {REMEDY}"))
        })?;
        let checked = file.check().map_err(|problem| {
            PlanError::File(format!("{shown}: {}. {REMEDY}", sanitize_for_terminal(&problem)))
        });
        checked.map(Some)
    }
}

/// What to do about a damaged plan.
const REMEDY: &str = "Repair it, or pass another --output-dir for a new sweep";

impl PlanFile {
    /// Checks each value as if the user had given it.
    fn check(self) -> Result<SweepPlan, String> {
        if self.version != VERSION {
            return Err(format!(
                "it has version {}, and this program reads {VERSION}",
                self.version
            ));
        }
        let settings: Vec<SweptSetting> =
            self.settings.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        for (name, text) in &self.train {
            check_value(name, text)?;
        }
        let mut names: Vec<&str> = settings.iter().map(|setting| setting.name).collect();
        names.retain(|name| *name != SEED);
        names.sort_unstable();
        for configuration in &self.configurations {
            if configuration.keys().map(String::as_str).ne(names.iter().copied()) {
                return Err("a configuration does not have a value for each setting".to_owned());
            }
            for (name, text) in configuration {
                check_value(name, text)?;
            }
        }
        for epochs in &self.epochs {
            check_value("num_train_epochs", epochs)?;
        }
        let plan = SweepPlan {
            search: self.search.parse()?,
            metric: self.metric.parse()?,
            trials: self.trials,
            search_seed: self.search_seed.parse().map_err(|_| "search_seed is not a number")?,
            eta: self.eta,
            epochs: self.epochs,
            settings,
            train: self.train,
            configurations: self.configurations,
        };
        let rungs = plan.rung_sizes();
        let epochs = if plan.eta >= 2 { plan.epochs.len() } else { usize::MAX };
        if plan.configurations.is_empty() || ![0, rungs.len()].contains(&epochs) {
            return Err("its configurations, eta and epochs do not belong together".to_owned());
        }
        Ok(plan)
    }
}
