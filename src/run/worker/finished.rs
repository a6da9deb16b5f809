//! A finished run that is resumed without a change: its files stay as they are.

use crate::core::model::SequenceClassifier;
use crate::core::train::checkpoint::{Checkpoint, TRAINER_STATE, load_weights};
use crate::core::train::event::{EarlyStopped, Finished, TrainEvent};
use crate::core::train::trainer_state::TrainerState;
use crate::run::is_same_folder;
use crate::run::options::{ResumeFrom, TrainOptions};
use crate::run::recording::Recording;

/// The end of a finished run, whose files a plain resume does not change.
pub(super) struct Ending {
    finished: Option<Finished>,
    /// The events after the last step, before the end.
    before: Vec<TrainEvent>,
    /// The events of the steps.
    pub history: Vec<TrainEvent>,
    /// The state of the saved model.
    pub state: TrainerState,
    /// The step of the saved model.
    pub model_step: u64,
}

impl Ending {
    /// The end of the run, if it is finished and nothing is left to do: it reached its last step,
    /// and its model is in the output folder. That model is then loaded into `model`.
    pub fn find(
        checkpoint: &Checkpoint,
        options: &TrainOptions,
        max_steps: u64,
        model: &SequenceClassifier,
    ) -> Option<Self> {
        let (output_dir, folder) = (options.output_dir(), &checkpoint.folder);
        let is_explicit = match options.resume_from()? {
            ResumeFrom::Folder(requested) => is_same_folder(requested, folder),
            ResumeFrom::Last | ResumeFrom::Auto | ResumeFrom::No => false,
        };
        if is_explicit && checkpoint.run.progress.step < max_steps {
            // The run is repeated from there.
            return None;
        }
        let recording = Recording::open(output_dir).ok()?;
        let mut ending = Self {
            finished: None,
            before: Vec::new(),
            history: Vec::new(),
            state: checkpoint.state.clone(),
            model_step: checkpoint.run.progress.step,
        };
        for event in recording.events().ok()? {
            match event.ok()? {
                TrainEvent::Started(_) => {}
                TrainEvent::Finished(finished) => ending.finished = Some(finished),
                TrainEvent::Failed(_) => {
                    ending.finished = None;
                    ending.before.clear();
                }
                event @ (TrainEvent::BestLoaded(_) | TrainEvent::Saved(_)) => {
                    if let TrainEvent::Saved(saved) = &event {
                        ending.model_step = saved.step;
                    }
                    ending.before.push(event);
                }
                event => ending.history.push(event),
            }
        }
        let is_saved = ending.before.iter().any(|event| matches!(event, TrainEvent::Saved(_)));
        let patience = options.trainer.early_stopping_patience.as_ref();
        let patience = patience.map_or(0, |given| given.value);
        // With a larger patience, the run continues.
        let is_over = |early: &EarlyStopped| (1..=early.evaluations).contains(&patience);
        let is_finished = |end: &Finished| {
            let is_over = end.early_stopping.as_ref().is_some_and(is_over);
            !end.stopped && (end.global_step == max_steps || is_over)
        };
        if !is_saved || !ending.finished.as_ref().is_some_and(is_finished) {
            return None;
        }
        let state = std::fs::read_to_string(output_dir.join(TRAINER_STATE)).ok()?;
        ending.state = serde_json::from_str(&state).ok()?;
        // If the saved model cannot be loaded, the end of the run is repeated.
        load_weights(output_dir, model).ok()?;
        Some(ending)
    }

    /// A note for the user; `changed` if options differ from the run's own.
    pub fn note(&self, changed: bool) -> String {
        let effect = if changed { " The changed options have no effect." } else { "" };
        let is_early = self.finished.as_ref().is_some_and(|end| end.early_stopping.is_some());
        let options = if is_early {
            "--early-stopping-patience, or 0,"
        } else {
            "--num-train-epochs or --max-steps"
        };
        format!(
            "the run is finished, so nothing of it is changed.{effect} Pass a larger {options} to \
             train further"
        )
    }

    /// The last events of the run.
    pub fn events(&self) -> impl Iterator<Item = TrainEvent> + '_ {
        let finished = self.finished.clone().map(TrainEvent::Finished);
        self.before.iter().cloned().chain(finished)
    }
}
