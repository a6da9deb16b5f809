//! What the end-to-end tests share.

#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::path::PathBuf;

/// The program.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_nsmc-tui"))
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
