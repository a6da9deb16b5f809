//! What a model predicts for each evaluation text: files of the misclassified texts, and what a run
//! keeps of each of its evaluations.
//!
//! A run keeps it in the folder `predictions` of its folder: the texts once, in
//! `texts.jsonl.zst`, and the outcomes of the evaluation after step N in `step-N.bin`. Everything
//! that shows a run reads these files: the dashboard of the run itself, those that attach to it, and
//! those of recorded runs.

pub mod corrections;
pub mod errors;
mod keeper;
mod outcome_file;
mod reading;
mod review;
pub mod slices;
mod tsv;

pub use keeper::{PredictionKeeper, Resumed};
pub use reading::{KeptEvaluation, Predictions};
pub use review::{EvaluationTexts, Review, ReviewSlices};

/// The folder of the predictions in the folder of a run.
pub const FOLDER: &str = "predictions";

/// The file of the texts.
const TEXTS: &str = "texts.jsonl.zst";

/// The most bytes of the texts, uncompressed, and of the file.
const MAX_TEXT_BYTES: u64 = 64 << 20;

/// The name of the file of the evaluation after a step.
fn step_file(step: u64) -> String {
    format!("step-{step}.bin")
}

/// The step in the name of such a file.
fn step_of(name: &std::ffi::OsStr) -> Option<u64> {
    let step = name.to_str()?.strip_prefix("step-")?.strip_suffix(".bin")?;
    step.parse().ok().filter(|number| step == u64::to_string(number))
}
