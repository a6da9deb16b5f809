//! Applies commands between two steps.

use super::Trainer;
use super::active_run::{ActiveRun, StopRequest};
use crate::core::collective::{Collective, CollectiveError, is_first, is_shared};
use crate::core::engine::Engine;
use crate::core::train::command::Command;
use crate::core::train::error::TrainError;
use crate::core::train::event::CommandEffect;
use crate::core::train::observer::Observer;
use serde::{Deserialize, Serialize};
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
            let command = if let Some(command) = run.pending.pop_front() {
                Some(command)
            } else {
                let measures = !paused && run.meter.is_due();
                let turn = next_turn(self.collective(), run.engine, observer, (paused, measures))?;
                if turn.measures {
                    self.measure_ranks(run, observer)?;
                }
                turn.command
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
                Command::SaveCheckpoint if run.has_saved() => {
                    run.publish_effect(observer, CommandEffect::AlreadySaved);
                }
                Command::SaveCheckpoint => {
                    run.publish_effect(observer, CommandEffect::CheckpointRequested);
                    self.save_now(run, observer);
                }
                Command::Evaluate if run.has_evaluated() => {
                    run.publish_effect(observer, CommandEffect::AlreadyEvaluated);
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
                Command::Pin { text } => {
                    run.pinned = true;
                    run.publish_effect(observer, CommandEffect::SentencePinned { text });
                }
                Command::Unpin { text } => {
                    run.publish_effect(observer, CommandEffect::SentenceUnpinned { text });
                }
                // The observer handles these commands.
                Command::SaveModel
                | Command::TakeKeys
                | Command::Predict { .. }
                | Command::Explain { .. } => {}
            }
        }
    }
}

/// What all ranks do between two steps.
#[derive(Default, Serialize, Deserialize)]
struct Turn {
    /// The next command.
    command: Option<Command>,
    /// Whether they tell each other what they have measured.
    measures: bool,
}

/// What is next, which all ranks get from rank 0 and its observer. With `measures`, rank 0 wants to know
/// what the ranks have measured.
fn next_turn(
    collective: &dyn Collective,
    engine: &mut dyn Engine,
    observer: &mut impl Observer,
    (paused, measures): (bool, bool),
) -> Result<Turn, CollectiveError> {
    if !is_shared(collective) {
        return Ok(Turn { command: observer.next_command(engine, paused), measures: false });
    }
    let invalid = |error: serde_json::Error| {
        CollectiveError::OutOfStep(format!("a command is not valid: {error}"))
    };
    let bytes = if is_first(collective) {
        let command = observer.next_command(engine, paused);
        serde_json::to_vec(&Turn { command, measures }).map_err(invalid)?
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
    while let Some(command) = next_turn(collective, engine, observer, (false, false))?.command {
        if let Command::Stop { evaluate } = command {
            return Ok(Some(StopRequest::Command { evaluate }));
        }
        pending.push_back(command);
    }
    Ok(None)
}
