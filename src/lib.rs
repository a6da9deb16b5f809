//! Fine-tune a Korean sentiment classifier from a terminal, watch it learn, and question it.
//!
//! Four wings, each of which may use those before it: [`core`] trains and knows nothing of screens,
//! [`run`] drives a run and records it, [`screen`] is the dashboard, [`cli`] is the command line.

pub mod cli;
pub mod core;
pub mod run;
pub mod screen;
