//! The fused path on an NVIDIA card.
//!
//! [`CudaBackend`] turns every operation into kernels and matrix products, and asks a [`Driver`]
//! to run them. [`nvidia::Nvidia`] is a real card; it compiles the kernels on the machine it runs
//! on, so that no toolkit is needed to build this. In tests the kernels are compiled as C and run
//! on the CPU: all of this but that one driver is tested without a card.
//!
//! Everything a step does is queued, and nothing waits for it before its figures are asked for.

mod attention;
mod backend;
mod batch;
#[cfg(test)]
#[cfg(any(unix, feature = "cuda"))]
mod bench;
mod cache;
#[cfg(feature = "cuda")]
mod compile;
#[cfg(test)]
pub(crate) mod counting;
mod device;
pub mod driver;
mod embedding;
#[cfg(test)]
#[cfg(unix)]
pub(crate) mod emulator;
mod head;
mod layers;
mod memory;
#[cfg(feature = "cuda")]
pub mod nvidia;
mod optimizer;
#[cfg(feature = "cuda")]
mod presence;
mod shapes;
mod state;
#[cfg(test)]
#[cfg(any(unix, feature = "cuda"))]
mod tests;
#[cfg(test)]
#[cfg(any(unix, feature = "cuda"))]
mod training_tests;

pub use batch::Batch;
pub use device::CudaBackend;
pub use driver::{Driver, Precision};
pub use memory::Numbers;
pub use optimizer::Optimizer;
pub use state::{Gradients, Parameters};

/// The kernels' sources, in the order in which they make one.
#[cfg(feature = "cuda")]
const SOURCES: [&str; 11] = [
    include_str!("kernels/common.cuh"),
    include_str!("kernels/memory.cu"),
    include_str!("kernels/reduce.cu"),
    include_str!("kernels/norm.cu"),
    include_str!("kernels/embedding.cu"),
    include_str!("kernels/activation.cu"),
    include_str!("kernels/attention.cu"),
    include_str!("kernels/attention_backward.cu"),
    include_str!("kernels/head.cu"),
    include_str!("kernels/adamw.cu"),
    include_str!("kernels/words.cu"),
];

/// What is defined where the kernels are compiled.
#[cfg(feature = "cuda")]
fn definitions(precision: Precision) -> &'static [&'static str] {
    match precision {
        Precision::Full | Precision::Tf32 => &[],
        Precision::Half => &["ACTIVATION_BF16"],
    }
}
