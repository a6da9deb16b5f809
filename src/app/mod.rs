//! What the dashboard knows. Messages go in, the state changes, effects come out; no input or
//! output happens here and no clock is read, so live, replayed and tested dashboards are the
//! same.

pub mod charts;
pub mod curve;
pub mod history;
pub mod log;
pub mod pace;
pub mod panels;
pub mod prompt;
pub mod references;
pub mod replay;
pub mod state;
pub mod system;
pub mod ticks;
pub mod update;
pub mod view;

pub use state::{EpochRow, Overlay, Page, State};
pub use update::{Action, Effect, Message, update};
