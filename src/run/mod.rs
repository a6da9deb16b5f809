//! Runs and their output: options, the training thread, the journal, TensorBoard event files, the
//! model card, figures, the index of runs and the Hugging Face hub.

mod append_file;
pub mod bench;
pub mod command_line;
pub mod dataset;
mod event_lines;
pub mod figures;
#[cfg(feature = "hub")]
pub mod hub;
pub mod journal;
pub mod locate;
pub mod metric_series;
pub mod model_card;
pub mod notify;
pub mod options;
pub mod predictions;
pub mod protocol;
pub mod ranks;
pub mod recorder;
pub mod recording;
pub mod run_index;
mod same_folder;
#[cfg(feature = "serve")]
pub mod serve;
pub mod session;
pub mod summary;
pub mod sweep;
pub mod system_metrics;
pub mod tensorboard;
pub mod worker;

pub use recorder::{
    Recorder, check_unlocked, default_logging_dir, is_being_prepared, is_locked, lock_output_dir,
    move_earlier_checkpoints, other_computer,
};
pub use same_folder::{check_not_read, is_same_folder};
