//! Reads checkpoints. A checkpoint may come from anywhere, so each file is checked before it is
//! used.

use super::{CheckpointError, OPTIMIZER, RUN_STATE, TRAINER_STATE, consistency, integrity};
use super::{list, step_of};
use crate::core::engine::Engine;
use crate::core::model::folder::holds_a_model;
use crate::core::model::weights::{StoredTensor, WEIGHTS};
use crate::core::model::{ModelError, SequenceClassifier, Weights};
use crate::core::ops::backend::Moments;
use crate::core::ops::cpu::overwrite;
use crate::core::train::progress::{RunState, VERSION};
use crate::core::train::trainer_state::TrainerState;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most bytes of a state file: 1000 classes have two matrices of a million numbers, and a log
/// entry of each of a million steps has some hundred bytes.
const MAX_STATE_BYTES: u64 = 1 << 28;

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
    /// Reads and checks the state files of a checkpoint, but not the model or the optimizer's
    /// moments. A folder of TensorBoard files outside the run's folder is not returned.
    ///
    /// # Errors
    /// If a file is missing or damaged, if the files contradict each other, or if the checkpoint
    /// cannot be resumed from.
    pub fn read(folder: &Path) -> Result<Self, CheckpointError> {
        let unusable =
            |reason: String| CheckpointError::Unusable { folder: folder.to_path_buf(), reason };
        if !folder.join(RUN_STATE).exists() {
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
        let is_damaged = |name: &str, reason: String| damaged(folder, name, reason);
        let parse_error = |name: &'static str| {
            move |error: serde_json::Error| is_damaged(name, format!("it is damaged: {error}"))
        };
        let text = read_state(folder, RUN_STATE)?;
        let mut run: RunState = serde_json::from_str(&text).map_err(parse_error(RUN_STATE))?;
        if run.version != VERSION {
            return Err(unusable(format!(
                "it is of format {}, and this program reads format {VERSION}",
                run.version
            )));
        }
        if run.sha256.as_ref().is_some_and(|checksum| !integrity::is_sealed(&text, checksum)) {
            return Err(is_damaged(RUN_STATE, CHANGED.to_owned()));
        }
        verify(folder, &run, |name| name == TRAINER_STATE)?;
        let text = read_state(folder, TRAINER_STATE)?;
        let state: TrainerState =
            serde_json::from_str(&text).map_err(parse_error(TRAINER_STATE))?;
        consistency::check(step_of(folder), &state, &run)
            .map_err(|reason| is_damaged(RUN_STATE, reason))?;
        run.logging_dir = run.logging_dir.filter(|path| consistency::is_below(path));
        Ok(Self { folder: folder.to_path_buf(), state, run })
    }

    /// Verifies the checksums of all files. Checkpoints of earlier versions have none.
    ///
    /// # Errors
    /// If a file is missing, damaged or was changed; the error names it and the remedy.
    pub fn verify_files(&self) -> Result<(), CheckpointError> {
        verify(&self.folder, &self.run, |_| true)
    }

    /// Verifies that the optimizer's moments are complete and fit `model`, and that the run has
    /// counted its classes. The moments are not kept in memory.
    ///
    /// # Errors
    /// If they are missing or damaged; the error names the file and the remedy.
    pub fn verify_moments(&self, model: &SequenceClassifier) -> Result<(), CheckpointError> {
        let (counted, classes) =
            (self.run.progress.confusion.counts.len(), model.config().labels.len());
        if counted != classes {
            let reason = format!(
                "its confusion matrix is of {counted} classes, but the model has {classes}"
            );
            return Err(self.damaged(RUN_STATE, reason));
        }
        self.read_moments(model, |_| ())
    }

    /// An error of this checkpoint: a file that cannot be used, and the remedy.
    pub fn damaged(&self, name: &str, reason: impl std::fmt::Display) -> CheckpointError {
        damaged(&self.folder, name, reason.to_string())
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
        let (mut mean, mut variance, mut raw) = (Vec::new(), Vec::new(), Vec::new());
        self.read_moments(model, |state| {
            mean.extend(state.mean);
            variance.extend(state.variance);
            raw.extend(state.raw);
        })?;
        let moments = Moments {
            steps: self.run.optimizer_steps,
            mean: mean.into(),
            variance: variance.into(),
            weights: self.run.averages_weights.then_some(raw),
        };
        Ok(engine.restore(moments)?)
    }

    /// Reads the optimizer's state of one parameter after another.
    fn read_moments(
        &self,
        model: &SequenceClassifier,
        mut receive: impl FnMut(ParameterState),
    ) -> Result<(), CheckpointError> {
        let failed = |reason: String| damaged(&self.folder, OPTIMIZER, reason);
        let file = self.folder.join(OPTIMIZER);
        integrity::open_plain(&file).map_err(|error| failed(error.to_string()))?;
        let mut stored = Weights::open_file(&file).map_err(|error| failed(reason_of(error)))?;
        let mut take = |name: String, shape: &[usize]| match stored.read(&name, shape) {
            Ok(StoredTensor::Values(values)) => Ok(values),
            Ok(_) => Err(failed(format!("{name} is missing or of another shape"))),
            Err(error) => Err(failed(crate::core::model::without_backtrace(&error))),
        };
        for parameter in &model.layout().parameters {
            let (name, shape) = (&parameter.name, parameter.shape.as_slice());
            let mean = take(format!("{name}.exp_avg"), shape)?;
            let variance = take(format!("{name}.exp_avg_sq"), shape)?;
            let raw = if self.run.averages_weights {
                take(format!("{name}.raw"), shape)?
            } else {
                Vec::new()
            };
            if !raw.iter().all(|value| value.is_finite()) {
                return Err(failed(format!("{name}.raw holds NaN or infinite values")));
            }
            let is_possible = mean.iter().all(|value| value.is_finite())
                && variance.iter().all(|value| value.is_finite() && *value >= 0.0);
            if !is_possible {
                return Err(failed(format!("the moments of {name} are not possible values")));
            }
            receive(ParameterState { mean, variance, raw });
        }
        Ok(())
    }
}

