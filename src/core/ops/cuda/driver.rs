//! The interface to a device driver: memory, copies, kernels by name and matrix products, all in
//! one queue.
//!
//! This is the unsafe layer: memory is named by its address. [`super::memory`] makes it safe.

#![expect(unsafe_code, reason = "memory is named by its address")]

mod launch;

use super::nccl::Library;
use candle_core::{Result, bail};
use std::ffi::c_void;
use std::sync::Arc;

pub(super) use launch::arguments;
pub use launch::{KernelArgument, Launch};

/// An address in device memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DevicePointer(pub u64);

impl DevicePointer {
    /// The null pointer: an optional argument of a kernel that is left out.
    pub const NULL: Self = Self(0);

    /// The address `bytes` after this one.
    #[must_use]
    pub fn offset(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// The precision of a device's computations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// `f32` throughout.
    #[default]
    Full,
    /// `f32`, but matrix products round their operands to TensorFloat-32: ten bits of mantissa.
    Tf32,
    /// Activations, their gradients and the operands of matrix products are `bf16`. Sums,
    /// statistics, parameters, their gradients and the optimizer's moments stay `f32`.
    Half,
}

impl Precision {
    /// The bytes of one element of an activation.
    pub fn activation_bytes(self) -> usize {
        match self {
            Self::Full | Self::Tf32 => 4,
            Self::Half => 2,
        }
    }
}

/// The type of an element in device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// The type of activations: `f32`, or `bf16` in half precision.
    Activation,
    /// `f32`.
    Float,
    /// `f64`.
    Double,
    /// `u32`.
    Word,
    /// `u64`.
    Long,
}

/// An operand of a matrix product: a row-major matrix of [`ElementType::Activation`] without gaps
/// between rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GemmOperand {
    /// The address of the first element.
    pub start: DevicePointer,
    /// The width of the rows as they are stored.
    pub stride: usize,
    /// Whether the operand is the transpose of the stored matrix.
    pub transposed: bool,
}

/// `out = a b`, or `out += a b`: `a` is `[rows, inner]` and `b` is `[inner, columns]` after their
/// transposes; `out` is `[rows, columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GemmCall {
    /// The rows of `out`.
    pub rows: usize,
    /// The columns of `out`.
    pub columns: usize,
    /// The number of products in each sum.
    pub inner: usize,
    /// The left operand.
    pub a: GemmOperand,
    /// The right operand.
    pub b: GemmOperand,
    /// The address of the first element of `out`.
    pub out: DevicePointer,
    /// The element type of `out`, activation or float; sums are `f32` in both cases.
    pub out_type: ElementType,
    /// Whether to add to `out` instead of overwriting it.
    pub accumulate: bool,
}

/// What is computed along with a matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GemmEpilogue {
    /// Adds a bias, `[columns]` of the element type of `out`, to each row of `out`.
    AddBias(DevicePointer),
    /// Writes the sum of each row of `a` after its transpose, `[rows]` of the element type of `out`.
    SumRows(DevicePointer),
}

