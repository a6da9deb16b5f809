//! The folder of TensorBoard's files.

use crate::core::text::display_path;
use crate::core::train::arguments::{ReportTo, TrainingArguments};
use crate::core::train::checkpoint::Checkpoint;
use crate::run::options::{Given, TrainOptions, ValueSource};
use crate::run::{default_logging_dir, is_same_folder};
use std::path::{Path, PathBuf};

/// The folder of a run's TensorBoard files, if it is below `output_dir`.
fn own_logging_dir(checkpoint: &Checkpoint, output_dir: &Path) -> Option<PathBuf> {
    let folder = output_dir.join(checkpoint.run.logging_dir.as_ref()?);
    is_inside(&folder, output_dir).then_some(folder)
}

/// Whether a path leads into a folder, also through links.
fn is_inside(path: &Path, folder: &Path) -> bool {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let is_upwards = |part| matches!(part, std::path::Component::ParentDir);
    let existing = path.ancestors().find(|path| path.exists());
    let real = existing.and_then(|path| {
        if path.as_os_str().is_empty() { Path::new(".") } else { path }.canonicalize().ok()
    });
    match (real, folder.canonicalize()) {
        (Some(real), Ok(folder)) => real.starts_with(folder) && !path.components().any(is_upwards),
        _ => false,
    }
}

/// The folder of TensorBoard's files, if the run writes any: the one that the caller names, else the
/// run's own if it is below its output folder, else a new one there. `run.toml` and checkpoints may
/// name any folder, and resuming truncates the files in it. Such a folder is removed from the
/// options, with a note.
pub(super) fn choose_logging_dir(
    options: &mut TrainOptions,
    arguments: &mut TrainingArguments,
    resumed: Option<&Checkpoint>,
    notes: &mut Vec<String>,
) -> Option<PathBuf> {
    let output_dir = arguments.output_dir.clone();
    let is_of_the_run = |given: &Given<PathBuf>| given.source == ValueSource::RunToml;
    if let Some(given) = options.output.logging_dir.clone().filter(is_of_the_run) {
        let own = resumed.and_then(|resumed| own_logging_dir(resumed, &output_dir));
        let is_own = own.as_ref().is_some_and(|own| is_same_folder(own, &given.value));
        if !is_own && !is_inside(&given.value, &output_dir) {
            (options.output.logging_dir, arguments.logging_dir) = (None, None);
            if own.is_none() && arguments.report_to != ReportTo::None {
                notes.push(format!(
                    "TensorBoard's files are written below the output folder; to continue those in \
                     {folder}, pass --logging-dir {folder}",
                    folder = display_path(&given.value)
                ));
            }
        }
    }
    if arguments.report_to == ReportTo::None {
        return None;
    }
    let own = || own_logging_dir(resumed?, &output_dir);
    let folder = arguments.logging_dir.clone().or_else(own);
    Some(folder.unwrap_or_else(|| default_logging_dir(&output_dir)))
}

/// Removes from a checkpoint a folder of TensorBoard files that a link leads away from its run.
pub(super) fn forget_foreign_logging_dir(checkpoint: &mut Checkpoint) {
    let Some(logging_dir) = &checkpoint.run.logging_dir else { return };
    let run = checkpoint.folder.parent().unwrap_or(Path::new(""));
    let places = [Some(run), run.parent()].into_iter().flatten();
    let leads_away = places
        .map(|place| (place, place.join(logging_dir)))
        .any(|(place, folder)| folder.exists() && !is_inside(&folder, place));
    if leads_away {
        checkpoint.run.logging_dir = None;
    }
}
