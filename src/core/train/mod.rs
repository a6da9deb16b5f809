//! Training: it knows nothing of screens. It publishes plain events and asks, between batches,
//! whether to go on.

pub mod calibration;
pub mod checkpoint;
pub mod evaluation;
pub mod event;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod metrics;
mod checkpointing;
pub mod observer;
pub mod progress;
pub mod schedule;
pub mod trainer_state;
pub mod steering;
mod steps;
pub mod trainer;

pub use checkpoint::{Checkpoint, Checkpoints};
pub use event::TrainEvent;
pub use observer::{Control, Observer, TrainError};
pub use trainer_state::TrainerState;
pub use trainer::{Outcome, Trainer};
