//! The interface between the training loop and the program around it.

use super::checkpoint::Checkpoint;
use super::command::Command;
use super::event::{Evaluated, TrainEvent};
use super::outcomes::Outcomes;
use crate::core::engine::{Engine, Logits};

/// Receives the events of a run and sends it commands.
pub trait Observer {
    /// Called with each event, in order.
    fn publish(&mut self, event: TrainEvent);

    /// Called before the run goes back to a checkpoint, after step `failed`, whose loss or gradient norm
    /// was not finite. What was recorded of later steps is out of date. The event
    /// [`TrainEvent::RolledBack`] follows.
    fn rolled_back(&mut self, _checkpoint: &Checkpoint, _failed: u64) {}

    /// Called after an evaluation, before its event is published. The engine is idle and may be used,
    /// for example for the predictions of [`Evaluated::probes`], which this may set. `outcomes` has
    /// the result for each example of a classifier, unless there are too many.
    fn evaluated(
        &mut self,
        _engine: &mut dyn Engine,
        _evaluated: &mut Evaluated,
        _outcomes: Option<&Outcomes>,
    ) {
    }

    /// The memory of this process in bytes; 0 if unknown.
    fn memory(&mut self) -> u64 {
        0
    }

    /// Called within a step, if the device can be interrupted, and while a checkpoint is written:
    /// questions are then answered with the weights before the step, without waiting for its end.
    /// Other commands wait for it.
    fn during_step(&mut self, _logits: &mut Logits<'_>) {}

    /// Returns the next command to the run. It is called between steps and between the batches of
    /// an evaluation, until it returns `None`. The engine is idle and may be used, for example to
    /// execute a [`Command::Predict`]; the training loop ignores that command and
    /// [`Command::SaveModel`]. It is given a [`Command::Pin`] once the sentence is pinned, and a
    /// [`Command::Unpin`] once it is not.
    ///
    /// While the run is `paused`, this blocks until there is a command; `None` then ends the pause.
    fn next_command(&mut self, engine: &mut dyn Engine, paused: bool) -> Option<Command>;
}
