//! `checkpoint-<step>` folders in the format of Hugging Face's Trainer. They are written
//! atomically, and values are restored exactly.

use super::progress::{RunState, VERSION};
use super::trainer_state::TrainerState;
use crate::core::atomic_write::{Staging, remove_folder};
use crate::core::engine::{Engine, EngineError};
use crate::core::model::folder::{self, TensorData, holds_a_model, write_tensors};
use crate::core::model::weights::StoredTensor;
use crate::core::model::{ModelError, SequenceClassifier, Weights};
use crate::core::ops::backend::Moments;
use crate::core::ops::cpu::overwrite;
use std::path::{Path, PathBuf};

/// The prefix of the name of a checkpoint folder.
const PREFIX: &str = "checkpoint-";

/// The file with transformers' [`TrainerState`].
pub const TRAINER_STATE: &str = "trainer_state.json";

/// The file with this program's [`RunState`].
const RUN_STATE: &str = "nsmc_tui_state.json";

/// The file with AdamW's moments, under PyTorch's names: `<parameter>.exp_avg` and
/// `<parameter>.exp_avg_sq`.
const OPTIMIZER: &str = "optimizer.safetensors";

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
}

fn io(file: &Path) -> impl FnOnce(std::io::Error) -> CheckpointError {
    let file = file.to_path_buf();
    move |error| ModelError::Io { file, error }.into()
}

/// The step in the name of a checkpoint folder; `None` if the name has a different form.
pub fn step_of(folder: &Path) -> Option<u64> {
    folder.file_name()?.to_str()?.strip_prefix(PREFIX)?.parse().ok()
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
    /// Whether the run started from random weights.
    pub random_weights: bool,
    /// The folder of the run's TensorBoard files, if it writes any.
    pub logging_dir: Option<PathBuf>,
}

impl Checkpoints {
    /// The checkpoint folder of a step.
    pub fn folder(&self, step: u64) -> PathBuf {
        self.output_dir.join(format!("{PREFIX}{step}"))
    }

    /// Writes the checkpoint of step `state.global_step`, then deletes the oldest checkpoints
    /// beyond `save_total_limit`, but never the best one or the new one. Returns the checkpoint
    /// folder.
    ///
    /// # Errors
    /// If a file cannot be written, or the engine fails. Earlier checkpoints are not changed.
    pub fn write(
        &self,
        model: &SequenceClassifier,
        engine: &mut dyn Engine,
        state: &TrainerState,
        mut run: RunState,
    ) -> Result<PathBuf, CheckpointError> {
        engine.store()?;
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
        if !self.save_only_model {
            let moments = engine.moments()?;
            run.optimizer_steps = moments.steps;
            let text = serde_json::to_string_pretty(&run).unwrap_or_default() + "\n";
            write(RUN_STATE, text.as_bytes())?;
            write_moments(&staging.path().join(OPTIMIZER), model, &moments).map_err(meant)?;
        }
        let name = format!("{PREFIX}{}", state.global_step);
        staging.publish(&name).map_err(io(&folder))?;
        self.rotate(&folder, state.best_model_checkpoint.as_deref().map(Path::new));
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
    moments: &Moments<'_>,
) -> Result<(), ModelError> {
    let tensors = model.layout().parameters.iter().flat_map(|parameter| {
        let (name, shape) = (&parameter.name, parameter.shape.as_slice());
        let range = parameter.start..parameter.start + parameter.len();
        [
            (format!("{name}.exp_avg"), TensorData::Values(&moments.mean[range.clone()], shape)),
            (format!("{name}.exp_avg_sq"), TensorData::Values(&moments.variance[range], shape)),
        ]
    });
    write_tensors(file, tensors)
}

/// A checkpoint that a run can be resumed from.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The checkpoint folder.
    pub folder: PathBuf,
    /// The contents of `trainer_state.json`.
    pub state: TrainerState,
    /// The contents of `nsmc_tui_state.json`.
    pub run: RunState,
}

