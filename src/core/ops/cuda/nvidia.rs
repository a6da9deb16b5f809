//! A real GPU, through NVIDIA's driver, NVRTC and cuBLAS.
//!
//! The libraries are loaded at run time: a program that is built with this feature also starts
//! without them.

#![expect(unsafe_code, reason = "the libraries are C libraries")]

use super::blas::Blas;
use super::blas_lt::BlasLt;
use super::captured_graph::{Capture, CapturedGraph, with_arguments};
use super::driver::{DevicePointer, Driver, GemmCall, GemmEpilogue, Launch, Precision};
use super::kernel_module::KernelModule;
use super::nccl::Library;
use super::pinned::{PinnedBuffer, UploadStaging};
use super::properties::{self, driver_error};
use super::side_queue::SideQueue;
use crate::core::ops::OUT_OF_MEMORY;
use candle_core::{Result, bail};
use cudarc::driver::result::{self as cuda, DriverError};
use cudarc::driver::{CudaContext, sys};
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

pub use super::properties::DeviceProperties;

/// A GPU with its own queue.
pub struct Nvidia {
    // Dropped in this order: cuBLAS, kernels and staging need the queue, which needs the context.
    blas: Mutex<Blas>,
    /// In bf16, where cuBLASLt is installed.
    blas_lt: Option<Mutex<BlasLt>>,
    uploads: Mutex<UploadStaging>,
    /// The graph that is being captured.
    capture: Mutex<Option<Capture>>,
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
        let blas = Mutex::new(Blas::new(queue.0, precision)?);
        let blas_lt = if precision == Precision::Half { BlasLt::open() } else { None };
        let kernels = KernelModule::load(&properties, precision)?;
        let uploads = Mutex::new(UploadStaging::new(&context)?);
        let (blas_lt, capture) = (blas_lt.map(Mutex::new), Mutex::default());
        Ok(Self { blas, blas_lt, uploads, capture, kernels, queue, context, precision, properties })
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

impl Drop for Nvidia {
    fn drop(&mut self) {
        // The fields are freed in this context; without it there is nothing left to free.
        let _ = self.enter();
    }
}

impl Driver for Nvidia {
    type Readback = PinnedBuffer;
    type SideQueue = SideQueue;
    type Graph = CapturedGraph;

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
        let dimensions = |[x, y, z]: [u32; 3]| (x, y, z);
        let launched = with_arguments(&launch, |arguments| {
            // SAFETY: the driver copies the arguments before it returns; the caller guarantees them.
            unsafe {
                cuda::launch_kernel(
                    function,
                    dimensions(launch.grid),
                    dimensions(launch.block),
                    launch.shared as u32,
                    self.queue.0,
                    arguments,
                )
            }
        })?;
        launched.map_err(|error| {
            driver_error(&format!("the GPU rejects a launch of {}", launch.kernel), error)
        })?;
        let mut capture = self.capture.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *capture {
            // SAFETY: the queue is a stream that is captured.
            Some(capture) => unsafe { capture.note_kernel(self.queue.0) },
            None => Ok(()),
        }
    }

    unsafe fn multiply(&self, gemm: &GemmCall) -> Result<()> {
        self.enter()?;
        let blas = self.blas.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the caller guarantees the matrices, and the context is current.
        unsafe { blas.multiply(gemm, self.precision) }
    }

    unsafe fn multiply_with(&self, gemm: &GemmCall, epilogue: GemmEpilogue) -> Result<bool> {
        let Some(blas_lt) = &self.blas_lt else { return Ok(false) };
        self.enter()?;
        let mut blas_lt = blas_lt.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the caller guarantees the matrices, and the queue is a stream of this context.
        unsafe { blas_lt.multiply(gemm, epilogue, self.queue.0) }
    }

    fn has_epilogue(&self, gemm: &GemmCall, epilogue: GemmEpilogue) -> Result<bool> {
        let Some(blas_lt) = &self.blas_lt else { return Ok(false) };
        self.enter()?;
        Ok(blas_lt.lock().unwrap_or_else(PoisonError::into_inner).has_plan(gemm, epilogue))
    }

    fn begin_capture(&self) -> Result<()> {
        self.enter()?;
        // SAFETY: the queue is a stream of the context that is current.
        let begun = unsafe { Capture::begin(self.queue.0, self.properties.driver)? };
        *self.capture.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
        Ok(())
    }

    fn end_capture(&self) -> Result<CapturedGraph> {
        self.enter()?;
        let capture = self.capture.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(capture) = capture else { bail!("no graph is being captured") };
        // SAFETY: the queue is a stream that is captured.
        unsafe { capture.end(self.queue.0, &self.context) }
    }

    unsafe fn update_graph(
        &self,
        graph: &mut CapturedGraph,
        index: usize,
        launch: Launch<'_>,
    ) -> Result<()> {
        self.enter()?;
        let function = self.kernels.function(launch.kernel, launch.shared)?;
        // SAFETY: the caller guarantees the kernel and its arguments.
        unsafe { graph.update(index, function, &launch) }
    }

    unsafe fn launch_graph(&self, graph: &CapturedGraph) -> Result<()> {
        self.enter()?;
        // SAFETY: the queue is a stream of the graph's context; the caller guarantees the work.
        unsafe { graph.launch(self.queue.0) }
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
