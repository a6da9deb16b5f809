//! A real GPU, through NVIDIA's driver, NVRTC and cuBLAS.
//!
//! The libraries are loaded at run time: a program that is built with this feature also starts
//! without them.

#![expect(unsafe_code, reason = "the libraries are C libraries")]

use super::blas_lt::BlasLt;
use super::driver::{
    DevicePointer, Driver, ElementType, GemmCall, GemmEpilogue, GemmOperand, Launch, Precision,
};
use super::kernel_module::KernelModule;
use super::nccl::Library;
use super::pinned::{PinnedBuffer, UploadStaging};
use super::properties::{self, driver_error};
use super::side_queue::SideQueue;
use crate::core::ops::OUT_OF_MEMORY;
use candle_core::{Error, Result, bail};
use cudarc::cublas::{result as cublas, sys as cublas_sys};
use cudarc::driver::result::{self as cuda, DriverError};
use cudarc::driver::{CudaContext, sys};
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

pub use super::properties::DeviceProperties;

/// The most arguments of any kernel.
const MAX_ARGUMENTS: usize = 32;

/// A GPU with its own queue.
pub struct Nvidia {
    // Dropped in this order: cuBLAS, kernels and staging need the queue, which needs the context.
    blas: Mutex<Blas>,
    /// In bf16, where cuBLASLt is installed.
    blas_lt: Option<Mutex<BlasLt>>,
    uploads: Mutex<UploadStaging>,
    kernels: KernelModule,
    queue: Queue,
    context: Arc<CudaContext>,
    precision: Precision,
    properties: DeviceProperties,
}

// SAFETY: the driver's functions may be called from any thread whose current context is this one,
// and every call here makes it current; cuBLAS's handle and the table of functions have locks.
unsafe impl Send for Nvidia {}
// SAFETY: as above.
unsafe impl Sync for Nvidia {}

/// A queue of work, a CUDA stream.
struct Queue(sys::CUstream);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the queue was created and is destroyed once. An error cannot be handled here.
        let _ = unsafe { cuda::stream::synchronize(self.0) };
        // SAFETY: as above.
        let _ = unsafe { cuda::stream::destroy(self.0) };
    }
}

/// cuBLAS's handle.
struct Blas(cublas_sys::cublasHandle_t);

impl Blas {
    fn new(queue: &Queue, precision: Precision) -> Result<Self> {
        let starting = |error| {
            let hint = "it may need a newer driver";
            Error::msg(format!("cuBLAS does not start ({error}): {hint}"))
        };
        let blas = Self(cublas::create_handle().map_err(starting)?);
        // SAFETY: both exist.
        unsafe { cublas::set_stream(blas.0, queue.0.cast()) }.map_err(starting)?;
        let mode = match precision {
            Precision::Full => cublas_sys::cublasMath_t::CUBLAS_DEFAULT_MATH,
            Precision::Tf32 => cublas_sys::cublasMath_t::CUBLAS_TF32_TENSOR_OP_MATH,
            // The partial sums of split products are also added in f32.
            Precision::Half => {
                cublas_sys::cublasMath_t::CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION
            }
        };
        // SAFETY: the handle exists.
        unsafe { cublas_sys::cublasSetMathMode(blas.0, mode) }.result().map_err(starting)?;
        Ok(blas)
    }
}

impl Drop for Blas {
    fn drop(&mut self) {
        // SAFETY: the handle was created and is destroyed once.
        let _ = unsafe { cublas::destroy_handle(self.0) };
    }
}

impl Nvidia {
    /// The number of devices.
    ///
    /// # Errors
    /// If there is no driver, or it fails.
    pub fn count() -> Result<usize> {
        properties::count()
    }

    /// Opens the device of this number, counted from 0, and loads its kernels, which are compiled
    /// the first time.
    ///
    /// # Errors
    /// If there is no such device, it is too old for this program or for the precision, or the
    /// driver, NVRTC or cuBLAS is missing or fails. The message says what to do where possible.
    pub fn new(number: usize, precision: Precision) -> Result<Self> {
        properties::require(number)?;
        let opening = |error| driver_error("the GPU cannot be opened", error);
        let context = CudaContext::new(number).map_err(opening)?;
        let properties = properties::read(&context)?;
        properties::check(&properties, precision)?;

        let stream = cuda::stream::create(cuda::stream::StreamKind::NonBlocking);
        let queue = Queue(stream.map_err(opening)?);
        let blas = Mutex::new(Blas::new(&queue, precision)?);
        let blas_lt = if precision == Precision::Half { BlasLt::open() } else { None };
        let kernels = KernelModule::load(&properties, precision)?;
        let uploads = Mutex::new(UploadStaging::new(&context)?);
        let blas_lt = blas_lt.map(Mutex::new);
        Ok(Self { blas, blas_lt, uploads, kernels, queue, context, precision, properties })
    }

