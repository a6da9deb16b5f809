//! The fused path on the CPU: vectorized loops, split over threads by rows.
//!
//! Work is split into tasks of a fixed size and partial sums are added in a fixed order, so that
//! results do not depend on the number of threads.

mod activation;
mod adamw;
mod attention;
mod bf16;
mod bf16_weights;
mod device;
mod embedding;
mod few_rows;
mod head;
mod linear;
mod matmul;
mod memory;
mod norm;
mod numeric;
mod optimizer;
mod path;
mod pretraining;
mod product;
mod quantized;
mod relative;
mod tile;

pub use device::Cpu;
pub use matmul::{Matrix, matmul};
pub use memory::{CpuGradients, CpuParameters, overwrite};
pub use optimizer::CpuOptimizer;
