//! What an encoder computes, forward and backward, as operations on whole matrices.
//!
//! [`Backend`] lists the fused operations; [`cpu`] and [`cuda`] have them. The reference
//! path in [`crate::core::engine::reference`] computes the same with candle's own operations.

pub mod adamw;
pub mod backend;
pub mod cpu;
#[cfg(any(test, feature = "cuda"))]
pub mod cuda;
pub mod dropout;
#[cfg(test)]
pub mod testing;

pub use adamw::AdamWSettings;
pub use backend::{Backend, Device};
pub use cpu::Cpu;
pub use dropout::{Dropout, DropoutKey, DropoutProbabilities, LayerDropouts, NetworkDropouts};
