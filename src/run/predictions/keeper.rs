//! Keeps the outcomes of a run's evaluations in its folder.

use super::outcome_file::encode;
use super::{EvaluationTexts, FOLDER, TEXTS, step_file, step_of};
use crate::core::atomic_write::write_atomically;
use crate::core::train::Outcomes;
use crate::run::is_same_folder;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

/// The most evaluations that are kept.
const MAX_FILES: usize = 64;

/// The most bytes of all evaluations, unless two are larger.
const MAX_TOTAL_BYTES: usize = 64 << 20;

/// Keeps the outcomes of a run's evaluations. If there are more than 64, or they are
/// larger than 64 MiB together, those are removed whose neighbours are nearest; the first and the last
/// remain.
#[derive(Debug)]
pub struct PredictionKeeper {
    folder: PathBuf,
    texts: EvaluationTexts,
}

/// The checkpoint that a run is resumed from.
#[derive(Clone, Copy, Debug)]
pub struct Resumed<'a> {
    /// The folder of the run that has the checkpoint.
    pub run: &'a Path,
    /// The step of the checkpoint.
    pub step: u64,
}

impl PredictionKeeper {
    /// Begins to keep outcomes of evaluations of these texts in the folder of a run, or none without
    /// texts. What an earlier run has kept there is removed; of a resumed run, the evaluations up to
    /// the checkpoint remain, or are copied from its folder. If a file cannot be read, written or
    /// removed, [`Self::keep`] tries to write again.
    pub fn begin(
        run: &Path,
        texts: Option<EvaluationTexts>,
        resumed: Option<Resumed<'_>>,
    ) -> (Option<Self>, Result<()>) {
        let folder = run.join(FOLDER);
        let keeper = texts.map(|texts| Self { folder, texts });
        let prepare = || match (resumed, &keeper) {
            (None, _) => remove_after(run, None),
            (Some(Resumed { run: source, step }), _) if is_same_folder(source, run) => {
                remove_after(run, Some(step))
            }
            (Some(Resumed { run: source, step }), keeper) => {
                remove_after(run, None)?;
                keeper.as_ref().map_or(Ok(()), |keeper| keeper.copy(&source.join(FOLDER), step))
            }
        };
        let begun = prepare();
        let begun = begun.and_then(|()| keeper.as_ref().map_or(Ok(()), Self::write_texts));
        (keeper, begun)
    }

    /// Copies the evaluations up to a step.
    fn copy(&self, from: &Path, step: u64) -> Result<()> {
        let steps: Vec<u64> = steps(from)?.into_iter().filter(|own| *own <= step).collect();
        if steps.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder)?;
        for name in steps.into_iter().map(step_file) {
            std::fs::copy(from.join(&name), self.folder.join(&name))?;
        }
        Ok(())
    }

    /// Writes the texts, unless they are there.
    fn write_texts(&self) -> Result<()> {
        let file = self.folder.join(TEXTS);
        let length = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
        // Only texts of this length are compared, so that no more is read.
        if length == self.texts.file.len() as u64 && std::fs::read(&file)? == self.texts.file {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder)?;
        write_atomically(&file, &self.texts.file)
    }

    /// Writes the outcomes of the evaluation after a step, in place of an earlier evaluation after
    /// that step.
    ///
    /// # Errors
    /// If they cannot be written; the evaluations that are already kept remain.
    pub fn keep(&self, step: u64, epoch: f64, outcomes: &Outcomes) -> Result<()> {
        // The folder may have been removed during the run.
        self.write_texts()?;
        let bytes = encode(step, epoch, &self.texts.fingerprint, outcomes)?;
        write_atomically(&self.folder.join(step_file(step)), &bytes)?;
        let most = (MAX_TOTAL_BYTES / bytes.len().max(1)).clamp(2, MAX_FILES);
        let mut kept = steps(&self.folder)?;
        while kept.len() > most {
            let gap = |index: &usize| kept[index + 1] - kept[index - 1];
            let Some(index) = (1..kept.len() - 1).min_by_key(gap) else { break };
            std::fs::remove_file(self.folder.join(step_file(kept.remove(index))))?;
        }
        Ok(())
    }

    /// Removes the evaluations after a step, to which the run goes back.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn truncate_after(&self, step: u64) -> Result<()> {
        remove_evaluations(&self.folder, |own| own > step)
    }
}

/// Removes what a run has kept in its folder: everything, or the evaluations after a step.
///
/// # Errors
/// If a file cannot be removed.
fn remove_after(run: &Path, step: Option<u64>) -> Result<()> {
    let folder = run.join(FOLDER);
    remove_evaluations(&folder, |own| step.is_none_or(|step| own > step))?;
    if step.is_none() {
        ignore_missing(std::fs::remove_file(folder.join(TEXTS)))?;
    }
    Ok(())
}

fn remove_evaluations(folder: &Path, is_removed: impl Fn(u64) -> bool) -> Result<()> {
    for step in steps(folder)?.into_iter().filter(|step| is_removed(*step)) {
        ignore_missing(std::fs::remove_file(folder.join(step_file(step))))?;
    }
    Ok(())
}

fn ignore_missing(removed: Result<()>) -> Result<()> {
    match removed {
        Err(error) if ![ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// The steps of the evaluations in a folder, in order; none if there is no such folder.
///
/// # Errors
/// If the folder cannot be read.
pub(super) fn steps(folder: &Path) -> Result<Vec<u64>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut steps = Vec::new();
    for entry in entries {
        steps.extend(step_of(&entry?.file_name()));
    }
    steps.sort_unstable();
    Ok(steps)
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
