//! Figures over the steps of a run, of any length and bounded memory, and the values to write
//! beside their axes. The dashboard draws them in characters, pictures in lines.

pub mod curve;
pub mod history;
pub mod ticks;

pub use curve::{Curve, Segment};
pub use history::History;
