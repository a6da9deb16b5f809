//! Applies commands between two steps.

use super::Trainer;
use super::active_run::{ActiveRun, StopRequest};
use crate::core::collective::{Collective, CollectiveError, is_first, is_shared};
use crate::core::engine::Engine;
use crate::core::train::command::Command;
use crate::core::train::error::TrainError;
use crate::core::train::event::CommandEffect;
use crate::core::train::observer::Observer;
use std::collections::VecDeque;
use std::ops::ControlFlow;

impl Trainer<'_> {
    /// Applies all available commands; during a pause, waits for more until the pause ends.
    pub(super) fn apply_commands(
        &self,
        run: &mut ActiveRun<'_>,
        observer: &mut impl Observer,
    ) -> Result<ControlFlow<StopRequest>, TrainError> {
        loop {
            let paused = run.paused_at.is_some();
            let command = match run.pending.pop_front() {
                Some(command) => Some(command),
                None => next_command(self.collective(), run.engine, observer, paused)?,
            };
            let Some(command) = command else {
                run.resume(observer);
                return Ok(ControlFlow::Continue(()));
            };
            // The events of all steps must be published before the effect of the command.
            self.finish_steps(run, observer)?;
            match command {
                Command::Pause => run.pause(observer),
                Command::Resume => run.resume(observer),
                Command::SaveCheckpoint => {
                    run.publish_effect(observer, CommandEffect::CheckpointRequested);
                    self.save_now(run, observer);
                }
                Command::Evaluate => {
                    run.publish_effect(observer, CommandEffect::EvaluationRequested);
                    // A result that counts as the best would change the final model of the run.
                    let control = self.evaluate_untracked(run, observer)?;
                    if control.is_break() {
                        run.resume(observer);
                        return Ok(control);
                    }
                }
                Command::StopAfterEpoch { enabled } => {
                    run.stop_after_epoch = enabled;
                    run.publish_effect(observer, CommandEffect::StopAfterEpoch { enabled });
                }
                Command::SetLearningRate { rate } => run.set_learning_rate(rate, observer),
                Command::Stop { evaluate } => {
                    run.resume(observer);
                    return Ok(ControlFlow::Break(StopRequest::Command { evaluate }));
                }
                Command::Pin { .. } => run.publish_effect(observer, CommandEffect::SentencePinned),
                // The observer handles these commands.
                Command::SaveModel
                | Command::TakeKeys
                | Command::Predict { .. }
                | Command::Explain { .. } => {}
            }
        }
    }
}

/// The next command, which all ranks get from the observer of rank 0.
fn next_command(
    collective: &dyn Collective,
    engine: &mut dyn Engine,
    observer: &mut impl Observer,
    paused: bool,
) -> Result<Option<Command>, CollectiveError> {
    if !is_shared(collective) {
        return Ok(observer.next_command(engine, paused));
    }
    let invalid = |error: serde_json::Error| {
        CollectiveError::OutOfStep(format!("a command is not valid: {error}"))
    };
    let bytes = if is_first(collective) {
        serde_json::to_vec(&observer.next_command(engine, paused)).map_err(invalid)?
    } else {
        Vec::new()
    };
    let bytes = collective.broadcast_bytes(&bytes)?;
    serde_json::from_slice(&bytes).map_err(invalid)
}

/// Polls the commands that arrived during an evaluation, up to a stop command; the others are added
/// to `pending`, to be applied after the evaluation.
///
/// # Errors
/// If a rank is lost.
pub(super) fn poll_stop(
    collective: &dyn Collective,
    pending: &mut VecDeque<Command>,
    engine: &mut dyn Engine,
    observer: &mut impl Observer,
) -> Result<Option<StopRequest>, CollectiveError> {
    while let Some(command) = next_command(collective, engine, observer, false)? {
        if let Command::Stop { evaluate } = command {
            return Ok(Some(StopRequest::Command { evaluate }));
        }
        pending.push_back(command);
    }
    Ok(None)
}
