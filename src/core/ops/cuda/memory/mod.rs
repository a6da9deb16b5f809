//! Device memory with owners and borrows: a kernel receives slices that borrow their buffer, so
//! that they cannot outlive it, alias a mutable slice or exceed its bounds.

mod buffer;
mod context;
mod slice;

pub use buffer::DeviceBuffer;
pub(super) use context::{Epilogue, Gemm, GemmOutput, GpuContext, LaunchShape, Operand};
pub use slice::{Act, DeviceElement};
pub(super) use slice::{DeviceSlice, DeviceSliceMut};
