//! Training: it knows nothing of screens. It publishes plain events and asks, between batches,
//! whether to go on.

pub mod evaluation;
pub mod event;
pub mod metrics;
pub mod schedule;
pub mod trainer;

pub use event::TrainEvent;
pub use trainer::{Control, Observer, TrainError, Trainer};
