//! A setting of a run.

use serde::{Deserialize, Serialize};

/// The name of the setting of the column of second texts, which only runs on pairs of texts have.
pub const PAIR_SETTING: &str = "text_pair_column_name";

/// The name of the setting of the objective, which only runs of pretraining have.
pub const OBJECTIVE_SETTING: &str = "objective";

/// One setting of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its Hugging Face name.
    pub name: String,
    /// Its value, in the syntax of the command-line flag.
    pub value: String,
    /// The source of the value, for example a flag, the recipe or the model.
    #[serde(rename = "why")]
    pub reason: String,
}
