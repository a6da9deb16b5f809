//! The options of a run, whatever they are given by: a flag, else an environment variable, else a
//! TOML file, else a default. Each given value keeps its text and its source.
//!
//! [`TrainOptions`] names every option once, with the parser that validates its value; flags,
//! variables and files all use it.

mod dataset;
mod environment;
mod error;
mod group;
pub mod parse;
mod resolve;
pub mod run_toml;
mod settings;
mod train;

pub use dataset::DatasetOptions;
pub use environment::read_environment;
pub use error::OptionError;
pub use group::{Given, GivenText, OptionGroup, ValueSource};
pub use resolve::{ModelTraits, resolve};
pub use settings::{data_settings, device_setting};
pub use train::{
    ComputeOptions, ModelOptions, OutputOptions, ResumeFrom, TrainOptions, TrainerOptions,
};

pub(crate) use group::{compose_option_groups, option_group};
