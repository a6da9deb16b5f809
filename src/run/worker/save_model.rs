//! Saves the model in the output folder, with all files that Python, the hub and this program read.

use super::PreparedRun;
use super::reporter::Reporter;
use crate::core::atomic_write::Staging;
use crate::core::model::{ModelError, folder};
use crate::core::text::{display_path, sanitize_for_terminal};
use crate::core::train::TrainerState;
use crate::core::train::arguments::StartingWeights;
use crate::core::train::checkpoint::{self, TRAINER_STATE};
use crate::core::train::event::{Failed, LogEntry, Saved, TrainEvent};
use crate::core::train::temperature::{CALIBRATION, SavedTemperature};
use crate::core::write_advice::advice;
use crate::run::command_line::resume_command;
use crate::run::figures::{FigureError, FigureFile};
use crate::run::model_card::{
    CardMetrics, HubReference, ModelCard, TrainingResult, hyperparameters, pretraining_card,
};
use crate::run::protocol::{Activity, RunReport};
use serde_json::Value;
use std::path::Path;
use std::time::Instant;

/// Files of an older model that would be loaded together with the new one.
const STALE: [&str; 5] = [
    CALIBRATION,
    "added_tokens.json",
    "model.safetensors.index.json",
    "special_tokens_map.json",
    "vocab.txt",
];

