//! Fused, differentiable tensor operations: one file an operation, its backward beside it.
//!
//! candle's own fused kernels (`candle_nn::LayerNorm`, `softmax_last_dim`) have no backward and
//! stop gradients without a word; these have one. They work on contiguous `f32` tensors on the
//! CPU. Work is split over threads in chunks of a fixed size and partial sums are added in a
//! fixed order, so that results do not depend on the number of threads.

pub mod adamw;
mod cpu;
pub mod dropout;
pub mod embedding;
pub mod gelu;
pub mod layer_norm;
pub mod linear;
pub mod softmax;

pub use adamw::{AdamW, AdamWSettings};
pub use dropout::{Dropout, Dropouts, dropout, dropout_add};
pub use embedding::embed;
pub use gelu::gelu;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use softmax::attention_probabilities;
