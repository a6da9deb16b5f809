//! What the dashboard knows. Messages go in, the state changes, effects come out; no input or
//! output happens here and no clock is read, so live, replayed and tested dashboards are the
//! same.

pub mod log;
pub mod mouse;
pub mod pace;
pub mod prompt;
pub mod series;
pub mod state;
pub mod update;

pub use mouse::{Mouse, MouseKind};
pub use state::{EpochRow, Overlay, Page, State};
pub use update::{Action, Effect, Message, update};