impl PreparedRun {
    /// Saves the model of a step and reports a failure, after which the model stays in memory.
    pub(super) fn save_and_report(&self, reporter: &mut Reporter, step: u64, state: &TrainerState) {
        reporter.channels.send(RunReport::Activity(Activity::Saving));
        let began = Instant::now();
        let (figures, problem) = match reporter.recorder.figures() {
            Ok(figures) => (figures, None),
            Err(FigureError::Empty) => (Vec::new(), None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let saved = self.save(step, state, &figures);
        let problem = problem.or_else(|| saved.as_ref().ok().cloned().flatten());
        if let Some(problem) = problem {
            let folder = display_path(&self.arguments.output_dir);
            let message = format!(
                "{folder}: the pictures could not be written: {problem}. nsmc-tui figures draws \
                 them later"
            );
            reporter.warn(&message);
        }
        let event = match saved {
            Ok(_) => {
                let path = display_path(&self.arguments.output_dir);
                TrainEvent::Saved(Saved { path, step, seconds: began.elapsed().as_secs_f64() })
            }
            Err(error) => {
                let message = format!("the model could not be saved: {error}");
                let message = sanitize_for_terminal(&message).into_owned();
                TrainEvent::Failed(Failed { message, hint: Some(self.saving_hint(&error)), step })
            }
        };
        reporter.publish(event);
    }

    /// A hint for the user on what to do if the model could not be saved.
    fn saving_hint(&self, error: &ModelError) -> String {
        let last = checkpoint::list(&self.arguments.output_dir).pop();
        let last = last.map_or_else(
            || "there is no checkpoint to resume from".to_owned(),
            |folder| format!("resume with {}", resume_command(Some(&display_path(&folder)))),
        );
        let last = sanitize_for_terminal(&last).into_owned();
        let advice = match error {
            ModelError::Io { error, .. } => advice(error),
            _ => "Check the folder",
        };
        format!("{advice}. In the dashboard, press w to save again; without it, {last}.")
    }

    /// Writes the model, its tokenizer, its card, the run's state and its figures into the output
    /// folder. The files are written to a temporary folder and then moved together. A figure that
    /// cannot be written does not prevent saving the model; the error is returned.
    ///
    /// # Errors
    /// If a file could not be written; the error names it. Files of an earlier model still exist.
    pub(super) fn save(
        &self,
        step: u64,
        state: &TrainerState,
        figures: &[FigureFile],
    ) -> Result<Option<String>, ModelError> {
        let output_dir = &self.arguments.output_dir;
        let failed = |file: &Path| {
            let file = file.to_path_buf();
            move |error| ModelError::Io { file, error }
        };
        let staging = Staging::new(output_dir).map_err(failed(output_dir))?;
        let write = |name: &str, bytes: &[u8]| {
            staging.write(name, bytes).map_err(failed(&output_dir.join(name)))
        };
        write(TRAINER_STATE, state.to_json().as_bytes())?;
        if let Some(temperature) = SavedTemperature::of_history(state, step) {
            write(CALIBRATION, temperature.to_json().as_bytes())?;
        }
        for (name, bytes) in &self.checkpoints.tokenizer {
            write(name, bytes)?;
        }
        let mut card = self.card(step, state);
        let mut problem = None;
        for figure in figures {
            match write_figure(&staging, figure) {
                Ok(()) if figure.is_png() => card.figures.push(figure.name.clone()),
                Ok(()) => {}
                Err(error) => problem = Some(format!("{}: {error}", figure.name)),
            }
        }
        let card = if self.model.config().task.is_pretraining() {
            pretraining_card(&card, &self.model.config().saved_class(), state)
        } else {
            card.to_markdown()
        };
        write("README.md", card.as_bytes())?;
        folder::write_without_generator(staging.path(), &self.model)
            .map_err(|error| error.relocated(staging.path(), output_dir))?;
        staging.publish_files("config.json", &STALE).map_err(failed(output_dir))?;
        Ok(problem)
    }

    /// The model that the run started from; `None` for random weights.
    fn base_reference(&self) -> Option<HubReference> {
        match self.starting_weights {
            StartingWeights::Random => None,
            StartingWeights::Embedded => Some(HubReference {
                name: "nsmc-tui's embedded model (from multilingual-e5-small)".to_owned(),
                hub_name: Some("intfloat/multilingual-e5-small".to_owned()),
            }),
            StartingWeights::Pretrained => self.base_model.as_ref().map(|name| HubReference {
                name: name.clone(),
                hub_name: (!Path::new(name).exists()).then(|| name.clone()),
            }),
        }
    }

    fn card(&self, step: u64, state: &TrainerState) -> ModelCard {
        let name = self.arguments.output_dir.file_name().unwrap_or_default();
        let evaluations = evaluations(&state.log_history);
        // The metrics of the saved model.
        let evaluation = evaluations.iter().rev().find(|evaluation| evaluation.step == step);
        ModelCard {
            mean_pooling_hook: self.model.config().mean_pooling_hook(),
            needs_nfc: self.tokenizer.composes_hangul(),
            model_name: name.to_string_lossy().into_owned(),
            base_model: self.base_reference(),
            license: (self.starting_weights == StartingWeights::Embedded).then_some("mit"),
            dataset: HubReference {
                name: self.dataset.name.clone(),
                hub_name: self.dataset.hub_name.clone(),
            },
            split: Some(self.dataset.split.clone()),
            language: self.dataset.is_nsmc.then(|| "ko".to_owned()),
            text_pair_columns: self.model.config().text_pair_columns(),
            labels: self.model.config().labels.clone(),
            train_samples: self.train.len(),
            eval_samples: self.eval.len(),
            results: evaluation.map(|evaluation| evaluation.metrics),
            hyperparameters: hyperparameters(&self.settings),
            evaluations,
            figures: Vec::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Writes a figure, at the second attempt if the first one fails. A figure that cannot be written is
/// removed.
fn write_figure(staging: &Staging, figure: &FigureFile) -> std::io::Result<()> {
    let write = || staging.write(&figure.name, &figure.bytes);
    write().or_else(|_| write()).inspect_err(|_| {
        // A missing file is what is wanted.
        let _ = std::fs::remove_file(staging.path().join(&figure.name));
    })
}

/// The evaluations of a log history, each with the training loss logged before it.
fn evaluations(history: &[LogEntry]) -> Vec<TrainingResult> {
    let number = |entry: &LogEntry, name: &str| entry.get(name).and_then(Value::as_f64);
    let mut training_loss = None;
    let mut found = Vec::new();
    for entry in history {
        if let Some(loss) = number(entry, "loss") {
            training_loss = Some(loss);
        }
        if let Some(loss) = number(entry, "eval_loss") {
            found.push(TrainingResult {
                training_loss,
                epoch: number(entry, "epoch").unwrap_or(0.0),
                step: entry.get("step").and_then(Value::as_u64).unwrap_or(0),
                metrics: CardMetrics {
                    loss,
                    accuracy: number(entry, "eval_accuracy").unwrap_or(0.0),
                    f1: number(entry, "eval_f1").unwrap_or(0.0),
                },
            });
        }
    }
    found
}
