//! The operations of an encoder, forward and backward, on whole matrices.
//!
//! The traits in [`backend`] declare the operations; [`cpu`] and `cuda` implement them. The
//! reference path in [`crate::core::engine::reference`] computes the same results with candle's
//! operations.

pub mod adamw;
pub mod backend;
pub mod cpu;
#[cfg(any(test, feature = "cuda"))]
pub mod cuda;
pub mod dropout;
#[cfg(test)]
pub mod testing;

/// How the message begins with which a device has no memory left.
pub const OUT_OF_MEMORY: &str = "the GPU is out of memory";

pub use adamw::AdamWSettings;
pub use backend::{Backend, Device};
pub use cpu::Cpu;
pub use dropout::{Dropout, DropoutKey, DropoutProbabilities, LayerDropouts, NetworkDropouts};
