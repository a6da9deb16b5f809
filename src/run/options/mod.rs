//! The options of a run. Flags override environment variables, which override a TOML file, which
//! overrides the defaults. Each given value is stored with its text and its source.
//!
//! [`TrainOptions`] defines every option once, with the parser that validates its value, for flags,
//! variables and files.

mod assign;
mod dataset;
mod environment;
mod error;
mod group;
mod notify;
pub mod parse;
mod pretraining;
mod pretraining_settings;
mod recovery;
mod resolve;
pub mod resume;
pub mod run_toml;
mod settings;
mod train;

pub use assign::assign;
pub use dataset::{DatasetOptions, UnlabelledSource};
pub use environment::read_environment;
pub use error::OptionError;
pub use group::{Given, GivenText, OptionGroup, ValueSource};
pub use notify::{EventSet, NotifyFormat, NotifyOptions, NotifyUrl};
pub use pretraining::PretrainingOptions;
pub use pretraining_settings::generator_settings;
pub use resolve::{ModelTraits, resolve};
pub use settings::{data_settings, device_setting};
pub use train::{
    ComputeOptions, ModelOptions, OutputOptions, ResumeFrom, TrainOptions, TrainerOptions,
};

pub(crate) use group::{compose_option_groups, option_group};