/// The optimizer's state of one parameter.
struct ParameterState {
    mean: Vec<f32>,
    variance: Vec<f32>,
    /// The parameter itself, if the model's file has its average; else empty.
    raw: Vec<f32>,
}

/// What is wrong with a file whose checksum differs.
const CHANGED: &str = "it is damaged or was changed after it was written: its SHA-256 differs from \
                       the one in nsmc_tui_state.json";

fn damaged(folder: &Path, name: &str, reason: String) -> CheckpointError {
    CheckpointError::Damaged { file: folder.join(name), reason, earlier: earlier(folder) }
}

/// The last checkpoint before the one in `folder`.
fn earlier(folder: &Path) -> Option<PathBuf> {
    let step = step_of(folder)?;
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    let before = list(parent.unwrap_or(Path::new(".")));
    before.into_iter().rfind(|other| step_of(other) < Some(step))
}

/// An error's text without the file, which the caller names.
fn reason_of(error: ModelError) -> String {
    match error {
        ModelError::Io { error, .. } => error.to_string(),
        ModelError::Weights { reason, .. } | ModelError::Config { reason, .. } => {
            reason.trim_end_matches(". Download or save it again").to_owned()
        }
        ModelError::Computation(reason) => reason,
    }
}

/// Reads a state file as text.
fn read_state(folder: &Path, name: &str) -> Result<String, CheckpointError> {
    let failed = |reason: String| damaged(folder, name, reason);
    let mut text = String::new();
    integrity::open_plain(&folder.join(name))
        .and_then(|file| file.take(MAX_STATE_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > MAX_STATE_BYTES {
        return Err(failed(format!("it is longer than {MAX_STATE_BYTES} bytes")));
    }
    Ok(text)
}

/// Verifies the recorded checksums of the chosen files.
fn verify(
    folder: &Path,
    run: &RunState,
    is_chosen: impl Fn(&str) -> bool,
) -> Result<(), CheckpointError> {
    for (name, expected) in run.files.iter().filter(|(name, _)| is_chosen(name)) {
        // The name comes from the file.
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(damaged(folder, RUN_STATE, "it names a file elsewhere".to_owned()));
        }
        match integrity::sha256_of(&folder.join(name)) {
            Ok(found) if found == *expected => {}
            Ok(_) => return Err(damaged(folder, name, CHANGED.to_owned())),
            Err(error) => return Err(damaged(folder, name, error.to_string())),
        }
    }
    Ok(())
}

/// Loads the weights of a checkpoint of the same run into `model`, after their checksum is
/// verified if there is one.
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
    if folder.join(RUN_STATE).is_file() {
        let run: Result<RunState, _> = serde_json::from_str(&read_state(folder, RUN_STATE)?);
        let run = run.map_err(|error| damaged(folder, RUN_STATE, error.to_string()))?;
        verify(folder, &run, |name| name == WEIGHTS)?;
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
