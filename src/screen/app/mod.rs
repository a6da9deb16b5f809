//! What the dashboard knows. Messages go in, the state changes, effects come out; no input or
//! output happens here and no clock is read, so live, replayed and tested dashboards are the
//! same.

pub mod baselines;
pub mod chart_view;
pub mod charts;
pub mod editor;
pub mod layout;
pub mod log;
pub mod log_view;
pub mod message;
pub mod mouse;
pub mod palette;
pub mod panels;
pub mod pointing;
pub mod prompt;
pub mod query;
pub mod replay;
pub mod runs;
pub mod state;
pub mod steer;
pub mod system;
pub mod throughput;
pub mod update;

pub use layout::FrameLayout;
pub use message::{Action, Effect, Message, Picture};
pub use mouse::{Mouse, MouseKind};
pub use state::{EpochRow, Notice, Overlay, Page, State};
pub use update::update;