/// A device driver: a real one, or an emulation for tests.
///
/// All work goes into one queue and is done in order, but for the sums over the GPUs of several ranks,
/// which have a second one. Only [`Driver::download`],
/// [`Driver::finish_readback`] and [`Driver::synchronize`] wait for it; an error of earlier work
/// may be returned by any later call.
pub trait Driver: Send + Sync + 'static {
    /// The target of an asynchronous copy from the device, in page-locked host memory.
    type Readback: Send + Sync;

    /// A second queue, beside that of everything else.
    type SideQueue: Send + Sync;

    /// Work that was captured, and is launched as one.
    type Graph: Send;

    /// The precision of the device's computations.
    fn precision(&self) -> Precision;

    /// The number of bytes to allocate if `bytes` are needed now: slightly more, so that a slightly
    /// larger batch does not need a new allocation. At most an eighth more, or 511 bytes.
    fn allocation_size(&self, bytes: usize) -> usize {
        bytes.next_multiple_of((bytes.next_power_of_two() >> 4).max(512))
    }

    /// Uninitialized memory, for work that is queued from now on. The address is a multiple of
    /// 256.
    ///
    /// # Errors
    /// If the device is out of memory.
    fn allocate(&self, bytes: usize) -> Result<DevicePointer>;

    /// Frees memory once the work that is queued is done. Errors are ignored: the next call
    /// returns them.
    ///
    /// # Safety
    /// `start` comes from [`Driver::allocate`], and no later call uses it.
    unsafe fn free(&self, start: DevicePointer);

    /// Copies to the device. `from` may be changed as soon as this returns.
    ///
    /// # Errors
    /// If the device fails.
    ///
    /// # Safety
    /// `to` is the start of at least `from.len()` bytes.
    unsafe fn upload(&self, from: &[u8], to: DevicePointer) -> Result<()>;

    /// Copies from the device, and waits for the copy.
    ///
    /// # Errors
    /// If the device fails.
    ///
    /// # Safety
    /// `from` is the start of at least `to.len()` bytes.
    unsafe fn download(&self, from: DevicePointer, to: &mut [u8]) -> Result<()>;

    /// An empty target for asynchronous copies.
    ///
    /// # Errors
    /// If the device fails.
    fn create_readback(&self) -> Result<Self::Readback>;

    /// Queues copies from the device, one after the other, into `to`, whose previous contents are
    /// lost, and does not wait for them.
    ///
    /// # Errors
    /// If the device fails.
    ///
    /// # Safety
    /// Each address is the start of at least as many bytes as are given with it.
    unsafe fn start_readback(
        &self,
        from: &[(DevicePointer, usize)],
        to: &mut Self::Readback,
    ) -> Result<()>;

    /// Waits for the copies of the last [`Driver::start_readback`], but not for work that was
    /// queued after them, and returns the bytes.
    ///
    /// # Errors
    /// If the device fails.
    fn finish_readback<'a>(&self, readback: &'a mut Self::Readback) -> Result<&'a [u8]>;

    /// Copies within the device.
    ///
    /// # Errors
    /// If the device fails.
    ///
    /// # Safety
    /// Both are the start of at least `bytes` bytes, which do not overlap.
    unsafe fn copy(&self, from: DevicePointer, to: DevicePointer, bytes: usize) -> Result<()>;

    /// Sets bytes to zero.
    ///
    /// # Errors
    /// If the device fails.
    ///
    /// # Safety
    /// `start` is the start of at least `bytes` bytes.
    unsafe fn clear(&self, start: DevicePointer, bytes: usize) -> Result<()>;

    /// Launches a kernel.
    ///
    /// # Errors
    /// If there is no such kernel, or the device rejects the launch or fails.
    ///
    /// # Safety
    /// The arguments have the number and types that the kernel takes, and the memory they point to
    /// is as long as the kernel's other arguments and grid require.
    unsafe fn launch(&self, launch: Launch<'_>) -> Result<()>;

    /// Computes a matrix product.
    ///
    /// # Errors
    /// If a size does not fit an `i32`, or the device fails.
    ///
    /// # Safety
    /// The matrices have the given sizes, and `out` overlaps neither operand.
    unsafe fn multiply(&self, gemm: &GemmCall) -> Result<()>;

    /// Computes a matrix product with an epilogue; `false` if this driver cannot, and computed nothing.
    ///
    /// # Errors
    /// As [`Driver::multiply`].
    ///
    /// # Safety
    /// As [`Driver::multiply`], and the vector of the epilogue has its size and overlaps nothing else.
    unsafe fn multiply_with(&self, _: &GemmCall, _: GemmEpilogue) -> Result<bool> {
        Ok(false)
    }

    /// Whether [`Driver::multiply_with`] can compute this, and will.
    ///
    /// # Errors
    /// If the device fails.
    fn has_epilogue(&self, _: &GemmCall, _: GemmEpilogue) -> Result<bool> {
        Ok(false)
    }

    /// Begins to capture a graph: kernels, products, copies within the device and clears are added to it
    /// instead of the queue. Until [`Driver::end_capture`] nothing else is called.
    ///
    /// # Errors
    /// If the driver captures no graphs, or fails.
    fn begin_capture(&self) -> Result<()> {
        bail!("this driver captures no graphs")
    }

    /// Ends a capture, also one in which a call failed, which is then an error here at the latest.
    ///
    /// # Errors
    /// If there is no graph.
    fn end_capture(&self) -> Result<Self::Graph> {
        bail!("this driver captures no graphs")
    }

    /// Replaces the arguments, the grid, the block and the shared memory of a kernel of a graph in its
    /// later launches; `index` counts its kernels in the order in which they were captured.
    ///
    /// # Errors
    /// If there is no such kernel, or the driver fails. The graph may then be changed in part.
    ///
    /// # Safety
    /// The launch is of the same kernel, and as [`Driver::launch`] requires when the graph is launched.
    unsafe fn update_graph(&self, _: &mut Self::Graph, _: usize, _: Launch<'_>) -> Result<()> {
        bail!("this driver captures no graphs")
    }

    /// Adds the work of a graph to the queue.
    ///
    /// # Errors
    /// If the driver fails; then none of the work is in the queue.
    ///
    /// # Safety
    /// The work is as each of the captured calls requires.
    unsafe fn launch_graph(&self, _: &Self::Graph) -> Result<()> {
        bail!("this driver captures no graphs")
    }

    /// Waits for all work.
    ///
    /// # Errors
    /// If any of it failed.
    fn synchronize(&self) -> Result<()>;

    /// The library that adds up values over devices, if this one can use it.
    ///
    /// # Errors
    /// Why it cannot.
    fn nccl(&self) -> std::result::Result<Arc<Library>, String>;

    /// Makes the device current in this thread, as NCCL expects it.
    ///
    /// # Errors
    /// If the device fails.
    fn make_current(&self) -> Result<()>;

    /// A second queue.
    ///
    /// # Errors
    /// If the device fails.
    fn create_side(&self) -> Result<Self::SideQueue>;

    /// Lets work that is added to the second queue from now on begin after all work that is in the queue
    /// now.
    ///
    /// # Errors
    /// If the device fails.
    fn side_follows(&self, side: &Self::SideQueue) -> Result<()>;

    /// Whether all work of the second queue is done. It does not wait.
    ///
    /// # Errors
    /// If any of it failed.
    fn is_side_done(&self, side: &Self::SideQueue) -> Result<bool>;

    /// The second queue as NCCL takes it: a CUDA stream.
    fn side_stream(&self, side: &Self::SideQueue) -> *mut c_void;
}