impl Checkpoint {
    /// Reads the state files of a checkpoint, but not the model or the optimizer's moments.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the checkpoint cannot be resumed from.
    pub fn read(folder: &Path) -> Result<Self, CheckpointError> {
        let unusable =
            |reason: String| CheckpointError::Unusable { folder: folder.to_path_buf(), reason };
        if !folder.join(RUN_STATE).is_file() {
            let how = if folder.join("optimizer.pt").is_file() {
                "it was written by Python, whose optimizer state is a pickle"
            } else {
                "it holds the model only (--save-only-model)"
            };
            return Err(unusable(format!(
                "{how}, so that run cannot be resumed; a new one can start from its weights with \
                 --model-name-or-path {}",
                folder.display()
            )));
        }
        let text = |name: &str| {
            let file = folder.join(name);
            std::fs::read_to_string(&file).map_err(io(&file))
        };
        let bad = |name: &str, error: serde_json::Error| {
            unusable(format!("{name} is damaged: {error}. Resume from an earlier checkpoint"))
        };
        let run: RunState =
            serde_json::from_str(&text(RUN_STATE)?).map_err(|error| bad(RUN_STATE, error))?;
        if run.version != VERSION {
            return Err(unusable(format!(
                "it is of format {}, and this program reads format {VERSION}",
                run.version
            )));
        }
        let state = serde_json::from_str(&text(TRAINER_STATE)?)
            .map_err(|error| bad(TRAINER_STATE, error))?;
        Ok(Self { folder: folder.to_path_buf(), state, run })
    }

    /// Restores the optimizer's moments in `engine`, which computes `model`.
    ///
    /// # Errors
    /// If the moments are missing or damaged, or if their shapes are not those of `model`.
    pub fn restore(
        &self,
        model: &SequenceClassifier,
        engine: &mut dyn Engine,
    ) -> Result<(), CheckpointError> {
        let file = self.folder.join(OPTIMIZER);
        let mut stored = Weights::open_file(&file)?;
        let failed = |error: &candle_core::Error| ModelError::Weights {
            file: file.clone(),
            reason: crate::core::model::without_backtrace(error),
        };
        let mut take = |name: String, shape: &[usize]| match stored.read(&name, shape) {
            Ok(StoredTensor::Values(values)) => Ok(values),
            Ok(StoredTensor::Missing | StoredTensor::OtherShape(_)) => Err(ModelError::Weights {
                file: file.clone(),
                reason: format!("{name} is missing or of another shape"),
            }),
            Err(error) => Err(failed(&error)),
        };
        let (mut mean, mut variance) = (Vec::new(), Vec::new());
        for parameter in &model.layout().parameters {
            let (name, shape) = (&parameter.name, parameter.shape.as_slice());
            mean.extend(take(format!("{name}.exp_avg"), shape)?);
            variance.extend(take(format!("{name}.exp_avg_sq"), shape)?);
        }
        let steps = self.run.optimizer_steps;
        let moments = Moments { steps, mean: mean.into(), variance: variance.into() };
        Ok(engine.restore(moments)?)
    }
}

/// Loads the weights of a checkpoint of the same run into `model`.
///
/// # Errors
/// If the weights are missing or damaged, or if their shapes are not those of `model`.
pub fn load_weights(folder: &Path, model: &SequenceClassifier) -> Result<(), CheckpointError> {
    if !holds_a_model(folder) {
        return Err(CheckpointError::Unusable {
            folder: folder.to_path_buf(),
            reason: "the checkpoint is no longer there".to_owned(),
        });
    }
    let mut weights = Weights::open(folder, model.config().architecture)?;
    let misfit = |reason: String| ModelError::Weights { file: folder.to_path_buf(), reason };
    // Read all weights before replacing any, so that an error leaves the model unchanged.
    let mut all = Vec::with_capacity(model.parameters().count());
    for (name, view) in model.parameters().iter() {
        match weights.read(name, view.dims()) {
            Ok(StoredTensor::Values(values)) => all.extend(values),
            Ok(_) => return Err(misfit(format!("it has no {name} of this model")).into()),
            Err(error) => return Err(misfit(crate::core::model::without_backtrace(&error)).into()),
        }
    }
    let replaced = overwrite(model.parameters().flat(), &all);
    replaced.map_err(|error| misfit(crate::core::model::without_backtrace(&error)))?;
    Ok(())
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
