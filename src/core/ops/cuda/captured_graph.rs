//! CUDA graphs: work of a queue that is captured once and launched as one.

#![expect(unsafe_code, reason = "the driver is a C library")]

use super::driver::Launch;
use super::properties::driver_error;
use candle_core::{Result, bail};
use cudarc::driver::CudaContext;
use cudarc::driver::result::{self as cuda, DriverError};
use cudarc::driver::sys;
use std::ffi::c_void;
use std::sync::Arc;

/// The oldest driver that can be asked for the kernels of a graph, by its CUDA version.
const OLDEST_DRIVER: (u32, u32) = (12, 3);

/// The most arguments of any kernel.
const MAX_ARGUMENTS: usize = 32;

/// Calls `work` with a pointer to each argument of a launch.
///
/// # Errors
/// If there are too many.
pub(super) fn with_arguments<T>(
    launch: &Launch<'_>,
    work: impl FnOnce(&mut [*mut c_void]) -> T,
) -> Result<T> {
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
    Ok(work(&mut places[..n]))
}

fn failed(error: DriverError) -> candle_core::Error {
    driver_error("the capture of a graph failed", error)
}

/// A graph that is being captured.
pub(super) struct Capture {
    /// The nodes of kernels that are launched by name, in order.
    kernels: Vec<sys::CUgraphNode>,
}

impl Capture {
    /// Begins to capture what is added to a queue.
    ///
    /// # Errors
    /// If the driver, whose CUDA version is given, is too old or fails.
    ///
    /// # Safety
    /// `queue` is a stream of the context that is current.
    pub(super) unsafe fn begin(queue: sys::CUstream, driver: (u32, u32)) -> Result<Self> {
        if driver < OLDEST_DRIVER {
            let ((major, minor), (oldest, of)) = (driver, OLDEST_DRIVER);
            bail!("the driver is for CUDA {major}.{minor}, and graphs need {oldest}.{of}");
        }
        // Relaxed: a library may load a kernel meanwhile.
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
        // SAFETY: the caller guarantees the stream.
        unsafe { cuda::stream::begin_capture(queue, mode) }.map_err(failed)?;
        Ok(Self { kernels: Vec::new() })
    }

    /// Notes the node of the kernel that was added to the queue last.
    ///
    /// # Safety
    /// `queue` is the stream that is captured.
    pub(super) unsafe fn note_kernel(&mut self, queue: sys::CUstream) -> Result<()> {
        let mut status = sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE;
        let mut last: *const sys::CUgraphNode = std::ptr::null();
        let mut edges: *const sys::CUgraphEdgeData = std::ptr::null();
        let mut count = 0;
        // SAFETY: the caller guarantees the stream; null where nothing is asked.
        unsafe {
            sys::cuStreamGetCaptureInfo_v3(
                queue,
                &raw mut status,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                &raw mut last,
                &raw mut edges,
                &raw mut count,
            )
        }
        .result()
        .map_err(failed)?;
        let is_active = status == sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_ACTIVE;
        if !is_active || count != 1 || last.is_null() {
            bail!("the capture of a graph has {count} last kernels");
        }
        // SAFETY: the driver returned one node, which is valid until the next call for this stream.
        self.kernels.push(unsafe { *last });
        Ok(())
    }

    /// Ends the capture.
    ///
    /// # Errors
    /// If something in it failed, or there is no memory for the graph.
    ///
    /// # Safety
    /// `queue` is the stream that is captured, of `context`, which is current.
    pub(super) unsafe fn end(
        self,
        queue: sys::CUstream,
        context: &Arc<CudaContext>,
    ) -> Result<CapturedGraph> {
        // SAFETY: the caller guarantees the stream.
        let graph = unsafe { cuda::stream::end_capture(queue) }.map_err(failed)?;
        if graph.is_null() {
            bail!("the capture of a graph is not valid");
        }
        // SAFETY: the graph was just captured.
        match unsafe { cuda::graph::instantiate(graph, sys::CUgraphInstantiate_flags(0)) } {
            Ok(executable) => Ok(CapturedGraph {
                context: Arc::clone(context),
                graph,
                executable,
                kernels: self.kernels,
            }),
            Err(error) => {
                // SAFETY: the graph is destroyed once.
                let _ = unsafe { cuda::graph::destroy(graph) };
                Err(failed(error))
            }
        }
    }
}

/// A graph that can be launched.
pub struct CapturedGraph {
    context: Arc<CudaContext>,
    /// Kept for its nodes.
    graph: sys::CUgraph,
    executable: sys::CUgraphExec,
    kernels: Vec<sys::CUgraphNode>,
}

// SAFETY: a graph may be used from any thread, by one at a time.
unsafe impl Send for CapturedGraph {}

impl CapturedGraph {
    /// As [`Driver::update_graph`](super::driver::Driver::update_graph).
    ///
    /// # Safety
    /// `function` is the launch's kernel, and the node's; the arguments are as it requires.
    pub(super) unsafe fn update(
        &mut self,
        index: usize,
        function: sys::CUfunction,
        launch: &Launch<'_>,
    ) -> Result<()> {
        let Some(&node) = self.kernels.get(index) else {
            bail!("a graph of {} kernels has no kernel {index}", self.kernels.len())
        };
        let ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]) = (launch.grid, launch.block);
        let updated = with_arguments(launch, |arguments| {
            let parameters = sys::CUDA_KERNEL_NODE_PARAMS {
                func: function,
                gridDimX: grid_x,
                gridDimY: grid_y,
                gridDimZ: grid_z,
                blockDimX: block_x,
                blockDimY: block_y,
                blockDimZ: block_z,
                sharedMemBytes: launch.shared as u32,
                kernelParams: arguments.as_mut_ptr(),
                extra: std::ptr::null_mut(),
                kern: std::ptr::null_mut(),
                ctx: std::ptr::null_mut(),
            };
            // SAFETY: both exist; the driver copies the arguments before it returns. Launches that are in
            // the queue keep theirs.
            unsafe {
                sys::cuGraphExecKernelNodeSetParams_v2(self.executable, node, &raw const parameters)
            }
        })?;
        updated.result().map_err(|error| {
            driver_error(&format!("a graph rejects new arguments of {}", launch.kernel), error)
        })
    }

    /// Adds the work to a queue.
    ///
    /// # Safety
    /// `queue` is a stream of the graph's context, which is current, and the work is sound.
    pub(super) unsafe fn launch(&self, queue: sys::CUstream) -> Result<()> {
        // SAFETY: both exist; the caller guarantees the rest.
        unsafe { cuda::graph::launch(self.executable, queue) }
            .map_err(|error| driver_error("the GPU rejects a graph", error))
    }
}

impl Drop for CapturedGraph {
    fn drop(&mut self) {
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: each is destroyed once. Work that is in the queue is done before it is freed.
            unsafe {
                let _ = cuda::graph::exec_destroy(self.executable);
                let _ = cuda::graph::destroy(self.graph);
            }
        }
    }
}
