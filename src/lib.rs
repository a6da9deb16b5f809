//! Fine-tune a Korean sentiment classifier from a terminal, watch it learn, and question it.
//!
//! A training core that knows nothing of screens publishes plain events; a pure state folds them;
//! a screen draws the state, or plain lines tell it where there is no terminal.

pub mod app;
pub mod bench;
pub mod cli;
pub mod commands;
pub mod config;
pub mod data;
pub mod engine;
pub mod files;
#[cfg(feature = "hub")]
pub mod hub;
pub mod keymap;
pub mod lang;
pub mod model;
pub mod ops;
pub mod plain;
pub mod predict;
pub mod preferences;
pub mod run;
pub mod series;
pub mod summary;
pub mod system;
pub mod text;
pub mod tokenizer;
pub mod train;
pub mod tui;
pub mod ui;
pub mod worker;
