//! The state of a run before its first step, or at the checkpoint that it continues from.

use super::Trainer;
use super::active_run::ActiveRun;
use super::rank_meter::RankMeter;
use crate::core::engine::Engine;
use crate::core::model::folder::holds_a_model;
use crate::core::train::checkpoint::Checkpoint;
use crate::core::train::early_stopping::EarlyStopping;
use crate::core::train::error::TrainError;
use crate::core::train::observer::Observer;
use crate::core::train::progress::Progress;
use crate::core::train::schedule::Schedule;
use crate::core::train::trainer_state::TrainerState;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

impl Trainer<'_> {
    pub(super) fn begin<'e>(
        &self,
        engine: &'e mut dyn Engine,
        observer: &mut impl Observer,
        resume: Option<&Checkpoint>,
    ) -> Result<ActiveRun<'e>, TrainError> {
        let (arguments, samples) = (self.arguments, self.train.len());
        engine.begin_training_with(&self.optimizer_options())?;
        let note = self.join(engine)?;
        let mut run = ActiveRun {
            engine,
            started_at: Instant::now(),
            resumed_elapsed: 0.0,
            resumed_from: resume.map(|checkpoint| checkpoint.folder.clone()),
            progress: Progress::new(self.classes()),
            state: TrainerState::new(arguments, samples),
            best_checkpoint: None,
            max_steps: arguments.max_steps(samples),
            steps_per_epoch: arguments.steps_per_epoch(samples),
            schedule: Schedule::new(
                arguments.lr_scheduler_type,
                arguments.learning_rate,
                arguments.warmup(arguments.max_steps(samples)),
                arguments.max_steps(samples),
            ),
            early_stopping: EarlyStopping::new(arguments),
            paused_at: None,
            stop_after_epoch: false,
            pending: VecDeque::new(),
            pinned: false,
            queued: VecDeque::new(),
            meter: RankMeter::new(),
        };
        if let Some(checkpoint) = resume {
            self.restore(&mut run, checkpoint)?;
            run.resumed_elapsed = run.progress.elapsed;
        }
        if let Some(note) = note {
            run.warn(observer, note);
        }
        Ok(run)
    }

    /// Restores the state of the run at a checkpoint, whose weights the engine has.
    pub(super) fn restore(
        &self,
        run: &mut ActiveRun<'_>,
        checkpoint: &Checkpoint,
    ) -> Result<(), TrainError> {
        checkpoint.restore(self.model, run.engine)?;
        run.progress = checkpoint.run.progress.clone();
        // Restore the log and the best model; the rest of the state is set from the arguments.
        self.continue_from(run, checkpoint.state.clone());
        // The folder may have been moved, or the run may continue in another folder.
        run.set_best_checkpoint(self.best_of(checkpoint));
        run.progress.saved_at = Some(run.progress.step);
        Ok(())
    }

    /// Continues the log, the best model and early stopping of an earlier state.
    pub(super) fn continue_from(&self, run: &mut ActiveRun<'_>, old: TrainerState) {
        run.state.log_history = old.log_history;
        run.state.best_metric = old.best_metric;
        run.state.best_global_step = old.best_global_step;
        run.early_stopping = EarlyStopping::new(self.arguments);
        if let Some(stopping) = &mut run.early_stopping {
            stopping.continue_from(&old.stateful_callbacks, run.state.has_evaluation());
        }
    }

    /// The folder of the best checkpoint of a resumed run, if it still exists.
    fn best_of(&self, checkpoint: &Checkpoint) -> Option<PathBuf> {
        let step = checkpoint.state.best_global_step?;
        let here = self.checkpoints?.folder(step);
        let beside = checkpoint.folder.parent().zip(here.file_name());
        let beside = beside.map(|(parent, name)| parent.join(name));
        [Some(here), beside].into_iter().flatten().find(|folder| holds_a_model(folder))
    }
}
