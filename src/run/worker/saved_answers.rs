//! Answers of the model that a recorded run has saved.

use super::saved_model::SavedModel;
use crate::core::predict::Prediction;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::TrainEvent;
use crate::core::train::event::Setting;
use crate::run::protocol::{Answer, Command, Explanation, RunReport};
use std::path::PathBuf;

/// The stack of a thread that answers: candle traverses its graph recursively.
pub(super) const STACK_SIZE: usize = 64 << 20;

/// The model of a recorded run, which is loaded for the first question.
pub(super) struct SavedAnswers {
    /// The folder of the run; `None` for a recording elsewhere.
    folder: Option<PathBuf>,
    /// The settings of the run.
    settings: Vec<Setting>,
    /// Whether the run has saved its model. Otherwise a model in the folder is that of an earlier
    /// run.
    has_saved: bool,
    /// The saved model, once it is loaded, or why it cannot be.
    model: Option<Result<SavedModel, String>>,
}

impl SavedAnswers {
    /// Those of the run in a folder, before its first event.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, settings: Vec::new(), has_saved: false, model: None }
    }

    /// Notes what an event says about the model.
    pub fn push(&mut self, event: &TrainEvent) {
        match event {
            TrainEvent::Started(started) => self.settings.clone_from(&started.settings),
            TrainEvent::Saved(_) => self.has_saved = true,
            _ => {}
        }
    }

    /// The answer to a question; `None` for any other command. `continues` is called now and then, and
    /// ends an explanation that is no longer wanted.
    pub fn report(
        &mut self,
        command: Command,
        continues: &mut dyn FnMut() -> bool,
    ) -> Option<RunReport> {
        match command {
            Command::Predict { text } => {
                let outcome = self.classify(&text);
                Some(RunReport::Answer(Answer { text, outcome, step: None }))
            }
            Command::Explain { text, method } => {
                let model = self.model();
                let outcome = model.and_then(|model| model.explain(&text, method, continues));
                Some(RunReport::Explained(Explanation::new(text, outcome)))
            }
            _ => None,
        }
    }

    fn classify(&mut self, text: &str) -> Result<Prediction, String> {
        let answer = self.model()?.classify(text);
        answer.map_err(|error| sanitize_for_terminal(&error.to_string()).into_owned())
    }

    fn model(&mut self) -> Result<&mut SavedModel, String> {
        let Some(folder) = &self.folder else {
            return Err("this recording is not in the folder of its run, where the model is".into());
        };
        if !self.has_saved {
            return Err("the run has not saved its model".to_owned());
        }
        if self.model.is_none() && !folder.join("config.json").exists() {
            let why = "the saved model is no longer in the folder of the run";
            return Err(why.to_owned());
        }
        let settings = &self.settings;
        let model = self.model.get_or_insert_with(|| {
            let loaded = SavedModel::load(folder, settings);
            loaded.map_err(|error| sanitize_for_terminal(&format!("{error:#}")).into_owned())
        });
        model.as_mut().map_err(|reason| reason.clone())
    }
}
