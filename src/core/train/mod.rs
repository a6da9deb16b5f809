//! Training. The [`trainer`] publishes [`TrainEvent`]s to an [`Observer`] and polls it for
//! [`Command`]s between batches.

pub mod arguments;
pub mod calibration;
pub mod checkpoint;
mod class_weights;
pub mod command;
pub mod early_stopping;
pub mod error;
pub mod evaluation;
pub mod event;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod log_history;
pub mod metrics;
pub mod observer;
pub mod outcomes;
pub mod progress;
mod pseudo_labels;
pub mod schedule;
mod steps;
pub mod temperature;
pub mod trainer;
pub mod trainer_state;
pub mod verdict;

pub use arguments::TrainingArguments;
pub use checkpoint::{Checkpoint, Checkpoints};
pub use command::Command;
pub use error::TrainError;
pub use event::TrainEvent;
pub use observer::Observer;
pub use outcomes::Outcomes;
pub use trainer::{Trainer, TrainingOutcome};
pub use trainer_state::TrainerState;
