//! What the end-to-end tests share.

#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_nsmc-tui"))
}

/// Runs the program in a folder, to its end.
pub fn nsmc_tui(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.current_dir(folder).args(arguments).output().expect("the program starts")
}

/// What the program printed, if it went well.
pub fn out(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// Flags for a run that takes a moment: a tiny model on a few reviews.
pub const TINY: [&str; 8] = [
    "--max-train-samples",
    "96",
    "--max-eval-samples",
    "32",
    "--num-train-epochs",
    "2",
    "--config-overrides",
    "hidden_size=24,intermediate_size=48,num_hidden_layers=1",
];
