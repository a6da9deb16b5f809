//! `checkpoint-<step>` folders in the format of Hugging Face's Trainer. They are written
//! atomically, and values are restored exactly.

mod consistency;
mod integrity;
mod reading;

pub use reading::{Checkpoint, load_weights};

use super::progress::RunState;
use super::trainer_state::TrainerState;
use crate::core::atomic_write::{Staging, remove_folder};
use crate::core::engine::{Engine, EngineError, Interruption};
use crate::core::model::folder::{self, TensorData, holds_a_model, write_tensors};
use crate::core::model::{ModelError, SequenceClassifier};
use crate::core::ops::backend::Moments;
use crate::core::train::arguments::StartingWeights;
use crossbeam_channel::{RecvTimeoutError, bounded};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The prefix of the name of a checkpoint folder.
const PREFIX: &str = "checkpoint-";

/// The file with transformers' [`TrainerState`].
pub const TRAINER_STATE: &str = "trainer_state.json";

/// The file with this program's [`RunState`].
const RUN_STATE: &str = "nsmc_tui_state.json";

/// The file with AdamW's moments, under PyTorch's names: `<parameter>.exp_avg` and
/// `<parameter>.exp_avg_sq`; and, where `model.safetensors` has the average of the weights, the weights
/// as `<parameter>.raw`.
const OPTIMIZER: &str = "optimizer.safetensors";

/// How often questions are answered while a checkpoint is written.
const ANSWER_INTERVAL: Duration = Duration::from_millis(5);

/// An error in writing, finding or loading a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is no checkpoint.
    #[error(
        "{}: no checkpoint in it to resume from. Name one with --resume-from-checkpoint FOLDER, \
         or start without the flag",
        folder.display()
    )]
    None {
        /// The folder searched.
        folder: PathBuf,
    },
    /// The folder contains a checkpoint that cannot be loaded or resumed from.
    #[error("{}: {reason}", folder.display())]
    Unusable {
        /// The checkpoint folder.
        folder: PathBuf,
        /// The cause and, where there is one, a remedy.
        reason: String,
    },
    /// A file of the checkpoint is damaged or missing, or was changed.
    #[error("{}: {reason}. {}", file.display(), use_earlier(earlier.as_deref()))]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
        /// The checkpoint before it, if there is one.
        earlier: Option<PathBuf>,
    },
}

/// The remedy for a damaged checkpoint.
fn use_earlier(earlier: Option<&Path>) -> String {
    earlier.map_or_else(
        || "There is no checkpoint before it, so start the run again".to_owned(),
        |earlier| {
            let earlier = earlier.display();
            format!("Use the checkpoint before it: --resume-from-checkpoint {earlier}")
        },
    )
}

fn io(file: &Path) -> impl FnOnce(std::io::Error) -> CheckpointError {
    let file = file.to_path_buf();
    move |error| ModelError::Io { file, error }.into()
}

/// The step in the name of a checkpoint folder; `None` if the name has a different form.
pub fn step_of(folder: &Path) -> Option<u64> {
    let digits = folder.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    let step: u64 = digits.parse().ok()?;
    // Neither a sign nor leading zeros: the name can be made of the step again.
    (step.to_string() == digits).then_some(step)
}

/// The checkpoints in a folder, in ascending order of step. Unfinished checkpoints have different
/// names and are not listed, nor are folders without a model.
pub fn list(output_dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(output_dir).into_iter().flatten().flatten();
    let mut found: Vec<(u64, PathBuf)> = entries
        .map(|entry| entry.path())
        .filter(|path| holds_a_model(path))
        .filter_map(|path| Some((step_of(&path)?, path)))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Finds the checkpoint folder to resume from: `requested` if it is a checkpoint, else the last
/// checkpoint in `requested`; without `requested`, the last checkpoint in `output_dir`.
///
/// # Errors
/// If there is no checkpoint.
pub fn find(output_dir: &Path, requested: Option<&Path>) -> Result<PathBuf, CheckpointError> {
    match requested {
        // A checkpoint of this program under any name, or a checkpoint written by Python.
        Some(folder)
            if folder.join(RUN_STATE).is_file()
                || (folder.join(TRAINER_STATE).is_file() && step_of(folder).is_some()) =>
        {
            Ok(folder.to_path_buf())
        }
        // For the output folder of a run, use its last checkpoint.
        Some(folder) => {
            list(folder).pop().ok_or(CheckpointError::None { folder: folder.to_path_buf() })
        }
        None => list(output_dir)
            .pop()
            .ok_or_else(|| CheckpointError::None { folder: output_dir.to_path_buf() }),
    }
}

/// The options for saving the checkpoints of a run.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    /// The folder that contains the checkpoint folders.
    pub output_dir: PathBuf,
    /// The tokenizer files, as names and contents.
    pub tokenizer: Vec<(String, Vec<u8>)>,
    /// The most checkpoints to keep; `None` keeps all.
    pub save_total_limit: Option<usize>,
    /// Write only the model, without the state needed to resume.
    pub save_only_model: bool,
    /// The weights that the run started from.
    pub starting_weights: StartingWeights,
    /// The folder of the run's TensorBoard files below `output_dir`, if it writes any there.
    pub logging_dir: Option<PathBuf>,
    /// The effective options of the run by name, which are compared when it is resumed.
    pub options: BTreeMap<String, String>,
}

