//! What a run says of itself when it starts.

use super::PreparedRun;
use crate::core::model::embedded::{EMBEDDED_MODEL, SMALL_MODEL};
use crate::core::model::folder::holds_a_model;
use crate::core::text::{display_path, sanitize_for_terminal};
use crate::core::train::arguments::{EvalStrategy, SaveStrategy, StartingWeights};
use crate::core::train::event::Started;

impl PreparedRun {
    pub(super) fn started(&self, notes: Vec<String>) -> Started {
        let (config, arguments) = (self.model.config(), &self.arguments);
        let model = match (self.base_model.as_deref(), self.starting_weights) {
            (Some(SMALL_MODEL), _) | (None, StartingWeights::Random) => "small Korean BERT",
            (None | Some(EMBEDDED_MODEL), _) => "embedded Korean BERT",
            (Some(other), _) => other,
        };
        let samples = self.train.len();
        let progress = self.resume.as_ref().map(|checkpoint| &checkpoint.run.progress);
        Started {
            model: sanitize_for_terminal(model).into_owned(),
            architecture: config.description(),
            parameters: self.model.parameters().count(),
            labels: config.labels.clone(),
            train_samples: samples,
            eval_samples: self.eval.len(),
            steps_per_epoch: arguments.steps_per_epoch(samples),
            max_steps: arguments.max_steps(samples),
            num_train_epochs: arguments.epochs(samples),
            eval_steps: match arguments.eval_strategy {
                EvalStrategy::Epoch => arguments.steps_per_epoch(samples),
                EvalStrategy::Steps => arguments.eval_steps.of(arguments.max_steps(samples)),
                EvalStrategy::No => 0,
            },
            save_steps: match arguments.save_strategy {
                SaveStrategy::Epoch => arguments.steps_per_epoch(samples),
                SaveStrategy::Steps => arguments.save_steps.of(arguments.max_steps(samples)),
                // The step of the next best model is unknown.
                SaveStrategy::Best | SaveStrategy::No => 0,
            },
            logging_steps: arguments.logging_steps.of(arguments.max_steps(samples)),
            output_dir: display_path(&arguments.output_dir),
            replaces_model: holds_a_model(&arguments.output_dir),
            settings: self.settings.clone(),
            resumed_at: progress.map_or(0, |progress| progress.step),
            resumed_elapsed: progress.map_or(0.0, |progress| progress.elapsed),
            notes,
        }
    }
}
