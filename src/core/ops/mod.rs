//! The operations of an encoder, forward and backward, on whole matrices.
//!
//! The traits in [`backend`] declare the fused operations; [`cpu`] and `cuda` implement them.
//! [`reference`](mod@reference) has the same mathematics in candle's own differentiable operations,
//! which tests compare against.
//!
//! candle's fused kernels (`candle_nn::LayerNorm`, `softmax_last_dim`) have no backward pass and
//! silently stop gradients; none of them is used.

pub mod adamw;
pub mod backend;
pub mod cpu;
#[cfg(any(test, feature = "cuda"))]
pub mod cuda;
pub mod dropout;
pub mod reference;
#[cfg(test)]
pub mod testing;

pub use adamw::AdamWSettings;
pub use backend::{Backend, Device};
pub use cpu::Cpu;
pub use dropout::{Dropout, Dropouts};
