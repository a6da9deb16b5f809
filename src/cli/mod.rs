//! The command line: flags, commands and text output.

pub mod commands;
pub mod flags;
pub mod output;
pub mod text_output;
pub mod train_request;
