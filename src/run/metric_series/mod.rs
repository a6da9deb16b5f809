//! The metrics of a run over its steps, in bounded memory, and the ticks of their axes. The
//! dashboard and the figures draw them.

pub mod curve;
pub mod history;
pub mod ticks;

pub use curve::{Curve, Segment};
pub use history::History;
