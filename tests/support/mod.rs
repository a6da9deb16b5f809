//! Shared by the test binaries that start the program.

#[cfg(unix)]
pub mod terminal;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// The path of the program.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_nsmc-tui"))
}

/// The variable that selects the model, and the small model, which `TINY` shrinks further. The
/// embedded one would take longer.
pub const SMALL_MODEL: (&str, &str) = ("NSMC_TUI_MODEL_NAME_OR_PATH", "random");

/// A call of the program in a folder.
pub fn nsmc_tui(folder: &Path) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder).env_remove("NO_COLOR").env(SMALL_MODEL.0, SMALL_MODEL.1);
    command
}

/// Starts the program in a folder, with its standard output in a pipe.
pub fn spawn(folder: &Path, arguments: &[&str]) -> Child {
    std::process::Command::new(program())
        .env(SMALL_MODEL.0, SMALL_MODEL.1)
        .current_dir(folder)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

/// The standard output of a call.
pub fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8")
}

/// The standard error of a call.
pub fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).expect("UTF-8")
}

/// Lines of JSON, parsed.
pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

/// A run whose steps several processes share: a small model with dropout, 100 samples, batches of 8.
pub const RANKS: [&str; 16] = [
    "train",
    "--json",
    "--max-train-samples",
    "100",
    "--max-eval-samples",
    "45",
    "--num-train-epochs",
    "2",
    "--per-device-train-batch-size",
    "8",
    "--bf16",
    "false",
    "--threads",
    "1",
    "--config-overrides",
    "hidden_size=24,intermediate_size=48,num_hidden_layers=1",
];

/// The values of this name in the events of one kind.
pub fn values_of(events: &[Value], kind: &str, name: &str) -> Vec<f64> {
    let events = events.iter().filter(|event| event["event"] == kind);
    events.filter_map(|event| event[name].as_f64()).collect()
}

/// Flags of a run of one or two seconds: a tiny model, 96 samples, 6 steps.
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
