//! The arguments of the best trial, for runs of its configuration.

use super::plan::PlanError;
use super::table::SweepTable;
use crate::core::atomic_write::write_atomically;
use crate::core::text::display_path;
use crate::core::write_advice::advice;
use crate::run::options::{TrainOptions, run_toml};
use std::path::{Path, PathBuf};

/// The name of the file in the folder of a sweep.
pub const BEST: &str = "best.toml";

/// Writes the arguments of the best trial of the best configuration, without the folders and the
/// threads of that trial. Returns the file and the trial's folder; `None` if no trial is finished.
///
/// # Errors
/// If the trial's `run.toml` cannot be read, or the file cannot be written.
pub fn write_best(
    folder: &Path,
    table: &SweepTable,
) -> Result<Option<(PathBuf, PathBuf)>, PlanError> {
    let best = table.best().and_then(|row| Some((row, row.best_trial(table.metric)?)));
    let Some((row, best)) = best else { return Ok(None) };
    let trial = folder.join(&best.trial);
    let read = run_toml::read::<TrainOptions>(&trial.join(run_toml::NAME));
    let mut options = read.map_err(|error| PlanError::File(error.to_string()))?;
    (options.output.output_dir, options.output.logging_dir) = (None, None);
    options.compute.threads = None;
    let text = run_toml::write(&options, &[]);
    // The file's own header is replaced: it names another file.
    let body: Vec<&str> = text.lines().skip_while(|line| line.starts_with('#')).collect();
    let text = format!(
        "# Configuration {} of a sweep, the best by {}; its best trial is {}.\n\
         # To train it: nsmc-tui train --config {BEST}\n\
         # Paths are relative to the folder the program is called in.\n{}\n",
        row.configuration,
        table.metric,
        best.trial,
        body.join("\n")
    );
    let file = folder.join(BEST);
    write_atomically(&file, text.as_bytes()).map_err(|error| {
        let shown = display_path(&file);
        PlanError::File(format!("{shown}: cannot be written: {error}. {}", advice(&error)))
    })?;
    Ok(Some((file, trial)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::sweep::{ConfigurationRow, SweepMetric, TrialValue};

    #[test]
    fn the_file_has_the_arguments_of_the_best_trial_but_not_its_folder() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let trial = folder.path().join("trial-002");
        std::fs::create_dir(&trial)?;
        let text = "learning_rate = 1e-4  # flag\nseed = 7\nthreads = 2\n\
                    output_dir = \"sweeps/trial-002\"\n";
        std::fs::write(trial.join("run.toml"), text)?;
        let value = |trial: &str, value| TrialValue { trial: trial.to_owned(), seed: None, value };
        let row = ConfigurationRow {
            configuration: 1,
            settings: std::iter::once(("learning_rate".to_owned(), "1e-4".to_owned())).collect(),
            rung: None,
            num_train_epochs: None,
            metric: "eval_accuracy",
            mean: Some(0.75),
            half_width: None,
            trials: 2,
            running: 0,
            finished: vec![value("trial-001", 0.7), value("trial-002", 0.8)],
            failed: Vec::new(),
        };
        let mut table = SweepTable {
            metric: SweepMetric::Accuracy,
            settings: vec!["learning_rate"],
            has_rungs: false,
            rows: vec![row],
            running: Vec::new(),
            settled: 2,
            trials: 2,
        };
        let (file, best) = write_best(folder.path(), &table)?.unwrap_or_default();
        assert_eq!((&file, best), (&folder.path().join(BEST), trial));
        let written = std::fs::read_to_string(&file)?;
        let options: TrainOptions = run_toml::read(&file)?;
        assert_eq!(options.trainer.seed.map(|given| given.value), Some(7), "{written}");
        assert!(written.contains("the best by eval_accuracy; its best trial is trial-002"));
        assert!(!written.contains("output_dir") && !written.contains("threads"), "{written}");
        table.rows[0].mean = None;
        assert_eq!(write_best(folder.path(), &table)?, None);
        Ok(())
    }
}