impl Checkpoints {
    /// The checkpoint folder of a step.
    pub fn folder(&self, step: u64) -> PathBuf {
        self.output_dir.join(format!("{PREFIX}{step}"))
    }

    /// Writes the checkpoint of step `state.global_step` on another thread, then deletes the oldest
    /// checkpoints beyond `save_total_limit`, but never `best` or the new one. Meanwhile
    /// `interruption` is called again and again, to compute logits or nothing. Returns the checkpoint
    /// folder.
    ///
    /// # Errors
    /// If a file cannot be written, or the engine fails. Earlier checkpoints are not changed.
    pub fn write(
        &self,
        model: &SequenceClassifier,
        engine: &mut dyn Engine,
        state: &TrainerState,
        run: RunState,
        best: Option<&Path>,
        interruption: &mut Interruption<'_>,
    ) -> Result<PathBuf, CheckpointError> {
        engine.store()?;
        let moments = if self.save_only_model { None } else { Some(engine.moments()?) };
        std::thread::scope(|scope| {
            // The sender is dropped when the files are written.
            let (writing, written) = bounded::<()>(0);
            let writer = std::thread::Builder::new().name("checkpoint".to_owned());
            let writer = writer.spawn_scoped(scope, move || {
                let _writing = writing;
                self.write_files(model, moments, state, run, best)
            });
            let writer = writer.map_err(io(&self.output_dir))?;
            while written.recv_timeout(ANSWER_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                interruption(&mut |batch| engine.logits(batch));
            }
            writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Writes the files of the model's weights and of `moments`, the optimizer's state, if there is
    /// one, and deletes what is too old.
    fn write_files(
        &self,
        model: &SequenceClassifier,
        moments: Option<Moments>,
        state: &TrainerState,
        mut run: RunState,
        best: Option<&Path>,
    ) -> Result<PathBuf, CheckpointError> {
        let folder = self.folder(state.global_step);
        let staging = Staging::new(&self.output_dir).map_err(io(&self.output_dir))?;
        let write =
            |name: &str, bytes: &[u8]| staging.write(name, bytes).map_err(io(&folder.join(name)));
        for (name, bytes) in &self.tokenizer {
            write(name, bytes)?;
        }
        write(TRAINER_STATE, state.to_json().as_bytes())?;
        let meant = |error: ModelError| error.relocated(staging.path(), &folder);
        folder::write(staging.path(), model).map_err(meant)?;
        if let Some(moments) = moments {
            run.optimizer_steps = moments.steps;
            run.averages_weights = moments.weights.is_some();
            write_moments(&staging.path().join(OPTIMIZER), model, &moments).map_err(meant)?;
            run.files = integrity::sha256_of_all(staging.path()).map_err(io(&folder))?;
            run.sha256 = Some(integrity::NO_SEAL.to_owned());
            let text = serde_json::to_string_pretty(&run).unwrap_or_default() + "\n";
            write(RUN_STATE, integrity::seal(&text).as_bytes())?;
        }
        let name = format!("{PREFIX}{}", state.global_step);
        staging.publish(&name).map_err(io(&folder))?;
        self.rotate(&folder, best);
        Ok(folder)
    }

    /// If `save_total_limit` is 1, deletes all checkpoints except the best one, as Hugging Face's
    /// Trainer does at the end of training. A checkpoint that cannot be removed only uses disk
    /// space, so errors are ignored.
    pub(super) fn keep_only_the_best(&self, best: &Path) {
        if self.save_total_limit == Some(1) {
            for folder in list(&self.output_dir).iter().filter(|folder| *folder != best) {
                let _ = remove_folder(folder);
            }
        }
    }

    /// Deletes the oldest checkpoints beyond `save_total_limit`, as transformers'
    /// `rotate_checkpoints` does. A checkpoint that cannot be removed only uses disk space, so
    /// errors are ignored.
    fn rotate(&self, latest: &Path, best: Option<&Path>) {
        let Some(limit) = self.save_total_limit else {
            return;
        };
        let kept = |folder: &Path| folder == latest || best == Some(folder);
        let all = list(&self.output_dir);
        let beyond = all.len().saturating_sub(limit);
        for folder in all.iter().filter(|folder| !kept(folder)).take(beyond) {
            let _ = remove_folder(folder);
        }
    }
}

fn write_moments(
    file: &Path,
    model: &SequenceClassifier,
    moments: &Moments,
) -> Result<(), ModelError> {
    let tensors = model.layout().parameters.iter().flat_map(|parameter| {
        let (name, shape) = (&parameter.name, parameter.shape.as_slice());
        let range = parameter.start..parameter.start + parameter.len();
        let raw = moments.weights.as_deref();
        let raw = raw.map(|raw| (format!("{name}.raw"), &raw[range.clone()]));
        [
            (format!("{name}.exp_avg"), &moments.mean[range.clone()]),
            (format!("{name}.exp_avg_sq"), &moments.variance[range]),
        ]
        .into_iter()
        .chain(raw)
        .map(move |(name, values)| (name, TensorData::Values(values, shape)))
    });
    write_tensors(file, tensors)
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "checkpoint_answers_tests.rs"]
mod answers_tests;
