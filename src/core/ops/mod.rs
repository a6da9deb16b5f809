//! What an encoder computes, forward and backward, as operations on whole matrices.
//!
//! [`Backend`] lists the fused operations; [`cpu`] and [`cuda`] have them. [`plain`] has the same
//! mathematics in candle's own differentiable operations, to be held against.
//!
//! candle's fused kernels (`candle_nn::LayerNorm`, `softmax_last_dim`) have no backward and stop
//! gradients without a word; none of them is used.

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
