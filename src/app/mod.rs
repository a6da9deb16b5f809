//! What the dashboard knows. Messages go in, the state changes, effects come out; no input or
//! output happens here and no clock is read, so live, replayed and tested dashboards are the
//! same.

pub mod editor;
pub mod log;
pub mod log_view;
pub mod pace;
pub mod palette;
pub mod pattern;
pub mod prompt;
pub mod series;
pub mod state;
pub mod update;

pub use state::{EpochRow, Overlay, Page, State};
pub use update::{Action, Effect, Message, update};
