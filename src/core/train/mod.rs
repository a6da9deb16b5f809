//! Training: it knows nothing of screens. It publishes plain events and asks, between batches,
//! whether to go on.

pub mod arguments;
pub mod calibration;
pub mod checkpoint;
mod checkpointing;
pub mod evaluation;
pub mod event;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod metrics;
pub mod observer;
pub mod progress;
pub mod schedule;
pub mod steering;
mod steps;
pub mod trainer;
pub mod trainer_state;

pub use arguments::TrainingArguments;
pub use checkpoint::{Checkpoint, Checkpoints};
pub use event::TrainEvent;
pub use observer::{Control, Observer, TrainError};
pub use trainer::{Outcome, Trainer};
pub use trainer_state::TrainerState;
