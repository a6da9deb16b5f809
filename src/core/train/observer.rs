//! The interface between the training loop and the program around it.

use super::command::Command;
use super::event::TrainEvent;
use crate::core::engine::Engine;

/// Receives a run's events and gives it commands.
pub trait Observer {
    /// Called with each event, in order.
    fn publish(&mut self, event: TrainEvent);

    /// The next command to the run. Called between batches, steps and batches of an evaluation
    /// alike, until it returns `None`. The engine is idle and may be used, for example to answer a
    /// [`Command::Predict`]; the training loop ignores that command and [`Command::SaveModel`].
    ///
    /// While the run is `paused`, this blocks until there is a command; `None` then ends the pause.
    fn next_command(&mut self, engine: &mut dyn Engine, paused: bool) -> Option<Command>;
}
