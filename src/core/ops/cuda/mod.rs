//! The fused path on NVIDIA GPUs.
//!
//! [`CudaBackend`] turns every operation into kernels and matrix products for a [`Driver`].
//! `nvidia::Nvidia` drives a real GPU; it compiles the kernels at run time, so that no toolkit is
//! needed to build this. In tests the kernels are compiled as C and run on the CPU: everything but
//! that one driver is tested without a GPU.
//!
//! In `bf16`, attention is computed on tensor cores where there are kernels for it, once
//! [`CudaBackend::check_tensor_cores`] has compared them with the plain kernels on the device; and
//! biases of linear layers with their products, by cuBLASLt, after
//! [`CudaBackend::check_fused_products`].
//!
//! What a step adds to the queue is captured as CUDA graphs and launched as one, after
//! [`CudaBackend::check_graphs`]; `graphs` describes how.
//!
//! All work of a step is queued, and the host does not wait for it within the step: the metrics of
//! a step are copied to page-locked memory and read while the next step is in the queue. Only in
//! pretraining with a generator it waits once in each micro-batch, for the tokens that were drawn.

mod activation;
#[cfg(test)]
pub(crate) mod allocation_counter;
mod attention;
mod attention_tensor;
mod batch;
#[cfg(feature = "cuda")]
mod blas;
#[cfg(feature = "cuda")]
mod blas_lt;
mod cache;
#[cfg(feature = "cuda")]
mod captured_graph;
mod commands;
#[cfg(feature = "cuda")]
mod compile;
mod device;
pub mod driver;
mod embedding;
#[cfg(test)]
#[cfg(unix)]
pub(crate) mod emulator;
#[cfg(test)]
#[cfg(unix)]
mod emulator_library;
mod gradients;
mod graph_check;
mod graphs;
mod head;
#[cfg(test)]
#[cfg(any(unix, feature = "cuda"))]
mod head_tests;
#[cfg(feature = "cuda")]
mod kernel_module;
#[cfg(test)]
#[cfg(any(unix, feature = "cuda"))]
mod layer_tests;
mod linear;
#[cfg(test)]
#[cfg(any(unix, feature = "cuda"))]
mod loss_tests;
mod memory;
mod metrics;
pub mod nccl;
mod norm;
#[cfg(feature = "cuda")]
pub mod nvidia;
mod optimizer;
mod parameters;
mod path;
#[cfg(feature = "cuda")]
mod pinned;
mod pretraining;
mod pretraining_buffers;
#[cfg(test)]
#[cfg(any(unix, feature = "cuda"))]
mod pretraining_tests;
mod product_check;
#[cfg(feature = "cuda")]
mod properties;
#[cfg(test)]
#[cfg(unix)]
mod prototypes;
mod ranks;
mod relative;
mod relative_buffers;
#[cfg(test)]
#[cfg(any(unix, feature = "cuda"))]
mod relative_tests;
mod shapes;
#[cfg(feature = "cuda")]
mod side_queue;
mod tensor_check;
#[cfg(test)]
#[cfg(any(unix, feature = "cuda"))]
mod test_model;
#[cfg(test)]
#[cfg(any(unix, feature = "cuda"))]
mod tests;
#[cfg(test)]
#[cfg(any(unix, feature = "cuda"))]
mod training_tests;

pub use batch::DeviceBatch;
pub use device::CudaBackend;
pub use driver::{Driver, Precision};
pub use gradients::CudaGradients;
pub use memory::{Act, DeviceBuffer, DeviceElement};
pub use optimizer::CudaOptimizer;
pub use parameters::CudaParameters;
pub use relative_buffers::DeviceRelativeRows;

/// The kernels' sources, in the order in which they form one translation unit.
#[cfg(feature = "cuda")]
const SOURCES: [&str; 16] = [
    include_str!("kernels/common.cuh"),
    include_str!("kernels/tensor_cores.cuh"),
    include_str!("kernels/memory.cu"),
    include_str!("kernels/reduce.cu"),
    include_str!("kernels/norm.cu"),
    include_str!("kernels/embedding.cu"),
    include_str!("kernels/activation.cu"),
    include_str!("kernels/attention.cu"),
    include_str!("kernels/attention_backward.cu"),
    include_str!("kernels/attention_tensor.cu"),
    include_str!("kernels/attention_tensor_backward.cu"),
    include_str!("kernels/relative.cu"),
    include_str!("kernels/head.cu"),
    include_str!("kernels/pretraining.cu"),
    include_str!("kernels/adamw.cu"),
    include_str!("kernels/token_rows.cu"),
];

/// The macros defined for the kernels.
#[cfg(feature = "cuda")]
fn definitions(precision: Precision) -> &'static [&'static str] {
    match precision {
        Precision::Full | Precision::Tf32 => &[],
        Precision::Half => &["ACTIVATION_BF16"],
    }
}
