//! Integration tests of the program and its library, in one binary, so that they are linked once.

#![expect(clippy::expect_used, reason = "a failed test stops with a message")]

#[expect(dead_code, reason = "some of it is for tests/traffic.rs")]
#[path = "../support/mod.rs"]
mod support;

mod cli;
mod data;
#[cfg(unix)]
mod faults;
mod fine_tuning;
#[cfg(target_os = "linux")]
mod gpus;
#[cfg(unix)]
mod guardian;
#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "hub")]
mod hub_program;
#[cfg(feature = "hub")]
mod hub_server;
#[cfg(unix)]
mod job;
mod losses;
mod mistakes;
#[cfg(unix)]
mod models;
#[cfg(unix)]
mod notify;
#[cfg(unix)]
mod output;
mod pairs;
#[cfg(unix)]
mod predict;
mod pretraining;
#[cfg(target_os = "linux")]
mod ranks;
#[cfg(unix)]
mod recovery;
#[cfg(unix)]
mod replay;
#[cfg(unix)]
mod resume;
#[cfg(unix)]
mod resume_checks;
#[cfg(unix)]
mod runs;
#[cfg(all(unix, feature = "serve"))]
mod serve;
#[cfg(unix)]
mod sessions;
#[cfg(unix)]
mod sweep;
#[cfg(unix)]
mod terminal;
mod tokenizers;
