//! The state of the dashboard. Messages go in, the state changes, effects come out; no input or
//! output happens here and no clock is read, so live, replayed and tested dashboards behave the
//! same.
//!
//! From the bottom up: the parts of the state with their own actions (`charts`, `log`, `panels`,
//! `runs` …), [`action`] and [`message`], [`state`], and [`mod@update`] over all of them.

pub mod action;
pub mod area;
pub mod baselines;
pub mod charts;
mod confusion_cells;
pub mod counts;
pub mod editor;
pub mod help;
pub mod layout;
pub mod log;
pub mod message;
pub mod mistakes;
pub mod mouse;
pub mod next_rate;
pub mod page;
pub mod palette;
pub mod panels;
pub mod prompt;
pub mod questions;
mod refusals;
pub mod replay;
pub mod result_card;
pub mod run_control;
pub mod runs;
pub mod state;
pub mod system;
pub mod text_area;
pub mod throughput;
pub mod update;
pub mod words;

pub use action::{Action, PaletteAction};
pub use layout::FrameLayout;
pub use message::{Effect, Message, Picture};
pub use mouse::{MouseInput, MouseKind};
pub use page::{Overlay, Page};
pub use state::{EpochRow, Notice, RunLocation, State};
pub use update::update;