    /// The properties of the device when it was opened.
    pub fn properties(&self) -> &DeviceProperties {
        &self.properties
    }

    /// Makes the context current: every call may come from another thread.
    fn enter(&self) -> Result<()> {
        self.context.bind_to_thread().map_err(|error| driver_error("the GPU failed", error))
    }
}

/// A size as C's `int`.
fn to_int(size: usize) -> Result<i32> {
    i32::try_from(size).map_err(|_| Error::msg(format!("a size of {size} is too large for a GPU")))
}

impl Drop for Nvidia {
    fn drop(&mut self) {
        // The fields are freed in this context; without it there is nothing left to free.
        let _ = self.enter();
    }
}

impl Driver for Nvidia {
    type Readback = PinnedBuffer;
    type SideQueue = SideQueue;

    fn precision(&self) -> Precision {
        self.precision
    }

    fn allocate(&self, bytes: usize) -> Result<DevicePointer> {
        self.enter()?;
        // SAFETY: the queue exists; without memory pools the device does not free in its order, so
        // that `free` waits for the queue.
        let start = unsafe {
            if self.context.has_async_alloc() {
                cuda::malloc_async(self.queue.0, bytes)
            } else {
                cuda::malloc_sync(bytes)
            }
        };
        match start {
            Ok(start) => Ok(DevicePointer(start)),
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                let mib = |bytes: usize| bytes.div_ceil(1 << 20);
                let (free, memory) = cuda::mem_get_info().unwrap_or((0, self.properties.memory));
                bail!(
                    "{OUT_OF_MEMORY}: {} MiB more are needed, {} of {} MiB are free; use \
                     smaller batches or --gradient_checkpointing",
                    mib(bytes),
                    mib(free),
                    mib(memory)
                )
            }
            Err(error) => Err(driver_error("the GPU allocates no memory", error)),
        }
    }

    unsafe fn free(&self, start: DevicePointer) {
        if self.enter().is_ok() {
            // SAFETY: the queue exists, and the caller guarantees the address.
            unsafe {
                if self.context.has_async_alloc() {
                    let _ = cuda::free_async(start.0, self.queue.0);
                } else {
                    let _ = cuda::stream::synchronize(self.queue.0);
                    let _ = cuda::free_sync(start.0);
                }
            }
        }
    }

    unsafe fn upload(&self, from: &[u8], to: DevicePointer) -> Result<()> {
        self.enter()?;
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the caller guarantees the target, and the context is current.
        unsafe { uploads.upload(from, to.0, self.queue.0) }
    }

    unsafe fn download(&self, from: DevicePointer, to: &mut [u8]) -> Result<()> {
        self.enter()?;
        // SAFETY: the caller guarantees the source, and `to` exists until the copy is done.
        unsafe { cuda::memcpy_dtoh_async(to, from.0, self.queue.0) }
            .map_err(|error| driver_error("a copy from the GPU failed", error))?;
        self.synchronize()
    }

    fn create_readback(&self) -> Result<PinnedBuffer> {
        PinnedBuffer::new(&self.context)
    }

    unsafe fn start_readback(
        &self,
        from: &[(DevicePointer, usize)],
        to: &mut PinnedBuffer,
    ) -> Result<()> {
        self.enter()?;
        let mut rest = to.resize(from.iter().map(|(_, bytes)| bytes).sum())?;
        let mut copied = Ok(());
        for &(start, bytes) in from {
            let (part, after) = rest.split_at_mut(bytes);
            rest = after;
            if copied.is_ok() && bytes > 0 {
                // SAFETY: the caller guarantees the source; the buffer keeps the target until the
                // copy is done, as it is marked below.
                copied = unsafe { cuda::memcpy_dtoh_async(part, start.0, self.queue.0) };
            }
        }
        // SAFETY: the queue is a stream of the buffer's context and has all of its copies.
        unsafe { to.mark_queued(self.queue.0)? };
        copied.map_err(|error| driver_error("a copy from the GPU failed", error))
    }

    fn finish_readback<'a>(&self, readback: &'a mut PinnedBuffer) -> Result<&'a [u8]> {
        Ok(readback.bytes()?)
    }

    unsafe fn copy(&self, from: DevicePointer, to: DevicePointer, bytes: usize) -> Result<()> {
        self.enter()?;
        // SAFETY: the caller guarantees both ranges.
        unsafe { cuda::memcpy_dtod_async(to.0, from.0, bytes, self.queue.0) }
            .map_err(|error| driver_error("a copy on the GPU failed", error))
    }

    unsafe fn clear(&self, start: DevicePointer, bytes: usize) -> Result<()> {
        self.enter()?;
        // SAFETY: the caller guarantees the range.
        unsafe { cuda::memset_d8_async(start.0, 0, bytes, self.queue.0) }
            .map_err(|error| driver_error("GPU memory could not be cleared", error))
    }

    unsafe fn launch(&self, launch: Launch<'_>) -> Result<()> {
        self.enter()?;
        let function = self.kernels.function(launch.kernel, launch.shared)?;
        let mut slots = [0u64; MAX_ARGUMENTS];
        let mut places = [std::ptr::null_mut::<c_void>(); MAX_ARGUMENTS];
        let n = launch.arguments.len();
        if n > MAX_ARGUMENTS {
            bail!("{n} arguments for {}; the maximum is {MAX_ARGUMENTS}", launch.kernel);
        }
        for ((slot, place), argument) in slots.iter_mut().zip(&mut places).zip(launch.arguments) {
            *slot = argument.slot();
            *place = (&raw mut *slot).cast();
        }
        let dimensions = |[x, y, z]: [u32; 3]| (x, y, z);
        // SAFETY: the driver copies the arguments before it returns; the caller guarantees them.
        unsafe {
            cuda::launch_kernel(
                function,
                dimensions(launch.grid),
                dimensions(launch.block),
                launch.shared as u32,
                self.queue.0,
                &mut places[..n],
            )
        }
        .map_err(|error| {
            driver_error(&format!("the GPU rejects a launch of {}", launch.kernel), error)
        })
    }

    unsafe fn multiply(&self, gemm: &GemmCall) -> Result<()> {
        use cublas_sys::cublasComputeType_t as Compute;
        use cublas_sys::cublasDataType_t as Kind;
        use cublas_sys::cublasOperation_t as Operation;

        self.enter()?;
        let half = self.precision == Precision::Half;
        let input = if half { Kind::CUDA_R_16BF } else { Kind::CUDA_R_32F };
        let output = match gemm.out_type {
            ElementType::Activation => input,
            _ => Kind::CUDA_R_32F,
        };
        let compute = match self.precision {
            Precision::Tf32 => Compute::CUBLAS_COMPUTE_32F_FAST_TF32,
            Precision::Full | Precision::Half => Compute::CUBLAS_COMPUTE_32F,
        };
        let operation = |operand: &GemmOperand| {
            if operand.transposed { Operation::CUBLAS_OP_T } else { Operation::CUBLAS_OP_N }
        };
        let (one, kept) = (1f32, f32::from(u8::from(gemm.accumulate)));
        let (a, b) = (&gemm.a, &gemm.b);
        let (rows, columns) = (to_int(gemm.rows)?, to_int(gemm.columns)?);
        let inner = to_int(gemm.inner)?;
        let (a_stride, b_stride) = (to_int(a.stride)?, to_int(b.stride)?);
        let blas = self.blas.lock().unwrap_or_else(PoisonError::into_inner);
        // cuBLAS is column-major, so that every matrix here is its transpose to it: it computes
        // `bᵀ aᵀ`, the transpose of the result.
        //
        // SAFETY: both factors outlive the call; the caller guarantees the matrices.
        unsafe {
            cublas::gemm_ex(
                blas.0,
                operation(b),
                operation(a),
                columns,
                rows,
                inner,
                (&raw const one).cast(),
                b.start.0 as *const c_void,
                input,
                b_stride,
                a.start.0 as *const c_void,
                input,
                a_stride,
                (&raw const kept).cast(),
                gemm.out.0 as *mut c_void,
                output,
                columns,
                compute,
                cublas_sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
        .map_err(|error| Error::msg(format!("a matrix product failed: {error}")))
    }

    unsafe fn multiply_with(&self, gemm: &GemmCall, epilogue: GemmEpilogue) -> Result<bool> {
        let Some(blas_lt) = &self.blas_lt else { return Ok(false) };
        self.enter()?;
        let mut blas_lt = blas_lt.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the caller guarantees the matrices, and the queue is a stream of this context.
        unsafe { blas_lt.multiply(gemm, epilogue, self.queue.0) }
    }

    fn synchronize(&self) -> Result<()> {
        self.enter()?;
        // SAFETY: the queue exists.
        unsafe { cuda::stream::synchronize(self.queue.0) }
            .map_err(|error| driver_error("the GPU failed", error))
    }

    fn nccl(&self) -> std::result::Result<Arc<Library>, String> {
        Library::find()
    }

    fn make_current(&self) -> Result<()> {
        self.enter()
    }

    fn create_side(&self) -> Result<SideQueue> {
        SideQueue::new(&self.context)
    }

    fn side_follows(&self, side: &SideQueue) -> Result<()> {
        self.enter()?;
        // SAFETY: the queue is a stream of this context.
        unsafe { side.follow(self.queue.0) }
    }

    fn is_side_done(&self, side: &SideQueue) -> Result<bool> {
        self.enter()?;
        side.is_done()
    }

    fn side_stream(&self, side: &SideQueue) -> *mut c_void {
        side.stream()
    }
}
